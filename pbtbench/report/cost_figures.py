"""Figures of what checkpoints cost: against the size of the state, and against the interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pbtbench.measures.checkpoints import BLOCKING
from pbtbench.report.cost_sentences import NAMES
from pbtbench.report.data import Data, Row, number, numbers
from pbtbench.report.figures import Figure, Spec, figure, named, real, tooltip
from pbtbench.report.palette import HUES
from pbtbench.report.texts import clean
from pbtbench.report.wording import size
from pbtbench.statistics.checkpoint_costs import Costs, headline, shortest

LIMIT = "one memcpy"
"""What copying the state once in memory takes, among the engines. A fork that makes no copy takes less."""

LESS = (
    "A fork may take less than one copy: where members share memory none is made, and a part of it may go on "
    "behind the training."
)

SMALL = 190
"""Pixels: the height of a figure."""


def rows(costs: Sequence[Costs]) -> list[Row]:
    """A row for each cost, with lists over the blocking stages; `headline` marks those that the figure of forks
    shows, `shortest` those of the study's shortest interval."""
    in_headline = {id(c) for of in headline(costs).values() for c in of.values()}
    at_shortest = {id(c) for c in shortest(costs)}
    return [
        clean(
            {
                "problem": c.cell.problem,
                "engine": c.cell.engine,
                "method": c.cell.method,
                "interval": c.cell.interval,
                "transport": c.cell.run.transport,
                "bytes": c.state_bytes,
                "state": size(c.state_bytes),
                "headline": id(c) in in_headline,
                "shortest": id(c) in at_shortest,
                "fork": _positive(c.fork_s),
                "copy": _positive(c.limit_s),
                "measured": _positive(c.measured),
                "predicted": _positive(c.predicted),
                "stage": list(BLOCKING),
                "of_fork": numbers([c.stage_of_fork_s(s) for s in BLOCKING]),
                "of_work": numbers([c.stage_overhead(s) for s in BLOCKING]),
            }
        )
        for c in costs
    ]


def by_size(costs: Sequence[Costs], data: Data) -> Iterator[Figure]:
    """A fork's cost, and its stages for each engine, and for each transport of ours where there are several."""
    yield _forks(data)
    caption = "Worker-seconds for each fork, at the shortest interval."
    method = clean(costs[0].cell.method)
    mine = [row for row in data["costs"] if row["shortest"] and row["method"] == method]
    for engine in NAMES:
        shown = [row for row in mine if row["engine"] == engine]
        if len({row["state"] for row in shown}) > 1:
            yield figure(
                f"checkpoint-costs-{engine}-stages-by-size",
                f"Stages of a fork against the state's size, {engine}",
                caption,
                _stacked(
                    shown,
                    {"shortest": True, "method": method, "engine": engine},
                    "state",
                    "of_fork",
                ),
                data,
                SMALL,
            )
    for state in dict.fromkeys(row["bytes"] for row in mine):
        shown = [row for row in mine if row["bytes"] == state and row["engine"].startswith("ray")]
        engines = list(dict.fromkeys(row["engine"] for row in shown))
        if len({row["transport"] for row in shown}) > 1:
            yield figure(
                f"checkpoint-costs-ray-stages-by-transport-{state}",
                f"Stages of a fork by transport, ray, {size(state)}",
                f"{caption} Only what blocks a worker: a transport that ends in -async writes behind the "
                "training.",
                _stacked(
                    shown,
                    {"shortest": True, "method": method, "bytes": state, "engine": engines},
                    "transport",
                    "of_fork",
                ),
                data,
                SMALL,
            )


def by_interval(costs: Sequence[Costs], data: Data) -> Iterator[Figure]:
    """Stages at the largest size that has most intervals, for each engine; and the closed forms."""
    method = clean(costs[0].cell.method)
    for engine in NAMES:
        sizes: dict[int, list[Row]] = {}
        for row in data["costs"]:
            if (row["engine"], row["method"]) == (engine, method) and any(row["of_work"]):
                sizes.setdefault(row["bytes"], []).append(row)
        if not sizes:
            continue
        state, shown = max(sizes.items(), key=lambda item: (len(item[1]), item[0]))
        if len(shown) > 1:
            yield figure(
                f"checkpoint-costs-{engine}-stages-by-interval",
                f"Overhead by stage against the interval, {engine}",
                f"Of {size(state)}; over training and evaluation.",
                _stacked(
                    sorted(shown, key=lambda row: row["interval"]),
                    {"bytes": state, "method": method, "engine": engine},
                    "interval",
                    "of_work",
                ),
                data,
                SMALL,
            )
    yield from _closed_forms(data)


def _positive(value: float) -> float | None:
    """What a logarithmic axis can show."""
    return number(value) if value > 0 else None


def _where(values: Mapping[str, object]) -> Spec:
    """Rows that have these values, or one of them."""
    return {
        "filter": {
            "and": [
                {"field": name, "oneOf" if isinstance(value, list) else "equal": value}
                for name, value in values.items()
            ]
        }
    }


def _forks(data: Data) -> Figure:
    """A fork against the state's size, with what one copy takes."""
    shown = [row for row in data["costs"] if row["headline"]]
    colour = _engines(
        [row["engine"] for row in shown if row["fork"]], any(row["copy"] for row in shown)
    )
    x = real("bytes", "state, bytes", log=True, padding=14)
    x["axis"] = {"format": "~s", "tickCount": 5}
    about = tooltip(
        engine="nominal",
        interval="quantitative",
        bytes="quantitative .3s",
        seconds="quantitative .3s",
    )
    layers: list[Spec] = []
    for field, engine, dash in (("fork", "datum.engine", [1, 0]), ("copy", f"'{LIMIT}'", [4, 4])):
        if not any(row[field] for row in shown):
            continue
        y = real("seconds", "seconds", log=True, nice=True) | {"axis": {"format": "~s"}}
        shared: Spec = {
            "transform": [
                {
                    "filter": {
                        "and": [
                            {"field": "headline", "equal": True},
                            {"field": field, "valid": True},
                        ]
                    }
                },
                {"calculate": f"datum.{field}", "as": "seconds"},
                {"calculate": engine, "as": "engine"},
            ],
            "encoding": {"x": x, "y": y, "color": colour, "tooltip": about},
        }
        layers.append({**shared, "mark": {"type": "line", "strokeWidth": 2, "strokeDash": dash}})
        layers.append({**shared, "mark": {"type": "point", "filled": True, "size": 40}})
    return figure(
        "checkpoint-costs-fork",
        "What a fork costs, against the size of the state",
        "With all saves made for it, at the engine's shortest interval; dashed: copying the state once in "
        f"memory. {LESS}",
        {"data": {"name": "costs"}, "layer": layers},
        data,
        SMALL,
    )


def _closed_forms(data: Data) -> Iterator[Figure]:
    """Measured overhead and the closed form's against the interval, for each size and method."""
    known = [row for row in data["costs"] if row["measured"] and row["engine"] in NAMES]
    for problem, method in dict.fromkeys((row["problem"], row["method"]) for row in known):
        shown = [row for row in known if (row["problem"], row["method"]) == (problem, method)]
        intervals = sorted({row["interval"] for row in shown})
        if len(intervals) < 2:
            continue
        engines = list(dict.fromkeys(row["engine"] for row in shown))
        x = real("interval", "perturbation interval, iterations", log=True, padding=14)
        x["axis"] = {"values": intervals, "format": "d", "grid": False}
        about = tooltip(
            engine="nominal",
            interval="quantitative",
            measured="quantitative .3%",
            predicted="quantitative .3%",
        )
        layers: list[Spec] = [
            {
                "mark": mark,
                "transform": [{"filter": {"field": field, "valid": True}}],
                "encoding": {
                    "x": x,
                    "y": real(field, "overhead", log=True, nice=True) | {"axis": {"format": "~%"}},
                    "color": _engines(engines, copy=False),
                    "tooltip": about,
                },
            }
            for field, mark in (
                ("predicted", {"type": "line", "strokeWidth": 1.5}),
                ("measured", {"type": "point", "filled": True, "size": 46}),
            )
            if any(row[field] for row in shown)
        ]
        yield figure(
            f"checkpoint-costs-{problem}-{method}-closed-form",
            f"Overhead against the interval, {problem.rpartition('@')[2]}, {method}",
            "Points: measured; lines: the closed form, with the costs timed at the shortest interval.",
            {
                "data": {"name": "costs"},
                "transform": [_where({"problem": problem, "method": method, "engine": engines})],
                "layer": layers,
            },
            data,
        )


def _stacked(shown: Sequence[Row], where: Mapping[str, object], x: str, y: str) -> Spec:
    """A bar for each of the rows, of the stages."""
    stages = [s for i, s in enumerate(BLOCKING) if any(row[y][i] for row in shown)]
    share = y == "of_work"
    return {
        "data": {"name": "costs"},
        "transform": [
            _where(where),
            {"flatten": ["stage", y]},
            {"filter": {"field": "stage", "oneOf": stages}},
            {"calculate": f"indexof({list(BLOCKING)}, datum.stage)", "as": "order"},
        ],
        "mark": {"type": "bar", "width": {"band": 0.6}},
        "encoding": {
            "x": {
                "field": x,
                "type": "nominal",
                "sort": list(dict.fromkeys(row[x] for row in shown)),
                "title": x,
                "axis": {"labelAngle": 0},
            },
            "y": {
                "field": y,
                "type": "quantitative",
                "title": "overhead" if share else "seconds",
                "axis": {"format": "~%" if share else "~s"},
            },
            "order": {"field": "order", "type": "quantitative"},
            "color": named("stage", stages, [f"kind-{s}" for s in stages]),
            "tooltip": tooltip(stage="nominal", **{y: "quantitative .3s"}),
        },
    }


def _engines(engines: Sequence[str], copy: bool) -> Spec:
    """An engine's own colour, the same in all figures; grey for the copy."""
    hues = {name: hue for name, hue in zip(NAMES, HUES, strict=False) if name in engines}
    if copy:
        hues[LIMIT] = "muted"
    return named("engine", list(hues), list(hues.values()))
