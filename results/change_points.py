"""How well methods find the steps in series of timings, and how often they see some where none are.

    python results/change_points.py

Reads `results/noise/`, which `noise.py` makes, and writes `results/change_points.csv`. Series of 60 to 300
points are laid out of the recorded rounds, each point the median of five, and known changes put on them:

- `within`: rounds of one sitting, in blocks of 30 in their order, so that noise that stays does so here, too;
- `nightly`: each point's rounds stand together in a sitting drawn for it: what days differ by is noise.

`step`: one to three of one size, each up or down. Without a true step are `nothing`, a `drift` of 10% over the
whole series, three `outlier`s of one point each, and `another day`: the series goes on with the rounds of
another sitting, on the same machine. `annotated` is the series in `tests/performance_series`.

A found place is true if it is within the margin of a step that no other one was matched with. Precision,
recall and F1 are of all found places and all steps of the series together; `all` is of all kinds but
`annotated`. Steps of one method are told from noise by its penalty or level of error, which its name
gives: penalties are in variances of the noise times log n, the noise being that of differences.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import ruptures
from scipy import stats
from sensitivity import Stages, sittings

from pbtbench.regression.change_points import LEAST, change_points

HERE = Path(__file__).parent
ANNOTATED = HERE.parent / "tests" / "performance_series" / "series.json"
SIZES = (0.02, 0.05, 0.1, 0.2, 0.5)
SERIES = 40
"""Of each kind."""
ROUNDS, BLOCK = 5, 30
SHORTEST, LONGEST = 60, 300
APART = 12
"""Points at least from one step to the next, and to the ends."""
MEASURES = ("wall_s", "save_s")
MARGINS = (3, 5)
WINDOW = 15
"""Points on either side of a place, for methods that look at no more."""

Method = Callable[[np.ndarray], list[int]]


@dataclass(frozen=True)
class Case:
    """A series, and where its steps are."""

    noise: str
    kind: str
    size: float
    values: np.ndarray
    steps: tuple[int, ...] = ()


def scaled(values: np.ndarray) -> np.ndarray:
    """Logarithms in standard deviations of the noise, shape (n, 1)."""
    logs = np.log(values)
    noise = 1.4826 * np.median(np.abs(np.diff(logs))) / np.sqrt(2)
    found: np.ndarray = ((logs - np.median(logs)) / max(noise, 1e-3))[:, None]
    return found


def places(method: Any, penalty: float) -> list[int]:
    """What a method of ruptures finds in the series that it was fitted to."""
    return [int(at) for at in method.predict(pen=penalty * np.log(method.n_samples))[:-1]]


def least_squares(penalty: float, values: np.ndarray) -> list[int]:
    method = ruptures.KernelCPD(kernel="linear", min_size=LEAST)
    return places(method.fit(scaled(values)), penalty)


def pelt_of_ranks(penalty: float, values: np.ndarray) -> list[int]:
    method = ruptures.Pelt(model="rank", min_size=LEAST, jump=1)
    return places(method.fit(scaled(values)), penalty)


def binary(penalty: float, values: np.ndarray) -> list[int]:
    method = ruptures.Binseg(model="l2", min_size=LEAST, jump=1)
    return places(method.fit(scaled(values)), penalty)


def window(penalty: float, values: np.ndarray) -> list[int]:
    method = ruptures.Window(width=2 * WINDOW, model="l2", min_size=LEAST, jump=1)
    return places(method.fit(scaled(values)), penalty)


def e_divisive(error: float, values: np.ndarray) -> list[int]:
    """Splits where the energy statistic is largest (Matteson and James 2014), if Welch's t-test says so, as
    Hunter and Otava do in place of permutations."""
    logs = np.log(values)

    def within(start: int, end: int) -> list[int]:
        part = logs[start:end]
        n = len(part)
        if n < 2 * LEAST:
            return []
        sums = np.abs(part[:, None] - part).cumsum(0).cumsum(1)
        one = np.arange(LEAST, n - LEAST + 1)
        other = n - one
        left, both = sums[one - 1, one - 1], sums[one - 1, -1]
        right = sums[-1, -1] - 2 * both + left
        energy = 2 * (both - left) / (one * other)
        energy -= left / (one * (one - 1)) + right / (other * (other - 1))
        place = int(one[np.argmax(one * other / n * energy)])
        if not stats.ttest_ind(part[:place], part[place:], equal_var=False).pvalue < error:
            return []
        at = start + place
        return [*within(start, at), at, *within(at, end)]

    return within(0, len(logs))


def ranks(error: float, values: np.ndarray) -> list[int]:
    """Mann-Whitney tests of what is on either side of each place, the error shared by all of them
    (Bonferroni): of neighbours that tell, the one that tells most."""
    views = np.lib.stride_tricks.sliding_window_view(values, 2 * WINDOW)
    sums = stats.rankdata(views, axis=1)[:, :WINDOW].sum(axis=1)
    spread = np.sqrt(WINDOW * WINDOW * (2 * WINDOW + 1) / 12)
    z = np.abs(sums - WINDOW * (2 * WINDOW + 1) / 2) / spread
    told = z > stats.norm.isf(error / len(z) / 2)
    found: list[int] = []
    for place in np.argsort(-z, kind="stable"):
        if told[place] and all(abs(place + WINDOW - at) >= WINDOW for at in found):
            found.append(int(place) + WINDOW)
    return sorted(found)


METHODS: dict[str, Method] = {
    **{f"pelt rbf {p}": partial(change_points, penalty=p) for p in (0.5, 1, 1.5, 2)},
    **{f"pelt l2 {p}": partial(least_squares, p) for p in (2, 4, 8)},
    **{f"pelt rank {p}": partial(pelt_of_ranks, p) for p in (2, 4)},
    **{f"binseg l2 {p}": partial(binary, p) for p in (4, 8)},
    **{f"window l2 {p}": partial(window, p) for p in (4, 8)},
    **{f"e-divisive {p:g}": partial(e_divisive, p) for p in (1e-3, 1e-5)},
    "mann-whitney 0.01": partial(ranks, 0.01),
}
VOTERS = ("pelt l2 8", "pelt rbf 1", "pelt rank 4", "e-divisive 1e-05", "mann-whitney 0.01")
VOTES = {"2 votes": 2, "3 votes": 3}


def voted(found: dict[str, list[int]], least: int) -> list[int]:
    """The middles of places that so many of the voters find within 3 points; those of most votes first."""
    places = sorted((at, name) for name in VOTERS for at in found[name])
    taken: list[int] = []
    while places:
        groups = [[p for p in places if 0 <= p[0] - at <= MARGINS[0]] for at, _ in places]
        best = max(groups, key=lambda group: len({name for _, name in group}))
        if len({name for _, name in best}) < least:
            break
        taken.append(int(np.median([at for at, _ in best])))
        places = [p for p in places if abs(p[0] - taken[-1]) > MARGINS[0]]
    return sorted(taken)


OTHERS = {"nothing": 0.0, "drift": 0.1, "outlier": 0.5, "another day": 0.0}
"""Kinds of changes without a step -> their size."""


def cases(recorded: list[dict[str, Stages]]) -> Iterator[Case]:
    """All series."""
    rng = np.random.default_rng(0)
    kinds = [*(("step", size) for size in SIZES), *OTHERS.items()]
    for _ in range(SERIES):
        for noise, (kind, size) in product(("within", "nightly"), kinds):
            benchmark, measure = rng.choice([*recorded[0]]), rng.choice(MEASURES)
            days = [sitting[benchmark][measure] for sitting in recorded]
            rng.shuffle(days)
            count = int(rng.integers(SHORTEST, LONGEST + 1))
            if kind != "another day":
                values = (
                    within(days[0], count, rng) if noise == "within" else nightly(days, count, rng)
                )
                yield changed(Case(noise, kind, size, values), rng)
            elif noise == "within" and len(days) > 1:
                at = int(rng.integers(APART, count - APART + 1))
                parts = within(days[0], at, rng), within(days[1], count - at, rng)
                yield Case(noise, kind, size, np.concatenate(parts))
    for one in json.loads(ANNOTATED.read_text("utf-8")):
        steps = {at for places in one["annotations"].values() for at in places}
        yield Case(
            "annotated", "annotated", 0, np.array(one["values"], float), tuple(sorted(steps))
        )


def within(day: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points of one sitting, shape (count,)."""
    starts = rng.integers(len(day) - BLOCK + 1, size=-(-count * ROUNDS // BLOCK))
    rounds = np.concatenate([day[start : start + BLOCK] for start in starts])
    medians: np.ndarray = np.median(rounds[: count * ROUNDS].reshape(count, ROUNDS), axis=1)
    return medians


def nightly(days: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Points each of a sitting of its own, shape (count,)."""
    drawn = [days[day] for day in rng.integers(len(days), size=count)]
    starts = [int(rng.integers(len(day) - ROUNDS + 1)) for day in drawn]
    return np.array(
        [np.median(day[at : at + ROUNDS]) for day, at in zip(drawn, starts, strict=True)]
    )


def changed(case: Case, rng: np.random.Generator) -> Case:
    """A series with its change put on it."""
    values, count = case.values.copy(), len(case.values)
    steps: list[int] = []
    if case.kind == "step":
        for at in rng.integers(APART, count - APART + 1, size=rng.integers(1, 4)).tolist():
            if all(abs(at - other) >= APART for other in steps):
                steps.append(at)
                values[at:] *= (1 + case.size) ** rng.choice([-1, 1])
    elif case.kind == "drift":
        values *= np.linspace(1, 1 + case.size, count)
    elif case.kind == "outlier":
        values[rng.choice(count, 3, replace=False)] *= 1 + case.size * rng.uniform(0.5, 2, 3)
    return replace(case, values=values, steps=tuple(sorted(steps)))


def true(found: list[int], steps: tuple[int, ...], margin: int) -> int:
    """How many found places are steps, each of one, the nearest first."""
    pairs = sorted((abs(a - b), a, b) for a in found for b in steps if abs(a - b) <= margin)
    places: set[int] = set()
    matched: set[int] = set()
    for _, a, b in pairs:
        if a not in places and b not in matched:
            places.add(a)
            matched.add(b)
    return len(matched)


@dataclass
class Score:
    """What a method found in series of a kind."""

    series: int = 0
    points: int = 0
    steps: int = 0
    found: int = 0
    true: int = 0
    seconds: float = 0.0

    def row(self) -> dict[str, str]:
        """The columns of the table."""
        wrong = 100 * (self.found - self.true) / self.points
        both = self.found + self.steps
        return {
            "series": str(self.series),
            "precision": f"{self.true / self.found:.3f}" if self.found and self.steps else "",
            "recall": f"{self.true / self.steps:.3f}" if self.steps else "",
            "f1": f"{2 * self.true / both:.3f}" if self.steps else "",
            "false_alarms_per_100": f"{wrong:.3f}",
            "ms_per_series": f"{1e3 * self.seconds / self.series:.2f}",
        }


Key = tuple[str, str, str, float, int]
"""Method, noise, kind, size, margin."""


def scored(all_cases: Iterator[Case]) -> dict[Key, Score]:
    """The scores of all methods."""
    scores: dict[Key, Score] = {}
    for case in all_cases:
        found, took = {}, {}
        for name, method in METHODS.items():
            start = time.perf_counter()
            found[name] = method(case.values)
            took[name] = time.perf_counter() - start
        for name, least in VOTES.items():
            found[name], took[name] = voted(found, least), sum(took[voter] for voter in VOTERS)
        kinds = [(case.kind, case.size), *([("all", 0.0)] if case.kind != "annotated" else [])]
        for name, (kind, size), margin in product(found, kinds, MARGINS):
            score = scores.setdefault((name, case.noise, kind, size, margin), Score())
            score.series += 1
            score.points += len(case.values)
            score.steps += len(case.steps)
            score.found += len(found[name])
            score.true += true(found[name], case.steps, margin)
            score.seconds += took[name]
    return scores


def print_table(scores: dict[Key, Score], noise: str) -> None:
    """F1 and precision of all series, recall by the steps' size, false alarms where no step is."""
    print(f"\n{noise}: margin {MARGINS[1]}; F1 also with {MARGINS[0]}")
    heads = [*(f"{100 * size:.0f}%" for size in SIZES), *OTHERS, "ms"]
    print(f"{'':20}{'F1':>7}{'F1, 3':>7}{'prec.':>7}" + "".join(f"{head:>12}" for head in heads))
    for name in (*METHODS, *VOTES):
        whole, strict = (scores[name, noise, "all", 0.0, m].row() for m in reversed(MARGINS))
        cells = [f"{whole['f1']:>7}{strict['f1']:>7}{whole['precision']:>7}"]
        steps = [scores[name, noise, "step", size, MARGINS[1]].row() for size in SIZES]
        cells += [f"{step['recall']:>12}" for step in steps]
        for kind, size in OTHERS.items():
            score = scores.get((name, noise, kind, size, MARGINS[1]))
            cells.append(f"{score.row()['false_alarms_per_100'] if score else '':>12}")
        print(f"{name:20}{''.join(cells)}{whole['ms_per_series']:>12}")


def main() -> None:
    recorded = sittings()
    if not recorded:
        raise SystemExit("results/noise: no sitting in it; python results/noise.py makes one")
    scores = scored(cases(recorded))
    with (HERE / "change_points.csv").open("w", newline="", encoding="utf-8") as file:
        keys = ("method", "noise", "kind", "size", "margin")
        table = csv.DictWriter(file, [*keys, *Score(1, 1).row()], lineterminator="\n")
        table.writeheader()
        for key, score in scores.items():
            table.writerow({**dict(zip(keys, key, strict=True)), **score.row()})
    for noise in ("within", "nightly"):
        print_table(scores, noise)


if __name__ == "__main__":
    main()
