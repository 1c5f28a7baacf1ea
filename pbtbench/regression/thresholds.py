"""What counts as worse: how much larger a measure may be, for all benchmarks and for single ones.

[tool.pbtbench.gate]                                # in pyproject.toml, or [gate] in a file of its own
wall_s = 1.2                                        # at most 1.2 times the baseline's
false_alarms = 0.02                                 # of the whole table
[tool.pbtbench.gate."tests/test_speed.py::test_digits"]
seconds_to_target = 1.5
save_s = 2.0                                        # a stage, which no gate looks at by itself
wall_s = false                                      # not looked at
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from pbtbench.errors import BadInput, unknown
from pbtbench.regression.kinds import KINDS, base
from pbtbench.schema import Number
from pbtbench.store.files import Folder

DEFAULTS: Mapping[str, float] = {
    "wall_s": 1.1,
    "seconds_to_target": 1.1,
    "checkpoint_overhead": 1.25,
    **{name: 1.0 for name, kind in KINDS.items() if kind in ("count", "score")},
}
"""How many times as much is allowed. Counts and scores: not any more, or worse."""

FALSE_ALARMS = 0.02
"""How often a table without any change may have an alarm."""

LARGEST = 4_000_000
"""Bytes of a file that is read."""

_Times = TypeAdapter(Annotated[Number, Field(ge=1, le=1000)])
_Share = TypeAdapter(Annotated[Number, Field(gt=0, lt=1)])


@dataclass(frozen=True)
class Thresholds:
    """What is allowed."""

    of_all: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULTS))
    """Measure -> how many times as much is allowed; infinite for what isn't looked at."""
    of_one: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Name of a benchmark, or a pattern such as `tests/*::test_digits*` -> what is allowed of it."""
    false_alarms: float = FALSE_ALARMS

    def of(self, benchmark: str) -> dict[str, float]:
        """Measure -> how many times as much a benchmark is allowed, of those that are looked at."""
        found = dict(self.of_all)
        for pattern, allowed in self.of_one.items():
            if pattern == benchmark or fnmatchcase(benchmark, pattern):
                found |= allowed
        return {measure: times for measure, times in found.items() if times < math.inf}


def load(path: Path) -> Thresholds:
    """The thresholds of a TOML file: its table `[tool.pbtbench.gate]`, or `[gate]`. `BadInput` for
    what is none."""
    real = Path(os.path.realpath(path))  # a project's file may be a link
    text = Folder(real.parent).read(real.name, LARGEST)
    try:
        keys = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid TOML: {error}") from None
    tool = keys.get("tool", {}).get("pbtbench", {}) if isinstance(keys.get("tool"), dict) else {}
    found = tool.get("gate") if isinstance(tool, dict) else None
    return read(found if found is not None else keys.get("gate", {}), str(path))


def beside(folder: Path) -> Thresholds:
    """Those of the `pyproject.toml` in a folder; the usual ones where there is none."""
    file = folder / "pyproject.toml"
    return load(file) if file.is_file() else Thresholds()


def read(keys: Any, where: str) -> Thresholds:
    """The thresholds that a table declares."""
    if not isinstance(keys, dict):
        raise BadInput(f"{where}: gate: give a table of measures")
    alarms = FALSE_ALARMS
    of_all, of_one = dict(DEFAULTS), {}
    for key, value in keys.items():
        if key == "false_alarms":
            alarms = _number(
                _Share, value, f"{where}: gate: false_alarms", "a share between 0 and 1"
            )
        elif isinstance(value, dict):
            of_one[key] = {n: _times(n, v, f"{where}: gate of {key!r}") for n, v in value.items()}
        else:
            of_all[key] = _times(key, value, f"{where}: gate")
    return Thresholds(of_all, of_one, alarms)


def _times(measure: str, value: Any, where: str) -> float:
    if base(measure) not in KINDS:
        raise unknown(f"measure in {where}", measure, KINDS)
    if value is False:
        return math.inf
    right = "how many times as much is allowed, 1 to 1000, or false"
    return _number(_Times, value, f"{where}: {measure}", right)


def _number(kind: TypeAdapter[float], value: Any, where: str, right: str) -> float:
    try:
        return kind.validate_python(value)
    except ValidationError:
        raise BadInput(f"{where} = {value!r}: give {right}") from None
