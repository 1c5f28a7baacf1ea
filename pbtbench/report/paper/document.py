"""A small document that includes all of a paper's parts, to compile as it is and to copy from."""

from __future__ import annotations

from collections.abc import Sequence

from pbtbench.report.latex import escaped
from pbtbench.report.paper.floats import Float
from pbtbench.report.wording import listed

FLOATS = 8
"""After so many, LaTeX is told to place them: it keeps few of them waiting."""

PREAMBLE = r"""% pdflatex paper; bibtex paper; pdflatex paper; pdflatex paper -- or: tectonic paper.tex
\ifdefined\pdfminorversion\pdfminorversion=7\fi
\ifdefined\pdfsuppresswarningpagegroup\pdfsuppresswarningpagegroup=1\fi
\documentclass[twocolumn]{article}
\usepackage[letterpaper, margin=0.75in, columnsep=0.25in]{geometry}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage{url}
\usepackage[numbers]{natbib}
\emergencystretch=3em
"""


def document(title: str, tables: Sequence[Float], figures: Sequence[Float], *, cites: bool) -> str:
    """The text of `paper.tex`. `cites`: whether `references.bib` has entries."""
    parts = [
        PREAMBLE + rf"\title{{{escaped(title)}}}",
        "\\author{}\n\\date{}\n\\begin{document}\n\\maketitle",
        "\\section{Methods}\n\\input{methods}",
    ]
    if tables or figures:
        named = [*_references("Table", tables), *_references("Figure", figures)]
        parts.append(f"\\section{{Results}}\n{listed(named)} show the results.")
    texts = [rf"\input{{tables/{t.name}}}" for t in tables] + [f.latex.rstrip() for f in figures]
    for i, text in enumerate(texts):
        parts.append(text)
        if not (i + 1) % FLOATS:
            parts.append(r"\clearpage")
    if cites:
        parts.append("\\bibliographystyle{unsrtnat}\n\\bibliography{references}")
    parts.append("\\end{document}\n")
    return "\n\n".join(parts)


def _references(what: str, floats: Sequence[Float]) -> list[str]:
    """A reference, or the first and the last of several; nothing of none."""
    labels = [rf"\ref{{{f.label}}}" for f in floats]
    if len(labels) < 2:
        return [f"{what}~{label}" for label in labels]
    between = "and" if len(labels) == 2 else "to"
    return [f"{what}s~{labels[0]} {between}~{labels[-1]}"]
