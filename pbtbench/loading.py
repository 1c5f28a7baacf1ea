"""Modules that a user names: by a dotted name, or by the path of a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pbtbench.guard import guarded

OF_FILE = "pbtbench_file_"
"""What the name of a file's module begins with. Other processes can't import it by that name."""


def module(place: str, failure: str) -> ModuleType:
    """The module of a dotted name, or of a path that ends in `.py`.

    Whatever it raises, or leaves by, becomes `BadInput` in one line that begins with `failure`; a
    `BadInput` of its own passes through.
    """
    with guarded(failure):
        if place.endswith(".py"):
            return _from_file(Path(place).resolve())
        return importlib.import_module(place)


def _from_file(path: Path) -> ModuleType:
    name = f"{OF_FILE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found
