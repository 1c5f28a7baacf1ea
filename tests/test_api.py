"""The Python API: what a study's run and its folder give, and that the command line gives the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import a_folder, a_run, an_outcome
from reported import a_study, pbt_outcome
from small_studies import PROBLEM

import pbtbench
from pbtbench import BadInput
from pbtbench.measures.summary import COLUMNS
from pbtbench.record import Record
from pbtbench.runs import Run
from pbtbench.store import Store
from pbtbench.study import Study

SMALL = {
    "problems": ["toy.pbt_quadratic"],
    "methods": ["pbt", "random"],
    "intervals": [5],
    "iterations": 20,
    "seeds": 2,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The results of a small study, and its folder."""
    folder = tmp_path_factory.mktemp("made") / "out"
    return pbtbench.run(**SMALL, out=folder, quiet=True), folder


@pytest.fixture
def kept(tmp_path):
    """The results of a study made by hand: PBT on two engines, random search and a crash."""
    a_folder(tmp_path / "kept", *a_study(), title="by <b>hand</b>")
    return pbtbench.load(tmp_path / "kept")


def equal(one: Record, other: Record) -> bool:
    """Whether all columns of two records are equal."""
    return all(
        np.array_equal(mine, getattr(getattr(other, table), name), equal_nan=mine.dtype.kind == "f")
        for table in ("timeline", "scores", "forks")
        for name, mine in vars(getattr(one, table)).items()
        if isinstance(mine, np.ndarray)
    )


class TestARun:
    def test_gives_what_its_folder_gives(self, made):
        results, folder = made
        loaded = pbtbench.load(folder)
        pd.testing.assert_frame_equal(results.measures, loaded.measures)
        assert repr(results) == repr(loaded) == "<pbtbench.Results: study: 4 runs>"

    def test_gives_the_measures_of_the_summary(self, made):
        results, folder = made
        summary = pd.read_csv(folder / "summary.csv", keep_default_na=False, na_values=[""])
        frame = results.measures[list(COLUMNS)]
        assert len(summary) == len(frame) == 8
        for name in COLUMNS:
            mine, stored = frame[name], summary[name]
            if mine.dtype.kind in "fiu" or str(mine.dtype) == "Int64":
                np.testing.assert_allclose(
                    mine.astype(float), stored.astype(float), rtol=1e-8, err_msg=name
                )
            else:
                assert mine.astype(str).tolist() == stored.fillna("").astype(str).tolist(), name

    def test_gives_the_same_folder_as_the_command_line(self, made, tmp_path):
        _, folder = made
        (tmp_path / "small.toml").write_text(
            'name = "study"\n' + "".join(f"{key} = {value!r}\n" for key, value in SMALL.items())
        )
        command = [Path(sys.executable).with_name("pbtbench"), "run", "small.toml", "--out", "out"]
        subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
        other = tmp_path / "out"
        files = [
            sorted(f.relative_to(at).as_posix() for f in at.rglob("*") if f.is_file())
            for at in (folder, other)
        ]
        assert files[0] == files[1]
        assert (folder / "study.toml").read_text() == (other / "study.toml").read_text()
        ran = [pbtbench.load(at).measures for at in (folder, other)]
        for name in ("run", "final_score", "forks", "saves", "target", "machine"):
            pd.testing.assert_series_equal(ran[0][name], ran[1][name])

    def test_of_a_planned_study_goes_on_in_its_folder(self, made, tmp_path):
        folder = shutil.copytree(made[1], tmp_path / "out")
        before = {f: f.stat().st_mtime_ns for f in folder.rglob("run.json")}
        results = pbtbench.run(Study.plan({**SMALL, "seeds": 3}), out=folder, quiet=True)
        assert len(results.measures.run.unique()) == 6
        assert all(f.stat().st_mtime_ns == time for f, time in before.items())

    def test_keeps_what_fails_in_failures(self, tmp_path):
        file = tmp_path / "sometimes.py"
        file.write_text(PROBLEM.format(train="if self.x > 0.5: raise RuntimeError('no luck')"))
        results = pbtbench.run(
            problems=[str(file)], methods=["random"], population=1, seeds=6, out=tmp_path / "out",
            quiet=True,
        )  # fmt: skip
        failed = set(results.failures)
        assert 0 < len(failed) < 6
        assert set(results.failures.values()) == {"crash: RuntimeError: no luck (sometimes.py:11)"}
        rows = results.measures
        assert set(rows.run[rows.failure == "crash"]) == failed
        assert f"6 runs, {len(failed)} failed" in repr(results)

    def test_of_a_study_of_which_all_runs_fail_is_given_too(self, tmp_path):
        file = tmp_path / "never.py"
        file.write_text(PROBLEM.format(train="if self.step > 1: raise RuntimeError('no')"))
        results = pbtbench.run(
            problems=[str(file)], methods=["random"], seeds=1, out=tmp_path / "out", quiet=True
        )
        assert len(results.failures) == 1

    def test_refuses_code_that_changed_since_it_was_imported(self, tmp_path):
        file = tmp_path / "edited.py"
        about = {"problems": [str(file)], "methods": ["random"], "seeds": 1, "quiet": True}
        file.write_text(PROBLEM.format(train="pass"))
        pbtbench.run(**about, out=tmp_path / "one")
        file.write_text(PROBLEM.format(train="self.x = 1.0"))
        with pytest.raises(BadInput, match=r"edited\.py changed since this process imported it"):
            pbtbench.run(**about, out=tmp_path / "two")
        assert not (tmp_path / "two").exists()

    def test_says_its_progress_unless_it_is_to_be_quiet(self, tmp_path, capfd):
        pbtbench.run(**{**SMALL, "seeds": 1}, out=tmp_path / "a")
        assert "toy.pbt_quadratic/pbt/inprocess/k5/s0" in capfd.readouterr().out
        pbtbench.run(**{**SMALL, "seeds": 1}, out=tmp_path / "b", quiet=True)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("study", "keys", "said"),
        [
            (None, {}, "nothing to run"),
            (None, {"seeds": 2}, "nothing to run"),
            ("quickstrat", {}, "'quickstart'"),
            ("nowhere.toml", {}, "No such file"),
            (3, {}, "type int"),
            ("quickstart", {"seed": 3}, "'seeds'"),
            ("quickstart", {"seeds": "many"}, "seeds"),
            ("quickstart", {"out": ""}, "give the path of a folder"),
            ("quickstart", {"out": "a\0b"}, "give the path of a folder"),
            (None, {"problems": ["toy.nonesuch"]}, "toy.nonesuch"),
        ],
    )
    def test_refuses_what_can_not_be_run(self, study, keys, said, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(BadInput, match=said) as refused:
            pbtbench.run(study, quiet=True, **keys)
        assert "\n" not in str(refused.value)
        assert list(tmp_path.iterdir()) == []

    def test_refuses_keys_beside_a_planned_study(self):
        with pytest.raises(BadInput, match="seeds: a Study is planned already"):
            pbtbench.run(Study.plan(SMALL), seeds=3)


class TestARecord:
    def test_is_the_one_that_is_stored(self, made):
        results, folder = made
        store = Store.open(folder)
        for measures in store.runs():
            assert equal(results.record(measures.run.id), store.record(measures.run))
            assert equal(results.record(measures.run), store.record(measures.run))

    def test_of_an_unknown_run_is_refused_with_the_nearest(self, kept):
        with pytest.raises(BadInput, match=r"did you mean 'toy\.hand/random/inprocess/s1'"):
            kept.record("toy.hand/random/inprocess/s11")

    def test_that_is_damaged_is_refused(self, kept, tmp_path):
        (tmp_path / "kept/runs/toy.hand/random/inprocess/s0/timeline.parquet").write_bytes(b"x")
        with pytest.raises(BadInput, match=r"timeline\.parquet: damaged"):
            kept.record("toy.hand/random/inprocess/s0")

    def test_of_several_studies_is_given_by_the_id_in_the_measures(self, tmp_path):
        for name, final in (("A", 0.9), ("B", 0.8)):
            a_folder(tmp_path / name, (a_run(), pbt_outcome(final)))
        results = pbtbench.load(tmp_path / "A", tmp_path / "B")
        last = [results.record(id_).scores.metrics["accuracy"][-1] for id_ in results.measures.run]
        assert last == [0.9, 0.8]
        with pytest.raises(BadInput, match="several studies have it"):
            results.record(a_run())


class TestAComparison:
    def test_has_a_row_for_each_cell(self, kept):
        frame = kept.compare()
        assert frame[["label", "engine", "runs", "completed"]].to_numpy().tolist() == [
            ["pbt k=1", "inprocess", 2, 2],
            ["pbt k=2", "inprocess", 2, 2],
            ["pbt k=1", "tune", 2, 2],
            ["pbt k=2", "tune", 2, 2],
            ["random", "inprocess", 3, 2],
        ]
        assert frame.score.tolist() == pytest.approx([0.6, 0.85, 0.6, 0.85, 0.5])
        assert frame.target.tolist() == [0.7] * 5
        assert frame.reached.tolist() == [2, 2, 2, 2, 0]
        assert frame.expected_s.tolist()[-1] == float("inf")
        assert frame.interval.isna().tolist() == [False] * 4 + [True]

    def test_numbers_further_targets(self, tmp_path):
        pairs = [(a_run(targets=(0.5, 0.7)), pbt_outcome()), (a_run("b"), pbt_outcome())]
        a_folder(tmp_path / "two", *pairs)
        frame = pbtbench.load(tmp_path / "two").compare().set_index("problem")
        assert frame.loc["toy.hand", ["target", "target_2"]].tolist() == [0.5, 0.7]
        assert frame.loc["b", ["target", "target_2"]].isna().all()

    def test_of_several_studies_has_a_column_for_them(self, tmp_path):
        for name in ("A", "B"):
            a_folder(tmp_path / name, (a_run(), pbt_outcome()))
        frame = pbtbench.load(tmp_path / "A", tmp_path / "B").compare()
        assert frame.study.tolist() == ["A", "B"]

    def test_with_a_base_says_what_the_command_line_says(self, made, tmp_path):
        results, folder = made
        worse = shutil.copytree(folder, tmp_path / "base")
        for about in worse.glob("runs/*/pbt/*/*/*/measures.json"):
            fields = json.loads(about.read_text())
            fields["measures"]["overhead"]["saves"] //= 2
            about.write_text(json.dumps(fields))
        command = [Path(sys.executable).with_name("pbtbench"), "compare", worse, folder]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
        for base in (worse, str(worse), pbtbench.load(worse)):
            frame = results.compare(base)
            assert frame[frame.trips].measure.tolist() == ["saves"]
            assert frame[frame.trips].verdict.tolist() == ["worse"]
        assert done.returncode == 1
        assert not results.compare(folder).trips.any()

    def test_with_a_base_is_of_one_study(self, kept, tmp_path):
        a_folder(tmp_path / "A", (a_run(), pbt_outcome()))
        several = pbtbench.load(tmp_path / "A", tmp_path / "kept")
        with pytest.raises(BadInput, match="one study is compared with one"):
            several.compare(tmp_path / "A")
        with pytest.raises(BadInput, match="no such file"):
            kept.compare(tmp_path / "nowhere")


class TestANotebook:
    def test_shows_a_table_with_everything_escaped(self, kept):
        html = kept._repr_html_()
        assert "by &lt;b&gt;hand" in html
        assert "<b>" not in html
        assert html.count("<tr") == 6

    def test_shows_long_tables_in_part(self, tmp_path):
        pairs = [(a_run(method=f"m{i}"), pbt_outcome()) for i in range(35)]
        a_folder(tmp_path / "many", *pairs)
        html = pbtbench.load(tmp_path / "many")._repr_html_()
        assert html.count("<tr") == 31
        assert "5 more" in html


def test_failures_say_why(kept):
    assert kept.failures == {"toy.hand/random/inprocess/s2": "crash: RuntimeError: no luck"}


def test_a_report_stands_in_the_studys_folder(kept, tmp_path):
    page = kept.report()
    assert page == tmp_path / "kept" / "report" / "index.html"
    assert len(pd.read_csv(tmp_path / "kept" / "summary.csv")) == len(kept.measures)


def test_results_of_nothing_are_empty(tmp_path):
    a_folder(tmp_path / "none")
    results = pbtbench.load(tmp_path / "none")
    assert (len(results.measures), len(results.compare()), results.failures) == (0, 0, {})
    assert "0 runs" in results._repr_html_()


@pytest.mark.parametrize("folder", ["", "a\0b", None, 3])
def test_what_is_no_path_is_refused(folder):
    with pytest.raises(BadInput, match="give the path of a folder"):
        pbtbench.load(folder)


def test_importing_and_loading_take_nothing_heavy(tmp_path):
    a_folder(tmp_path / "kept", (a_run(), an_outcome(cause="crash", message="m")))
    script = (
        "import sys, pbtbench\n"
        "assert 'numpy' not in sys.modules\n"
        "results = pbtbench.load('kept')\n"
        "results.measures, results.compare(), results._repr_html_(), results.failures\n"
        "assert not {'ray', 'tensorflow', 'keras', 'problems'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_running_a_study_and_what_a_run_is_have_names_of_their_own():
    import pbtbench.runs

    assert pbtbench.runs.Run is pbtbench.Run is Run
    assert callable(pbtbench.run)
