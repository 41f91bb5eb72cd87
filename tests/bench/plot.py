# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bars, ranges and lines as SVG, without a library."""

import math
from xml.sax.saxutils import escape

import cases
import report

FONT = "font-family='Cantarell, Noto Sans, DejaVu Sans, sans-serif'"
INK = "#241f31"
FAINT = "#77767b"
GRID = "#deddda"
LIMIT = "#9a9996"  # what the kernel and the cipher allow
# (encrypted, not encrypted) of each program
COLOURS = {
    "seqex": ("#1c71d8", "#99c1f1"),
    "seqex-python": ("#62a0ea", "#62a0ea"),
    "core-bench": ("#1a5fb4", "#1a5fb4"),
    "udp": (LIMIT, "#c0bfbc"),
    "gio": ("#e66100", "#ffbe6f"),
    "gdbus": ("#9141ac", "#9141ac"),
    "enet": ("#26a269", "#26a269"),
    "zmq": ("#c01c28", "#f66151"),
    "nng": ("#865e3c", "#865e3c"),
}
WAN_COLOURS = {"seqex": "#1c71d8", "tcp-cubic": "#e66100", "tcp-bbr": "#ffbe6f",
               "enet": "#26a269"}
ROW = 19
LABEL = 250
BAR = 250
VALUE = 90


def colour(system):
    encrypted, plain = COLOURS[system.program]
    return encrypted if system.encrypted else plain


class Drawing:
    """SVG that is added to."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.parts = []

    def text(self, x, y, text, anchor="start", size=12, ink=INK, bold=False):
        weight = " font-weight='bold'" if bold else ""
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' "
                          f"font-size='{size}' fill='{ink}'{weight}>{escape(text)}</text>")

    def box(self, x, y, width, height, fill):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' "
                          f"height='{height:.1f}' fill='{fill}'/>")

    def line(self, points, stroke, width=1.0):
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f"<polyline points='{text}' fill='none' stroke='{stroke}' "
                          f"stroke-width='{width}'/>")

    def dot(self, x, y, fill, radius=4.0):
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius}' fill='{fill}'/>")

    def svg(self):
        head = (f"<svg xmlns='http://www.w3.org/2000/svg' width='{self.width}' "
                f"height='{self.height}' viewBox='0 0 {self.width} {self.height}' {FONT}>")
        return "\n".join([head, f"<rect width='{self.width}' height='{self.height}' fill='white'/>",
                          *self.parts, "</svg>"]) + "\n"


def bar_panel(drawing, x, y, title, bars, full=0):
    """bars: (label, value, least, most, text, colour, bold); @full is as long as a bar gets"""
    drawing.text(x, y + 14, title, size=14, bold=True)
    top = y + 24
    largest = full or max(most for _, _, _, most, _, _, _ in bars) or 1
    for row, (label, value, least, most, text, fill, bold) in enumerate(bars):
        at = top + row * ROW
        drawing.text(x + LABEL - 8, at + 13, label, "end", 11, bold=bold)
        drawing.box(x + LABEL, at + 2, BAR * value / largest, ROW - 5, fill)
        # From the slowest run to the fastest.
        if most > least:
            drawing.line([(x + LABEL + BAR * least / largest, at + ROW / 2 - 0.5),
                          (x + LABEL + BAR * most / largest, at + ROW / 2 - 0.5)], INK)
        drawing.text(x + LABEL + BAR * most / largest + 5, at + 13, text, size=11, bold=bold)
    return top + len(bars) * ROW


def rate_bars(results, case, pin):
    bars = []
    for system in report.systems(results):
        runs = report.of(results, system.name, case.name, pin)
        if not runs:
            continue
        middle = report.median(runs, report.rate) / report.scale(case)
        values = [run["rate"] / report.scale(case) for run in runs]
        bars.append((system.label, middle, min(values), max(values), report.number(middle),
                     colour(system), system.name == "seqex"))
    return bars


def rates(results, pin, title):
    """All works of one way to pin, two panels side by side."""
    panels = [(case, rate_bars(results, case, pin)) for case in report.rate_cases(results, pin)]
    rows = [panels[i:i + 2] for i in range(0, len(panels), 2)]
    heights = [50 + ROW * max(len(bars) for _, bars in row) for row in rows]
    width = 2 * (LABEL + BAR + VALUE)
    drawing = Drawing(width, 60 + sum(heights))
    drawing.text(16, 28, f"Rates, {title}", size=18, bold=True)
    drawing.text(16, 46, "Bars: the median; lines: the slowest and the fastest run. Grey: what UDP "
                 "in a GLib loop allows, without resending.", size=11, ink=FAINT)
    y = 60
    for row, height in zip(rows, heights):
        for column, (case, bars) in enumerate(row):
            unit = "MB/s" if case.unit == "bytes" else "thousand exchanges/s"
            bar_panel(drawing, 16 + column * (LABEL + BAR + VALUE), y, f"{case.title}: {unit}",
                      bars)
        y += height
    return drawing.svg()


class Axis:
    """A logarithmic axis that ends at powers of ten."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def tick_text(value):
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def latencies(results, case, pins):
    """From the median to the p99.9 of one exchange."""
    panels = []
    for pin, title in pins:
        rows = []
        for system in report.systems(results):
            runs = report.of(results, system.name, case.name, pin)
            if runs and "latency_us" in runs[0]:
                rows.append((system, [report.median(runs, lambda run, part=part:
                                                    run["latency_us"][part])
                                      for part in ("p50", "p99", "p99.9")]))
        if rows:
            panels.append((title, rows))
    if not panels:
        return None
    values = [value for _, rows in panels for _, parts in rows for value in parts]
    width = LABEL + BAR + VALUE
    drawing = Drawing(2 * width, 100 + ROW * max(len(rows) for _, rows in panels))
    drawing.text(16, 28, f"Latency of an exchange, {case.title}", size=18, bold=True)
    drawing.text(16, 46, "µs, a logarithmic axis. Large dots: the median; small dots: p99 and "
                 "p99.9.", size=11, ink=FAINT)
    for column, (title, rows) in enumerate(panels):
        x = 16 + column * width
        axis = Axis(values, x + LABEL, x + LABEL + BAR + 40)
        bottom = 90 + ROW * len(rows)
        drawing.text(x, 74, title, size=14, bold=True)
        for tick in axis.ticks():
            drawing.line([(axis.at(tick), 80), (axis.at(tick), bottom - 8)], GRID)
            drawing.text(axis.at(tick), bottom + 6, tick_text(tick), "middle", 10, FAINT)
        for row, (system, parts) in enumerate(rows):
            y = 90 + row * ROW
            drawing.text(x + LABEL - 8, y + 4, system.label, "end", 11, bold=system.name == "seqex")
            drawing.line([(axis.at(parts[0]), y), (axis.at(parts[2]), y)], colour(system), 2)
            drawing.dot(axis.at(parts[0]), y, colour(system), 5)
            for value in parts[1:]:
                drawing.dot(axis.at(value), y, colour(system), 3)
    return drawing.svg()


def nice_steps(most):
    """How many steps of which round size reach @most."""
    power = 10.0 ** math.floor(math.log10(most / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * 5 >= most)
    return math.ceil(most / step), step


def curve_panel(drawing, x, title, axis, points):
    """Processor time of both ends against a number that grows."""
    left, right, top, bottom = x + 40, x + 350, 80, 300
    across = Axis([at for at, _ in points], left, right)
    values = [report.median(runs, report.processor) for _, runs in points]
    steps, step = nice_steps(max(values) * 1.15)
    most = steps * step
    drawing.text(x, 68, title, size=13, bold=True)
    for tick in range(steps + 1):
        y = bottom - (bottom - top) * tick / steps
        drawing.line([(left, y), (right, y)], GRID)
        drawing.text(left - 6, y + 4, f"{tick * step:g}", "end", 10, FAINT)
    for at, _ in points:
        drawing.text(across.at(at), bottom + 16, tick_text(at), "middle", 10, FAINT)
    drawing.text((left + right) / 2, bottom + 34, axis, "middle", 11, FAINT)
    where = [(across.at(at), bottom - (bottom - top) * value / most)
             for (at, _), value in zip(points, values)]
    drawing.line(where, COLOURS["seqex"][0], 2)
    for (px, py), value in zip(where, values):
        drawing.dot(px, py, COLOURS["seqex"][0])
        drawing.text(px + 4, py - 9, report.number(value), size=11)


def curves(results):
    panels = [(axis, title, report.curve_points(results, name))
              for name, (title, axis) in cases.CURVES.items()]
    panels = [panel for panel in panels if len(panel[2]) > 1]
    if not panels:
        return None
    drawing = Drawing(420 * len(panels) + 20, 350)
    drawing.text(16, 28, "Processor time of an exchange, both ends on one core, encrypted", size=18,
                 bold=True)
    drawing.text(16, 46, "µs of both processes together, 64 B", size=11, ink=FAINT)
    for column, (axis, title, points) in enumerate(panels):
        curve_panel(drawing, 16 + 420 * column, f"against {title}", axis, points)
    return drawing.svg()


def wan_shares(results):
    """How much of a long link each system fills."""
    groups = {}
    for run in report.wan_runs(results):
        if run["case"].startswith(("bulk", "far")) and "share" in run:
            groups.setdefault(report.wan_title(run), []).append(run)
    if not groups:
        return None
    drawing = Drawing(LABEL + BAR + VALUE + 120,
                      60 + sum(40 + ROW * len(runs) for runs in groups.values()))
    drawing.text(16, 28, "Bulk over a long link: the share of it that arrives as payload", size=18,
                 bold=True)
    drawing.text(16, 46, "100 Mbit/s, 20 ms each way; 600 ms: 20 Mbit/s, 300 ms each way", size=11,
                 ink=FAINT)
    y = 60
    for title, runs in groups.items():
        bars = [(report.wan_label(run), run["share"], run["share"], run["share"],
                 f"{run['share']:.2f}", WAN_COLOURS.get(run["system"], LIMIT),
                 run["system"] == "seqex") for run in runs]
        y = bar_panel(drawing, 16, y, title, bars, 1) + 16
    return drawing.svg()


def all_plots(results):
    """File name and SVG of each plot that there is data for."""
    plots = {f"rates-{pin}-core": rates(results, pin, title) for pin, title in cases.PINS
             if report.rate_cases(results, pin)}
    first = next(case for case in cases.CASES if case.name == "d1-64")
    plots["latency"] = latencies(results, first, cases.PINS)
    plots["scaling"] = curves(results)
    plots["long-link"] = wan_shares(results)
    return {f"performance-{name}.svg": text for name, text in plots.items() if text is not None}
