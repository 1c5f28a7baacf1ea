"""How much selection flatters the methods on a problem, and what could not be tested, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbtbench.report.wording import listed, number, plural
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.optimism import looks, trend

WHAT = "Selection optimism (validation − test score of the selected member, larger flatters more)"


def optimism(cells: Sequence[Cell], where: str) -> Iterator[str]:
    """Of the cells of one engine: whether it grows with how often a method looks."""
    what = f"{where}{WHAT[0].lower()}{WHAT[1:]}" if where else WHAT
    if found := trend(cells):
        ends = listed([_of(cell) for cell in (found.few, found.many)])
        says = "grows with looks" if found.grows else "is not shown to grow with looks"
        yield (
            f"{what} {says}: {ends} in the median; over {plural(found.runs, 'run')}, Kendall's τ is "
            f"{number(found.tau)} (p = {number(found.p)})."
        )
        return
    if known := [c for c in cells if c.optimism and c.optimism.n]:
        count = sum(len(c.completed) for c in known)
        yield (
            f"{what}: {listed([_of(c) for c in known])}; {plural(count, 'run')}, too few or too alike to "
            "say whether it grows with looks."
        )


def over_problems(cells: Sequence[Cell]) -> Iterator[str]:
    """On how many problems and engines it grows."""
    places: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        places.setdefault((cell.problem, cell.engine), []).append(cell)
    found = [t for mine in places.values() if (t := trend(mine)) is not None]
    if len(found) > 1:
        grows = sum(t.grows for t in found)
        runs = sum(t.runs for t in found)
        yield (
            f"{WHAT} grows with looks on {grows} of {len(found)} problems with test data (Kendall's τ, "
            f"one-sided, 5% each; {runs:,} runs)."
        )


def untested(cells: Sequence[Cell]) -> Iterator[str]:
    """Runs of a problem with test data that have no test score, so that validation scores are compared."""
    scored = [m for c in cells for m in c.completed if m.quality.scored]
    tested = [m for m in scored if m.quality.test_score is not None]
    reasons = list(dict.fromkeys(m.quality.untested for m in scored if m.quality.untested))
    if len(tested) == len(scored) or not (tested or reasons):
        return
    why = reasons[0] if reasons else "made before runs were tested"
    more = f", and {plural(len(reasons) - 1, 'other reason')}" if len(reasons) > 1 else ""
    yield (
        f"{len(scored) - len(tested):,} of {plural(len(scored), 'run')} have no test score, so that "
        f"validation scores are compared ({why}{more})."
    )


def _of(cell: Cell) -> str:
    assert cell.optimism is not None
    seen = looks(cell.completed[0])
    known = "" if seen is None else f" ({plural(seen, 'look')})"
    return f"{number(cell.optimism.median)} with {cell.label}{known}"
