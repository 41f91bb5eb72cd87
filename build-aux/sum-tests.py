#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints "PASSED FAILED SKIPPED" for one testlog.json of Meson, every TAP sub-test counted.

Meson's own summary counts programs. A program that speaks TAP counts here by its "ok" and "not ok"
lines; one that died, ran out of time or broke its plan counts as one failure more than it said,
unless it said one itself. Any other program counts as one. What failed is named on stderr.
"""

import json
import re
import sys

GOOD = ("OK", "EXPECTEDFAIL")
REMARKS_MAX = 30
TAP_PLAN = re.compile(r"^1\.\.\d+", re.MULTILINE)
# A result, and the remarks below it that say why.
TAP_LINE = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t-]*(.*)$((?:\n#.*$)*)", re.MULTILINE)
TAP_DIRECTIVE = re.compile(r"#\s*(SKIP|TODO)\b", re.IGNORECASE)


def count_tap(text):
    passed, skipped, failures = 0, 0, []
    for negated, rest, remarks in TAP_LINE.findall(text):
        directive = TAP_DIRECTIVE.search(rest)
        if directive and directive.group(1).upper() == "SKIP":
            skipped += 1
        elif not negated:
            passed += 1
        elif directive:
            skipped += 1
        else:
            failures.append(rest + "".join(remarks.splitlines(keepends=True)[:REMARKS_MAX]))
    return passed, skipped, failures


def count(run):
    """(passed, failures by name, skipped) of one program."""
    output = run.get("stdout") or ""
    result = run["result"]
    if TAP_PLAN.search(output):
        passed, skipped, failures = count_tap(output)
        if result == "SKIP" and passed + skipped + len(failures) == 0:
            skipped = 1
        elif result not in GOOD and result != "SKIP" and not failures:
            failures.append(result)
        return passed, failures, skipped
    if result in GOOD:
        return 1, [], 0
    if result == "SKIP":
        return 0, [], 1
    return 0, [result], 0


def main(path):
    passed, failed, skipped = 0, 0, 0
    with open(path, encoding="utf-8") as log:
        for line in log:
            run = json.loads(line)
            run_passed, failures, run_skipped = count(run)
            passed += run_passed
            skipped += run_skipped
            failed += len(failures)
            for failure in failures:
                print(f"FAILED: {run['name']}: {failure}", file=sys.stderr)
    if passed + failed + skipped == 0:
        return 1
    print(passed, failed, skipped)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
