"""The laboratory's part of a report: the headline, the tables behind it, and figures of the costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from pbtbench.measures.checkpoints import BLOCKING, STAGES
from pbtbench.report.advice import NAMES, headline, sentences
from pbtbench.report.figures import Figure, figure
from pbtbench.report.palette import HUES
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, seconds, signed, size
from pbtbench.statistics.checkpoint_costs import Costs

LIMIT = "one memcpy"
"""What copying the state once in memory takes, among the engines. A fork that makes no copy takes less."""

LESS = (
    "A fork may take less than one copy: where members share memory none is made, and a part of it may go on "
    "behind the training."
)


@dataclass(frozen=True)
class Laboratory:
    """What the page shows of it."""

    sentences: Sequence[str]
    headline: Table
    stages: Table
    details: Table
    by_size: Sequence[Figure]
    by_interval: Sequence[Figure]

    @property
    def figures(self) -> list[Figure]:
        return [*self.by_size, *self.by_interval]

    def files(self) -> dict[str, str]:
        """The tables' files."""
        return {
            **self.headline.files("tables/overhead"),
            **self.stages.files("tables/stages"),
            **self.details.files("tables/closed_forms"),
        }


def laboratory(costs: Sequence[Costs]) -> Laboratory | None:
    """The laboratory of a study; None for a study that is none."""
    if not costs:
        return None
    return Laboratory(
        sentences=list(sentences(costs)),
        headline=headline_table(costs),
        stages=_stage_table(costs),
        details=_detail_table(costs),
        by_size=[_forks(costs), *_stages_by_size(costs)],
        by_interval=[*_stages_by_interval(costs), *_curves(costs)],
    )


def headline_table(costs: Sequence[Costs]) -> Table:
    """A row for each state size: Ray Tune, ours, in process, and one copy of the state."""
    by_size = headline(costs)
    shown = [engine for engine in NAMES if any(engine in of for of in by_size.values())]
    names = [NAMES[engine] for engine in shown]
    header = [
        "state",
        *(f"fork, {name}" for name in names),
        f"fork, {LIMIT}",
        *(f"PBT tax, {name}" for name in names),
    ]
    body = []
    for state, engines in sorted(by_size.items()):
        forks = [seconds(engines[e].fork_s) if e in engines else NONE for e in shown]
        taxes = [signed(engines[e].tax.median) if e in engines else NONE for e in shown]
        limit = seconds(next(iter(engines.values())).limit_s)
        body.append([size(state), *forks, limit, *taxes])
    return Table(header, body)


def _stage_table(costs: Sequence[Costs]) -> Table:
    """At the shortest interval: seconds for 10⁹ bytes of each stage, and seconds of each restart."""
    header = ["state", "engine", "method"]
    header += [f"{s}, s/GB" if s != "restart" else "restart, each" for s in STAGES]
    body = []
    for c in _shortest(costs):
        cells = []
        for name in STAGES:
            stage = c.stages[name]
            if name == "restart":
                cells.append(seconds(stage.seconds / stage.rows) if stage.rows else NONE)
            else:
                cells.append(number(stage.s_per_gb))
        body.append([size(c.state_bytes), c.cell.engine, c.cell.method, *cells])
    return Table(header, body, left=3)


def _detail_table(costs: Sequence[Costs]) -> Table:
    """Overhead as measured and by the closed form, with the taxes and the interference beside it."""
    header = ["problem", "method", "engine", "runs", "overhead", "closed form", "difference"]
    header += ["PBT tax", "after start-up", "interference", "interval for 5%"]
    body = [
        [
            *(c.cell.problem, c.cell.label, c.cell.engine, str(len(c.cell.completed))),
            *(percent(c.measured), percent(c.predicted)),
            "calibrated" if c.calibrated else signed(c.difference),
            *(signed(c.tax.median), signed(c.tax_after_setup.median), signed(c.interference)),
            NONE if c.least_interval is None else number(c.least_interval),
        ]
        for c in costs
    ]
    return Table(header, body, left=3)


def _shortest(costs: Sequence[Costs]) -> list[Costs]:
    """Those at the shortest interval of the study."""
    shortest = min(c.cell.interval or 0 for c in costs)
    return [c for c in costs if c.cell.interval == shortest]


def _forks(costs: Sequence[Costs]) -> Figure:
    """A fork against the state's size, with what one copy takes."""
    shown = headline(costs)
    rows = [
        {"bytes": state, "engine": engine, "seconds": c.fork_s}
        for state, engines in shown.items()
        for engine, c in engines.items()
        if c.fork_s > 0
    ]
    limit = {c.state_bytes: c.limit_s for c in costs}
    rows += [{"bytes": b, "engine": LIMIT, "seconds": s} for b, s in limit.items() if s > 0]
    frame = pd.DataFrame(rows)
    base = alt.Chart(frame).encode(
        x=alt.X(
            "bytes:Q",
            title="state, bytes",
            scale=alt.Scale(type="log", nice=False, padding=14),
            axis=alt.Axis(format="~s", tickCount=5),
        ),
        y=alt.Y(
            "seconds:Q", title="seconds", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")
        ),
        color=_colours(frame["engine"].unique()),
        strokeDash=alt.condition(
            f"datum.engine == '{LIMIT}'", alt.value([4, 4]), alt.value([1, 0])
        ),
        tooltip=[
            "engine:N",
            alt.Tooltip("bytes:Q", format=".3s"),
            alt.Tooltip("seconds:Q", format=".3s"),
        ],
    )
    return figure(
        "laboratory-fork",
        "What a fork costs, against the size of the state",
        "With all saves made for it, at the shortest interval; dashed: copying the state once in memory. "
        + LESS,
        alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=40)),
        190,
    )


def _stages_by_size(costs: Sequence[Costs]) -> Iterator[Figure]:
    """For each engine against the size, and for each transport of an engine that has several."""
    told = "Worker-seconds for each fork, at the shortest interval."
    mine = [c for c in _shortest(costs) if c.cell.method == costs[0].cell.method]
    for engine in NAMES:
        rows = _of_forks(
            [c for c in mine if c.cell.engine == engine], lambda c: size(c.state_bytes)
        )
        if len(_order(rows)) > 1:
            yield figure(
                f"laboratory-{engine}-stages-by-size",
                f"Stages of a fork against the state's size, {engine}",
                told,
                _stacked(rows, "state", "seconds"),
                190,
            )
    for state in dict.fromkeys(c.state_bytes for c in mine):
        several = [c for c in mine if c.state_bytes == state and c.cell.engine.startswith("ray")]
        rows = _of_forks(several, lambda c: c.cell.run.transport)
        if len(_order(rows)) > 1:
            yield figure(
                f"laboratory-ray-stages-by-transport-{state}",
                f"Stages of a fork by transport, ray, {size(state)}",
                f"{told} Only what blocks a worker: a transport that ends in -async writes behind "
                "the training.",
                _stacked(rows, "transport", "seconds"),
                190,
            )


def _of_forks(costs: Sequence[Costs], x: Callable[[Costs], str]) -> list[dict[str, Any]]:
    return [
        {"x": x(c), "stage": stage, "value": c.stages[stage].seconds / forks}
        for c in costs
        if (forks := sum(m.overhead.forks for m in c.cell.completed))
        for stage in BLOCKING
    ]


def _stages_by_interval(costs: Sequence[Costs]) -> Iterator[Figure]:
    """At the largest size that has most intervals, for each engine."""
    method = costs[0].cell.method
    for engine in NAMES:
        mine = [c for c in costs if c.cell.engine == engine and c.cell.method == method]
        by_size: dict[int, list[Costs]] = {}
        for c in mine:
            by_size.setdefault(c.state_bytes, []).append(c)
        if not by_size:
            continue
        state, chosen = max(by_size.items(), key=lambda item: (len(item[1]), item[0]))
        rows = [
            {"x": str(c.cell.interval), "stage": s, "value": c.stages[s].seconds / work}
            for c in sorted(chosen, key=lambda c: c.cell.interval or 0)
            if (work := sum(m.overhead.work_s for m in c.cell.completed))
            for s in BLOCKING
        ]
        if len(chosen) > 1:
            yield figure(
                f"laboratory-{engine}-stages-by-interval",
                f"Overhead by stage against the interval, {engine}",
                f"Of {size(state)}; over training and evaluation.",
                _stacked(rows, "interval", "overhead"),
                190,
            )


def _curves(costs: Sequence[Costs]) -> Iterator[Figure]:
    """Measured overhead and the closed form's against the interval, for each size and method."""
    for problem, method in dict.fromkeys((c.cell.problem, c.cell.method) for c in costs):
        rows = [
            {
                "interval": c.cell.interval,
                "engine": c.cell.engine,
                "measured": c.measured,
                "closed form": c.predicted if c.predicted > 0 else None,
            }
            for c in costs
            if (c.cell.problem, c.cell.method) == (problem, method)
            and c.measured > 0
            and c.cell.engine in NAMES
        ]
        frame = pd.DataFrame(rows)
        if frame.empty or frame["interval"].nunique() < 2:
            continue
        intervals = sorted(frame["interval"].unique().tolist())
        base = alt.Chart(frame).encode(
            x=alt.X(
                "interval:Q",
                title="perturbation interval, iterations",
                axis=alt.Axis(values=intervals, format="d", grid=False),
                scale=alt.Scale(type="log", nice=False, padding=14),
            ),
            color=_colours(frame["engine"].unique()),
            tooltip=[
                "engine:N",
                "interval:Q",
                alt.Tooltip("measured:Q", format=".3%"),
                alt.Tooltip("closed form:Q", format=".3%"),
            ],
        )
        y = {"title": "overhead", "scale": alt.Scale(type="log"), "axis": alt.Axis(format="~%")}
        yield figure(
            f"laboratory-{problem}-{method}-closed-form",
            f"Overhead against the interval, {problem.rpartition('@')[2]}, {method}",
            "Points: measured; lines: the closed form, with the costs timed at the shortest interval.",
            alt.layer(
                base.mark_line(strokeWidth=1.5).encode(y=alt.Y("closed form:Q", **y)),
                base.mark_point(filled=True, size=46).encode(y=alt.Y("measured:Q", **y)),
            ),
        )


def _order(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(row["x"]) for row in rows))


def _stacked(rows: Sequence[dict[str, Any]], x: str, y: str) -> Any:
    frame = pd.DataFrame(rows)
    stages = [s for s in BLOCKING if frame.loc[frame["stage"] == s, "value"].sum() > 0]
    frame["order"] = [BLOCKING.index(s) for s in frame["stage"]]
    axis = alt.Axis(format="~%" if y == "overhead" else "~s")
    return (
        alt.Chart(frame[frame["stage"].isin(stages)])
        .mark_bar(width={"band": 0.6})
        .encode(
            x=alt.X("x:N", sort=_order(rows), title=x, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=y, axis=axis),
            order="order:Q",
            color=alt.Color(
                "stage:N",
                title=None,
                sort=stages,
                scale=alt.Scale(domain=stages, range=[f"var(--kind-{s})" for s in stages]),
            ),
            tooltip=["stage:N", alt.Tooltip("value:Q", format=".3s")],
        )
    )


def _colours(engines: Any) -> Any:
    """An engine's own colour, the same in all figures; grey for the memcpy."""
    own = {name: f"var(--{hue})" for name, hue in zip(NAMES, HUES, strict=False)}
    hues = {name: own.get(name, "var(--muted)") for name in (*NAMES, LIMIT) if name in engines}
    scale = alt.Scale(domain=list(hues), range=list(hues.values()))
    return alt.Color("engine:N", title=None, sort=list(hues), scale=scale)
