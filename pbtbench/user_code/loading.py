"""Modules that a user names: by a dotted name, or by the path of a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pbtbench.errors import BadInput
from pbtbench.user_code import sources
from pbtbench.user_code.guard import guarded

OF_FILE = "pbtbench_file_"
"""What the name of a file's module begins with. Other processes can't import it by that name."""


def split(reference: str) -> tuple[str, str]:
    """A reference's module, or file, and the name in it, empty if it gives none: `package.module:NAME`,
    `my_file.py:NAME`, `my_file.py`. A path may have colons."""
    if reference.endswith(".py"):
        return reference, ""
    place, _, name = reference.rpartition(":")
    if place.endswith(".py"):
        return place, name
    place, _, name = reference.partition(":")
    return place, name


def module(place: str, failure: str) -> ModuleType:
    """The module of a dotted name, or of a path that ends in `.py`, which finds the modules beside it.

    Whatever it raises, or leaves by, becomes `BadInput` in one line that begins with `failure`.
    """
    if not place.endswith(".py"):
        with guarded(failure):
            return importlib.import_module(place)
    path = Path(place).resolve()
    _add_to_path(path.parent)
    with guarded(failure):
        try:
            found = _from_file(path)
        except BadInput as error:
            raise BadInput(f"{failure}: {error}") from None
    for name, wanted, taken in sources.hidden(path):
        raise BadInput(
            f"{failure}: it imports {name}, of which there are two: {wanted}, and {taken}, which comes "
            f"first; rename one"
        )
    return found


def _add_to_path(folder: Path) -> None:
    """Have modules of a folder be found, behind all that is installed and before those of the working
    directory."""
    if str(folder) in sys.path:
        return
    here = str(Path.cwd())
    behind = sys.path[::-1].index(here) + 1 if here in sys.path else 0
    sys.path.insert(len(sys.path) - behind, str(folder))
    importlib.invalidate_caches()


def _from_file(path: Path) -> ModuleType:
    name = f"{OF_FILE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found
