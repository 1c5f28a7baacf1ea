"""LaTeX floats: tables and figures with a caption and a label, ready for a document to input."""

from __future__ import annotations

from dataclasses import dataclass

from pbtbench.report.latex import escaped

COLUMN, PAGE = 50, 106
"""Characters of a table that fit, in small type, into one of two columns, and into the page. A wider one spans
both columns; what is wider than the page is scaled down to it."""


@dataclass(frozen=True)
class Float:
    """A float, and what it is called."""

    name: str
    """Of its file, in `tables/` or `figures/`."""
    label: str
    """What a document refers to it by."""
    latex: str


def table(name: str, tabular: str, caption: str, width: int) -> Float:
    """The float of a `tabular` some `width` characters wide. `caption`: plain text."""
    kind = "table*" if width > COLUMN else "table"
    if width > PAGE:
        tabular = f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular.rstrip()}%\n}}\n"
    label = f"tab:{name}"
    return Float(
        name,
        label,
        "% Needs the packages booktabs and graphicx, and for some accents [T1]{fontenc}.\n"
        f"\\begin{{{kind}}}[tp]\n\\centering\n\\small\n\\caption{{{escaped(caption)}}}\n\\label{{{label}}}\n"
        f"\\vspace{{1ex}}\n{tabular}\\end{{{kind}}}\n",
    )


def figure(name: str, file: str, caption: str, *, wide: bool) -> Float:
    """The float of a PDF file; `wide`: over both columns."""
    kind = "figure*" if wide else "figure"
    label = f"fig:{name}"
    return Float(
        name,
        label,
        f"\\begin{{{kind}}}[tp]\n\\centering\n\\includegraphics{{{file}}}\n\\caption{{{escaped(caption)}}}\n"
        f"\\label{{{label}}}\n\\end{{{kind}}}\n",
    )
