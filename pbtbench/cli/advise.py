"""`pbtbench advise`: which perturbation interval to set, and what it costs to be wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import click

from pbtbench.cli.types import Place
from pbtbench.errors import BadInput, plain

if TYPE_CHECKING:
    from rich.console import Console

    from pbtbench.measures import Measures
    from pbtbench.report.texts import Table
    from pbtbench.statistics.cost_fit import CostAdvice

PROBE_MINUTES, COSTS_MINUTES = 5.0, 2.0
"""For which a problem is tried at most, and for which costs are measured on this machine."""

OF_STUDY = ("target", "iterations", "problem")
OF_COSTS = ("state_mb", "iteration_s", "costs")
OF_PBT = ("population", "workers", "quantile_fraction")
OF_PROBE = ("minutes",)


@click.command()
@click.argument("what", metavar="[FOLDER|PROBLEM]", required=False)
@click.option(
    "--target", type=float, help="Score to reach.  [default: the hardest that was reached]"
)
@click.option("--iterations", type=int, help="Budget of each member.  [default: the study's]")
@click.option("--problem", help="Of a study: this problem alone.")
@click.option(
    "--engine",
    help="Of a study: this engine alone; else the engine that is asked for.  [default: tune]",
)
@click.option(
    "--state-mb", type=float, help="Without a study: size of a member's state, in 10^6 bytes."
)
@click.option(
    "--iteration-s", type=float, help="… and seconds that an iteration trains and evaluates."
)
@click.option("--population", type=int, help="… members.  [default: 8]")
@click.option("--workers", type=int, help="… workers.  [default: 2]")
@click.option("--quantile-fraction", type=float, help="… as of PBT.  [default: 0.25]")
@click.option(
    "--costs",
    metavar="OUT",
    type=Place(),
    help="Take costs from this study of several state sizes, as `pbtbench run overhead` makes.  "
    "[default: measure them here]",
)
@click.option(
    "--probe", is_flag=True, help="Run PROBLEM briefly, to measure its state, pace and checkpoints."
)
@click.option(
    "--minutes", type=float, help="For how long to measure at most.  [default: 2, with --probe 5]"
)
def advise(what: str | None, engine: str | None, probe: bool, **given: Any) -> None:
    """Say which perturbation interval to set, and what it costs to be wrong.

    Of a study's FOLDER that has runs at several intervals: the one that reaches a target soonest.

    With --state-mb and --iteration-s: the shortest whose checkpoints take 5% of the time at most.

    Of a PROBLEM with --probe: the same, by a short run of it.
    """
    from rich.console import Console

    given = {name: value for name, value in given.items() if value is not None}
    console = Console()
    if probe:
        _only(given, (*OF_PBT, *OF_PROBE), "--probe runs a problem briefly")
        if what is None:
            raise BadInput("--probe: give the problem to run, such as my_trainable.py:Mine")
        _by_probe(what, engine or "tune", given, console)
    elif what is not None:
        _only(given, OF_STUDY, "a study's folder is read")
        _by_study(what, engine, given, console)
    elif given.keys() & {"state_mb", "iteration_s"}:
        _only(given, (*OF_COSTS, *OF_PBT, *OF_PROBE), "no study is given")
        for name in ("state_mb", "iteration_s"):
            if name not in given:
                raise BadInput(f"{_flag(name)} is missing: give --state-mb and --iteration-s")
        _by_costs(engine or "tune", given, console)
    else:
        raise BadInput(
            "nothing to advise on: give a study's folder, --state-mb and --iteration-s, or a problem with "
            "--probe"
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _only(given: Iterable[str], allowed: Iterable[str], why: str) -> None:
    """Raise `BadInput` for an option that doesn't belong to what is asked."""
    others = [_flag(name) for name in given if name not in allowed]
    if others:
        flags = ", ".join(map(_flag, allowed))
        raise BadInput(f"{', '.join(others)}: {why}, for which there are {flags} and --engine")


def _by_study(what: str, engine: str | None, given: dict[str, Any], console: Console) -> None:
    from pbtbench import results
    from pbtbench.report import advise as words

    folder = Place().convert(what, None, None)
    if not folder.is_dir() and (what.endswith(".py") or ":" in what):
        raise BadInput(f"{what}: no folder of a study; to try a problem add --probe")
    found = results.load(folder)
    for line in found.left_out:
        _say(f"left out: {line}", console)
    (choices,) = found.choices(**given, engine=engine).values()
    if not choices:
        raise BadInput(
            f"{folder}: no method was run at two intervals with a seed in common; run it at several, as in "
            "--intervals 1,5,20"
        )
    for choice in choices:
        _say(words.said(choice), console)
        _print_table(words.title(choice), words.table(choice), console)
    _say(words.NOTE, console)


def _by_costs(engine: str, given: dict[str, Any], console: Console) -> None:
    from pydantic import Field

    from pbtbench import results
    from pbtbench.schema import Number, Seconds, checked
    from pbtbench.statistics.cost_fit import CostAdvice, cost_fit, shares

    _check_engine(engine)
    megabytes = Annotated[Number, Field(gt=0, le=1e7)]
    state_bytes = 1e6 * checked(megabytes, given["state_mb"], "--state-mb")
    iteration_s = checked(Seconds, given["iteration_s"], "--iteration-s")
    population, workers, quantile_fraction = _pbt(given)
    if "costs" in given:
        if "minutes" in given:
            raise BadInput("--minutes: with --costs nothing is measured; leave one out")
        (study,) = results.load(given["costs"]).studies
        runs: list[Measures] = list(study.measures)
    else:
        from pbtbench.cli import probe

        _say(
            f"measuring what checkpoints cost here on {engine}; --costs OUT takes a study's",
            console,
        )
        runs = _measured(probe.of_sizes(engine, state_bytes), given, COSTS_MINUTES, console)
    fit = cost_fit(runs, engine, state_bytes)
    parts = shares(engine, population, workers, quantile_fraction)
    _print_advice(CostAdvice(fit, state_bytes, iteration_s, parts), population, workers, console)


def _by_probe(what: str, engine: str, given: dict[str, Any], console: Console) -> None:
    from pbtbench.cli import probe
    from pbtbench.statistics.cost_fit import CostAdvice, cost_fit, iteration_s, shares

    _check_engine(engine)
    population, workers, quantile_fraction = _pbt(given)
    runs = _measured(probe.of_problem(what, engine), given, PROBE_MINUTES, console)
    fit = cost_fit(runs, engine, None)
    parts = shares(engine, population, workers, quantile_fraction)
    advice = CostAdvice(fit, fit.largest, iteration_s(runs), parts)
    _print_advice(advice, population, workers, console)


def _measured(
    keys: dict[str, Any], given: dict[str, Any], usual: float, console: Console
) -> list[Measures]:
    from pydantic import Field

    from pbtbench.cli import probe
    from pbtbench.process import terminated
    from pbtbench.schema import Number, checked

    minutes = checked(
        Annotated[Number, Field(gt=0, le=1440)], given.get("minutes", usual), "--minutes"
    )
    signal.signal(signal.SIGTERM, terminated)  # which ends what it started, too
    return probe.measured(keys, 60 * minutes, console)


def _check_engine(name: str) -> None:
    from pbtbench import engines

    engines.engine(name)


def _pbt(given: dict[str, Any]) -> tuple[int, int, float]:
    """Population, workers and quantile fraction."""
    from pydantic import Field

    from pbtbench.schema import Count, Number, checked

    members = Annotated[Count, Field(ge=2, le=1_000_000)]
    share = Annotated[Number, Field(gt=0, le=0.5)]
    return (
        checked(members, given.get("population", 8), "--population"),
        checked(Annotated[Count, Field(le=10_000)], given.get("workers", 2), "--workers"),
        checked(share, given.get("quantile_fraction", 0.25), "--quantile-fraction"),
    )


def _print_advice(advice: CostAdvice, population: int, workers: int, console: Console) -> None:
    from pbtbench.report import advise_by_cost as words

    first, *others = words.sentences(advice, population, workers)
    _say(first, console)
    _print_table("Checkpoints by interval", words.overhead_table(advice), console)
    _print_table(f"A checkpoint on {advice.fit.engine}", words.stage_table(advice), console)
    for sentence in others:
        _say(sentence, console)


def _say(text: str, console: Console) -> None:
    console.print(plain(text), highlight=False, markup=False, soft_wrap=True)


def _print_table(title: str, shown: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(plain(title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for place, name in enumerate(shown.header):
        table.add_column(name, justify="left" if place < shown.left else "right")
    for i, line in enumerate(shown.body):
        table.add_row(
            *(
                Text(plain(text), "bold" if (i, j) in shown.bold else "")
                for j, text in enumerate(line)
            )
        )
    console.print(table)
