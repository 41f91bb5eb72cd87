#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what README.md shows.

check-readme.py SOURCE-ROOT BUILD-ROOT PYTHON COMPILER…

The Python and the C program are taken out of the README, compiled as it says, and run against
each other on a port that is free.
"""

import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import tempfile

import tap

LINES_MAX = 120


def block(text, language):
    return re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)


def free_port():
    """A UDP port that nobody has right now."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def check_size(text):
    lines = len(text.splitlines())
    return "" if lines <= LINES_MAX else f"{lines} lines, {LINES_MAX} are allowed"


def check_paths(text, source_root):
    """Every file that is named as a link, and both commands."""
    named = set(re.findall(r"\]\(([^):]+)\)", text)) | set(re.findall(r"\bbuild-aux/\w+", text))
    return "\n".join(f"{name} does not exist" for name in sorted(named)
                     if not (source_root / name).exists())


def check_programs(text, build_root, python, compiler):
    environment = {
        **os.environ,
        "GI_TYPELIB_PATH": str(build_root / "seqex"),
        "LD_LIBRARY_PATH": str(build_root / "seqex"),
        "PKG_CONFIG_PATH": str(build_root / "meson-uninstalled"),
    }
    text = text.replace("5001", free_port())
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        (scratch / "answer.py").write_text(block(text, "python"), encoding="utf-8")
        (scratch / "ask.c").write_text(block(text, "c"), encoding="utf-8")
        command = re.search(r"^ +gcc (ask\.c .*?) && \./ask FINGERPRINT$", text,
                            re.MULTILINE).group(1)
        done = subprocess.run(f"{shlex.join(compiler)} -Wall -Wextra -Werror {command}", shell=True,
                              cwd=scratch, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr
        answer = subprocess.Popen([python, "answer.py"], cwd=scratch, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            fingerprint = answer.stdout.readline().strip()
            asked = subprocess.run(["./ask", fingerprint], cwd=scratch, env=environment, timeout=25,
                                   capture_output=True, text=True)
            said = f"{asked.stdout}{asked.stderr}"
        except subprocess.TimeoutExpired:
            said = "ask did not end"
        finally:
            answer.kill()
            complaint = answer.communicate()[1]
        return "" if said == "Hello, C\n" and not complaint else f"{said}\n{complaint}"


def main(source_root, build_root, python, *compiler):
    source_root = pathlib.Path(source_root)
    text = (source_root / "README.md").read_text(encoding="utf-8")
    results = {
        "length": check_size(text),
        "paths": check_paths(text, source_root),
        "programs": check_programs(text, pathlib.Path(build_root), python, compiler),
    }
    plan = tap.Plan(len(results))
    for name, problem in results.items():
        plan.result(not problem, name, problem)
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
