"""The command line. Exit codes: 0 done; 1 a run failed; 2 bad input; 130 stopped by Ctrl-C.

Heavy imports happen inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbtbench.cli import output, regression
from pbtbench.cli.power import power
from pbtbench.cli.types import Many, Place
from pbtbench.cli.watch import watch
from pbtbench.errors import BadInput, Failed, plain

if TYPE_CHECKING:
    from rich.console import Console

    from pbtbench.store import Store


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pbtbench")
def cli() -> None:
    """Benchmark population based training against random and grid search.

    Start with `pbtbench run quickstart`, or see `pbtbench list`.
    """


@cli.command()
@click.argument("study", required=False)
@click.option(
    "--problems",
    type=Many(str),
    help="Names, package.module:NAME (a Problem or a tune.Trainable), or paths of files.",
)
@click.option(
    "--methods",
    type=Many(str),
    help="pbt, random, grid, tune:NAME, or the study's own variants.  [default: pbt,random,grid]",
)
@click.option("--engines", type=Many(str), help="inprocess, ray, tune.  [default: inprocess]")
@click.option(
    "--transports",
    type=Many(str),
    help="How states travel: memory, object-store, disk, …  [default: the engine's usual one]",
)
@click.option(
    "--intervals", type=Many(int), help="Perturbation intervals, in iterations.  [default: 1]"
)
@click.option("--population", type=int, help="Members of each run.  [default: 8]")
@click.option("--workers", type=int, help="Workers of an engine that has several.  [default: 2]")
@click.option("--cpus-per-worker", type=float, help="CPUs of each worker.  [default: 1]")
@click.option(
    "--gpus-per-worker", type=float, help="GPUs of each; may be a fraction.  [default: 0]"
)
@click.option("--address", help="A Ray cluster to run on: auto, or host:port.")
@click.option("--nodes", type=int, help="Start a Ray cluster of that many nodes on this machine.")
@click.option("--cpus-per-node", type=int, help="CPUs of each of these nodes.")
@click.option("--iterations", type=int, help="Budget of each member.  [default: the problem's]")
@click.option("--seeds", type=int, help="Number of seeds.  [default: 3]")
@click.option("--targets", type=Many(float), help="Scores to time.  [default: the problem's]")
@click.option(
    "--limit-s",
    type=float,
    help="Seconds without progress after which a run counts as hung.  [default: 600]",
)
@click.option("--scale", type=int, help="How large a study with scales is to be.  [default: 1]")
@click.option("--quick", is_flag=True, help="The short version of a study that has one.")
@click.option("--out", type=Place(), help="Folder.  [default: results/<name>]")
@click.option(
    "--again", is_flag=True, help="Make kept runs anew that are of other code or settings."
)
def run(study: str | None, quick: bool, out: Path | None, again: bool, **flags: Any) -> None:
    """Run a study: one that ships (see `pbtbench list studies`), a TOML file, or flags alone.

    Flags override the study's keys. The same command resumes what was interrupted, and lets the study grow:
    with more seeds, methods, problems, intervals, engines or targets it makes what is missing.
    """
    from pbtbench import catalogue
    from pbtbench.study import Study

    if study is None and flags["problems"] is None:
        raise BadInput("nothing to run: name a study (`pbtbench list studies`) or give --problems")
    catalogue.include_working_directory()

    from rich.console import Console

    console = Console()
    with console.status("laying out the runs") if console.is_terminal else nullcontext():
        planned = Study.load(study, flags, quick=quick)

    from pbtbench import machine
    from pbtbench.cli.live import View
    from pbtbench.measures.summary import summary_csv
    from pbtbench.running.runner import run_study
    from pbtbench.store import Store

    for why in planned.left_out:
        console.print(f"left out: {why}", highlight=False, markup=False, soft_wrap=True)
    store = Store.claim(out or Path("results") / planned.name)
    with store.locked():
        store.write_machine(machine.describe())
        try:
            with View(console) as view:
                run_study(planned, store, view, again=again)
        except (BadInput, KeyboardInterrupt):
            with suppress(BadInput, Failed):
                if store.folder.has("runs"):
                    store.write_summary(summary_csv(store.runs()))
            raise
        failed = _present(store, console)
    if failed:
        raise SystemExit(1)


@cli.command("report")
@click.argument("folder", type=Place())
def report_(folder: Path) -> None:
    """Make summary.csv and the report of a study's folder again, from what is stored."""
    from rich.console import Console

    from pbtbench.store import Store

    _present(Store.open(folder), Console())


def _present(store: Store, console: Console) -> int:
    """Write the summary and the report of what is stored, and print it; how many runs failed."""
    from pbtbench import report
    from pbtbench.cli.live import reading
    from pbtbench.measures.summary import summary_csv
    from pbtbench.report.terminal import print_summary
    from pbtbench.study.oddities import oddities

    with reading(console) as track:
        measures = store.runs(track)
    for line in store.left_out:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    for line in oddities(store.declared(), store.machines(), measures, str(store.path)):
        console.print(f"note: {plain(line)}", highlight=False, markup=False, soft_wrap=True)
    store.write_summary(summary_csv(measures))
    page = report.write(store, measures)
    print_summary(measures, console, store.machine().get("memcpy_s_per_gb", math.nan))
    console.print(f"\nreport: {plain(page)}", highlight=False, markup=False, soft_wrap=True)
    return sum(bool(m.cause) for m in measures)


@cli.command("list")
@click.argument(
    "what", type=click.Choice(["problems", "methods", "engines", "studies"]), required=False
)
def list_(what: str | None) -> None:
    """List what there is: problems, methods, engines and studies."""
    listings: dict[str, Callable[[], dict[str, str]]] = {
        "methods": _methods,
        "engines": _engines,
        "studies": _studies,
    }
    for section in [what] if what else ["problems", *listings]:
        click.echo(click.style(section, bold=True))
        if section == "problems":
            _print_problems()
            continue
        rows = listings[section]()
        width = max(map(len, rows), default=0)
        for name, about in rows.items():
            click.echo(f"  {name:<{width}}  {about}")


@cli.command()
@click.argument("problem")
def show(problem: str) -> None:
    """Show all that is known of a problem: by its name, package.module:NAME, or the path of a file."""
    from rich.console import Console

    from pbtbench import catalogue
    from pbtbench.cli import card

    catalogue.include_working_directory()
    card.print_problem(catalogue.problem(problem), problem, Console())


@cli.command()
def doctor() -> None:
    """Show what this machine has: CPUs, GPUs, memory, Ray, TensorFlow, versions."""
    from pbtbench import machine

    found = machine.describe()
    memory = found["memory_bytes"]
    rows = {
        "CPU": f"{found['cpu']}, {found['cores_usable']} of {found['cores']} cores usable",
        "memory": f"{memory / 2**30:.1f} GiB" if memory else "unknown",
        "memcpy": f"{1 / found['memcpy_s_per_gb']:.3g} GB/s",
        "GPUs": "; ".join(found["gpus"]) or "none",
        "system": found["system"],
        "Python": found["python"],
        **{name: v or "not installed" for name, v in found["versions"].items()},
    }
    for name, value in rows.items():
        click.echo(f"{name:<12}{value}")


for _command in (*regression.COMMANDS, power, watch):
    cli.add_command(_command)


def main() -> None:
    """Entry point: bad input becomes one line on standard error and exit code 2."""
    output.forgiving()
    threads = threading.enumerate()
    try:
        cli.main(args=output.readable(sys.argv[1:]), standalone_mode=False)
        code = 0
    except BadInput as error:
        code = _stopped(str(error), 2)
    except Failed as error:
        code = _stopped(str(error), 1)
    except click.UsageError as error:
        code = _stopped(error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        resumes = "; what was finished is kept, and the same command resumes"
        code = _stopped(f"stopped{resumes if sys.argv[1:2] == ['run'] else ''}", 130)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    from pbtbench.process import end

    end(code, threads)


def _stopped(message: str, code: int) -> int:
    click.echo(f"pbtbench: {plain(message)}", err=True)
    return code


def _print_problems() -> None:
    from rich.console import Console

    from pbtbench import catalogue
    from pbtbench.cli import listing

    catalogue.include_working_directory()
    problems = {name: catalogue.problem(name) for name in catalogue.names()}
    listing.print_problems(problems, Console())


def _methods() -> dict[str, str]:
    from pbtbench import methods
    from pbtbench.methods.tuned import Tuned

    found = {kind: _first_line(methods.method_class(kind)) for kind in methods.kinds()}
    return {**found, f"{methods.TUNED}NAME": _first_line(Tuned)}


def _engines() -> dict[str, str]:
    from pbtbench import engines

    return {name: engines.engine(name).purpose for name in engines.names()}


def _studies() -> dict[str, str]:
    from pbtbench import studies

    return studies.shipped()


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().splitlines()[0]
