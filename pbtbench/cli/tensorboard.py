"""The command that writes what TensorBoard shows."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbtbench.cli.types import Place
from pbtbench.errors import plain

if TYPE_CHECKING:
    from pbtbench.store import Store


@click.command()
@click.argument("folder", type=Place())
def tensorboard(folder: Path) -> None:
    """Write TensorBoard's files of a study's folder, from what is stored: scores and schedules of each member,
    and the table of the HPARAMS tab.

    Written again, they are replaced; what a problem wrote itself (`run --tensorboard`) stays.
    """
    from rich.console import Console

    from pbtbench.cli.live import reading
    from pbtbench.store import Store
    from pbtbench.tensorboard import files

    store, console = Store.open(folder), Console()
    with reading(console) as track:
        left_out = files.write(store, track)
    for line in left_out:
        console.print(f"left out: {plain(line)}", highlight=False, markup=False, soft_wrap=True)
    print_command(store)


def print_command(store: Store) -> None:
    """Say how to look at what was written."""
    from rich.console import Console

    command = f"tensorboard --logdir {shlex.quote(str(store.path / 'tensorboard'))}"
    text = f"to look at it: {plain(command)}"
    Console().print(text, highlight=False, markup=False, soft_wrap=True)


COMMANDS = (tensorboard,)
