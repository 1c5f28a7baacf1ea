"""How methods stand over problems: mean ranks with their critical difference, normalised scores (METHOD 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pbtbench.report.data import Row, number
from pbtbench.report.figures import Figure, Spec, figure, of_methods
from pbtbench.report.palette import Series
from pbtbench.report.seeds import interval
from pbtbench.report.texts import Table, clean
from pbtbench.report.wording import NONE, listed, plural
from pbtbench.report.wording import number as text
from pbtbench.statistics.overall import Standing
from pbtbench.statistics.ranks import LEVEL

ABOUT = (
    "Ranks are of median scores, 1 is best, ties share theirs. Normalised: 0 at the worst of a problem's "
    "medians and 1 at the best, the interquartile mean over its problems and seeds; intervals are at 95%, over "
    "seeds, and say nothing of other problems. Methods with a letter in common can't be told apart."
)
"""What the table's columns are."""

LINE, BAR = 24, 11
"""Pixels from one label to the next, and from one group's bar to the next."""

NAMED = 3
"""What is left out and named, of one kind; more are counted."""


def table(standing: Standing) -> Table:
    """A row for each method, best mean rank first. Groups that can't be told apart have a letter each."""
    ranks, normalised = standing.ranks, standing.normalised
    header = ["method", "mean rank", "not told apart", "normalised score", "95% interval", "scores"]
    body = []
    for label, mean in zip(ranks.methods, ranks.means, strict=True):
        letters = [chr(97 + i % 26) for i, group in enumerate(ranks.groups) if label in group]
        found = normalised.get(label)
        scores = [text(found.value), interval(found), f"{found.n:,}"] if found else [NONE] * 3
        body.append([label, f"{mean:.2f}", " ".join(letters) or NONE, *scores])
    return Table(header, body)


def sentences(standing: Standing) -> Iterator[str]:
    """What so many problems can tell of the ranks, and what takes no part."""
    ranks = standing.ranks
    problems = plural(ranks.problems, "problem")
    place = f"On {standing.engine}, {standing.cluster}, over {problems}"
    known = f"{plural(len(ranks.methods), 'method')}, Friedman's p = {ranks.p:.2g}"
    if not ranks.decidable:
        yield (
            f"{place}: {problems} can't decide between {plural(len(ranks.methods), 'method')}, since "
            f"ranks must differ by {ranks.critical_difference:.2f} and can by {len(ranks.methods) - 1} "
            "at most."
        )
    elif not ranks.p < LEVEL:
        yield f"{place}: the ranks can't tell any method from another ({known})."
    else:
        best = [la for la in ranks.methods[1:] if not _apart(ranks.groups, ranks.methods[0], la)]
        tied = f", not told apart from {listed(best)}" if best else ""
        yield (
            f"{place}: {ranks.methods[0]} has the best mean rank, {ranks.means[0]:.2f}{tied}; ranks less "
            f"than {ranks.critical_difference:.2f} apart can't be told apart ({known})."
        )
    yield from missing(standing.missing)


def missing(of: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Problems and methods that take no part in what is over problems, and why."""
    if of:
        each = [f"{name} (not of {_named(lacks)})" for name, lacks in of.items()]
        yield f"Left out, for scores that are missing: {_named(each)}."


def critical_difference(
    standing: Standing, colours: Sequence[Series], name: str
) -> tuple[Figure, dict[str, list[Row]]]:
    """The diagram of mean ranks (Demšar 2006), and the rows that it draws from. `name`: of its rows, and of the
    figure."""
    data = {name: _rows(standing)}
    ranks = standing.ranks
    problems = plural(ranks.problems, "problem")
    said = (
        "Bars join methods that can't be told apart."
        if ranks.decidable
        else f"{problems} can't decide between so many methods."
    )
    drawn = figure(
        name,
        f"Mean ranks over {problems}, {standing.engine}, {standing.cluster}",
        f"1 is best. {said} Friedman's p = {ranks.p:.2g}; critical difference "
        f"{ranks.critical_difference:.2f} (Nemenyi, {LEVEL:.0%}).",
        _diagram(standing, colours, name),
        data,
        _height(standing),
    )
    return drawn, data


def _apart(groups: Sequence[Sequence[str]], one: str, other: str) -> bool:
    return not any(one in group and other in group for group in groups)


def _named(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return listed(names)
    return listed([*names[:NAMED], f"{len(names) - NAMED} more"])


def _height(standing: Standing) -> int:
    """Two lines above the axis, then bars, then labels on either side."""
    half = math.ceil(len(standing.ranks.methods) / 2)
    return 2 * LINE + BAR * (len(standing.ranks.groups) + 1) + LINE * half


def _rows(standing: Standing) -> list[Row]:
    """The diagram's parts: `y` in pixels from the axis down."""
    ranks = standing.ranks
    many, half = len(ranks.methods), math.ceil(len(ranks.methods) / 2)
    place = dict(zip(ranks.methods, ranks.means, strict=True))
    first = BAR * (len(ranks.groups) + 1)
    found: list[Row] = [{"part": "axis", "rank": 1, "rank2": many, "y": 0}]
    for i, (label, mean) in enumerate(place.items()):
        left = i < half
        found.append(
            {
                "part": "left" if left else "right",
                "label": clean(label),
                "rank": number(mean),
                "axis": 0,
                "y": first + LINE * (i if left else many - 1 - i) + LINE / 2,
                "edge": 1 - _margin(many) if left else many + _margin(many),
                "text": f"{clean(label)}  {mean:.2f}" if left else f"{mean:.2f}  {clean(label)}",
            }
        )
    for i, group in enumerate(ranks.groups):
        ends = sorted((place[group[0]], place[group[-1]]))
        wider = 0.02 * (many - 1)
        found.append(
            {
                "part": "group",
                "rank": number(ends[0] - wider),
                "rank2": number(ends[1] + wider),
                "y": BAR * (i + 1),
            }
        )
    apart = ranks.critical_difference
    said = f"critical difference {apart:.2f}"
    if ranks.decidable:
        found.append({"part": "scale", "rank": 1, "rank2": number(1 + apart), "y": -LINE})
    else:
        said += f": {plural(ranks.problems, 'problem')} can't decide"
    found.append({"part": "said", "rank": 1, "y": -LINE - 9, "text": said})
    return found


def _margin(many: int) -> float:
    return 0.04 * (many - 1)


def _diagram(standing: Standing, colours: Sequence[Series], name: str) -> Spec:
    many, height = len(standing.ranks.methods), _height(standing)
    x = {
        "field": "rank",
        "type": "quantitative",
        "title": None,
        "scale": {
            "domain": [1 - _margin(many), many + _margin(many)],
            "nice": False,
            "zero": False,
        },
        "axis": {
            "orient": "top",
            "values": list(range(1, many + 1)),
            "format": "d",
            "grid": False,
            "offset": -2 * LINE,
            "domain": False,
        },
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "axis": None,
        "scale": {
            "domain": [-2 * LINE, height - 2 * LINE],
            "reverse": True,
            "nice": False,
            "zero": False,
        },
    }
    edge = {"x": {**x, "field": "edge"}}
    sides = {"filter": {"field": "part", "oneOf": ["left", "right"]}}
    stalk = {"type": "rule", "color": "var(--muted)"}

    def layer(where: Spec, mark: Spec, **encoding: Spec) -> Spec:
        return {"transform": [where], "mark": mark, "encoding": {"x": x, "y": y, **encoding}}

    def part(name: str) -> Spec:
        return {"filter": {"field": "part", "equal": name}}

    to = {"x2": {"field": "rank2"}}
    on_axis = {**y, "field": "axis"}
    bar = {"type": "rule", "color": "var(--ink)"}
    words = {"type": "text", "fontSize": 12, "baseline": "middle", "color": "var(--ink)"}
    quiet = {**words, "fontSize": 11, "align": "left", "color": "var(--muted)"}
    left, right = ({**words, "align": "right", "dx": -4}, {**words, "align": "left", "dx": 4})
    point = {"type": "point", "filled": True, "size": 60, "opacity": 1}
    colour = {**of_methods([clean(m) for m in standing.ranks.methods], colours), "legend": None}
    text = {"field": "text"}
    return {
        "data": {"name": name},
        "layer": [
            layer(part("axis"), stalk, **to),
            layer(sides, stalk, y2={"field": "axis"}),
            layer(sides, stalk, **edge, x2={"field": "rank"}),
            layer(part("group"), {**bar, "strokeWidth": 4}, **to),
            layer(part("scale"), {**bar, "strokeWidth": 2}, **to),
            layer(part("said"), quiet, text=text),
            layer(sides, point, y=on_axis, color=colour),
            layer(part("left"), left, **edge, text=text),
            layer(part("right"), right, **edge, text=text),
        ],
    }
