"""A paper's files: a study's measures -> what is in them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbtbench.measures import Measures
from pbtbench.report import checkpoint_costs, palette
from pbtbench.report.paper import data, document, figures, methods, tables
from pbtbench.report.paper.references import References
from pbtbench.report.tables import distinct
from pbtbench.statistics import checkpoint_costs as costs_of
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.store import Store


def files(
    store: Store, measures: Sequence[Measures], columns: Sequence[str]
) -> dict[str, str | bytes]:
    """Path within `paper/` -> text, or the bytes of a PDF or a Parquet file."""
    of_runs = cells_of(measures)
    found_costs = costs_of.checkpoint_costs(
        of_runs, store.machine().get("memcpy_s_per_gb", math.nan)
    )
    cells = distinct(of_runs)
    shown = costs_of.outside(cells, found_costs)
    costs = checkpoint_costs.checkpoint_costs(found_costs)
    colours = palette.series(cells)
    tabulated = [
        *tables.results(shown, columns),
        *tables.comparisons(cells),
        *tables.costs(costs),
    ]
    drawings = figures.drawings(store, shown, costs, colours)
    references = References()
    said = methods.paragraphs(store, cells, references)
    bibtex = references.bibtex()
    found: dict[str, str | bytes] = {
        "paper.tex": document.document(
            store.title(), tabulated, list(figures.floats(drawings)), cites=bool(bibtex)
        ),
        "methods.tex": methods.latex(said),
        "methods.md": methods.markdown(said),
        "references.bib": bibtex,
    }
    found |= {f"tables/{t.name}.tex": t.latex for t in tabulated}
    for drawing in drawings:
        for name, drawn in figures.files(drawing, colours).items():
            found[f"figures/{name}"] = drawn
    return found | {f"data/{name}": text for name, text in data.files(measures).items()}
