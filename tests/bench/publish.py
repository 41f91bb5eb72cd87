# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of the results: data, tables, plots, and the page of the documentation."""

import json
import re

import plot
import report

PAGE = "performance.md"


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (directory / "results.md").write_text(report.markdown(results), encoding="utf-8")
    for name, text in plot.all_plots(results).items():
        (directory / name).write_text(text, encoding="utf-8")


def update_page(results, directory):
    """What stands between the marks of a table in the page is replaced by that table."""
    tables = {title: text for title, text in report.sections(results) if text}
    page = directory / PAGE
    text = page.read_text(encoding="utf-8")
    machine = results["machine"]
    tables["Machine"] = (f"{machine['processors']} cores of an {machine['processor']}, "
                         f"Linux {machine['kernel']}")

    def fill(match):
        return f"{match[1]}\n{tables.get(match[2], match[3].strip())}\n{match[4]}"

    text = re.sub(r"(<!-- begin: (.*?) -->)\n(.*?)(<!-- end -->)", fill, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
    for name, drawing in plot.all_plots(results).items():
        (directory / name).write_text(drawing, encoding="utf-8")
