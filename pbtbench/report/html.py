"""The pages: files that need no network and no server, readable without JavaScript.

Up to some ten problems stand in one page, which has all that its interactive figures need. Of more, an index
has the summary, the matrix and the table, and each problem a page of its own; then the scripts of the figures
stand once, in a file beside them. Without JavaScript, and on paper, a figure is its SVG file, which the page
names: inside of the page it would double it.

Whatever comes from a study's folder is escaped by Jinja; figures' data stand in JSON scripts with
`<` escaped. A content security policy allows a page's own script by its hash, files of the report's folder,
and no other request: a results folder from a stranger is safe to open.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pbtbench import __version__
from pbtbench.measures import Measures
from pbtbench.report import seeds
from pbtbench.report.axes import NAMES
from pbtbench.report.content import MEASURES, Content, Section
from pbtbench.report.cost_figures import LESS
from pbtbench.report.data import Data
from pbtbench.report.failures import failures
from pbtbench.report.figures import CONFIG, Figure
from pbtbench.report.palette import variables
from pbtbench.report.plots import SIDE
from pbtbench.report.run_pages import STRETCHES, RunPage
from pbtbench.report.tables import iterations
from pbtbench.report.target_tables import ABOUT
from pbtbench.report.vega import bundle
from pbtbench.report.wording import percent, score, seconds
from pbtbench.statistics.totals import totals

VEGA = "vega.js"
"""Where several pages have the scripts of their figures."""

RUNS = 1000
"""Lines of a table of runs at most."""

FAILED = 100
"""Runs that are named for one reason of failure."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def page(content: Content) -> str:
    """One page with all problems."""
    groups: list[tuple[Data, Sequence[Figure]]] = [(s.data, s.figures) for s in content.sections]
    return _rendered("page.html.j2", content, _with_costs(content, groups), root="", alone=True)


def pages(content: Content) -> dict[str, str]:
    """The index, a page for each problem, and the scripts of their figures: path in the report -> text."""
    sections = content.sections
    index = _rendered("index.html.j2", content, _with_costs(content, []), root="", alone=False)
    found = {"index.html": index, VEGA: bundle()}
    before: list[Section | None] = [None, *sections[:-1]]
    after: list[Section | None] = [*sections[1:], None]
    for previous, section, following in zip(before, sections, after, strict=True):
        found[section.page] = _rendered(
            "problem.html.j2",
            content,
            [(section.data, section.figures)],
            root="../",
            alone=False,
            section=section,
            previous=previous,
            following=following,
        )
    return found


def run_pages(content: Content, pages: Sequence[RunPage]) -> dict[str, str]:
    """Pages of single runs: path in the report -> text."""
    return {
        one.path: _rendered("run.html.j2", content, [], root="../", alone=False, run_page=one)
        for one in pages
    }


def _with_costs(
    content: Content, groups: Sequence[tuple[Data, Sequence[Figure]]]
) -> list[tuple[Data, Sequence[Figure]]]:
    costs, over = content.costs, content.over_problems
    found = [*groups, *([(over.data, over.figures)] if over else [])]
    return [*found, *([(costs.data, costs.figures)] if costs else [])]


def _rendered(
    template: str,
    content: Content,
    groups: Sequence[tuple[Data, Sequence[Figure]]],
    *,
    root: str,
    alone: bool,
    **more: Any,
) -> str:
    """`groups`: data and the figures that draw from them. `root`: the way to the report's folder; `alone`:
    whether the page has its scripts in itself."""
    drawn = any(figures for _, figures in groups)
    inline = [*([bundle()] if alone and drawn else []), *([asset("figures.js")] if drawn else [])]
    inline.append(asset("page.js"))
    inline += [asset("live.js")] if content.version else []
    policy = [
        *(["'unsafe-eval'"] if drawn else []),  # Vega makes functions of its expressions
        *(["'self'"] if drawn and not alone else []),
        *(f"'sha256-{_sha256(t)}'" for t in inline),
    ]
    measures = [m for cell in content.cells for m in cell.measures]
    return str(
        environment()
        .get_template(template)
        .render(
            content=content,
            measures=measures,
            less=LESS,
            problems={cell.problem for cell in content.cells},
            failed=totals(content.cells).failures,
            failures=failures(measures),
            definitions=MEASURES,
            axes=NAMES,
            about_targets=ABOUT,
            about_comparisons=seeds.ABOUT,
            machine=json.dumps(content.machine, indent=2, ensure_ascii=False),
            place=_place(content),
            made_by=_made_by(measures),
            version=__version__,
            css=Markup(asset("page.css") + asset("report.css")),  # noqa: S704 our own files
            light=variables(content.colours, dark=False),
            dark=variables(content.colours, dark=True),
            root=root,
            live=content.version,
            policy=" ".join(policy),
            vega_file=None if alone or not drawn else f"{root}{VEGA}",
            scripts=[Markup(text) for text in inline],  # noqa: S704 ours, and what vl-convert ships
            drawing=Markup(_json(groups)) if drawn else None,  # noqa: S704 `<` is escaped
            svg=_inline,
            home=f"{root}index.html" if root else "",
            **{"section": None, "run_page": None, **more},
        )
    )


def _json(groups: Sequence[tuple[Data, Sequence[Figure]]]) -> str:
    """What the page's script draws from: the style, the rows, and the figures that use them."""
    facts = {
        "config": CONFIG,
        "data": [data for data, _ in groups],
        "figures": {
            f"figure-{f.name}": {"group": place, "uses": f.uses, "spec": f.spec}
            for place, (_, figures) in enumerate(groups)
            for f in figures
        },
    }
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _inline(svg: str) -> Markup:
    """An SVG inside of a page, its colours those of the page."""
    return Markup(svg.replace("<svg ", '<svg aria-hidden="true" ', 1))  # noqa: S704 escaped by Vega


def _place(content: Content) -> str:
    """One line of what it ran on."""
    if content.machines > 1:
        return f"{content.machines} machines"
    machine = content.machine
    cores = machine.get("cores_usable") or machine.get("cores")
    versions = machine.get("versions")
    facts = [str(machine.get("cpu") or ""), f"{cores} cores" if cores else ""]
    if isinstance(versions, Mapping):
        facts += [
            f"{name} {versions[name]}" for name in ("ray", "tensorflow") if versions.get(name)
        ]
    return ", ".join(filter(None, facts))


def _made_by(measures: Sequence[Measures]) -> list[str]:
    """The versions of pbtbench that made the runs, with their commits."""
    found: dict[str, None] = {}
    for m in measures:
        if (of := m.provenance) is not None and of.version:
            commit = f" at {of.commit[:10]}{', changed' * of.dirty}" if of.commit else ""
            found[f"pbtbench {of.version}{commit}"] = None
    return list(found)


@cache
def environment() -> Environment:
    """Of the templates beside this file, which escape whatever they are given; compiled once."""
    environment = Environment(
        loader=PackageLoader("pbtbench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters |= {"seconds": seconds, "percent": percent, "score": score}
    environment.globals |= {"iterations": iterations, "RUNS": RUNS, "FAILED": FAILED}
    environment.globals |= {"SIDE": SIDE, "STRETCHES": STRETCHES}
    return environment


def _seen(value: Any) -> Any:
    """A text without characters that a page can't have."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(" ", value)
    return value


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (resources.files(__package__) / name).read_text("utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
