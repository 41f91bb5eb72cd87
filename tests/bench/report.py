# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results of all runs as tables in Markdown, one per question."""

import statistics

import cases


def of(results, row, case, pin):
    """The runs of one cell that did not fail."""
    return [run for run in results["runs"]
            if run["row"] == row and run["case"] == case and run["pin"] == pin
            and "failed" not in run]


def median(runs, value):
    return statistics.median(value(run) for run in runs)


def rate(run):
    return run["rate"]


def processor(run):
    """Microseconds of both processes."""
    return run["cpu_us"]["client"] + run["cpu_us"]["server"]


def spread(runs, value):
    """Half the way between the least and the most, in per cent of the median."""
    values = [value(run) for run in runs]
    middle = statistics.median(values)
    return 50 * (max(values) - min(values)) / middle if middle else 0


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


def systems(results):
    """The systems that were run at all, in order."""
    seen = {run["row"] for run in results["runs"]}
    return [system for system in cases.SYSTEMS if system.name in seen]


def rate_cases(results, pin):
    """The works that were run so, without curves and memory."""
    seen = {run["case"] for run in results["runs"] if run["pin"] == pin}
    return [case for case in cases.CASES
            if case.name in seen and not case.curve and case.unit != "memory"]


def scale(case):
    """Thousands of exchanges, millions of bytes."""
    return 1e6 if case.unit == "bytes" else 1e3


def rate_cell(results, row, case, pin):
    runs = of(results, row, case.name, pin)
    if not runs:
        return ""
    text = number(median(runs, rate) / scale(case))
    return f"{text} ± {spread(runs, rate):.0f} %" if len(runs) > 1 else text


def rate_table(results, pin):
    shown = rate_cases(results, pin)
    head = [""] + [f"{case.title}, {'MB/s' if case.unit == 'bytes' else 'thousand/s'}"
                   for case in shown]
    rows = [[system.label] + [rate_cell(results, system.name, case, pin) for case in shown]
            for system in systems(results)]
    return table(head, [row for row in rows if any(row[1:])])


def detail_cells(runs):
    if not runs or "latency_us" not in runs[0]:
        return []
    cells = [number(median(runs, lambda run, part=part: run["latency_us"][part]))
             for part in ("p50", "p99", "p99.9")]
    return cells + [number(median(runs, lambda run, end=end: run["cpu_us"][end]))
                    for end in ("client", "server")]


def detail_table(results, case, pin):
    head = ["", "p50, µs", "p99", "p99.9", "processor of the client, µs", "of the server"]
    rows = [[system.label] + detail_cells(of(results, system.name, case, pin))
            for system in systems(results)]
    return table(head, [row for row in rows if len(row) > 1])


def memory_table(results):
    rows = []
    for system in systems(results):
        runs = of(results, system.name, "idle", "none")
        if runs:
            rows.append([system.label] + [
                number(median(runs, lambda run, end=end: run["memory"][end]) / 1024)
                for end in ("client", "server")] + [str(system.idle)])
    return table(["", "client, KiB", "server, KiB", "connections"], rows) if rows else ""


def curve_points(results, name):
    """(where, runs) along a curve."""
    points = [(case.at, of(results, case.systems[0], case.name, "one"))
              for case in cases.CASES if case.curve == name]
    return [(at, runs) for at, runs in points if runs]


def curve_table(results, name):
    rows = [[f"{at:,}".replace(",", " "), number(median(runs, rate) / 1e3),
             number(median(runs, processor)),
             number(median(runs, lambda run: run["latency_us"]["p99"]))]
            for at, runs in curve_points(results, name)]
    head = [cases.CURVES[name][1], "thousand/s", "processor of both, µs per exchange", "p99, µs"]
    return table(head, rows) if rows else ""


def wan_cell(run, key, form):
    return form(run[key]) if key in run else ""


def wan_runs(results):
    """The last run of each work and system."""
    last = {(run["case"], run["system"]): run for run in results.get("wan", [])
            if "results" in run}
    return list(last.values())


WAN_LABELS = {"seqex": "Seqex, encrypted", "tcp-cubic": "TCP, CUBIC", "tcp-bbr": "TCP, BBR",
              "enet": "ENet"}


def wan_title(run):
    return run.get("title", run["case"])


def wan_label(run):
    return WAN_LABELS.get(run["system"], run["system"])


def wan_table(results):
    columns = (
        ("share", "share of the link", "{:.3f}"), ("resent", "resent", "{:.1%}"),
        ("needless", "needlessly", "{:.1%}"), ("queue_ms", "queue, ms", "{:.1f}"),
        ("jain", "Jain", "{:.3f}"), ("ratio", "ratio", "{:.2f}"),
        ("rate", "requests/s", "{:.0f}"), ("p50_ms", "p50, ms", "{:.1f}"),
        ("p99_ms", "p99, ms", "{:.1f}"))
    rows = [[f"{wan_title(run)}: {wan_label(run)}"]
            + [wan_cell(run, key, form.format) for key, _, form in columns]
            for run in wan_runs(results)]
    return table([""] + [title for _, title, _ in columns], rows) if rows else ""


# What is held to a goal: who, the work, how pinned, against whom, and how much is wanted.
GOALS = (
    ("seqex", "d1-64", "one", "udp-aead", 0.8),
    ("seqex", "d1-64", "two", "udp-aead", 0.95),
    ("seqex", "d64-64", "two", "", 1e6),
    ("core", "d64-64", "one", "", 2e6),
    ("seqex", "d64-1k", "two", "", 6e5),
    ("seqex", "bulk", "two", "gio-tls", 2.0),
    ("seqex", "bulk-1500", "two", "gio-tls", 1.2),
)
MEMORY_GOAL = 8  # KiB


def memory_goal(results):
    """The end that takes more."""
    runs = of(results, "seqex", "idle", "none")
    if not runs:
        return []
    reached = median(runs, lambda run: max(run["memory"].values())) / 1024
    return [["memory of an idle connection, at the end that takes more", f"≤ {MEMORY_GOAL} KiB",
             number(reached), "yes" if reached <= MEMORY_GOAL else "no"]]


def goal_table(results):
    rows = []
    titles = dict(cases.PINS)
    for row, name, pin, rival, wanted in GOALS:
        own = of(results, row, name, pin)
        other = of(results, rival, name, pin) if rival else []
        if not own or (rival and not other):
            continue
        case = next(case for case in cases.CASES if case.name == name)
        reached = median(own, rate) / (median(other, rate) if rival else 1)
        labels = {system.name: system.label for system in cases.SYSTEMS}
        label = f"of {labels[rival]}" if rival else "thousand/s"
        subject = f"{case.title}, {titles[pin]}" + (", the core alone" if row == "core" else "")
        shown = [f"{value:.2f}" if rival else number(value / 1e3) for value in (wanted, reached)]
        rows.append([subject, f"≥ {shown[0]} {label}", shown[1],
                     "yes" if reached >= wanted else "no"])
    rows += memory_goal(results)
    return table(["Seqex, encrypted", "goal", "measured", "reached"], rows) if rows else ""


def sections(results):
    """(title, text) of everything that there is something to say about."""
    yield "Goals", goal_table(results)
    for pin, title in cases.PINS:
        yield f"Rates, {title}", rate_table(results, pin) if rate_cases(results, pin) else ""
    for case in cases.CASES:
        if case.work != "requests" or case.curve:
            continue
        for pin, title in cases.PINS:
            if any(run["case"] == case.name and run["pin"] == pin for run in results["runs"]):
                yield f"One exchange: {case.title}, {title}", detail_table(results, case.name, pin)
    yield "Memory of an idle connection", memory_table(results)
    for name, (title, _) in cases.CURVES.items():
        yield f"Against {title}", curve_table(results, name)
    yield "Over a long link", wan_table(results)
    failed = sorted({f"- {run['row']}, {run['case']}: {run['failed']}"
                     for run in results["runs"] if "failed" in run})
    yield "Failed", "\n".join(failed)
    yield "Not here", "\n".join(f"- {row}: {why}"
                                for row, why in sorted(results["missing"].items()))


def markdown(results):
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections(results) if text) + "\n"
