"""What older versions wrote, as what this one reads: in memory, above the loader. Nothing is rewritten.

Format 1 had one table, `trace.parquet`, with what is now scores, forks and notes in rows' `detail`, as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pbtbench import machine
from pbtbench.protocol import AGE, DONE
from pbtbench.record import NOBODY, Record
from pbtbench.recorder import Recorder
from pbtbench.runs import Provenance
from pbtbench.space.columns import columns
from pbtbench.store import tables
from pbtbench.store.files import Folder

_PLACE = ("worker", "member", "iteration")
_TRACE = ("t_start_s", "duration_s", "kind", "bytes", "value", "detail", *_PLACE)
"""The columns of `trace.parquet`, but for the run's id; gaps stand for none in the last three."""


def run(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a run of format 1, with those that it said by its id and its options."""
    problem, _, engine, *_ = str(fields.get("id")).split("/")
    options = fields.get("method_options")
    together = fields.get("kind") in ("grid", "random", "pbt")
    if isinstance(options, Mapping) and fields.get("kind") == "pbt":
        together = bool(options.get("synchronous", True))
    return {
        "problem_name": problem,
        "engine_label": engine,
        "synchronous": together,
        **fields,
    }


UNKNOWN = Provenance(version="", commit="", dirty=False, machine="", problem="", started="")
"""Where a run of format 1 comes from: it doesn't say. Its machine is the one that the folder knew then."""


def machines(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A `machine.json` of format 1, the facts of the one machine, and clusters."""
    facts = {key: value for key, value in fields.items() if key != "clusters"}
    name = machine.fingerprint(facts) if facts else ""
    return {
        "machines": {name: facts} if facts else {},
        "clusters": fields.get("clusters", {}),
        "of_format_1": name,
    }


def record(folder: Folder, within: str, objective: str) -> Record:
    """The record of a run of format 1, from its folder within another; `BadInput` if it is damaged."""
    with tables.loaded(folder, f"{within}/trace.parquet") as table:
        return _record([_listed(table.column(name)) for name in _TRACE], objective)


def _listed(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _record(rows: Sequence[Sequence[Any]], objective: str) -> Record:
    recorder = Recorder()
    scores: list[tuple[Any, ...]] = []
    for t, duration, kind, size, value, text, *place in zip(*rows, strict=True):
        worker, member, iteration = (-1 if number is None else number for number in place)
        detail = json.loads(text) if text else {}
        if kind == "score":
            scores.append((t, member, iteration, {objective: value, **detail}))
        elif kind == "fork":
            _fork(recorder, t, member, iteration, detail)
        elif kind == "setup" and member >= 0 and worker < 0 and detail:
            start = columns([detail])
            recorder.forked(np.array([member]), NOBODY, 0, old=start, new=start, t_s=t)
        else:
            if "unpersisted" not in detail:
                recorder.add(
                    kind,
                    t,
                    duration,
                    worker=worker,
                    member=member,
                    iteration=iteration,
                    bytes=size,
                    value=value,
                )
            _note(recorder, (t, worker, member, iteration), detail)
    if scores:
        _score(recorder, scores)
    return recorder.record()


def _fork(
    recorder: Recorder, t: float, member: int, iteration: int, detail: Mapping[str, Any]
) -> None:
    recorder.forked(
        np.array([member]),
        int(detail["donor"]),
        iteration,
        old=columns([detail["old"]]),
        new=columns([detail["new"]]),
        t_s=t,
        copied_iteration=int(detail.get("copied", -1)),
        out_of_bounds=bool(detail.get("out_of_bounds")),
    )


def _score(recorder: Recorder, scores: list[tuple[Any, ...]]) -> None:
    t, member, iteration, found = zip(*scores, strict=True)
    names = dict.fromkeys(name for metrics in found for name in metrics)

    def of(name: str, otherwise: float) -> np.ndarray:
        return np.array([metrics.get(name, otherwise) for metrics in found], np.float64)

    recorder.scored(
        np.array(member),
        np.array(iteration),
        {name: of(name, math.nan) for name in names if name not in (AGE, DONE)},
        t_s=np.array(t),
        age=of(AGE, 0.0).astype(np.int32),
        done=of(DONE, 0.0).astype(np.bool_),
    )


def _note(recorder: Recorder, at: tuple[Any, ...], detail: Mapping[str, Any]) -> None:
    """What a row's detail says, as notes: (name, value, text) at a moment and place."""
    notes: list[tuple[str, float, str]] = []
    if "unpersisted" in detail:
        notes.append(("unpersisted", math.nan, str(detail.get("message", ""))))
    elif "cause" in detail:
        notes.append((str(detail["cause"]), math.nan, str(detail.get("message", ""))))
    if skipped := detail.get("exploits_skipped"):
        notes.append(("exploits_skipped", float(len(skipped)), ""))
    if detail.get("stopped"):
        notes.append(("stopped", math.nan, ""))
    if "spilled_beyond" in detail:
        notes.append(("spilled_beyond", float(detail["spilled_beyond"]), ""))
    notes.extend(
        (name, math.nan, str(detail[name])) for name in ("process", "members") if name in detail
    )
    recorder.collected.notes.extend((*at, *note) for note in notes)
