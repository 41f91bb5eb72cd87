#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every program of the benchmark does its work for a moment.

smoke.py DIR PROGRAM…

Each ends well only if all replies came, each to its request, with the right bytes. What is measured
in so short a time means nothing and is not looked at.
"""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tap  # noqa: E402

import cases  # noqa: E402

WORKS = (
    ("one request", ("--depth", "1"), "exchanges"),
    ("64 requests", ("--depth", "64", "--size", "1024"), "exchanges"),
    ("bulk", ("--work", "bulk", "--depth", "8"), "messages"),
)


def attempt(program, system, arguments, counted):
    """What went wrong, or nothing; and what is missing, or nothing."""
    command = [program, "--variant", system.variant, *system.arguments, *arguments,
               "--warm-up", "0.01", "--seconds", "0.05"]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    if done.returncode == cases.EXIT_MISSING:
        return "", done.stderr.strip()
    if done.returncode != 0 or done.stderr:
        return f"exit status {done.returncode}: {done.stderr}", ""
    result = json.loads(done.stdout)
    return "" if result[counted] > 0 else f"nothing was done: {done.stdout}", ""


def main(directory, *names):
    rows = [system for system in cases.SYSTEMS if system.program in names]
    wanted = [(system, *work) for system in rows for work in WORKS
              if ("bulk" if work[0] == "bulk" else "requests") in system.works]
    plan = tap.Plan(len(wanted))
    for system, title, arguments, counted in wanted:
        program = pathlib.Path(directory) / f"bench-{system.program}"
        problem, missing = attempt(program, system, arguments, counted)
        skip = f" # SKIP {missing}" if missing else ""
        plan.result(not problem, f"{system.name}: {title}{skip}", problem)
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
