#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uses Seqex as somebody else does: installed, through pkg-config, and as a Meson subproject.

check-install.py MESON SOURCE-ROOT BUILD-ROOT PREFIX TYPELIB-PYTHON VALAC COMPILER…

TYPELIB-PYTHON is a Python that has PyGObject, or "" without introspection; VALAC is a Vala
compiler, or "" without the Vala bindings.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tap  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def run(command, env=None, cwd=None):
    """The standard output of a command; a failure raises with all that it said."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, text=True, capture_output=True,
                          env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed:
    """An installation below a directory of its own, as a package builder makes it."""

    def __init__(self, meson, build_root, prefix, destination):
        run([meson, "install", "-C", build_root, "--no-rebuild", "--quiet",
             "--destdir", destination])
        self.prefix = destination / prefix.lstrip("/")
        self.pc = self.find("seqex-1.pc")
        self.libdir = self.pc.parent.parent
        # The file names the place where a package would put it; here that is below DESTDIR.
        text = self.pc.read_text(encoding="utf-8")
        self.pc.write_text(text.replace(f"prefix={prefix}\n", f"prefix={self.prefix}\n"),
                           encoding="utf-8")

    def find(self, name):
        found = sorted(self.prefix.rglob(name))
        if not found:
            raise RuntimeError(f"{name} is not installed")
        return found[0]

    def pkg_config(self, *arguments):
        return run(["pkg-config", *arguments, "seqex-1"],
                   env={"PKG_CONFIG_PATH": str(self.pc.parent)}).split()


def check_files(installed):
    for name in ("seqex.h", "seqex-version.h", "seqex-enum-types.h", "libseqex-1.so",
                 "libseqex-1.a"):
        installed.find(name)
    if installed.find("seqex.h").parent.name != "seqex-1":
        raise RuntimeError("the headers are not in a directory of the API's version")
    private = [str(path) for pattern in ("*private*", "*sqx*", "config.h")
               for path in installed.prefix.rglob(pattern)]
    if private:
        raise RuntimeError(f"installed, and private: {private}")


def check_shared(installed, compiler, scratch):
    program = scratch / "shared"
    run([*compiler, "-Wall", "-Werror", HERE / "consumer.c", "-o", program,
         *installed.pkg_config("--cflags", "--libs")])
    run([program], env={"LD_LIBRARY_PATH": str(installed.libdir)})


def check_static(installed, compiler, scratch):
    program = scratch / "static"
    run([*compiler, "-Wall", "-Werror", HERE / "consumer.c", "-o", program,
         *installed.pkg_config("--cflags"), installed.find("libseqex-1.a"),
         *run(["pkg-config", "--libs", "gio-2.0", "gnutls", "nettle", "hogweed"]).split()])
    run([program])


def check_typelib(installed, python):
    run([python, "-c", "import gi; gi.require_version('Seqex', '1');"
         "from gi.repository import Seqex; Seqex.Connection"],
        env={"LD_LIBRARY_PATH": str(installed.libdir),
             "GI_TYPELIB_PATH": str(installed.find("Seqex-1.typelib").parent)})


def check_vala(installed, valac, scratch):
    vapi = installed.find("seqex-1.vapi")
    if (vapi.parent / "seqex-1.deps").read_text(encoding="utf-8") != "gio-2.0\n":
        raise RuntimeError("seqex-1.deps does not name gio-2.0")
    run([valac, "--vapidir", vapi.parent, "--pkg", "seqex-1", "-X", "-w", HERE / "consumer.vala",
         "-o", "consumer-vala", "-d", scratch],
        env={"PKG_CONFIG_PATH": str(installed.pc.parent)})
    run([scratch / "consumer-vala"], env={"LD_LIBRARY_PATH": str(installed.libdir)})


def check_subproject(meson, source_root, scratch):
    project = scratch / "subproject"
    shutil.copytree(HERE / "subproject", project)
    shutil.copy(HERE / "consumer.c", project)
    (project / "subprojects").mkdir()
    (project / "subprojects" / "seqex").symlink_to(source_root)
    build = project / "build"
    run([meson, "setup", "--wrap-mode=forcefallback", build, project])
    run([meson, "test", "-C", build])


def main(meson, source_root, build_root, prefix, python, valac, *compiler):
    plan = tap.Plan(6)
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        installed = None

        def report(name, check, *arguments):
            try:
                check(*arguments)
                plan.result(True, name)
            except (RuntimeError, AttributeError) as error:
                plan.result(False, name, str(error))

        try:
            installed = Installed(meson, build_root, prefix, scratch / "destination")
        except RuntimeError as error:
            print(f"# {error}")
        report("installed files", check_files, installed)
        report("shared library through pkg-config", check_shared, installed, compiler, scratch)
        report("static library", check_static, installed, compiler, scratch)
        if python:
            report("typelib", check_typelib, installed, python)
        else:
            plan.result(True, "typelib # SKIP built without introspection")
        if valac:
            report("Vala", check_vala, installed, valac, scratch)
        else:
            plan.result(True, "Vala # SKIP built without the Vala bindings")
        report("subproject", check_subproject, meson, source_root, scratch)
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
