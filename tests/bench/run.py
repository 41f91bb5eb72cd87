#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures Seqex and what a program would use instead, doing the same work.

    run.py BUILD-DIR                     everything, five times, and the table
    run.py BUILD-DIR --quick             the rows that matter most, once, below a minute
    run.py BUILD-DIR --output DIR        also results.json, results.md and plots
    run.py BUILD-DIR --append FILE       adds one or more rounds to the results of earlier ones
    run.py --report FILE --output DIR    measures nothing

One round runs every system once for a work before it goes to the next work, so that whatever the
machine does meanwhile hits all alike.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys

import cases
import report

# A run that takes this much longer than asked hangs, and is a failure of its row.
PATIENCE = 30


def machine():
    """What the figures depend on."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "processors": os.cpu_count(), "kernel": platform.release()}


def run_once(program, arguments, warm_up, seconds):
    """One line of JSON of one program, or what went wrong."""
    command = [program, *arguments, "--warm-up", str(warm_up), "--seconds", str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=warm_up + seconds + PATIENCE, start_new_session=True)
    except subprocess.TimeoutExpired:
        return {"failed": "did not end"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    said = done.stderr.strip().splitlines()
    if done.returncode == cases.EXIT_MISSING:
        return {"missing": said[-1]}
    if done.returncode != 0 or not lines:
        return {"failed": said[-1] if said else f"exit status {done.returncode}"}
    return json.loads(lines[-1])


class Suite:
    """What was asked for, and the results so far."""

    def __init__(self, build, options):
        self.bench = pathlib.Path(build) / "tests" / "bench"
        self.options = options
        self.runs = []
        self.missing = {}

    def wanted(self, system, case):
        options = self.options
        if case.works not in system.works:
            return False
        if options.quick and not (system.quick and case.quick):
            return False
        if options.systems and system.name not in options.systems:
            return False
        return not options.cases or case.name in options.cases

    def measure(self, system, case, pin):
        program = self.bench / f"bench-{system.program}"
        if not program.exists():
            self.missing[system.name] = f"{system.package or system.program} is not installed"
            return
        arguments = ["--variant", system.variant, *case.arguments, *system.arguments, "--pin", pin]
        result = run_once(program, arguments, min(case.warm_up, self.options.seconds),
                          case.seconds * self.options.seconds)
        if "missing" in result:
            self.missing[system.name] = result["missing"]
            return
        result.update(row=system.name, case=case.name, pin=pin)
        self.runs.append(result)
        if "failed" in result:
            print(f"{system.name} {case.name} {pin}: {result['failed']}", file=sys.stderr)

    def round(self):
        for case in cases.CASES:
            for pin, _ in cases.PINS:
                for system in cases.SYSTEMS:
                    if self.wanted(system, case):
                        self.measure(system, case, pin)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", help="the build directory")
    parser.add_argument("--quick", action="store_true", help="few rows, once")
    parser.add_argument("--rounds", type=int, default=0, help="how often everything is run")
    parser.add_argument("--seconds", type=float, default=0, help="of one run, times the work's own")
    parser.add_argument("--systems", type=lambda text: text.split(","), help="only these rows")
    parser.add_argument("--cases", type=lambda text: text.split(","), help="only these works")
    parser.add_argument("--append", type=pathlib.Path, help="results that are added to")
    parser.add_argument("--report", type=pathlib.Path, help="results to show")
    parser.add_argument("--output", type=pathlib.Path, help="where files go")
    options = parser.parse_args(arguments)
    if (options.build is None) == (options.report is None):
        parser.error("a build directory, or --report")
    options.rounds = options.rounds or (1 if options.quick or options.append else 5)
    options.seconds = options.seconds or (0.3 if options.quick else 1)
    return options


def collect(options):
    """The results: measured, or read."""
    if options.report is not None:
        return json.loads(options.report.read_text(encoding="utf-8"))
    results = {"machine": machine(), "missing": {}, "runs": []}
    if options.append is not None and options.append.exists():
        results = json.loads(options.append.read_text(encoding="utf-8"))
    suite = Suite(options.build, options)
    for _ in range(options.rounds):
        suite.round()
    results["runs"] += suite.runs
    results["missing"].update(suite.missing)
    if options.append is not None:
        options.append.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def main(arguments):
    options = parse(arguments)
    results = collect(options)
    print(report.markdown(results))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n",
                                                     encoding="utf-8")
        (options.output / "results.md").write_text(report.markdown(results), encoding="utf-8")
    return 1 if any("failed" in run for run in results["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
