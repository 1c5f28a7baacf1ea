"""Which perturbation intervals checkpoints allow, in words, where only costs are known."""

from __future__ import annotations

from collections.abc import Iterator

from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, plural, seconds, size
from pbtbench.statistics.cost_fit import PER_RESTORE, PER_SAVE, CostAdvice
from pbtbench.statistics.intervals import BUDGET

UNKNOWN = (
    "Costs don't tell how many iterations a target takes, which long intervals make more: run a study at "
    "several intervals, and give `pbtbench advise` its folder."
)


def sentences(advice: CostAdvice, population: int, workers: int) -> Iterator[str]:
    """The shortest interval, and what it rests on."""
    fit, least = advice.fit, advice.least_interval
    about = f"state of {size(advice.state_bytes)}, {seconds(advice.iteration_s)} an iteration, {fit.engine}"
    if least == 1:
        yield (
            f"Any perturbation_interval will do ({about}): checkpoints take {percent(_share(advice))} of the "
            f"time at 1{_between(advice)}."
        )
    else:
        yield (
            f"Set perturbation_interval to at least {least:,} ({about}): from there on checkpoints take "
            f"{BUDGET:.0%} of the time or less{_between(advice)}."
        )
    sizes = size(fit.smallest)
    if fit.largest > fit.smallest:
        sizes += f" to {size(fit.largest)}"
    where = "in one process" if fit.engine == "inprocess" else f"on {plural(workers, 'worker')}"
    yield (
        f"Costs are those of {plural(fit.runs, 'run')} with states of {sizes}; after an interval "
        f"{percent(advice.shares.save)} of {population:,} members {where} save and "
        f"{percent(advice.shares.restore)} restore."
    )
    if (factor := fit.beyond(advice.state_bytes)) > 1:
        beyond = "larger" if advice.state_bytes > fit.largest else "smaller"
        yield (
            f"{size(advice.state_bytes)} is {number(factor)} times {beyond} than what was measured: its costs "
            "are extrapolated."
        )
    yield (
        "This is asynchronous PBT; where members wait for one another, or for a free worker, that comes on top."
    )
    yield UNKNOWN


def overhead_table(advice: CostAdvice) -> Table:
    """Ω and the share of the time, a row for each interval."""
    rows = advice.intervals()
    body = [
        [
            f"{row.interval:,}",
            percent(row.overhead.value),
            f"{percent(row.overhead.low)} to {percent(row.overhead.high)}",
            percent(row.share),
        ]
        for row in rows
    ]
    bold = {i for i, row in enumerate(rows) if row.interval == advice.least_interval}
    return Table(
        ["interval", "checkpoint overhead", "95%", "share of the time"],
        body,
        left=0,
        bold=frozenset((i, j) for i in bold for j in range(4)),
    )


def stage_table(advice: CostAdvice) -> Table:
    """What was fitted, a row for each stage that takes time."""
    header = ["stage", "fixed", "per GB", f"at {size(advice.state_bytes)}", "95%"]
    body = []
    for stage in (*PER_SAVE, *PER_RESTORE):
        line = advice.fit.lines[stage]
        at = line.at(advice.state_bytes)
        if at.value:
            parts = line.fixed_s, 1e9 * line.s_per_byte
            each = [*(seconds(part) if part else NONE for part in parts), seconds(at.value)]
            body.append([stage, *each, f"{seconds(at.low)} to {seconds(at.high)}"])
    return Table(header, body)


def _share(advice: CostAdvice) -> float:
    return advice.intervals()[0].share


def _between(advice: CostAdvice) -> str:
    """How sure the least interval is."""
    low, high = advice.least_between
    if high is None:
        return f"; by so few runs it may be {low:,}, or more than {advice.least_interval:,}"
    return f"; the costs' uncertainty allows {low:,} to {high:,}" if high > low else ""
