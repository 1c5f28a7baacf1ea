"""Kinds of values on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Many(click.ParamType[list[Any]]):
    """A list separated by commas."""

    def __init__(self, kind: type[int | float | str]) -> None:
        self._kind = kind
        self.name = {int: "integers", float: "numbers", str: "names"}[kind]

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        if not isinstance(value, str):
            return list(value)
        parts = [part.strip() for part in value.split(",")]
        try:
            return [self._kind(part) for part in parts if part]
        except ValueError:
            self.fail(f"{value!r}: give {self.name}, separated by commas", param, ctx)


class Place(click.ParamType[Path]):
    """The path of a folder or a file."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value).strip() or "\0" in str(value):
            self.fail(f"{value!r}: give a path", param, ctx)
        return Path(value)
