"""The report of several studies: a front page that holds them beside each other, and behind it each study's own
report, in a folder of its name. What is not comparable can't meet in a figure or a sentence that way.

As in a study's report, whatever comes from a folder is escaped by Jinja.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pbtbench import __version__, filename
from pbtbench.report import places
from pbtbench.report.build import build
from pbtbench.report.html import FAILED, asset, environment
from pbtbench.report.palette import resolved, variables
from pbtbench.report.place_figures import by_place
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, listed, size
from pbtbench.statistics.places import side_by_side
from pbtbench.store.several import KeptStudy

TABLES = "tables/places"


def build_several(studies: Sequence[KeptStudy], left_out: Sequence[str]) -> dict[str, str]:
    """Path within `report/` -> text. `left_out`: a line for each folder, and run, that could not be read."""
    pages = {study.name: filename.part(study.name) for study in studies}
    found = side_by_side({study.name: study.measures for study in studies})
    figures = [list(by_place(of, f"places-{i}")) for i, of in enumerate(found, 1)]
    measures = [m for study in studies for m in study.measures]
    front = (
        environment()
        .get_template("side_by_side.html.j2")
        .render(
            title=title(studies),
            runs=len(measures),
            failed=sum(bool(m.cause) for m in measures),
            studies=_studies(studies),
            links={name: f"{page}/index.html" for name, page in pages.items()},
            machines=_machines(studies),
            problems=list(zip(places.problems(found), figures, strict=True)),
            root="",
            compared=places.COMPARED,
            not_compared=places.NOT_COMPARED,
            tables=TABLES,
            left_out=left_out,
            most=FAILED,
            version=__version__,
            css=Markup(asset("page.css")),  # noqa: S704 our own file
            light=variables((), dark=False),
            dark=variables((), dark=True),
            policy="",
            drawing=None,
        )
    )
    light = variables((), dark=False)
    files = {
        "index.html": front,
        **places.table(found, whole=True).files(TABLES),
        **{f"figures/{f.name}.svg": resolved(f.svg, light) for of in figures for f in of},
    }
    for study in studies:
        for path, text in build(study.store, study.measures).items():
            files[f"{pages[study.name]}/{path}"] = text
    return files


def title(studies: Sequence[KeptStudy]) -> str:
    """`A study (A) and another (B)`."""
    return listed([f"{study.store.title()} ({study.name})" for study in studies])


def _studies(studies: Sequence[KeptStudy]) -> Table:
    header = ["study", "title", "folder", "clusters", "machines", "pbtbench", "runs", "failed"]
    body = []
    for study in studies:
        came_from = [m.provenance for m in study.measures if m.provenance is not None]
        body.append(
            [
                *(study.name, study.store.title(), str(study.store.path)),
                _each(m.cluster for m in study.measures),
                _each(p.machine[:8] for p in came_from),
                _each(f"{p.version} {p.commit[:10]}{'-dirty' * p.dirty}" for p in came_from),
                str(len(study.measures)),
                str(sum(bool(m.cause) for m in study.measures)),
            ]
        )
    return Table(header, body, left=6)


def _machines(studies: Sequence[KeptStudy]) -> Table:
    """The machines that runs were made on; facts that nobody noted are `–`."""
    header = ["machine", "studies", "CPU", "GPUs", "Ray", "TensorFlow", "Python", "cores", "memory"]
    facts: dict[str, Mapping[str, Any]] = {}
    of: dict[str, list[str]] = {}
    for study in studies:
        known = study.store.machines()
        for m in study.measures:
            name = m.provenance.machine if m.provenance is not None else ""
            of.setdefault(name, []).append(study.name)
            facts.setdefault(name, known.get(name, {}))
    body = [
        [name[:8] or places.UNKNOWN, _each(of[name]), *_facts(facts[name])] for name in sorted(of)
    ]
    return Table(header, body, left=7)


def _facts(machine: Mapping[str, Any]) -> list[str]:
    versions = machine.get("versions") or {}
    return [
        str(machine.get("cpu") or NONE),
        "; ".join(machine.get("gpus") or []) or NONE,
        *(str(versions.get(name) or NONE) for name in ("ray", "tensorflow")),
        str(machine.get("python") or NONE),
        str(machine.get("cores_usable") or machine.get("cores") or NONE),
        size(machine.get("memory_bytes") or 0),
    ]


def _each(texts: Any) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text)) or NONE
