"""What checkpoints cost, as a report shows it: the headline, and the tables behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.measures.checkpoints import STAGES
from pbtbench.report.cost_figures import LIMIT, by_interval, by_size, rows
from pbtbench.report.cost_sentences import NAMES, at_interval, sentences
from pbtbench.report.data import Data
from pbtbench.report.figures import Figure
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, seconds, signed, size
from pbtbench.statistics.checkpoint_costs import Costs, headline, shortest


@dataclass(frozen=True)
class CheckpointCosts:
    """What a page shows of them."""

    sentences: Sequence[str]
    headline: Table
    stages: Table
    details: Table
    data: Data
    by_size: Sequence[Figure]
    by_interval: Sequence[Figure]

    @property
    def figures(self) -> list[Figure]:
        """All of them, in a page's order."""
        return [*self.by_size, *self.by_interval]

    def files(self) -> dict[str, str]:
        """The tables' files."""
        return {
            **self.headline.files("tables/overhead"),
            **self.stages.files("tables/stages"),
            **self.details.files("tables/closed_forms"),
        }


def checkpoint_costs(costs: Sequence[Costs]) -> CheckpointCosts | None:
    """What a report shows of a study's costs; None for a study that measures none."""
    if not costs:
        return None
    data = {"costs": rows(costs)}
    return CheckpointCosts(
        sentences=list(sentences(costs)),
        headline=headline_table(costs),
        stages=_stage_table(costs),
        details=_detail_table(costs),
        data=data,
        by_size=list(by_size(costs, data)),
        by_interval=list(by_interval(costs, data)),
    )


def headline_table(costs: Sequence[Costs]) -> Table:
    """A row for each state size: Ray Tune, ours, in process, and one copy of the state. Each cost of a fork
    says its interval."""
    found = headline(costs)
    shown = [engine for engine in NAMES if any(engine in of for of in found.values())]
    names = [NAMES[engine] for engine in shown]
    header = [
        "state",
        *(f"fork, {name}" for name in names),
        f"fork, {LIMIT}",
        *(f"PBT tax, {name}" for name in names),
    ]
    body = []
    for state, engines in sorted(found.items()):
        forks = [_fork(engines[e]) if e in engines else NONE for e in shown]
        taxes = [signed(engines[e].tax.median) if e in engines else NONE for e in shown]
        limit = seconds(next(iter(engines.values())).limit_s)
        body.append([size(state), *forks, limit, *taxes])
    return Table(header, body)


def _fork(c: Costs) -> str:
    return f"{seconds(c.fork_s)} ({at_interval(c)})" if c.fork_s > 0 else NONE


def _stage_table(costs: Sequence[Costs]) -> Table:
    """At the shortest interval: seconds for 10⁹ bytes of each stage, and seconds of each restart."""
    header = ["state", "engine", "method"]
    header += [f"{s}, s/GB" if s != "restart" else "restart, each" for s in STAGES]
    body = []
    for c in shortest(costs):
        cells = []
        for name in STAGES:
            stage = c.stages[name]
            if name == "restart":
                cells.append(seconds(stage.s_each))
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
