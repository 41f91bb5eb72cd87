# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results of all runs as one table per question, in Markdown."""

import statistics

import cases


def of(results, row, case, pin):
    """The runs of one cell that did not fail."""
    return [run for run in results["runs"]
            if run["row"] == row and run["case"] == case and run["pin"] == pin
            and "failed" not in run]


def median(runs, value):
    return statistics.median(value(run) for run in runs)


def spread(runs, value):
    """How far the runs lie apart, in per cent of their median."""
    values = [value(run) for run in runs]
    middle = statistics.median(values)
    return 100 * (max(values) - min(values)) / middle if middle else 0


def number(value):
    """Three digits that matter."""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def rate_cell(results, row, case, pin):
    runs = of(results, row, case.name, pin)
    if not runs:
        return ""
    scale = 1e6 if case.unit == "bytes" else 1e3
    text = number(median(runs, lambda run: run["rate"]) / scale)
    if len(runs) > 1:
        text += f" ± {spread(runs, lambda run: run['rate']) / 2:.0f} %"
    return text


def rows_of(results):
    """The systems that were run at all, in order."""
    seen = {run["row"] for run in results["runs"]}
    return [system for system in cases.SYSTEMS if system.name in seen]


def rate_table(results, pin):
    shown = [case for case in cases.CASES
             if any(run["case"] == case.name and run["pin"] == pin for run in results["runs"])]
    head = [""] + [f"{case.title}, {'MB/s' if case.unit == 'bytes' else 'thousand/s'}"
                   for case in shown]
    rows = [[system.label] + [rate_cell(results, system.name, case, pin) for case in shown]
            for system in rows_of(results)]
    return table(head, rows)


def detail_cells(results, row, case, pin):
    runs = of(results, row, case.name, pin)
    if not runs or "latency_us" not in runs[0]:
        return [""] * 5
    cells = [number(median(runs, lambda run, part=part: run["latency_us"][part]))
             for part in ("p50", "p99", "p99.9")]
    return cells + [number(median(runs, lambda run, end=end: run["cpu_us"][end]))
                    for end in ("client", "server")]


def detail_table(results, case, pin):
    head = ["", "p50 µs", "p99 µs", "p99.9 µs", "processor µs, client", "server"]
    rows = [[system.label] + detail_cells(results, system.name, case, pin)
            for system in rows_of(results)]
    return table(head, [row for row in rows if any(row[1:])])


def markdown(results):
    parts = []
    for pin, title in cases.PINS:
        parts += [f"## Rates, {title}", rate_table(results, pin)]
    for case in cases.CASES:
        if case.works != "requests":
            continue
        for pin, title in cases.PINS:
            if any(run["case"] == case.name and run["pin"] == pin for run in results["runs"]):
                parts += [f"## One exchange: {case.title}, {title}",
                          detail_table(results, case, pin)]
    failed = sorted({f"{run['row']}, {run['case']}: {run['failed']}"
                     for run in results["runs"] if "failed" in run})
    if failed:
        parts += ["## Failed", "\n".join(f"- {line}" for line in failed)]
    if results["missing"]:
        parts += ["## Not here", "\n".join(f"- {row}: {why}"
                                          for row, why in sorted(results["missing"].items()))]
    return "\n\n".join(parts) + "\n"
