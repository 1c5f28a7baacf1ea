"""The page: one file that needs no network and no server, readable without JavaScript.

Whatever comes from a study's folder is escaped by Jinja; figures' data stand in JSON scripts with
`<` escaped. A content security policy allows this page's own two scripts by their hash, and no
requests at all: a results folder from a stranger is safe to open.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pbtbench import __version__
from pbtbench.report.checkpoint_costs import LESS, Laboratory
from pbtbench.report.failures import failures
from pbtbench.report.figures import Figure, bundle
from pbtbench.report.findings import Finding
from pbtbench.report.palette import Series, variables
from pbtbench.report.tables import Row, iterations
from pbtbench.report.texts import Table
from pbtbench.report.wording import seconds
from pbtbench.statistics.cells import Cell

MEASURES = {
    "final score": "the best of the members' last scores; median and range over the runs that completed; "
    "bold: the best of a problem",
    "tie": "scores that are less than one in the fourth significant digit apart, and expected wall times "
    "within 10%: none of them is called better",
    "expected time": "all wall time spent, misses at their cut-off, over the number of successes (ERT); "
    "∞ without a success",
    "member-iterations": "iterations of all members until the target: the work; median, a miss counting as ∞",
    "checkpoint overhead": "(save + blocking persist + transfer + restore + restart) over (train + evaluate), "
    "in worker-seconds",
    "all overhead": "the same with waits and decisions",
    "unaccounted": "workers × wall time, less all that was timed",
}
"""The measures of the page, in a line each; METHOD has them in full."""


@dataclass(frozen=True)
class Section:
    """What the page shows of one problem."""

    name: str
    finding: Finding
    rows: Sequence[Row]
    scores: Sequence[Figure]
    intervals: Sequence[Figure]
    costs: Sequence[Figure]
    lineages: Sequence[Figure]

    @property
    def early(self) -> bool:
        """Whether members stopped before their budget."""
        return any(row.cell.stopped_early for row in self.rows)

    @property
    def run(self) -> Any:
        return self.rows[0].cell.run

    @property
    def figures(self) -> list[Figure]:
        return [*self.scores, *self.intervals, *self.costs, *self.lineages]


@dataclass(frozen=True)
class Content:
    """All that a page shows."""

    title: str
    sections: Sequence[Section]
    overall: Sequence[Finding]
    """What was found of the study as a whole."""
    cells: Sequence[Cell]
    colours: Sequence[Series]
    lab: Laboratory | None
    """The laboratory's part, whose problems have no sections."""
    forks: Table | None
    study: str
    machine: Mapping[str, Any]


def page(content: Content) -> str:
    """The page as HTML text."""
    folder = resources.files(__package__)
    script = (folder / "page.js").read_text("utf-8")
    vega = bundle()
    lab, machine = content.lab, content.machine
    drawn = [f for s in content.sections for f in s.figures] + (lab.figures if lab else [])
    specs = {f"figure-{f.name}": f.spec for f in drawn}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seconds"] = seconds
    environment.globals["iterations"] = iterations
    template = environment.from_string((folder / "page.html.j2").read_text("utf-8"))
    measures = [m for cell in content.cells for m in cell.measures]
    return template.render(
        title=content.title,
        sections=content.sections,
        lab=lab,
        less=LESS,
        forks=content.forks,
        overall=content.overall,
        measures=measures,
        problems={cell.problem for cell in content.cells},
        failed=sum(bool(m.outcome.cause) for m in measures),
        failures=failures([(m.run, m.outcome) for m in measures]),
        definitions=MEASURES,
        study=content.study,
        machine=json.dumps(machine, indent=2, ensure_ascii=False) if machine else "",
        place=_place(machine),
        version=__version__,
        css=Markup((folder / "page.css").read_text("utf-8")),  # noqa: S704 our own file
        light=variables(content.colours, dark=False),
        dark=variables(content.colours, dark=True),
        svg=lambda f: Markup(f.svg.replace("<svg ", '<svg aria-hidden="true" ', 1)),  # noqa: S704 escaped by Vega
        specs=Markup(json.dumps(specs, separators=(",", ":")).replace("<", "\\u003c")),  # noqa: S704
        vega=Markup(vega),  # noqa: S704 the bundle that vl-convert ships
        script=Markup(script),  # noqa: S704 our own file
        hashes=" ".join(f"'sha256-{_sha256(text)}'" for text in (vega, script)),
    )


def _place(machine: Mapping[str, Any]) -> str:
    """One line of what it ran on."""
    cores = machine.get("cores_usable") or machine.get("cores")
    versions = machine.get("versions")
    told = [str(machine.get("cpu") or ""), f"{cores} cores" if cores else ""]
    if isinstance(versions, Mapping):
        told += [f"{name} {versions[name]}" for name in ("ray", "tensorflow") if versions.get(name)]
    return ", ".join(filter(None, told))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
