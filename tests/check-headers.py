#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the public headers against each other and against the library's exports.

check-headers.py --umbrella seqex.h [--library FILE --nm NM] HEADER…

Public headers include public ones only, the umbrella includes them all, each refuses to be included
directly, every prototype says since when it is there, and the library exports what the prototypes
say and nothing else.
"""

import argparse
import pathlib
import re
import subprocess
import sys

import tap

FOREIGN = {"gio/gio.h", "glib.h", "glib-object.h"}
GUARD = "#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)"
FUNCTION = re.compile(r"\b(seqex_[a-z0-9_]+)\s*\(")
DECLARE_TYPE = re.compile(r"G_DECLARE_\w+\s*\(\s*\w+\s*,\s*(\w+)")


def includes(text):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE)


def statements(text):
    """The C statements of a header, without comments and preprocessor lines."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\bG_(BEGIN|END)_DECLS\b", " ", text)
    # G_DECLARE_FINAL_TYPE and its like may stand without a semicolon.
    text = re.sub(r"(G_D[A-Z_]*\s*\([^()]*\))\s*\n", r"\1;\n", text)
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


def check_includes(headers, umbrella):
    errors = []
    for name, text in headers.items():
        for included in includes(text):
            if included not in FOREIGN and included not in headers:
                errors.append(f"{name} includes {included}, which is not public")
    for name in headers:
        if name != umbrella and name not in includes(headers[umbrella]):
            errors.append(f"{umbrella} does not include {name}")
    return errors


def check_guards(headers, umbrella):
    errors = [f"{name} can be included directly" for name, text in headers.items()
              if name != umbrella and GUARD not in text]
    errors += [f"{name} has no #pragma once" for name, text in headers.items()
               if "#pragma once" not in text]
    if not re.search(r"#define SEQEX_INSIDE\b.*#undef SEQEX_INSIDE\b", headers[umbrella],
                     re.DOTALL):
        errors.append(f"{umbrella} does not define SEQEX_INSIDE around what it includes")
    return errors


def declared(headers):
    """Every function that the headers declare, and what is wrong with its prototype."""
    functions, errors = set(), []
    for name, text in headers.items():
        for statement in statements(text):
            found = FUNCTION.findall(statement) + [
                prefix + "_get_type" for prefix in DECLARE_TYPE.findall(statement)]
            if not found or statement.startswith("typedef"):
                continue
            functions.add(found[0])
            if not statement.startswith(("SEQEX_AVAILABLE_IN_", "SEQEX_DEPRECATED_IN_")):
                errors.append(f"{name}: {found[0]} has no SEQEX_AVAILABLE_IN_…")
    return functions, errors


def exported(nm, library):
    lines = subprocess.run([nm, "-D", "--defined-only", "-P", library], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0].split("@")[0] for line in lines}


def check_exports(functions, symbols):
    # What a linker or a sanitizer adds starts with an underscore.
    symbols = {symbol for symbol in symbols if not symbol.startswith("_")}
    return ([f"{name} is declared and not exported" for name in sorted(functions - symbols)]
            + [f"{name} is exported and not declared" for name in sorted(symbols - functions)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--umbrella", required=True)
    parser.add_argument("--library")
    parser.add_argument("--nm", default="nm")
    parser.add_argument("headers", nargs="+", type=pathlib.Path)
    args = parser.parse_args()

    headers = {path.name: path.read_text(encoding="utf-8") for path in args.headers}
    functions, unmarked = declared(headers)
    results = {
        "includes": check_includes(headers, args.umbrella),
        "guards": check_guards(headers, args.umbrella),
        "availability": unmarked if functions else ["no prototype was found"],
    }
    if args.library:
        results["exports"] = check_exports(functions, exported(args.nm, args.library))

    plan = tap.Plan(len(results))
    for name, errors in results.items():
        plan.result(not errors, name, "\n".join(errors))
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main())
