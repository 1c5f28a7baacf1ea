"""What a person sees while a study runs: a live block on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from pbtbench import catalogue, engines
from pbtbench.running.observer import Observer
from pbtbench.running.time_left import TimeLeft
from pbtbench.runs import Run
from pbtbench.store.reading import Track
from pbtbench.study.growth import Growth

PLAIN_PERIOD_S = 30.0
"""Without a terminal: how often a long run says that it goes on."""
NARROW = 1.3
"""Up to which quotient a range is told as its lower end."""
MANY = 5000
"""Kept runs that take some seconds to be read: without a terminal, a line says so."""
PLAIN_RUNS = 20
"""Without a terminal: how many runs get a line each; of more, that many lines tell how far it is."""


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 3 ms, 0.4 s, 12 s, 3:05, 1:02:03."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def about(least_s: float, most_s: float) -> str:
    """A range of seconds as a person reads it: about 12 s, about 1:05 to 4:20."""
    least, most = clock(least_s), clock(most_s)
    return f"about {least}" if most_s <= NARROW * least_s else f"about {least} to {most}"


def _resources(run: Run) -> str:
    if not engines.engine(run.engine).distributed:
        return "1 process"
    cpus, gpus = run.cluster.cpus_per_worker, run.cluster.gpus_per_worker
    each = f"{cpus:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
    return f"{run.workers} workers of {each}"


@contextmanager
def reading(console: Console) -> Iterator[Track]:
    """Shows, on a terminal, how many runs of a folder have been read."""
    columns = TextColumn("[bold]reading"), BarColumn(bar_width=28), MofNCompleteColumn()
    terminal = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not terminal) as bar:
        yield bar.track


class View(AbstractContextManager["View"], Observer):
    """Shows a study's progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run: Run | None = None
        self._now: dict[str, Any] = {}
        self._spoke = time.perf_counter()
        self._to_do = self._done = self._failed = 0
        self._time_left = TimeLeft([])
        self._doing = ""
        """What goes on before the first run."""
        self._said: set[str] = set()
        """What was printed of failed runs, without the numbers in it."""
        self._bar = Progress(
            TextColumn("[bold]runs"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._live = Live(console=console, get_renderable=self._block, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run = None
        if self._live.is_started:
            self._live.stop()

    def planned(self, growth: Growth, left: TimeLeft) -> None:
        self._to_do, self._time_left = len(growth.missing), left
        kept = growth.runs - self._to_do
        self._task = self._bar.add_task("", total=growth.runs, completed=kept, left="")
        already = f", {kept} of them kept from before" if kept else ""
        self._console.print(f"{growth.runs} runs{already}", highlight=False)
        if growth.others:
            what = (
                "run that this command does not plan stays"
                if growth.others == 1
                else ("runs that this command does not plan stay")
            )
            self._console.print(f"{growth.others} more {what} in the folder", highlight=False)

    def reading(self, ids: Sequence[str]) -> Iterator[str]:
        if len(ids) >= MANY and not self._live.is_started:
            self._console.print(f"reading {len(ids):,} kept runs", highlight=False)
        for done, run_id in enumerate(ids):
            self._doing = f"reading what is kept: {done:,} of {len(ids):,} runs"
            yield run_id
        self._doing = ""

    def checking(self, run: Run) -> None:
        self._doing = f"checking the problems: {catalogue.label(run.problem)}"

    def started(self, run: Run) -> None:
        self._doing = ""
        self._run, self._now, self._spoke = run, {}, time.perf_counter()

    def progressed(self, progress: dict[str, Any]) -> None:
        self._now = progress
        if not self._live.is_started and time.perf_counter() - self._spoke > PLAIN_PERIOD_S:
            self._spoke = time.perf_counter()
            self._console.print(
                f"  … {self._run.id if self._run else ''}: {self._status()}", highlight=False
            )

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        self._done += 1
        self._failed += bool(done["cause"])
        self._bar.update(
            self._task, advance=1, left=self._left() if self._done < self._to_do else ""
        )
        verdict = Text(f"{clock(done['wall_s']):>8}  {run.id}")
        new = False
        if done["cause"]:
            why = f"{done['cause']}: {done['message']}"
            of_its_kind = re.sub(r"\d+", "0", why)
            new = of_its_kind not in self._said
            self._said.add(of_its_kind)
            verdict.append(f"  {why}" if new else f"  {done['cause']}, as before", style="red")
        if new or (not self._live.is_started and self._to_do <= PLAIN_RUNS):
            self._console.print(verdict, highlight=False, soft_wrap=True)
        elif not self._live.is_started and self._done % math.ceil(self._to_do / PLAIN_RUNS) == 0:
            so_far = f"  {self._done} of {self._to_do} runs"
            self._console.print(", ".join([so_far, *filter(None, [self._left()])]))

    def _left(self) -> str:
        """Markup: how long the study still takes, and what failed."""
        known = self._time_left.range_s()
        left = [] if known is None else [f"{about(*known)} left"]
        return ", ".join([*left, *([f"[red]{self._failed} failed[/]"] if self._failed else [])])

    def _status(self) -> str:
        now = self._now
        if not now:
            return "starting"
        return (
            f"{clock(now['elapsed'])}, {now['saves']} checkpoints, {now['restores']} restores, "
            f"{now['forks']} forks"
        )

    def _block(self) -> RenderableType:
        if self._doing:
            return Group(self._bar, Text(self._doing))
        if self._run is None:
            return self._bar
        run = self._run
        head = Text.assemble((run.id, "bold"), f"  {self._status()}, on {_resources(run)}")
        return Group(self._bar, head, self._members(run))

    def _members(self, run: Run) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("member", "state", "time", "iteration", run.card.objective.metric, "forks"):
            table.add_column(name, justify="left" if name == "state" else "right")
        best = self._now.get("best", [])
        for member, iteration, score, seconds, forks, donor in best:
            state = "done" if iteration >= run.iterations else "training"
            copied = f"{forks} (last from {donor})" if forks else "0"
            table.add_row(
                str(member),
                state,
                clock(seconds),
                f"{iteration}/{run.iterations}",
                f"{score:.4g}",
                copied,
            )
        if (more := self._now.get("members", 0) - len(best)) > 0:
            table.add_row("…", f"and {more} more")
        return table
