"""The command line. Exit codes: 0 done; 1 a run failed; 2 bad input; 130 stopped by Ctrl-C.

Heavy imports happen inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbtbench.cli import output, regression
from pbtbench.cli import tensorboard as events
from pbtbench.cli.advise import advise
from pbtbench.cli.power import power
from pbtbench.cli.types import Many, Place
from pbtbench.cli.watch import watch
from pbtbench.errors import BadInput, Failed, plain

if TYPE_CHECKING:
    from pbtbench.results import Results


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
@click.option(
    "--until-clear",
    is_flag=True,
    default=None,
    help="Add seeds (10, 20, then 40) until each method is clearly better or worse than each baseline.",
)
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
@click.option(
    "--tensorboard", is_flag=True, help="Write TensorBoard's files, too, while runs go on."
)
def run(
    study: str | None, quick: bool, out: Path | None, again: bool, tensorboard: bool, **flags: Any
) -> None:
    """Run a study: one that ships (see `pbtbench list studies`), a TOML file, or flags alone.

    Flags override the study's keys. The same command resumes what was interrupted, and lets the study grow:
    with more seeds, methods, problems, intervals, engines or targets it makes what is missing.
    """
    from pbtbench.running import whole_study

    found = whole_study.run(
        study, out=out, quick=quick, again=again, tensorboard=tensorboard, **flags
    )
    store = found.studies[0].store
    _print(found, store.path / "report" / "index.html")
    if tensorboard:
        events.print_command(store)
    if found.failures:
        raise SystemExit(1)


@cli.command("report")
@click.argument("folders", metavar="FOLDER...", type=Place(), nargs=-1, required=True)
@click.option("--out", type=Place(), help="Folder of the report; of several studies it is needed.")
@click.option(
    "--paper",
    is_flag=True,
    help="Write report/paper/, too: LaTeX tables, figures at column widths, data, references, methods.",
)
@click.option(
    "--columns",
    type=Many(str),
    help="With --paper: columns of its tables, of method, engine, n, score, spread, target, reached, time, "
    "work, overhead, all_overhead, fork, wall, regret, behind_constant, "
    "iterations, population, workers, state.  [default: "
    "method,n,score,spread,reached,time,work,overhead]",
)
def report_(
    folders: tuple[Path, ...], out: Path | None, paper: bool, columns: list[str] | None
) -> None:
    """Make summary.csv and the report of a study's folder again, from what is stored; or, of several folders,
    one report of them beside each other: pbtbench report A/ B/ --out both/."""
    from pbtbench import results

    if len(folders) > 1 and out is None:
        raise click.UsageError(
            "several studies: give --out, a new or empty folder for their report"
        )
    if columns is not None and not paper:
        raise click.UsageError("--columns is for the tables of --paper")
    found = results.load(*folders)
    _print(found, found.report(out, paper=paper, columns=columns))


def _print(found: Results, page: Path) -> None:
    """Print what was found, and where its report stands."""
    from rich.console import Console

    from pbtbench.report.terminal import print_side_by_side, print_summary

    console = Console()
    for line in found.left_out:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    for line in found.notes:
        console.print(f"note: {line}", highlight=False, markup=False, soft_wrap=True)
    if len(found.studies) == 1:
        study = found.studies[0]
        memcpy = study.store.machine().get("memcpy_s_per_gb", math.nan)
        print_summary(study.measures, console, memcpy)
    else:
        print_side_by_side({study.name: study.measures for study in found.studies}, console)
    console.print(f"\nreport: {plain(page)}", highlight=False, markup=False, soft_wrap=True)


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


for _command in (*regression.COMMANDS, advise, power, *events.COMMANDS, watch):
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
