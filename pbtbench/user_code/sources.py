"""The code that a run depends on beyond pbtbench: the files of a module that a user names and of what it
imports of the user's own, and their digests.

Imports are read from the files' text, so that those inside functions count. A user's own is what belongs
neither to Python, nor to installed packages, nor to pbtbench; of an installed package of problems, its
modules are.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

INSTALLED = {"site-packages", "dist-packages"}


def digests(places: Iterable[str]) -> dict[str, str]:
    """File -> SHA-256 of what is in it, for all files of the modules `places` (dotted names, or paths that
    end in `.py`). Files are named as seen from the first one's folder."""
    files = list(dict.fromkeys(file for place in places for file in own_files(place).values()))
    return {
        Path(os.path.relpath(file, files[0].parent)).as_posix(): hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in files
    }


def own_files(place: str) -> dict[str, Path]:
    """Module -> file: of the module `place`, and of all of the user's own that it imports, at once or later.
    Empty for a module that has no file."""
    start = Path(place).resolve() if place.endswith(".py") else _file(_spec(place))
    if start is None or not start.is_file():
        return {}
    package = "" if place.endswith(".py") else place.partition(".")[0]
    name = start.stem if place.endswith(".py") else place
    found = {name: start}
    waiting = [name]
    while waiting:
        importer = waiting.pop()
        names = _imports(importer, found[importer])
        for imported in _with_parents(names | {importer} if package else names):
            file = _file(_spec(imported))
            if file is not None and imported not in found and _is_own(imported, file, package):
                found[imported] = file
                waiting.append(imported)
    return found


def local_modules(path: Path) -> list[str]:
    """The modules in a file's folder that it imports, or that these import."""
    folder = path.resolve().parent
    files = own_files(str(path)).items()
    return [name for name, file in files if folder in file.parents and file != path.resolve()]


def hidden(path: Path) -> Iterator[tuple[str, Path, str]]:
    """The modules beside a file that it imports, but doesn't get, as another comes first: name, file, and
    what it gets instead."""
    for imported in sorted({name.partition(".")[0] for name in _imports(path.stem, path)}):
        module, package = path.with_name(f"{imported}.py"), path.with_name(imported) / "__init__.py"
        wanted = package if package.is_file() else module
        spec = _spec(imported)
        if wanted.is_file() and (file := _file(spec)) != wanted.resolve():
            yield imported, wanted, str(file or (spec.origin if spec else None) or "another")


def _imports(module: str, file: Path) -> set[str]:
    """The names of modules, or of what is in them, that a file imports anywhere."""
    if file.suffix != ".py":
        return set()
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for level, name, parts in _statements(file.read_bytes()):
        within = package.split(".")[: len(package.split(".")) - level + 1] if level else []
        base = ".".join([*filter(None, within), *filter(None, [name])])
        found |= {base, *(f"{base}.{part}".strip(".") for part in parts)}
    return found - {""}


@cache
def _statements(text: bytes) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """The imports of a file's text: how relative, of which module, which names of it."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            found.append((node.level, node.module or "", names))
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = node.args[0]
            if called in ("import_module", "__import__") and isinstance(named, ast.Constant):
                found.append((0, str(named.value).lstrip("."), ()))
    return tuple(found)


def _with_parents(names: Iterable[str]) -> list[str]:
    """Names, each after the packages that it is in."""
    parts = [name.split(".") for name in sorted(names)]
    return list(dict.fromkeys(".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)))


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is; None if it isn't found. Nothing is imported."""
    parent, _, _ = module.rpartition(".")
    try:
        if not parent:
            return importlib.util.find_spec(module)
        package = _spec(parent)
        places = package.submodule_search_locations if package else None
        return PathFinder.find_spec(module, list(places)) if places else None
    except (ImportError, ValueError, AttributeError):
        return None


def _file(spec: ModuleSpec | None) -> Path | None:
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    return Path(spec.origin).resolve()


def _is_own(module: str, file: Path, package: str) -> bool:
    """Whether a module is a user's own; `package`: the installed one that the problem is in."""
    top = module.partition(".")[0]
    if top in ("pbtbench", *sys.builtin_module_names):
        return False
    if top == package:
        return True
    return not INSTALLED & set(file.parts) and not _python() & set(file.parents)


@cache
def _python() -> set[Path]:
    """Where Python's own modules are."""
    return {Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib")}
