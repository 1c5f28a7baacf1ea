"""What a paper takes over as it is: tables as LaTeX floats, figures at column widths, tidy data, references,
paragraphs on methods, and a document that includes all.

    paper/paper.tex, methods.tex, methods.md, references.bib
    paper/tables/*.tex, figures/*.pdf, figures/*.svg
    paper/data/measures.csv, measures.parquet, columns.md
"""

from __future__ import annotations

from collections.abc import Sequence

from pbtbench.measures import Measures
from pbtbench.store import Store


def paper_files(
    store: Store, measures: Sequence[Measures], columns: Sequence[str] | None = None
) -> dict[str, str | bytes]:
    """Path within `report/` -> what is in the file. `columns`: of the tables, names in `columns.COLUMNS`.
    `BadInput` for a name that there is none of."""
    from pbtbench.report.paper.columns import chosen
    from pbtbench.report.paper.content import files

    shown = chosen(columns)
    return {f"paper/{name}": data for name, data in files(store, measures, shown).items()}
