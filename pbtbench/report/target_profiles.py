"""How soon methods reach targets, over all problems of an engine and cluster: figures and scores (METHOD 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pbtbench.report.axes import NAMES, TITLES
from pbtbench.report.data import Row, numbers
from pbtbench.report.figures import Figure, Spec, figure, of_methods, real
from pbtbench.report.palette import Series
from pbtbench.report.seeds import interval
from pbtbench.report.standings import missing
from pbtbench.report.step_curves import layers, share
from pbtbench.report.texts import Table, clean
from pbtbench.report.wording import number, plural
from pbtbench.statistics.profiles import Profile
from pbtbench.statistics.target_profiles import TargetProfiles

ABOUT = (
    "Score: the share of problems on which a method's median time is within a factor of the best, on average "
    "over factors from 1 to 4 (AlgoPerf); 1 is best, a miss is never near. Intervals are at 95%, over seeds."
)
"""What the table's columns are."""

STEPS = 120
"""Points of a curve at most."""

PLACE = "Seconds are of one cluster and machine: those of others have figures of their own."


def sentences(profiles: Sequence[TargetProfiles]) -> Iterator[str]:
    """What takes no part in the profiles of one engine and cluster, on its axes, and what they compare."""
    one = profiles[0]
    yield from missing(one.missing)
    if not any(p.cost == "worker_seconds" for p in profiles):
        yield "Worker-seconds are wall seconds times the number of workers, the same in all runs."
    yield PLACE


def score_table(profiles: Sequence[TargetProfiles]) -> Table:
    """AlgoPerf's benchmark scores: a row for each method, on each axis. `profiles`: of one engine and
    cluster."""
    header = ["method"]
    for p in profiles:
        header += [NAMES[p.cost], "95% interval"]
    body = []
    for label in profiles[0].performance:
        line = [label]
        for p in profiles:
            score = p.performance[label].score
            line += [number(score.value), interval(score)]
        body.append([*line, f"{profiles[0].performance[label].score.n:,}"])
    return Table([*header, "runs"], body)


def rows(profiles: TargetProfiles) -> dict[str, list[Row]]:
    """What the figures draw from, under the kinds' names."""
    return {
        "runtime": [_row(label, p) for label, p in profiles.runtime.items() if len(p.at)],
        "performance": [_row(label, p.profile) for label, p in profiles.performance.items()],
    }


def figures(
    profiles: TargetProfiles, colours: Sequence[Series], names: Mapping[str, str]
) -> tuple[list[Figure], dict[str, list[Row]]]:
    """The profiles of one engine, cluster and axis, and the rows that they draw from. `names`: what pages call
    the rows of `runtime` and `performance`, and the figures."""
    found = rows(profiles)
    data = {names[kind]: found[kind] for kind in found}
    axis, _, unit = TITLES[profiles.cost].partition(", ")
    problems = plural(len(profiles.problems), "problem")
    where = f"{profiles.engine}, {profiles.cluster}"
    drawn = []
    if any(p.share.any() for p in profiles.runtime.values()):
        x = real("x", f"{axis}, {unit}", log=_positive(data[names["runtime"]]))
        drawn.append(
            figure(
                names["runtime"],
                f"Targets reached within a given {axis}, {where}",
                f"Share of {plural(profiles.pairs, 'target')} of {problems}, a search being restarted until "
                "it succeeds (COCO's runtime profile); band: 95% over seeds.",
                _curves(names["runtime"], x, "share of targets", data, colours),
                data,
            )
        )
    x = real("x", f"times the {axis} of the best", domain=[1, 4])
    drawn.append(
        figure(
            names["performance"],
            f"Problems on which a method is near the best in {axis}, {where}",
            f"Share of {problems}, each at the hardest target that any method reached; a method's median, "
            "a miss being infinite (AlgoPerf's performance profile); band: 95% over seeds.",
            _curves(names["performance"], x, "share of problems", data, colours),
            data,
        )
    )
    return drawn, data


def _positive(found: Sequence[Row]) -> bool:
    return all(value > 0 for row in found for value in row["x"])


def _row(label: str, profile: Profile) -> Row:
    """The points where the curve or its band changes, and the last; so many at most."""
    lines = [profile.at, profile.share, profile.low, profile.high]
    changes = [
        i
        for i in range(len(profile.at))
        if i in (0, len(profile.at) - 1) or any(line[i] != line[i - 1] for line in lines[1:])
    ]
    step = -(-len(changes) // STEPS)
    chosen = [*changes[:-1:step], changes[-1]]
    x, middle, low, high = (numbers(line[chosen].tolist(), 4) for line in lines)
    return {"label": clean(label), "x": x, "share": middle, "low": low, "high": high}


def _curves(
    name: str, x: Spec, title: str, data: Mapping[str, Sequence[Row]], colours: Sequence[Series]
) -> Spec:
    return {
        "data": {"name": name},
        "transform": [{"flatten": ["x", "share", "low", "high"]}],
        "encoding": {"x": x, "color": of_methods([row["label"] for row in data[name]], colours)},
        "layer": layers(share(title), {}),
    }
