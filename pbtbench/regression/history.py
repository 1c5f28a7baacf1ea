"""The history of benchmarks: one sitting after another, in a folder that git can hold.

A file of JSON lines for each machine, called by its fingerprint; a line for each sitting. Their order is that
in which they were added, and it says how commits follow each other: add them in the order of commits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from pbtbench.errors import BadInput, invalid
from pbtbench.regression import exchange
from pbtbench.regression.sitting import Loaded
from pbtbench.schema import Count, Number
from pbtbench.store.files import Folder, described

FORMAT: Literal[1] = 1
"""A number that grows with every change of what a line holds: others are migrated or refused."""

ENDING = ".jsonl"

LARGEST = 100_000_000
"""Bytes of a file: more than that no service takes that keeps repositories."""

DIGITS, EXACT_DIGITS = 6, 12
"""Significant ones that are kept of a number, and of one that repeats exactly."""

Text = Annotated[
    str, Field(strict=True, max_length=4000, pattern=r"^[^\p{Cc}\u{2028}\u{2029}]*$")
]  # checked a million times: by a pattern, not by a function
Word = Annotated[str, Field(strict=True, pattern=r"^[\w.+-]{1,100}$")]
Measure = Annotated[str, Field(strict=True, pattern=r"^[a-z_]{1,40}(\[[-+.0-9a-z]{1,40}\])?$")]
Value = Number | None
"""None for a target that was missed."""


class Point(BaseModel):
    """What a method of a benchmark measured in a sitting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    definition: Word
    """Digest of what was measured: the problem's code and options, the settings, the seeds."""
    goal: Literal["max", "min"]
    rounds: Count
    exact: Annotated[dict[Measure, list[Value]], Field(max_length=1000)]
    """Of what repeats exactly, the value of each round."""
    spread: Annotated[dict[Measure, tuple[Value, Value, Value]], Field(max_length=1000)]
    """Of the rest, the median of the rounds, the least and the most."""

    @model_validator(mode="after")
    def _of_each_round(self) -> Self:
        for name, values in self.exact.items():
            if len(values) != self.rounds:
                raise PydanticCustomError(
                    "values", "it should give each round a value of {name}", {"name": name}
                )
        return self

    def repeats(self, measure: str) -> bool:
        """Whether it is exact, or never was."""
        return measure not in self.spread

    def each(self, measure: str) -> list[float]:
        """The values of what repeats exactly: infinite for a missed target, 0 for what never was."""
        return [*map(_known, self.exact.get(measure, [0.0] * self.rounds))]

    def range(self, measure: str) -> tuple[float, float, float]:
        """The median of the rounds, the least and the most, as `each`."""
        if measure in self.spread:
            middle, least, most = map(_known, self.spread[measure])
            return middle, least, most
        values = self.each(measure)
        return median(values), min(values), max(values)


class Line(BaseModel):
    """A sitting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    version: Text
    """pbtbench's."""
    commit: Word
    date: AwareDatetime
    """Of the commit, or, where that isn't known, of the measuring."""
    machine: Word
    """Its fingerprint, by which its file is called."""
    cpu: Text
    benchmarks: Annotated[
        dict[Text, Annotated[dict[Text, Point], Field(min_length=1, max_length=1000)]],
        Field(min_length=1, max_length=100_000),
    ]
    """Name of a benchmark -> label -> what was measured."""


def add(folder: Path, new: Line) -> bool:
    """Add a sitting to the history in a folder, made if need be; whether it was not there yet. `BadInput` for
    a file that holds something else."""
    place, name = Folder(folder), f"{new.machine}{ENDING}"
    place.make()
    data = place.read(name, LARGEST) if place.has(name) else b""
    for old in _lines(data, folder / name):
        if old.model_copy(update={"date": new.date}) == new:
            return False
    text = b"\n" * (data[-1:] not in (b"", b"\n")) + new.model_dump_json().encode() + b"\n"
    if len(data) + len(text) > LARGEST:
        raise BadInput(f"{folder / name}: full; begin another history, in another folder")
    with described(folder / name), place.appending(name) as file:
        file.write(text)
    return True


def load(folder: Path) -> dict[str, list[Line]]:
    """The sittings of each machine, by its fingerprint, in the order in which they were added; the machine
    first that was measured last. `BadInput` for a folder that holds none."""
    with described(folder):
        there = folder.exists()
    if not there:
        raise BadInput(f"{folder}: no such folder; --add FILE makes it")
    place = Folder(folder)
    names = [name for name in place.entries() if name.endswith(ENDING)]
    found = {
        name.removesuffix(ENDING): [*_lines(place.read(name, LARGEST), folder / name)]
        for name in names
    }
    found = {machine: lines for machine, lines in found.items() if lines}
    if not found:
        raise BadInput(f"{folder}: no sitting in it; add one by --add FILE")
    return dict(sorted(found.items(), key=lambda item: item[1][-1].date, reverse=True))


def line(loaded: Loaded) -> Line:
    """What is kept of a sitting; `BadInput` for one that belongs to no commit, or to several machines."""
    sitting, where = loaded.sitting, loaded.where
    commit = loaded.commit or sitting.commit
    if not commit:
        raise BadInput(
            f"{where}: of no commit that is known; measure in a git repository, by pytest --benchmark "
            "--benchmark-json=FILE"
        )
    if loaded.dirty or sitting.dirty:
        raise BadInput(
            f"{where}: made of files that differ from their commit, so that it belongs to none; commit them, "
            "and measure again"
        )
    if not sitting.machine:
        raise BadInput(f"{where}: of several machines; add a sitting of each")
    fields = {
        "version": sitting.version,
        "commit": commit,
        "date": _date(loaded),
        "machine": sitting.machine,
        "cpu": sitting.cpu,
        "benchmarks": {
            name: {label: _point(of) for label, of in labels.items()}
            for name, labels in sitting.benchmarks.items()
        },
    }
    try:
        return Line.model_validate(fields)
    except ValidationError as found:
        raise invalid(str(where), found, Line.model_fields) from None


def _point(of: exchange.Entry) -> dict[str, object]:
    about = of.model_dump(include={"problem_digest", "goal", "settings", "seeds"})
    digest = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    exact = {
        n: [_short(v, EXACT_DIGITS) for v in of.measures[n]] for n in of.exact if n in of.measures
    }
    others = {name: of.rounds(name).tolist() for name in of.measures if name not in of.exact}
    spread = {
        name: tuple(_short(value, DIGITS) for value in (median(of_it), min(of_it), max(of_it)))
        for name, of_it in others.items()
    }
    rounds = len(of.seeds)
    return {
        "definition": digest,
        "goal": of.goal,
        "rounds": rounds,
        "exact": exact,
        "spread": spread,
    }


def _short(value: float | None, digits: int) -> float | None:
    """A number as it is kept."""
    if value is None or not math.isfinite(value):
        return None
    return (
        int(value) if value == int(value) and abs(value) < 2**53 else float(f"{value:.{digits}g}")
    )


def _known(value: float | None) -> float:
    return math.inf if value is None else value


def _date(loaded: Loaded) -> datetime:
    if not loaded.date:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        found = datetime.fromisoformat(loaded.date)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{loaded.where}: {loaded.date!r} is no date as ISO 8601 has them") from None


def _lines(data: bytes, file: Path) -> Iterator[Line]:
    """The sittings of a file."""
    for number, text in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), 1):
        try:
            found = Line.model_validate_json(text)
        except ValidationError as error:
            raise _refused(text, error, f"{file}: line {number}") from None
        if file.name != f"{found.machine}{ENDING}":
            raise BadInput(
                f"{file}: line {number}: of another machine, {found.machine}; move it to its file"
            )
        yield found


def _refused(text: bytes, error: ValidationError, where: str) -> BadInput:
    if error.errors()[0]["type"] == "json_invalid":
        return BadInput(
            f"{where}: no JSON, or cut off: {error.errors()[0]['msg']}; delete the line"
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    given = found.get("format") if isinstance(found, dict) else None
    if isinstance(given, int) and given > FORMAT:
        return BadInput(
            f"{where}: of format {given}, by a newer pbtbench than this one, which reads up to {FORMAT}"
        )
    return invalid(where, error, Line.model_fields)
