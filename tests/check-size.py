#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-size.py SIZE LIBRARY LIMIT: the code of a library is below LIMIT bytes.

The code is the section .text, which stripping leaves as it is. What size(1) adds up as text, with
the constants, the tables of the dynamic linker and those for unwinding, is told as a remark.
"""

import subprocess
import sys

import tap


def sections(size, library):
    """name -> bytes of each section."""
    output = subprocess.run([size, "-A", library], check=True, capture_output=True,
                            text=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}


def berkeley_text(size, library):
    output = subprocess.run([size, library], check=True, capture_output=True, text=True).stdout
    return int(output.splitlines()[1].split()[0])


def main(size, library, limit):
    found = sections(size, library)
    parts = [f"{name} {found.get(name, 0)}" for name in (".text", ".rodata", ".eh_frame")]
    plan = tap.Plan(1)
    plan.result(found[".text"] < int(limit), f"code is {found['.text']} bytes, limit {limit}",
                f"{', '.join(parts)}; all that is read-only {berkeley_text(size, library)}")
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
