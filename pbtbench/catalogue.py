"""From a name to a problem. The only importer of `problems`.

A problem is named by its place under `problems/` (`toy.pbt_quadratic`), by `package.module:NAME`,
or by the path of a file (`./my_problem.py`). Other packages add theirs through the entry point
group `pbtbench.problems`, one entry for each package of problems.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from pbtbench import loading
from pbtbench.errors import BadInput, unknown
from pbtbench.problem import Problem

MARKER = "PBTBENCH_PROBLEMS"


def names() -> list[str]:
    """The names of all installed problems, sorted."""
    return sorted(_places())


def problem(reference: str) -> Problem:
    """The problem that `reference` names; `BadInput` if there is none or it doesn't import."""
    if reference.endswith(".py"):
        return _named(_imported(reference, reference), "PROBLEM", reference)
    if ":" in reference:
        module, _, attribute = reference.partition(":")
        return _named(_imported(module, reference), attribute, reference)
    places = _places()
    if reference not in places:
        raise unknown("problem", reference, places)
    return _named(_imported(places[reference], reference), "PROBLEM", reference)


def absolute(reference: str) -> str:
    """The reference such that it means the same in another working directory."""
    return str(Path(reference).resolve()) if str(reference).endswith(".py") else reference


def include_working_directory() -> None:
    """Let modules of the working directory be found, behind all that is installed: a user's own
    folder `problems` doesn't hide the shipped one."""
    sys.path += [str(Path(__file__).parents[1]), str(Path.cwd())]


def label(reference: str) -> str:
    """The readable name that a reference gives its problem, fit for a folder's name."""
    if reference.endswith(".py"):
        return Path(reference).stem
    return reference.removesuffix(":PROBLEM").replace(":", ".")


def _places() -> dict[str, str]:
    """Name -> module, over the shipped package and the entry points."""
    packages = ["problems", *(e.value for e in entry_points(group="pbtbench.problems"))]
    return {name: module for package in packages for name, module in _modules(package)}


def _modules(package_name: str) -> Iterator[tuple[str, str]]:
    package = _imported(package_name, package_name)
    if package_name == "problems" and not getattr(package, MARKER, False):
        where = package.__file__ or next(iter(package.__path__), "a folder")
        raise BadInput(
            f"{where} hides pbtbench's own package `problems`: rename it, or run from another folder"
        )
    prefix = f"{package_name}."
    for info in pkgutil.walk_packages(package.__path__, prefix):
        if not info.ispkg:
            yield info.name.removeprefix(prefix), info.name


def _imported(place: str, reference: str) -> ModuleType:
    if place.endswith(".py") and not Path(place).is_file():
        raise BadInput(f"problem {reference!r}: no such file ({Path(place).resolve()})")
    return loading.module(place, f"problem {reference!r} does not import")


def _named(module: ModuleType, attribute: str, reference: str) -> Problem:
    found = getattr(module, attribute, None)
    if not isinstance(found, Problem):
        what = "has no" if found is None else f"has a {type(found).__name__}, not a Problem, as"
        raise BadInput(
            f"problem {reference!r}: {module.__name__} {what} {attribute}; "
            f"define {attribute} = pbtbench.Problem(…)"
        )
    return replace(found, name=label(reference))
