"""Modules import one another without circles, so that each can be read, and loaded, on its own."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pbtbench
import problems


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in (pbtbench, problems):
        root = Path(package.__file__).parent
        for file in root.rglob("*.py"):
            parts = file.relative_to(root.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(file.read_text())
    return found


def imports(body: list[ast.stmt], known: Collection[str]) -> Iterator[str]:
    """What is imported when a module is, not only for type checkers nor within a function: modules, where
    they are `known`, else what they are taken from."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            places = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (place if place in known else node.module for place in places)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(node.orelse, known)
        else:
            for part in ("body", "orelse", "handlers", "finalbody"):
                if not isinstance(node, ast.FunctionDef):
                    yield from imports(getattr(node, part, []), known)


def test_modules_import_one_another_without_circles():
    known = modules()
    graph = {}
    for name, tree in known.items():
        graph[name] = {place for place in imports(tree.body, known) if place in known} - {name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        raise AssertionError(f"a circle of imports: {' <- '.join(circle.args[1])}") from None


def test_problems_are_imported_by_nothing_of_pbtbench():
    for name, tree in modules().items():
        if name.startswith("pbtbench"):
            found = imports(tree.body, ())
            assert not any(i.partition(".")[0] == "problems" for i in found), name
