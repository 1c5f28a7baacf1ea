"""What seeds can decide, as users see it: `pbtbench power`, and `--until-clear`."""

import numpy as np
import pytest
from click.testing import CliRunner
from fabricated import a_folder, a_run, an_outcome, score, timed

import pbtbench
from pbtbench import cli
from pbtbench.errors import BadInput
from pbtbench.statistics.comparison_table import COLUMNS
from pbtbench.statistics.sequential import LOOKS

QUICK = {"problems": ["toy.plain"], "methods": ["pbt", "random"], "iterations": 4, "population": 4}


def power(folder):
    found = CliRunner().invoke(cli.cli, ["power", str(folder)], env={"COLUMNS": "140"})
    if isinstance(found.exception, BadInput):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def kept(path, difference, seeds=10, **about):
    rng = np.random.default_rng(0)
    pairs = []
    for seed in range(seeds):
        base = rng.normal()
        for method, interval, value in (
            ("pbt", 2, base + difference + rng.normal(0, 0.1)),
            ("random", None, base),
        ):
            run = a_run(method=method, interval=interval, seed=seed, **about)
            pairs.append((run, an_outcome(timed("train", 0, 1), score(1, 0, 1, value))))
    return a_folder(path, *pairs)


def test_power_says_what_is_decided_and_asks_for_nothing_more(tmp_path):
    kept(tmp_path / "out", 1.0)
    says = power(tmp_path / "out")
    assert "1 won, 0 lost, 0 tied, 0 unclear" in says
    assert "To add them" not in says


def test_power_prints_the_command_that_adds_the_seeds(tmp_path):
    kept(tmp_path / "out", 0.05)
    says = power(tmp_path / "out")
    assert "0 won, 0 lost, 0 tied, 1 unclear" in says
    (command,) = (line.strip() for line in says.splitlines() if line.startswith("  pbtbench"))
    words = command.split()
    assert words[:2] == ["pbtbench", "run"]
    seeds = int(words[words.index("--seeds") + 1])
    assert seeds > 10
    assert f"With {seeds} seeds 1 of the 1 unclear" in " ".join(says.split())


def test_power_of_few_seeds_says_that_they_are_too_few(tmp_path):
    kept(tmp_path / "out", 1.0, seeds=3)
    says = " ".join(power(tmp_path / "out").split())
    assert "too few" in says
    assert "--seeds 10" in says


def test_power_of_what_has_no_runs_or_is_no_study(tmp_path):
    a_folder(tmp_path / "empty")
    assert "Nothing to compare" in power(tmp_path / "empty")
    with pytest.raises(BadInput, match="no such folder"):
        power(tmp_path / "nowhere")


@pytest.mark.slow
def test_seeds_are_added_until_all_is_clear(tmp_path):
    """On the plain toy PBT is always better; with the same method twice nothing ever becomes clear."""
    clear = pbtbench.run(**QUICK, until_clear=True, out=tmp_path / "clear", quiet=True)
    assert sorted(set(clear.measures.seed)) == list(range(LOOKS[0]))
    assert clear.studies[0].store.declared()["until_clear"] is True
    same = {"problems": ["toy.plain"], "methods": ["random", "grid"], "iterations": 1}
    alike = pbtbench.run(**same, population=1, until_clear=True, out=tmp_path / "alike", quiet=True)
    assert len(set(alike.measures.seed)) in LOOKS


def test_until_clear_and_a_number_of_seeds_exclude_each_other(tmp_path):
    with pytest.raises(BadInput, match="leave one of the two out"):
        pbtbench.run(**QUICK, until_clear=True, seeds=3, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_once_looked_at_stays_a_study_of_looks(tmp_path):
    pbtbench.run(**QUICK, until_clear=True, out=tmp_path / "out", quiet=True)
    grown = pbtbench.run(
        **{**QUICK, "methods": ["grid"]}, seeds=1, out=tmp_path / "out", quiet=True
    )
    assert grown.studies[0].store.declared()["until_clear"] is True


def test_from_python_it_is_a_frame(tmp_path):
    kept(tmp_path / "out", 1.0)
    found = pbtbench.load(tmp_path / "out").power()
    assert list(found.columns) == list(COLUMNS)
    assert found.verdict.tolist() == ["win"]
    assert found.seeds.tolist() == [10]
    assert found.difference_low[0] <= found.difference[0] <= found.difference_high[0]
