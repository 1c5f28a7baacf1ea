"""The document that includes all of a paper, and that it compiles: by its text, and with what is installed."""

from __future__ import annotations

import re
import shutil
import subprocess

import latex
import pytest
from papers import BAD, a_paper, of_hostile_names
from reported import a_study, a_study_of_costs
from test_figures import swept

PACKAGES = ("booktabs.sty", "geometry.sty", "graphicx.sty", "natbib.sty", "unsrtnat.bst")
STUDIES = {
    "study": a_study,
    "costs": a_study_of_costs,
    "hostile": of_hostile_names,
    "many": lambda: swept(60, 2),
    "nothing": list,
}


def installed(engine):
    """Whether an engine is there, with the packages that the document needs."""
    if not all(map(shutil.which, (engine, "bibtex", "kpsewhich"))):
        return False
    return (
        subprocess.run(["kpsewhich", *PACKAGES], capture_output=True, check=False).returncode == 0
    )


ENGINES = [engine for engine in ("pdflatex", "xelatex") if installed(engine)]


@pytest.fixture(scope="module", params=STUDIES)
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return a_paper(folder, STUDIES[request.param](), title=BAD)


def texts(files):
    return {name: text for name, text in files.items() if name.endswith(".tex")}


def test_all_of_it_is_latex_that_can_compile(files):
    for text in texts(files).values():
        latex.check(text)


def test_tables_have_as_many_cells_in_each_row_as_columns(files):
    for name, text in texts(files).items():
        if name.startswith("tables/"):
            declared, rows = latex.columns(text)
            assert set(rows) == {declared}, name
            assert len(rows) > 1


def test_what_is_included_is_there_and_all_is_included(files):
    included = {f"{name}.tex" for name in latex.keys(files["paper.tex"], "input")}
    assert included == set(texts(files)) - {"paper.tex"}
    drawn = re.findall(r"\\includegraphics\{(.*?)\}", files["paper.tex"])
    assert {re.sub(r"-(single|double)\.\w+$", "", name) for name in drawn} == {
        re.sub(r"-(single|double)\.\w+$", "", name) for name in files if name.startswith("figures/")
    }
    assert set(drawn) <= set(files)


def test_every_label_is_there_once_and_every_reference_has_one(files):
    labels = sum((latex.keys(text, "label") for text in texts(files).values()), latex.Counter())
    assert set(labels.values()) <= {1}
    for text in texts(files).values():
        assert set(latex.keys(text, "ref")) <= set(labels)


def test_floats_are_placed_before_they_are_too_many(files):
    text = files["paper.tex"]
    for part in text.split(r"\clearpage"):
        assert len(re.findall(r"\\begin\{figure|\\input\{tables", part)) <= 8


def test_a_paper_that_cites_nothing_has_no_bibliography(tmp_path):
    files = a_paper(tmp_path, [])
    assert r"\bibliography" not in files["paper.tex"]
    assert files["references.bib"] == ""


if ENGINES:

    @pytest.mark.slow
    @pytest.mark.parametrize("engine", ENGINES)
    def test_it_compiles(files, engine, tmp_path):
        for name, data in files.items():
            place = tmp_path / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data if isinstance(data, bytes) else data.encode())
        typeset = [engine, "-interaction=nonstopmode", "-halt-on-error", "paper"]
        cites = [["bibtex", "paper"]] if files["references.bib"] else []
        for command in (typeset, *cites, typeset, typeset):
            done = subprocess.run(
                command, cwd=tmp_path, capture_output=True, check=False, timeout=300
            )
            assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        log = (tmp_path / "paper.log").read_text(errors="replace")
        assert (tmp_path / "paper.pdf").stat().st_size > 1000
        for wrong in ("undefined", "multiply defined", "Missing character", "not found"):
            assert wrong not in log, log[log.find(wrong) - 200 : log.find(wrong) + 200]
        if "long" * 5 not in files["methods.md"]:  # a word that no line holds
            beyond_pt = re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)
            assert max(map(float, beyond_pt), default=0) < 5
