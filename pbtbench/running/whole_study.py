"""A study run from Python, or by the command line: planned, run, and its results read."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbtbench.errors import BadInput, Failed
from pbtbench.results import Results, path_of, read_results

if TYPE_CHECKING:
    from rich.console import Console

    from pbtbench.study import Study

_loaded: dict[tuple[str, str], Any] = {}
"""A problem and a method's own `explore` -> the digests of their files, as this process imported them."""


def run(
    study: Study | str | Path | None = None,
    *,
    out: str | Path | None = None,
    quick: bool = False,
    again: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
    **keys: Any,
) -> Results:
    """Run a study, write its report, and give its results; what its folder has of it already is kept.

    `study`: one that is planned (`Study.plan`), the name of one that ships, or the path of a TOML file; `keys`
    are those of a study file, as the flags of `pbtbench run`, and override its own. `out`: the folder,
    `results/<name>` by default. `quick`: the short version of a study that has one. `again`: make kept runs
    anew that are of other code or settings. `tensorboard`: write what TensorBoard shows while runs go on
    (`Results.tensorboard` does it afterwards). The key `until_clear` adds seeds until all is clear
    (`statistics.sequential`). `quiet`: without progress.

    A run that fails is in `Results.failures`, and the others go on. Raises `BadInput` for what can't be run,
    before anything is; `Failed` if the disk is full or gone; `KeyboardInterrupt` when interrupted: the same
    call resumes.

        pbtbench.run(problems=["toy.pbt_quadratic"], intervals=[1, 5], seeds=2, iterations=20)
    """
    from rich.console import Console

    from pbtbench import catalogue
    from pbtbench.statistics.baselines import comparisons
    from pbtbench.statistics.cells import cells
    from pbtbench.statistics.sequential import LEVEL_AT_LOOK, LOOKS, next_look

    catalogue.include_working_directory()
    console = Console(quiet=quiet)

    def planned(**more: Any) -> Study:
        found = _planned(study, {**keys, **more}, console, quick=quick)
        _check_loaded(found)
        return found

    def run_of(study: Study) -> Results:
        return _run(study, out, console, again=again, tensorboard=tensorboard)

    first = planned()
    if not first.declaration.until_clear:
        return run_of(first)
    if keys.get("seeds") is not None:
        raise BadInput("seeds: until_clear chooses how many there are; leave one of the two out")
    seeds: int | None = LOOKS[0]
    while seeds is not None:
        found = run_of(planned(seeds=seeds))
        kept = [m for m in found.studies[0].measures if m.run.seed < seeds]
        seeds = next_look(comparisons(cells(kept), LEVEL_AT_LOOK), seeds)
    return found


def _run(
    planned: Study, out: str | Path | None, console: Console, *, again: bool, tensorboard: bool
) -> Results:
    from pbtbench import machine
    from pbtbench.cli.live import View
    from pbtbench.measures.summary import summary_csv
    from pbtbench.running.runner import run_study
    from pbtbench.store import Store

    for why in planned.left_out:
        console.print(f"left out: {why}", highlight=False, markup=False, soft_wrap=True)
    store = Store.claim(path_of(out) if out is not None else Path("results") / planned.name)
    with store.locked():
        store.write_machine(machine.describe())
        try:
            with View(console) as view:
                run_study(planned, store, view, again=again, tensorboard=tensorboard)
        except (BadInput, KeyboardInterrupt):
            with suppress(BadInput, Failed):
                if store.folder.has("runs"):
                    store.write_summary(summary_csv(store.runs()))
            raise
        found = read_results([store.path], console)
        found.report()
        if tensorboard:
            found.tensorboard()
    return found


def _planned(
    study: Study | str | Path | None, keys: dict[str, Any], console: Console, *, quick: bool
) -> Study:
    from pbtbench.study import Study

    given = {key: value for key, value in keys.items() if value is not None}
    if isinstance(study, Study):
        if given or quick:
            raise BadInput(
                f"{', '.join(given) or 'quick'}: a Study is planned already; give its keys to Study.plan"
            )
        return study
    if study is not None and not isinstance(study, str | Path):
        raise BadInput(
            f"a study of type {type(study).__name__}: give a Study, the name of one that ships, or a path"
        )
    if study is None and not {"problems", "sweep"} & given.keys():
        raise BadInput("nothing to run: name a study (`pbtbench list studies`) or give --problems")
    with console.status("laying out the runs") if console.is_terminal else nullcontext():
        return Study.load(None if study is None else str(study), given, quick=quick)


def _check_loaded(planned: Study) -> None:
    """Raise `BadInput` for code that changed since this process imported it: runs would be planned by what it
    was, and made by what it is."""
    for of in planned.runs:
        key = of.problem, str(of.method_options.get("explore", ""))
        if (known := _loaded.setdefault(key, of.sources)) != of.sources:
            files = {**known, **of.sources}
            changed = sorted(f for f in files if known.get(f) != of.sources.get(f))
            raise BadInput(
                f"problem {of.problem!r}: {', '.join(changed)} changed since this process imported it; start "
                "Python anew"
            )
