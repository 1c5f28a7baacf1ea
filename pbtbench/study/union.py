"""Cells become a declaration again: one that plans them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pbtbench import engines
from pbtbench.study.declaration import Declaration, Sweep, resolved

if TYPE_CHECKING:
    from pbtbench.study import Study
    from pbtbench.study.cells import Cell

LISTS = ("problems", "methods", "engines", "transports", "intervals")
SETTINGS = [
    key for key in Sweep.model_fields if key not in (*LISTS, "seeds", "targets", "from_scale")
]
"""The keys that hold for each run of a sweep alike."""


def united(
    study: Study, before: Declaration | None, together: Mapping[str, Cell], old: Mapping[str, Cell]
) -> Declaration:
    """The declaration of the cells `together`: the study's, or the one from before with the cells `old`, as it
    stands where it declares them all, else one of the fewest sweeps that do."""
    new = study.declaration
    if before is None:
        return new
    named = {
        key: getattr(new if key in new.model_fields_set else before, key)
        for key in ("name", "title")
    }
    named["until_clear"] = new.until_clear or before.until_clear  # once looked at, for ever
    if _alike(together, study.cells):
        return new.model_copy(update=named)
    tables = {
        key: _tables(
            getattr(new, key),
            getattr(before, key),
            in_use={getattr(cell, key) for cell in study.cells.values()},
            still={getattr(cell, key) for cell in together.values()},
        )
        for key in ("method", "engine")
    }
    if _alike(together, old) and all(
        _of(getattr(before, key), together, key) == _of(tables[key], together, key)
        for key in tables
    ):
        return before.model_copy(update=named)
    return resolved({**named, **tables, **_hoisted(sweeps_of(together.values()))}, "study")


def sweeps_of(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Sweeps that span the cells, and nothing else: for each the keys that are not as by default."""
    settings = _Settings()
    boxes = [
        _Box(
            settings.of(cell.sweep),
            cell.seeds,
            cell.targets,
            (cell.problem,),
            (cell.method,),
            (cell.engine,),
            (cell.transport,),
            () if cell.interval is None else (cell.interval,),
        )
        for cell in cells
    ]
    boxes = _without_usual(_merged(_merged(boxes, "intervals"), "transports"))
    boxes = _merged(_merged(_merged(_with_intervals(boxes), "methods"), "engines"), "problems")
    return [_keys(box, settings.found[box.settings]) for box in boxes]


@dataclass(frozen=True)
class _Box:
    """Cells that lists multiply out to. No `intervals`: its methods have none. No `transports`: the usual."""

    settings: str
    seeds: int
    targets: tuple[float, ...] | None
    problems: tuple[str, ...]
    methods: tuple[str, ...]
    engines: tuple[str, ...]
    transports: tuple[str, ...]
    intervals: tuple[int, ...]


@dataclass
class _Settings:
    """The settings of sweeps, by what they are."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    _known: dict[int, tuple[Sweep, str]] = field(default_factory=dict)

    def of(self, sweep: Sweep) -> str:
        if id(sweep) not in self._known:
            own = {key: getattr(sweep, key) for key in SETTINGS}
            self._known[id(sweep)] = sweep, repr(own)
            self.found[repr(own)] = own
        return self._known[id(sweep)][1]


def _merged(boxes: Iterable[_Box], dimension: str) -> list[_Box]:
    """Boxes that differ in one dimension alone as one."""
    found: dict[_Box, list[Any]] = {}
    for box in boxes:
        found.setdefault(_with(box, dimension, ()), []).extend(getattr(box, dimension))
    return [_with(box, dimension, tuple(dict.fromkeys(vs))) for box, vs in found.items()]


def _with(box: _Box, dimension: str, values: tuple[Any, ...]) -> _Box:
    changes: dict[str, Any] = {dimension: values}
    return replace(box, **changes)


def _without_usual(boxes: Iterable[_Box]) -> list[_Box]:
    return [
        replace(box, transports=())
        if box.transports == engines.engine(box.engines[0]).transports[:1]
        else box
        for box in boxes
    ]


def _with_intervals(boxes: Sequence[_Box]) -> list[_Box]:
    """Methods without intervals go with those that have some, where there are such."""
    intervals: dict[_Box, tuple[int, ...]] = {}
    for box in boxes:
        if box.intervals:
            intervals.setdefault(replace(box, methods=(), intervals=()), box.intervals)
    return [
        box
        if box.intervals
        else replace(box, intervals=intervals.get(replace(box, methods=()), ()))
        for box in boxes
    ]


def _keys(box: _Box, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A sweep's keys that are not as by default."""
    every = {
        **settings,
        **{key: list(getattr(box, key)) or None for key in LISTS},
        "seeds": box.seeds,
        "targets": None if box.targets is None else list(box.targets),
    }
    defaults = Sweep()
    return {
        key: every[key]
        for key in Sweep.model_fields
        if key in every and every[key] not in (None, getattr(defaults, key))
    }


def _hoisted(sweeps: list[dict[str, Any]]) -> dict[str, Any]:
    """The keys of a study of these sweeps: what all have in common stands above them."""
    if len(sweeps) == 1:
        return sweeps[0]
    common = {
        key: value
        for key, value in sweeps[0].items()
        if key != "problems" and all(sweep.get(key) == value for sweep in sweeps)
    }
    return {
        **common,
        "sweep": [
            {key: value for key, value in sweep.items() if key not in common} for sweep in sweeps
        ],
    }


def _alike(one: Mapping[str, Cell], other: Mapping[str, Cell]) -> bool:
    """Whether two sets of cells are the same."""
    settings = _Settings()
    return one.keys() == other.keys() and all(
        (cell.problem, cell.seeds, cell.targets, settings.of(cell.sweep))
        == (mate.problem, mate.seeds, mate.targets, settings.of(mate.sweep))
        for cell, mate in zip(one.values(), map(other.__getitem__, one), strict=True)
    )


def _tables(
    new: Mapping[str, Any], before: Mapping[str, Any], in_use: set[str], still: set[str]
) -> dict[str, Any]:
    """The tables of the study, and those from before of what it does not use itself."""
    kept = {name: table for name, table in before.items() if name in still - in_use}
    return {**kept, **new}


def _of(tables: Mapping[str, Any], cells: Mapping[str, Cell], key: str) -> dict[str, Any]:
    """The tables of the methods, or engines, that cells have."""
    in_use = {getattr(cell, key) for cell in cells.values()}
    return {name: table for name, table in tables.items() if name in in_use}
