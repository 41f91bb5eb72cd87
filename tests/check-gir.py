#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that the introspection data is good for bindings, and that it changed on purpose.

check-gir.py GIR EXPECTED             compare and check, as TAP
check-gir.py --update GIR EXPECTED    write EXPECTED anew

EXPECTED is the GIR without documentation and source positions, one element a line, so that a
difference shows what a binding would see change.
"""

import difflib
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

import tap

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
PREFIXES = {CORE: "", C: "c:", GLIB: "glib:"}

# Of no meaning to a binding's user, or written by newer scanners only.
DROPPED_ELEMENTS = {"doc", "doc-deprecated", "doc-version", "doc-stability", "source-position",
                    "docsection", "doc:format"}
DROPPED_ATTRIBUTES = {"glib:finish-func", "glib:async-func", "glib:sync-func", "default-value",
                      "c:identifier-prefixes", "c:symbol-prefixes", "shared-library", "doc:format"}

CALLABLES = ("function", "method", "constructor", "callback", "virtual-method")
CALLBACK_TYPE = re.compile(r"(Callback|Func|Notify)$")
OLD_CONTAINERS = {"GLib.List", "GLib.SList", "GLib.PtrArray", "GLib.Array", "GLib.HashTable"}


def short(name):
    for uri, prefix in PREFIXES.items():
        if name.startswith(uri):
            return prefix + name[len(uri):]
    return name.rsplit("}", 1)[-1]


def normalise(element, depth=0):
    """One line for each element that is kept."""
    name = short(element.tag)
    if name in DROPPED_ELEMENTS or name == "format":
        return []
    attributes = {short(key): value for key, value in element.attrib.items()}
    if name == "repository":
        attributes.pop("version", None)
    if name == "constant" and "VERSION" in attributes["name"]:
        attributes.pop("value", None)
    kept = "".join(f' {key}="{attributes[key]}"' for key in sorted(attributes)
                   if key not in DROPPED_ATTRIBUTES)
    lines = ["  " * depth + name + kept]
    for child in element:
        lines += normalise(child, depth + 1)
    return lines


def label(element):
    return element.get(C + "identifier") or element.get(C + "type") or element.get("name")


def parameters(element):
    return element.findall(f"{CORE}parameters/{CORE}parameter")


def type_of(element):
    for kind in ("type", "array"):
        found = element.find(CORE + kind)
        if found is not None:
            return found
    return None


def type_name(element):
    found = type_of(element)
    return "" if found is None else found.get("name") or "array"


def callables(namespace):
    return [found for kind in CALLABLES for found in namespace.iter(CORE + kind)]


def introspectable(element):
    return element.get("introspectable") != "0"


def check_varargs(namespace):
    return [label(function) for function in callables(namespace)
            if function.find(f"{CORE}parameters/{CORE}parameter/{CORE}varargs") is not None]


def check_hidden(namespace):
    """Only macros and the copy and free functions of a boxed type are kept from bindings."""
    return [label(element) for element in namespace.iter()
            if not introspectable(element) and element.tag != CORE + "function-macro"
            and not element.get("name", "").endswith(("copy", "free"))]


def check_scopes(namespace):
    errors = []
    own = {callback.get("name") for callback in namespace.findall(CORE + "callback")}
    for function in callables(namespace):
        if not introspectable(function):
            continue
        for parameter in parameters(function):
            name = type_name(parameter)
            is_callback = name in own or CALLBACK_TYPE.search(name)
            if is_callback and name != "GLib.DestroyNotify" and parameter.get("scope") is None:
                errors.append(f"{label(function)}: {parameter.get('name')} has no scope")
    return errors


def check_pair(owner, start):
    errors = []
    name = start.get("name")
    finish_name = name[:-len("_async")] + "_finish"
    finish = [method for method in owner.findall(CORE + "method")
              if method.get("name") == finish_name]
    if not finish:
        errors.append(f"{label(start)} has no {finish_name}")
    elif finish[0].get("throws") != "1":
        errors.append(f"{label(finish[0])} has no GError")
    last = [parameter.get("name") for parameter in parameters(start)][-3:]
    if last != ["cancellable", "callback", "user_data"]:
        errors.append(f"{label(start)} ends with {last}")
    if type_name(start.find(CORE + "return-value")) != "none":
        errors.append(f"{label(start)} returns something")
    if any(parameter.get("direction", "in") != "in" for parameter in parameters(start)):
        errors.append(f"{label(start)} has an out parameter")
    return errors


def check_pairs(namespace):
    errors, pairs = [], 0
    for owner in namespace:
        for method in owner.findall(CORE + "method"):
            name = method.get("name")
            if name.endswith("_async"):
                pairs += 1
                errors += check_pair(owner, method)
            elif name.endswith("_finish") and not any(
                    other.get("name") == name[:-len("_finish")] + "_async"
                    for other in owner.findall(CORE + "method")):
                errors.append(f"{label(method)} has no start function")
    return errors if pairs else ["no asynchronous function was found"]


def check_pointers(namespace):
    """No bare pointer but a callback's own data; no container that needs hand work in a binding."""
    errors = []
    for function in callables(namespace) + list(namespace.iter(GLIB + "signal")):
        if not introspectable(function):
            continue
        for value in parameters(function) + [function.find(CORE + "return-value")]:
            name, value_name = type_name(value), value.get("name") or "the return value"
            if name == "gpointer" and value_name not in ("user_data", "data"):
                errors.append(f"{label(function)}: {value_name} is a bare pointer")
            if name in OLD_CONTAINERS:
                errors.append(f"{label(function)}: {value_name} is a {name}")
    for prop in namespace.iter(CORE + "property"):
        if type_name(prop) == "gpointer":
            errors.append(f"property {prop.get('name')} is a bare pointer")
    return errors


def check_fields(namespace):
    """Structures are opaque, but for the padding that a class structure is."""
    return [f"{label(record)}.{field.get('name')}" for record in namespace.findall(CORE + "record")
            if record.get(GLIB + "is-gtype-struct-for") is None
            for field in record.findall(CORE + "field")]


def check_leaks(text):
    return sorted(set(re.findall(r"\w*sqx\w*", text, re.IGNORECASE)))


def check_expected(lines, expected):
    old = expected.read_text(encoding="utf-8").splitlines() if expected.exists() else []
    difference = list(difflib.unified_diff(old, lines, "expected", "built", lineterm="", n=2))
    if difference:
        difference.append("When the change is meant, run tests/check-gir.py --update and commit.")
    return difference


def main(arguments):
    update = arguments[:1] == ["--update"]
    gir, expected = (pathlib.Path(argument) for argument in arguments[-2:])
    root = ElementTree.parse(gir).getroot()
    lines = normalise(root)
    if update:
        expected.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return 0

    namespace = root.find(CORE + "namespace")
    results = {
        "no varargs": check_varargs(namespace),
        "nothing hidden from bindings": check_hidden(namespace),
        "callbacks have a scope": check_scopes(namespace),
        "asynchronous pairs": check_pairs(namespace),
        "no bare pointers": check_pointers(namespace),
        "opaque structures": check_fields(namespace),
        "nothing of the core": check_leaks(gir.read_text(encoding="utf-8")),
        "as expected": check_expected(lines, expected),
    }
    plan = tap.Plan(len(results))
    for name, errors in results.items():
        plan.result(not errors, name, "\n".join(errors))
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
