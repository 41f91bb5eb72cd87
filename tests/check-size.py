#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-size.py SIZE LIBRARY LIMIT: the text of a library, constants included, is below LIMIT bytes.

Text is what size(1) calls so: code, constants and the tables of the dynamic linker. Stripping
takes nothing away from it.
"""

import subprocess
import sys

import tap


def main(size, library, limit):
    output = subprocess.run([size, library], check=True, capture_output=True, text=True).stdout
    text = int(output.splitlines()[1].split()[0])
    plan = tap.Plan(1)
    plan.result(text < int(limit), f"text is {text} bytes, limit {limit}")
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
