"""What a paper cites: sources of what it uses, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import latex
import pytest
from fabricated import a_run
from papers import BAD, a_paper, of_hostile_names
from reported import a_study, pbt_outcome

from pbtbench import catalogue, engines, methods
from pbtbench.report.latex import escaped
from pbtbench.report.paper.references import References, known

NEEDED = {
    "article": {"author", "title", "journal", "year"},
    "book": {"editor", "title", "publisher", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"title", "year"},
    "techreport": {"author", "title", "institution", "year"},
}


def of_card(**fields):
    run = a_run()
    return replace(run, card=replace(run.card, **fields))


@pytest.mark.parametrize("name", catalogue.names())
def test_every_problem_of_ours_has_its_source(name):
    assert catalogue.problem(name).source in known()["problems"]


def test_no_source_is_of_a_problem_that_is_gone():
    assert set(known()["problems"]) == {catalogue.problem(n).source for n in catalogue.names()}


def test_every_method_and_engine_of_ours_that_has_a_source_has_it():
    assert {kind for kind in methods.kinds() if kind in known()["methods"]} == {"pbt", "random"}
    assert set(known()["engines"]) == {n for n in engines.names() if n in ("ray", "tune")}


def test_every_entry_is_cited_for_something_and_is_there():
    cited = {
        key
        for table in known()
        if table != "entries"
        for keys in known()[table].values()
        for key in keys
    }
    assert cited == set(known()["entries"])


@pytest.mark.parametrize("key", known()["entries"])
def test_every_entry_has_what_its_kind_needs(key):
    entry = known()["entries"][key]
    assert set(entry) - {"kind"} >= NEEDED[entry["kind"]]
    assert key.endswith(str(entry["year"])) or key == "pbtbench"
    for value in entry.values():
        assert str(value).isascii()
        latex.assert_balanced(str(value))


class TestFile:
    def test_holds_what_is_used_alone(self, tmp_path):
        alone = latex.entries(a_paper(tmp_path, [(a_run(), pbt_outcome())])["references.bib"])
        assert set(alone) == {"bergstra2012", "okabe2008", "problem-a-test-a82639b6"}
        whole = latex.entries(a_paper(tmp_path, a_study())["references.bib"])
        assert set(whole) - set(alone) == {"jaderberg2017", "liaw2018", "hansen2021"}

    def test_holds_each_entry_once(self, tmp_path):
        pairs = [(a_run(problem), pbt_outcome()) for problem in ("a", "b")]
        text = a_paper(tmp_path, pairs)["references.bib"]
        assert text.count("a test") == 1

    @pytest.mark.parametrize("pairs", [a_study, of_hostile_names])
    def test_holds_all_that_is_cited_and_nothing_else(self, tmp_path, pairs):
        files = a_paper(tmp_path, pairs())
        cited = latex.keys(files["methods.tex"], "citep")
        assert set(cited) == set(latex.entries(files["references.bib"]))
        assert all(f"@{key}" in files["methods.md"] for key in cited)

    def test_keeps_capitals(self):
        references = References()
        references.method("pbt")
        title = latex.entries(references.bibtex())["jaderberg2017"]["title"]
        assert title == "{Population Based Training of Neural Networks}"


class TestProblems:
    def test_of_ours_are_found_by_what_their_card_says(self):
        source = catalogue.problem("toy.branin").source
        assert References().problem(of_card(source=source)) == ["dixon1978"]

    def test_of_others_are_cited_as_their_card_says(self):
        references = References()
        (key,) = references.problem(of_card(source=f" {BAD}}} "))
        found = latex.entries(references.bibtex())
        assert found == {key: {"kind": "misc", "title": f"{{{escaped(BAD + '}')}}}"}}

    def test_without_a_source_are_not_cited(self):
        references = References()
        assert not references.problem(of_card(source=" "))
        assert references.bibtex() == ""
