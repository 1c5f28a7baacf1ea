"""From a name to a problem. The only importer of `problems`.

A problem is named by its place under `problems/` (`toy.pbt_quadratic`), by `package.module:NAME`, by
the path of a file (`./my_problem.py`), or by both (`./my_problem.py:NAME`). NAME may be a user's own
`tune.Trainable`, with its space and metric beside it (`adapters.trainable`). Other packages add
theirs through the entry point group `pbtbench.problems`, one entry for each package of problems.
"""

from __future__ import annotations

import pkgutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from os.path import isfile
from pathlib import Path
from types import ModuleType
from typing import Any

from pbtbench.adapters import trainable
from pbtbench.errors import BadInput, unknown
from pbtbench.problem import BestConstant, Problem
from pbtbench.user_code import loading
from pbtbench.user_code.sources import digests, own_files

MARKER = "PBTBENCH_PROBLEMS"


def names() -> list[str]:
    """The names of all installed problems, sorted."""
    return sorted(_places())


def problem(reference: str) -> Problem:
    """The problem that `reference` names; `BadInput` if there is none or it doesn't import."""
    _, attribute = _split(reference)
    place = _place(reference)
    found = _named(_imported(place, reference), attribute, reference)
    if _is_own(reference):
        return found
    return replace(found, best_constant=_best_constants(place.partition(".")[0]).get(reference))


def absolute(reference: str) -> str:
    """The reference such that it means the same in another working directory."""
    place, attribute = loading.split(str(reference))
    if not place.endswith(".py"):
        return reference
    return str(Path(place).resolve()) + (f":{attribute}" if attribute else "")


def include_working_directory() -> None:
    """Let modules of the working directory be found, behind all that is installed: a user's own
    folder `problems` doesn't hide the shipped one."""
    for place in (str(Path(__file__).parents[1]), str(Path.cwd())):
        if place not in sys.path:
            sys.path.append(place)


def sources(reference: str, method_options: Mapping[str, Any]) -> dict[str, str]:
    """The files whose code a run of the problem depends on -> their digests: the problem's, that of a
    method's own `explore`, and what these import of the user's own."""
    return digests(_code(reference, str(method_options.get("explore", ""))))


def files(reference: str, explore: str) -> list[Path]:
    """These files themselves."""
    return [file for place in _code(reference, explore) for file in own_files(place).values()]


def label(reference: str) -> str:
    """The readable name that a reference gives its problem, fit for a folder's name."""
    place, attribute = _split(reference)
    name = Path(place).stem if place.endswith(".py") else place
    return name if attribute == "PROBLEM" else f"{name}.{attribute}"


def _code(reference: str, explore: str) -> list[str]:
    """The modules, or files, of a problem and of a method's own `explore`."""
    return [_place(reference), *([loading.split(explore)[0]] if ":" in explore else [])]


def _split(reference: str) -> tuple[str, str]:
    """A reference's module, or file, and the name in it."""
    place, attribute = loading.split(reference)
    return place, attribute or "PROBLEM"


@cache
def _place(reference: str) -> str:
    """The module, or file, of a problem that there is."""
    if _is_own(reference):
        return _split(reference)[0]
    places = _places()
    if reference not in places:
        raise unknown("problem", reference, places)
    return places[reference]


def _is_own(reference: str) -> bool:
    """Whether a reference gives a place, and not the name of an installed problem."""
    return ":" in reference or reference.endswith(".py")


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


@cache
def _best_constants(package: str) -> dict[str, BestConstant]:
    """What is known of the problems of a package; `results/best_constants.py` writes it."""
    file = resources.files(package) / "best_constants.toml"
    if not file.is_file():
        return {}
    known = tomllib.loads(file.read_text("utf-8"))
    return {name: BestConstant(**fields) for name, fields in known.items()}


def _imported(place: str, reference: str) -> ModuleType:
    if place.endswith(".py") and not isfile(place):  # noqa: PTH113 it may be what no path can
        raise BadInput(f"problem {reference!r}: no such file ({Path(place).absolute()})")
    return loading.module(place, f"problem {reference!r} does not import")


def _named(module: ModuleType, attribute: str, reference: str) -> Problem:
    found: Any = getattr(module, attribute, None)
    if trainable.is_trainable(found) or trainable.is_function_trainable(found, module):
        found = trainable.from_module(found, module)
    if not isinstance(found, Problem):
        what = "has no" if found is None else f"has a {type(found).__name__}, not a Problem, as"
        others = [
            name
            for name, value in vars(module).items()
            if isinstance(value, Problem)
            or (trainable.is_trainable(value) and value.__module__ == module.__name__)
        ]
        place = reference.removesuffix(f":{attribute}")
        remedy = f"define {attribute} = pbtbench.Problem(…)"
        if others:
            remedy = f"give {' or '.join(f'{place}:{name}' for name in others)}, or {remedy}"
        raise BadInput(f"problem {reference!r}: it {what} {attribute}; {remedy}")
    return replace(found, name=label(reference))
