"""The command that keeps a study's report fresh while the study runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from pbtbench.cli.types import Place


@click.command()
@click.argument("folder", metavar="OUT", type=Place())
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where to serve it on this machine.  [default: any that is free]",
)
def watch(folder: Path, port: int) -> None:
    """Show the report of a study's folder in a browser, made anew whenever a run is finished.

    OUT is what `pbtbench run` writes to. The page is served to this machine alone, and the report that stands
    there is left as it is. Ctrl-C ends it.
    """
    from pbtbench.errors import plain
    from pbtbench.report.watching import Watched, serving
    from pbtbench.store import Store

    watched = Watched(Store.open(folder))
    watched.look()
    with serving(watched, port) as address:
        click.echo(f"{plain(folder)}: {address} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            watched.keep(lambda line: click.echo(plain(line), err=True))
