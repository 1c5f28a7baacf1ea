"""What `pbtbench report --paper` writes: tables, data, methods, and the command. The document is in
`test_paper_document`, figures in `test_paper_figures`, references in `test_paper_references`."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import latex
import pandas as pd
import pytest
from click.testing import CliRunner
from fabricated import CAME_FROM, NAN, a_folder, a_run, an_outcome, score
from hypothesis import given
from hypothesis import strategies as st
from papers import a_paper
from reported import InMemory, a_study, measured, pbt_outcome

from pbtbench import BadInput
from pbtbench.cli import cli
from pbtbench.measures import frame
from pbtbench.report import tables as report_tables
from pbtbench.report.latex import escaped
from pbtbench.report.paper import data, methods, paper_files, tables
from pbtbench.report.paper.columns import COLUMNS, DEFAULT, chosen
from pbtbench.report.paper.references import References
from pbtbench.report.texts import Table
from pbtbench.report.wording import number
from pbtbench.statistics.cells import cells as cells_of


class TestEscaping:
    @given(st.text())
    def test_leaves_ascii_without_commands_or_open_braces(self, text):
        latex.check(f"x{escaped(text)}".replace("&", ""))
        assert "\n" not in escaped(text)

    @given(st.text("abc XYZ.019:;=+/()", max_size=20))
    def test_leaves_what_means_nothing_to_latex(self, text):
        assert escaped(text) == text

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("50%_&#$", r"50\%\_\&\#\$"),
            ("{\\}", r"\textbraceleft{}\textbackslash{}\textbraceright{}"),
            ("a<b|c>", r"a\textless{}b\textbar{}c\textgreater{}"),
            ("Szegö, Tušar", r"Szeg\"{o}, Tu\v{s}ar"),
            ("≥ −0.5 ∞", r"\ensuremath{\geq} \ensuremath{-}0.5 \ensuremath{\infty}"),
            ("Ωλ", r"\ensuremath{\Omega}\ensuremath{\lambda}"),
            ("10⁹", r"10\textsuperscript{9}"),
            ("中", r"\texttt{U+4E2D}"),
            ("a--b ''", "a-{}-b '{}'"),
            ("a\nb\x1b", "a b "),
        ],
    )
    def test_of(self, text, found):
        assert escaped(text) == found

    def test_keeps_a_row_that_begins_with_a_bracket_a_row(self):
        text = Table(["[name]", "n"], [["[x]", "1"], ["*", "2"]]).latex()
        assert [line[:5] for line in text.splitlines()[2:6]] == [
            "{}[na",
            r"\midr",
            "{}[x]",
            "{}* &",
        ]


class TestTables:
    cells = cells_of(measured(a_study()))

    def table(self, *columns):
        (found,) = tables.results(self.cells, columns or DEFAULT)
        return found

    def test_are_floats_with_a_caption_before_the_label(self):
        text = self.table().latex
        assert latex.environments(text) == ["table*", "tabular"]
        assert (
            text.index(r"\caption{") < text.index(r"\label{tab:results}") < text.index(r"\toprule")
        )

    def test_of_few_columns_fit_into_one_of_two_columns(self):
        one = cells_of(measured([(a_run(), pbt_outcome())]))
        (found,) = tables.results(one, ("method", "score"))
        assert latex.environments(found.latex) == ["table", "tabular"]

    def test_show_the_numbers_of_the_cells_with_the_best_bold(self):
        rows = re.findall(r"^(?:pbt|random).*", self.table().latex, re.MULTILINE)
        assert rows == [
            r"pbt k=1 & inprocess & 2 & 0 & .6 & 0.6, 0.6 & 2/2 & 3 &  & 4 &  & 0 & .7 \\",
            r"pbt k=2 & inprocess & 2 & \textbf{0} & \textbf{.85} & 0.8, 0.9 & 2/2 & 3 &  & 4 &  & 0 & .7 \\",
            r"pbt k=1 & tune & 2 & 0 & .6 & 0.6, 0.6 & 2/2 & 3 &  & 4 &  & 100 &  \\",
            r"pbt k=2 & tune & 2 & \textbf{0} & \textbf{.85} & 0.8, 0.9 & 2/2 & 3 &  & 4 &  & 100 &  \\",
            (
                r"random & inprocess & 2 of 3 & 0 & .5 & 0.5, 0.5 & 0/3 & "
                r"\multicolumn{2}{c}{\ensuremath{\infty}} & \multicolumn{2}{c}{\ensuremath{\infty}} & 0 & .0 \\"
            ),
        ]

    @given(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True))
    def test_have_as_many_cells_in_each_row_as_columns(self, names):
        text = self.table(*chosen(names)).latex
        latex.check(text)
        declared, rows = latex.columns(text)
        assert set(rows) == {declared}
        assert len(rows) == 1 + len(self.cells)

    def test_say_in_the_caption_what_each_column_is(self):
        caption = self.table(*chosen(list(COLUMNS))).latex.partition(r"\label")[0]
        for column in COLUMNS.values():
            assert escaped(column.meaning)[1:] in caption

    def test_have_no_spread_of_one_seed(self):
        (found,) = tables.results(
            cells_of(measured([(a_run(), pbt_outcome())])), ("method", "spread")
        )
        assert "random &  \\\\" in found.latex

    def test_of_runs_that_all_failed_have_no_number(self):
        crash = an_outcome(cause="crash", message="no luck")
        (found,) = tables.results(
            cells_of(measured([(a_run(), crash)])), ("method", "n", "score", "overhead")
        )
        none = r"\multicolumn{2}{c}{\textendash{}}"
        assert rf"random & 0 of 1 & {none} & {none} \\" in found.latex

    def test_name_each_problem_with_its_scale_above_its_rows(self):
        pairs = [
            (a_run("a"), pbt_outcome()),
            (a_run("b_c", goal="min", targets=(0.3,)), pbt_outcome()),
        ]
        (found,) = tables.results(cells_of(measured(pairs)), ("method", "n"))
        assert r"\emph{a (accuracy, higher is better)}" in found.latex
        assert (
            r"\emph{b\_c (accuracy, lower is better, target \ensuremath{\leq} 0.3)}" in found.latex
        )

    def test_of_more_rows_than_a_page_holds_are_several(self):
        pairs = [
            (a_run(name, method="pbt", interval=k, targets=(0.2 + k / 100,)), pbt_outcome(0.7))
            for name, most in (("few", 3), ("Few", 3), ("many", 70))
            for k in range(1, most + 1)
        ]
        cells = cells_of(measured(pairs))
        found = tables.results(cells, DEFAULT)
        assert [f.name for f in found] == [
            "results-few", "results-Few-", "results-many", "results-many-part2",
        ]  # fmt: skip
        assert sum(f.latex.count("\npbt k=") for f in found) == len(cells)
        assert all(f.latex.count("target \\ensuremath{\\geq} 0.7") == 1 for f in found[2:])
        assert len({f.label for f in found}) == len(found)

    def test_show_the_hardest_target_that_was_reached_or_else_the_easiest(self):
        def goal(*targets, goal="max"):
            return tables.goal(
                cells_of(measured([(a_run(targets=targets, goal=goal), pbt_outcome())]))
            )

        assert goal(0.2, 0.7, 0.95) == 0.7
        assert goal(0.97, 0.95) == 0.95
        assert goal(0.1, 0.05, goal="min") == 0.1
        assert goal() is None

    def test_of_more_columns_than_a_page_holds_are_several_of_the_same_rows(self):
        whole = report_tables.comparison(self.cells)
        found = list(tables.comparisons(self.cells))
        assert [f.name for f in found[:2]] == ["comparison", "comparison-columns2"]
        headers = [re.search(r"\\toprule\n(.*) \\\\", f.latex)[1].split(" & ") for f in found]
        assert all(header[:3] == whole.header[:3] for header in headers)
        assert sum((header[3:] for header in headers), headers[0][:3]) == whole.header
        assert all(f.latex.count("\npbt k=") + f.latex.count("\ntoy.hand") == 5 for f in found)
        assert found[0].latex.count(r"\textbf{0.85}") == 2
        assert not any("resizebox" in f.latex for f in found)

    def test_keep_a_targets_columns_together(self):
        pairs = [(a_run("a_problem_with_a_name", targets=(0.5, 0.6, 0.7)), pbt_outcome())]
        found = list(tables.comparisons(cells_of(measured(pairs))))
        headers = [re.search(r"\\toprule\n(.*) \\\\", f.latex)[1].split(" & ") for f in found]
        assert len(headers) > 2
        for header in headers:
            for i, name in enumerate(header):
                if name.startswith("target"):
                    assert header[i + 1 : i + 4] == [
                        "reached",
                        "expected time",
                        "expected work",
                    ]
            assert header.count("reached") == sum(name.startswith("target") for name in header)

    def test_of_long_names_cut_them_if_they_stay_distinct(self):
        long, other = "a" * 30 + "b" * 30, "c" * 60
        assert tables.shortened([long, "x"]) == {long: f"{'a' * 23}…{'b' * 23}", "x": "x"}
        alike = ["a" * 30 + middle + "b" * 30 for middle in "xy"]
        assert tables.shortened([*alike, other]) == {name: name for name in [*alike, other]}


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("0.525", ["0", ".525"]),
        ("12,800", ["12,800", ""]),
        ("−0.5", [r"\ensuremath{-}0", ".5"]),
        ("<0.1", [r"\textless{}0", ".1"]),
        (number(3.2e9), ["3", r".20\ensuremath{\cdot10^{9}}"]),
        (number(1e-9), ["1", r"\ensuremath{\cdot10^{-9}}"]),
        ("∞", [r"\multicolumn{2}{c}{\ensuremath{\infty}}"]),
        ("", [r"\multicolumn{2}{c}{}"]),
    ],
)
def test_a_number_meets_its_decimals_at_the_point(text, cells):
    assert tables.decimal(text) == cells


class TestColumns:
    def test_begin_with_the_method(self):
        assert chosen(None) == DEFAULT
        assert chosen(["score", "method", "n"]) == ("method", "score", "n")

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            (["scor"], "unknown column 'scor': did you mean 'score'? known: "),
            (["n", "n"], "--columns = .*'n' stands there twice"),
            ([], "--columns = .*at least 1 item"),
        ],
    )
    def test_that_there_are_none_of_are_bad_input(self, names, said):
        with pytest.raises(BadInput, match=said.replace("?", r"\?")):
            chosen(names)

    def test_are_refused_by_the_function_too(self, tmp_path):
        with pytest.raises(BadInput, match="unknown column 'wal': did you mean 'wall'"):
            paper_files(InMemory(tmp_path), [], ["wal"])


class TestData:
    measures = measured(a_study())

    def test_are_the_same_as_csv_and_as_parquet(self):
        files = data.files(self.measures)
        whole = pd.read_parquet(io.BytesIO(files["measures.parquet"]))
        pd.testing.assert_frame_equal(whole, frame(self.measures), check_dtype=False)
        read = pd.read_csv(
            io.StringIO(files["measures.csv"]), keep_default_na=False, na_values=[""]
        )
        assert list(read) == list(whole)
        numbers = whole.select_dtypes("number").columns
        for name in numbers:
            left, right = read[name].astype(float), whole[name].astype(float)
            pd.testing.assert_series_equal(left, right)

    def test_say_of_every_column_what_it_is(self):
        assert list(data.COLUMNS) == list(frame(self.measures))
        about = data.files(self.measures)["columns.md"]
        for name in frame(self.measures):
            assert re.search(
                rf"^\| {re.escape(name).replace('_', '._')} \| .* \| \S", about, re.MULTILINE
            ), name

    def test_quote_what_a_spreadsheet_would_compute(self):
        found = data.files(measured([(a_run(method="=1+1"), pbt_outcome())]))
        assert "'=1+1" in found["measures.csv"]
        assert pd.read_parquet(io.BytesIO(found["measures.parquet"])).method[0] == "=1+1"

    def test_of_no_run_are_columns(self):
        found = data.files([])
        assert found["measures.csv"].startswith("run,problem,method")
        assert len(found["measures.csv"].splitlines()) == 1


class TestMethods:
    def said(self, tmp_path, measures, left_out=()):
        store = InMemory(tmp_path, left_out=list(left_out))
        return methods.markdown(methods.paragraphs(store, cells_of(measures), References()))

    def test_tell_of_methods_problems_budgets_and_engines(self, tmp_path):
        said = self.said(tmp_path, measured(a_study()))
        assert (
            "We compare pbt (population based training; perturbation interval 1 and 2 iterations) "
            "[@jaderberg2017] and random (random search) [@bergstra2012] on 1 problem: toy.hand (made by hand; "
            "accuracy, higher is better; target ≥ 0.7)" in said
        )
        assert "a population of 2 members for 2 iterations, the same for every method" in said
        assert "on inprocess with 1 worker and on tune with 1 worker [@liaw2018]" in said
        assert "Each method has 2 to 3 seeds on each problem and engine" in said

    def test_tell_what_failed_and_what_was_left_out(self, tmp_path):
        said = self.said(tmp_path, measured(a_study()), left_out=["a", "b"])
        assert "1 of 11 runs failed: 1 by crash. A failed run counts as a miss" in said
        assert "2 members scored NaN or infinite at least once." in said
        assert "damaged or of another kind and left out: 2 parts." in said
        whole = self.said(tmp_path, measured([(a_run(seed=s), pbt_outcome()) for s in (0, 1)]))
        assert "None of 2 runs failed." in whole
        assert "left out" not in whole

    def test_tell_of_changed_and_of_mixed_versions(self, tmp_path):
        measures = measured((a_run(seed=s), pbt_outcome()) for s in range(3))
        assert "They are of pbtbench 1.0 at commit abc with changed files." in self.said(
            tmp_path, measures
        )
        clean = replace(CAME_FROM, dirty=False, commit="def", started="2026-02-03T00:00:00+00:00")
        mixed = [
            replace(measures[0], provenance=clean),
            replace(measures[1], provenance=None),
            measures[2],
        ]
        said = self.said(tmp_path, mixed)
        assert (
            "They are of pbtbench 1.0 at commit def (1 run), pbtbench 1.0 at commit abc with changed files "
            "(1 run) and an unknown version of pbtbench (1 run). Dates: 2026-01-02 to 2026-02-03."
            in said
        )

    def test_tell_of_the_machines(self, tmp_path):
        facts = {
            "cpu": "a CPU",
            "cores_usable": 2,
            "memory_bytes": 8e9,
            "gpus": ["a GPU"],
            "python": "3.12",
        }
        told = json.dumps(
            {"format": 2, "machines": {"here": facts | {"memory_bytes": 8_000_000_000}}}
        )
        (tmp_path / "machine.json").write_text(told)
        measures = measured([(a_run(), pbt_outcome())])
        said = self.said(tmp_path, measures)
        assert "Runs were made on a CPU, 2 cores, 8 GB of memory, a GPU, Python 3.12." in said
        elsewhere = replace(measures[0], provenance=replace(CAME_FROM, machine="there"))
        said = self.said(tmp_path, [measures[0], elsewhere])
        assert "Python 3.12 (1 run) and a machine of which nothing is known (1 run)." in said

    def test_of_other_budgets_do_not_call_them_the_same(self, tmp_path):
        pairs = [(a_run(), pbt_outcome()), (a_run(method="grid", iterations=3), pbt_outcome())]
        said = self.said(tmp_path, measured(pairs))
        assert "for 2 to 3 iterations each. " in said
        assert "the same for every method" not in said

    def test_mention_targets_only_where_there_are_any(self, tmp_path):
        said = self.said(tmp_path, measured([(a_run(), an_outcome(score(1, 0, 1, NAN)))]))
        assert "expected time" not in said
        assert "1 completed run ended without a score." in said

    def test_of_no_run_say_so(self, tmp_path):
        assert self.said(tmp_path, []) == "No run is kept in this study.\n"

    def test_say_the_same_in_markdown_and_in_latex(self, tmp_path):
        files = a_paper(tmp_path, a_study())
        plain = re.sub(r" \[@.*?\]", "", files["methods.md"]).replace("\\", "")
        typeset = re.sub(r"~\\citep\{.*?\}|^%.*\n", "", files["methods.tex"])
        for symbol, command in (("≥", r"\ensuremath{\geq}"), (">", r"\textgreater{}")):
            typeset = typeset.replace(command, symbol)
        assert typeset == plain


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    def test_writes_the_paper_beside_the_report(self, tmp_path):
        a_folder(tmp_path / "out", *a_study(), title="50% & more")
        report = tmp_path / "out/report"
        assert self.run("report", tmp_path / "out", "--paper").exit_code == 0
        found = {str(f.relative_to(report / "paper")) for f in (report / "paper").rglob("*.*")}
        assert {
            "paper.tex",
            "methods.tex",
            "methods.md",
            "references.bib",
            "tables/results.tex",
        } < found
        assert {"data/measures.csv", "data/measures.parquet", "data/columns.md"} < found
        assert {"figures/toy-hand-worker-seconds-single.pdf", "tables/comparison.tex"} < found
        assert (report / "index.html").is_file()
        pd.read_parquet(report / "paper/data/measures.parquet")
        assert self.run("report", tmp_path / "out").exit_code == 0
        assert not (report / "paper").exists()

    def test_takes_columns(self, tmp_path):
        a_folder(tmp_path / "out", (a_run(), pbt_outcome()))
        done = self.run("report", tmp_path / "out", "--paper", "--columns", "wall,population")
        assert done.exit_code == 0
        text = (tmp_path / "out/report/paper/tables/results.tex").read_text()
        assert r"method & \multicolumn{2}{c}{wall (s)} & population \\" in text

    def test_refuses_columns_before_anything_is_written(self, tmp_path):
        a_folder(tmp_path / "out", (a_run(), pbt_outcome()))
        wrong = self.run("report", tmp_path / "out", "--paper", "--columns", "walls")
        assert "did you mean 'wall'?" in str(wrong.exception)
        alone = self.run("report", tmp_path / "out", "--columns", "wall")
        assert (alone.exit_code, "--columns is for the tables of --paper" in alone.output) == (
            2,
            True,
        )
        assert not (tmp_path / "out/report").exists()
        assert not (tmp_path / "out/summary.csv").exists()

    def test_makes_a_paper_of_nothing_as_the_report_does(self, tmp_path):
        a_folder(tmp_path / "out")
        assert self.run("report", tmp_path / "out", "--paper").exit_code == 0
        assert "No run is kept" in (tmp_path / "out/report/paper/methods.tex").read_text()

    def test_names_all_columns_in_its_help(self):
        said = " ".join(self.run("report", "--help").output.split())
        assert f"of {', '.join(COLUMNS)}." in said
        assert f"[default: {','.join(DEFAULT)}]" in said
