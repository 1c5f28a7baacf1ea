"""What a study of a thousand runs costs beyond the runs themselves, and what their report does."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from browser import DRAWN, started_browser
from commands import pbtbench

PROBLEMS = "toy.pbt_quadratic,toy.plain,toy.time_linked,toy.branin,toy.rosenbrock"
RUN = ["run", "--problems", PROBLEMS, "--methods", "pbt", "--intervals", "5", "--seeds", "200"]


@pytest.fixture(scope="module")
def thousand(tmp_path_factory) -> tuple[Path, float]:
    """The folder of five toys with 200 seeds each, and how many seconds it took to make it."""
    folder = tmp_path_factory.mktemp("thousand") / "out"
    return folder, pbtbench(*RUN, "--out", str(folder)).seconds


def test_a_thousand_runs(benchmark, thousand):
    """Seconds of `pbtbench run` beyond those that its runs took, the report at its end included."""
    folder, took_s = thousand
    with (folder / "summary.csv").open(encoding="utf-8") as file:
        runs = {row["run"]: float(row["wall_s"]) for row in csv.DictReader(file)}
    assert len(runs) == 1000
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info["command_s"] = took_s
    benchmark.extra_info["beyond_runs_s"] = took_s - sum(runs.values())


def test_report_of_a_thousand_runs(benchmark, thousand):
    """Seconds and megabytes of `pbtbench report` from stored folders, and the size of its pages."""
    folder, _ = thousand
    spent = []
    benchmark.pedantic(lambda: spent.append(pbtbench("report", str(folder))), rounds=3)
    pages = [file.stat().st_size for file in (folder / "report").rglob("*.html")]
    benchmark.extra_info["most_mb"] = max(taken.megabytes for taken in spent)
    benchmark.extra_info["pages_mb"] = sum(pages) / 1e6


def test_the_first_figure_of_a_page(benchmark, thousand, tmp_path):
    """Seconds from asking for the page of a thousand runs until its first figure is drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    page = (thousand[0] / "report" / "index.html").as_uri()
    with started_browser(tmp_path) as browser:

        def first_figure() -> None:
            browser.get(page)
            WebDriverWait(browser, 30, 0.01).until(lambda found: found.execute_script(DRAWN))

        benchmark.pedantic(first_figure, rounds=5, warmup_rounds=1)
