"""What a study's paper cites: `references.toml` has the sources of methods, engines, measures and problems."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from pbtbench import filename
from pbtbench.report.latex import escaped
from pbtbench.runs import Run


@cache
def known() -> Mapping[str, Any]:
    """The tables `methods`, `engines`, `measures` and `problems`: name -> keys of `entries`; and those."""
    return tomllib.loads((resources.files(__package__) / "references.toml").read_text("utf-8"))


@dataclass
class References:
    """The sources that a text has cited, in order, as it is written."""

    entries: dict[str, str] = field(default_factory=dict)
    """Key -> BibTeX entry."""

    def method(self, kind: str) -> Sequence[str]:
        """Keys of a method's sources; none where none is known."""
        return self._of("methods", kind)

    def engine(self, name: str) -> Sequence[str]:
        """Keys of an engine's sources."""
        return self._of("engines", name)

    def measure(self, name: str) -> Sequence[str]:
        """Keys of a measure's sources."""
        return self._of("measures", name)

    def problem(self, run: Run) -> Sequence[str]:
        """Keys of the sources of a run's problem: those of its card's text, or an entry that has that text."""
        source = run.card.source.strip()
        if source in known()["problems"]:
            return self._of("problems", source)
        if not source:
            return ()
        key = f"problem-{filename.part(source)}"
        self.entries.setdefault(key, entry(key, "misc", {"title": escaped(source)}))
        return (key,)

    def bibtex(self) -> str:
        """The text of a `.bib` file."""
        return "\n".join(self.entries.values())

    def _of(self, table: str, name: str) -> Sequence[str]:
        keys: Sequence[str] = known()[table].get(name, ())
        for key in keys:
            fields = dict(known()["entries"][key])
            self.entries.setdefault(key, entry(key, fields.pop("kind"), fields))
        return keys


def entry(key: str, kind: str, fields: Mapping[str, Any]) -> str:
    """A BibTeX entry. `fields`: LaTeX. The title's capitals stay as they are."""
    lines = [
        f"  {name} = {{{{{value}}}}},\n" if name == "title" else f"  {name} = {{{value}}},\n"
        for name, value in fields.items()
    ]
    return f"@{kind}{{{key},\n{''.join(lines)}}}\n"


def cited(keys: Iterable[str]) -> str:
    """The keys, each once, as natbib's commands take them."""
    return ",".join(dict.fromkeys(keys))
