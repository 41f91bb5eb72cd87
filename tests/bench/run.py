#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures Seqex and what a program would use instead, doing the same work.

    run.py BUILD-DIR                     everything, five times, and the table
    run.py BUILD-DIR --quick             the rows that matter most, once, below a minute
    run.py BUILD-DIR --output DIR        also results.json, results.md and plots
    run.py BUILD-DIR --append FILE       adds a round to the results of earlier ones
    run.py --report FILE --output DIR    measures nothing
    run.py … --wan FILE                  with the lines that wan.py printed before
    run.py … --publish DOCS              puts tables and plots into the page on performance

One round runs every system once for a work before it goes to the next work, so that whatever the
machine does meanwhile hits all alike.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import subprocess
import sys

import cases
import publish
import report
import veth

# A run that takes this much longer than asked hangs, and is a failure of its row.
PATIENCE = 60


def machine():
    """What the figures depend on."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "processors": os.cpu_count(), "kernel": platform.release()}


def run_once(command, patience=PATIENCE):
    """One line of JSON of one program, or what went wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience,
                              start_new_session=True)
    except subprocess.TimeoutExpired:
        return {"failed": "did not end"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    said = done.stderr.strip().splitlines()
    if done.returncode == cases.EXIT_MISSING:
        return {"missing": said[-1]}
    if done.returncode != 0 or not lines:
        return {"failed": said[-1] if said else f"exit status {done.returncode}"}
    return json.loads(lines[-1])


def python_with_gi():
    """The first Python need not be the one that has PyGObject."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import gi"], capture_output=True).returncode == 0:
            return python
    return None


def core_result(result, case):
    """A line of core-bench, in the form of the other programs."""
    if "failed" in result:
        return result
    rate = result["exchanges_per_second"]
    if case.unit == "bytes":
        rate = result["megabytes_per_second"] * 1e6
    return {"rate": rate, "cpu_us": {"client": result["ns_per_exchange"] / 1000, "server": 0}}


class Suite:
    """What was asked for, and the results so far."""

    def __init__(self, build, options):
        self.build = pathlib.Path(build).resolve()
        self.bench = self.build / "tests" / "bench"
        self.options = options
        self.python = python_with_gi()
        self.pair = None
        self.runs = []
        self.missing = {}

    def wanted(self, system, case):
        options = self.options
        if case.work not in system.works or (case.systems and system.name not in case.systems):
            return False
        if options.quick and not (system.quick and case.quick):
            return False
        if options.systems and system.name not in options.systems:
            return False
        if system.program == "core-bench":
            return bool(case.core)
        return system.moves or not case.veth

    def command(self, system):
        """What runs a system, or None where it is not."""
        if system.program == "core-bench":
            program = self.bench / "core-bench"
        elif system.program.endswith("-python"):
            if self.python is None or not list(self.build.glob("seqex/*.typelib")):
                return None
            return [self.python, str(pathlib.Path(__file__).parent / f"{system.program}.py")]
        else:
            program = self.bench / f"bench-{system.program}"
        return [str(program)] if program.exists() else None

    def result(self, system, case, pin):
        command = self.command(system)
        if command is None:
            return {"missing": f"{system.package or system.program} is not installed"}
        if system.program == "core-bench":
            return core_result(run_once([*command, case.core]), case)
        times = (min(case.warm_up, self.options.seconds), case.seconds * self.options.seconds)
        words = [*case.arguments, "--pin", pin, "--warm-up", str(times[0]), "--seconds",
                 str(times[1]), *(self.pair.arguments() if case.veth else system.arguments)]
        if case.work == "idle":
            words += ["--connections", str(system.idle)]
        return run_once([*command, "--variant", system.variant, *words], sum(times) + PATIENCE)

    def measure(self, system, case, pin):
        result = self.result(system, case, pin)
        if "missing" in result:
            self.missing[system.name] = result["missing"]
            return
        result.update(row=system.name, case=case.name, pin=pin)
        self.runs.append(result)
        if "failed" in result:
            print(f"{system.name} {case.name} {pin}: {result['failed']}", file=sys.stderr)

    def round(self):
        for case in cases.CASES:
            if self.options.cases and case.name not in self.options.cases \
                    and case.curve not in self.options.cases:
                continue
            if case.veth and self.pair is None:
                continue
            for pin in case.pins:
                for system in cases.SYSTEMS:
                    # The core alone is one process.
                    if self.wanted(system, case) and (pin == "one" or system.name != "core"):
                        self.measure(system, case, pin)

    def long_link(self):
        """The lines of wan.py, or none where there cannot be a link."""
        done = subprocess.run([sys.executable, str(pathlib.Path(__file__).parent / "wan.py"),
                               str(self.build)], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if not lines:
            self.missing["the long link"] = done.stderr.strip().splitlines()[-1]
        return lines

    def run(self):
        with contextlib.ExitStack() as stack:
            if not self.options.quick:
                try:
                    self.pair = stack.enter_context(veth.Pair())
                except veth.Failed as failure:
                    self.missing["MTU 1500"] = str(failure)
            for _ in range(self.options.rounds):
                self.round()


def names(text):
    return text.split(",")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", help="the build directory")
    parser.add_argument("--quick", action="store_true", help="few rows, once")
    parser.add_argument("--rounds", type=int, default=0, help="how often everything is run")
    parser.add_argument("--seconds", type=float, default=0, help="of one run, times the work's own")
    parser.add_argument("--systems", type=names, help="only these rows")
    parser.add_argument("--cases", type=names, help="only these works")
    parser.add_argument("--append", type=pathlib.Path, help="results that are added to")
    parser.add_argument("--report", type=pathlib.Path, help="results to show")
    parser.add_argument("--wan", type=pathlib.Path, help="lines of wan.py to show with them")
    parser.add_argument("--output", type=pathlib.Path, help="where files go")
    parser.add_argument("--publish", type=pathlib.Path, help="the directory of performance.md")
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
    suite.run()
    if not (options.quick or options.cases or options.systems or options.wan):
        results["wan"] = results.get("wan", []) + suite.long_link()
    results["runs"] += suite.runs
    results["missing"].update(suite.missing)
    if options.append is not None:
        options.append.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def main(arguments):
    options = parse(arguments)
    if options.build is not None:
        library = str(pathlib.Path(options.build).resolve() / "seqex")
        os.environ.update(GI_TYPELIB_PATH=library, LD_LIBRARY_PATH=library)
    results = collect(options)
    if options.wan is not None:
        lines = options.wan.read_text(encoding="utf-8").splitlines()
        results["wan"] = [json.loads(line) for line in lines]
    print(report.markdown(results))
    if options.output is not None:
        publish.write(results, options.output)
    if options.publish is not None:
        publish.update_page(results, options.publish)
    return 1 if any("failed" in run for run in results["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
