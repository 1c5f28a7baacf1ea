"""Wins, ties and losses of methods with an interval against baselines: over problems, and one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pbtbench.report.data import BARS, Row
from pbtbench.report.figures import Figure, Spec, figure, first, named, tooltip
from pbtbench.report.seeds import interval
from pbtbench.report.texts import Table, clean
from pbtbench.report.wording import number
from pbtbench.statistics.baselines import LEVEL, Comparison, Verdict
from pbtbench.statistics.overall import Tally

SIGNS: Mapping[Verdict, str] = {"win": "+", "tie": "=", "loss": "−", "unclear": "?"}

NAMES: Mapping[Verdict, str] = {
    "win": "wins",
    "tie": "ties",
    "loss": "losses",
    "unclear": "undecided",
}

LEGEND = (
    "+ wins, − loses, = equal seed by seed, ? these seeds can't decide "
    f"(level {LEVEL:.0%} over a problem's comparisons)."
)

COLOURS: Mapping[Verdict, str] = {
    "win": "kind-evaluate",
    "tie": "kind-idle",
    "loss": "kind-restore",
    "unclear": "grid",
}
"""Variables of fields."""

CHARACTERS = 60
"""Of all labels in a line."""


def tally_table(tallies: Sequence[Tally]) -> Table:
    """A row for each method and baseline: on how many problems it wins, ties, loses, and is undecided."""
    several = len({t.engine for t in tallies}) > 1
    header = ["method", "against", *["engine"] * several, "problems", *NAMES.values()]
    body = [
        [
            *(t.label, t.baseline, *[t.engine] * several, f"{sum(t.counts.values()):,}"),
            *(f"{t.counts.get(verdict, 0):,}" for verdict in NAMES),
        ]
        for t in tallies
    ]
    return Table(header, body, left=2 + several)


def sign_table(comparisons: Sequence[Comparison]) -> Table:
    """A row for each problem and engine, a column for each method and baseline: `SIGNS`."""
    several = len({c.one.engine for c in comparisons}) > 1
    pairs = list(dict.fromkeys(map(_pair, comparisons)))
    against = list(dict.fromkeys(baseline for _, baseline in pairs))
    signs = {(c.one.problem, c.one.engine, *_pair(c)): SIGNS[c.verdict] for c in comparisons}
    places = list(dict.fromkeys((c.one.problem, c.one.engine) for c in comparisons))
    header = ["problem", *["engine"] * several]
    header += [one if len(against) == 1 else f"{one} : {other}" for one, other in pairs]
    body = [
        [*place[: 1 + several], *(signs.get((*place, *pair), "") for pair in pairs)]
        for place in places
    ]
    return Table(header, body, left=1 + several)


def rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """What the figures draw from: a row for each comparison."""
    return [
        clean(
            {
                "problem": c.one.problem,
                "engine": c.one.engine,
                "label": c.one.label,
                "against": c.baseline.label,
                "verdict": NAMES[c.verdict],
                "sign": SIGNS[c.verdict],
                "difference": f"{number(c.difference.value)} ({interval(c.difference)})",
            }
        )
        | {"n": c.n}
        for c in comparisons
    ]


def figures(found: Sequence[Row], name: str) -> Iterator[Figure]:
    """For each engine and baseline the signs as coloured fields. `found`: `rows`, which a page calls `name`."""
    for engine, against in dict.fromkeys((row["engine"], row["against"]) for row in found):
        mine = [r for r in found if (r["engine"], r["against"]) == (engine, against)]
        problems = list(dict.fromkeys(row["problem"] for row in mine))
        shown = problems[:BARS]
        yield figure(
            f"verdicts-{engine}-against-{against}",
            f"Wins and losses against {against}, {engine}",
            LEGEND + first(BARS, len(problems), "problems"),
            _fields(mine, shown, engine, against, name),
            {name: found},
            20 * len(shown),
        )


def _pair(c: Comparison) -> tuple[str, str]:
    return c.one.label, c.baseline.label


def _fields(
    mine: Sequence[Row], shown: Sequence[str], engine: str, against: str, name: str
) -> Spec:
    labels = list(dict.fromkeys(row["label"] for row in mine))
    verdicts = [v for v in NAMES if any(row["verdict"] == NAMES[v] for row in mine)]
    quiet = {"ticks": False, "domain": False}
    turned = -35 if sum(map(len, labels)) > CHARACTERS else 0
    filters = [
        {"field": "engine", "equal": engine},
        {"field": "against", "equal": against},
        {"field": "problem", "oneOf": list(shown)},
    ]
    field = {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
        "encoding": {
            "color": named("verdict", [NAMES[v] for v in verdicts], [COLOURS[v] for v in verdicts]),
            "tooltip": tooltip(
                problem="nominal",
                label="nominal",
                verdict="nominal",
                difference="nominal",
                n="quantitative",
            ),
        },
    }
    sign = {
        "mark": {"type": "text", "fontSize": 13, "color": "var(--ink)"},
        "encoding": {"text": {"field": "sign"}},
    }
    return {
        "data": {"name": name},
        "transform": [{"filter": {"and": filters}}],
        "encoding": {
            "x": {
                "field": "label",
                "type": "nominal",
                "sort": labels,
                "title": None,
                "axis": {**quiet, "orient": "top", "labelAngle": turned, "labelLimit": 120},
            },
            "y": {
                "field": "problem",
                "type": "nominal",
                "sort": list(shown),
                "title": None,
                "axis": {**quiet, "labelLimit": 190},
            },
        },
        "layer": [field, sign],
    }
