import json
import re
import shutil
from io import StringIO
from pathlib import Path

import pytest
from fabricated import NAN, a_run, an_outcome, fork, score, started, timed
from rich.console import Console

from pbtbench import report
from pbtbench.measures.lineage import segments, winning_value
from pbtbench.problem import Objective
from pbtbench.report import tables
from pbtbench.report.findings import findings
from pbtbench.report.terminal import print_summary
from pbtbench.report.wording import number, percent, seconds
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.store import Store

HOSTILE = "</script><img src=x onerror=alert(1)>\"'{{7*7}}"


def stored(folder, *pairs, title="a study"):
    folder.mkdir(exist_ok=True)
    (folder / "study.toml").write_text(
        f"name = 'fabricated'\ntitle = {json.dumps(title)}\n", "utf-8"
    )
    store = Store(folder)
    for run, outcome in pairs:
        store.write(run, outcome)
    return store


def written(store):
    return report.write(store, store.runs())


def pbt_outcome(final=0.9, engine_cost=0.5):
    """Two members, three iterations; member 1 forks from member 0 after the first."""
    return an_outcome(
        started(0, rate=0.1),
        started(1, rate=0.4),
        timed("train", 0.1, 3),
        score(1, 0, 1, 0.5),
        score(1, 1, 1, 0.2),
        timed("save", 1, engine_cost, member=0, iteration=1, size=800),
        timed("restore", 1.5, engine_cost, member=1, iteration=1, size=800),
        fork(2, 1, 0, 1, old=0.4, new=0.08),
        score(3, 0, 2, 0.6),
        score(3, 1, 2, 0.7),
        score(4, 0, 3, 0.6),
        score(4, 1, 3, final),
    )


def a_study():
    """PBT at two intervals on two engines, random search, and a crash."""
    for seed in (0, 1):
        for engine, cost in (("inprocess", 0.01), ("tune", 1.5)):
            for interval in (1, 2):
                run = a_run(
                    method="pbt", interval=interval, engine=engine, seed=seed, targets=(0.7,)
                )
                yield run, pbt_outcome(0.9 - 0.1 * seed - 0.3 * (interval == 1), cost)
        outcome = an_outcome(score(1, 0, 1, 0.5), score(1, 1, 1, NAN), timed("train", 0, 1))
        yield a_run(seed=seed, targets=(0.7,)), outcome
    yield a_run(seed=2, targets=(0.7,)), an_outcome(cause="crash", message="RuntimeError: no luck")


class TestLineage:
    tree = segments(Objective("accuracy", "max"), pbt_outcome().trace)

    def test_a_fork_begins_a_segment_whose_parent_is_the_donors(self):
        spans = [(s.member, s.start, s.end, s.parent) for s in self.tree]
        assert spans == [(0, 0, 3, None), (1, 0, 1, None), (1, 1, 3, 0)]

    def test_the_winning_lineage_runs_through_the_donor(self):
        assert [s.wins_until for s in self.tree] == [1, -1, 3]
        assert [s.survives_until for s in self.tree] == [3, -1, 3]
        assert [winning_value(self.tree, "rate", i) for i in (1, 2, 3)] == [0.1, 0.08, 0.08]

    def test_synchronous_forks_take_the_states_before_any_fork(self):
        outcome = an_outcome(
            started(0, rate=1), started(1, rate=2),
            fork(2, 0, 1, 1, old=1, new=3), fork(2, 1, 0, 1, old=2, new=4),
            timed("save", 2, 0, member=0, iteration=1), timed("save", 2, 0, member=1, iteration=1),
        )  # fmt: skip
        tree = segments(Objective("accuracy", "max"), outcome.trace)
        assert [s.parent for s in tree] == [None, None, 1, 0]

    def test_forks_one_after_another_take_the_states_after_those_before(self):
        outcome = an_outcome(
            started(0, rate=1), started(1, rate=2),
            fork(2, 0, 1, 1, old=1, new=3), timed("save", 2, 0, member=1, iteration=1),
            fork(3, 1, 0, 1, old=2, new=4), timed("save", 3, 0, member=0, iteration=1),
        )  # fmt: skip
        tree = segments(Objective("accuracy", "max"), outcome.trace)
        assert [s.parent for s in tree] == [None, None, 1, 2]

    def test_a_segment_ends_where_a_fork_begins_the_next(self):
        tree = segments(Objective("accuracy", "max"), pbt_outcome().trace)
        assert [(s.member, s.start, s.end, s.hyperparameters["rate"]) for s in tree] == [
            (0, 0, 3, 0.1),
            (1, 0, 1, 0.4),
            (1, 1, 3, 0.08),
        ]


class TestFindings:
    def said(self, pairs):
        return " ".join(s for f in findings(cells_of(list(pairs))) for s in f.measured)

    def test_tell_endings_targets_costs_failures_and_divergence(self):
        said = self.said(a_study())
        assert "On inprocess, pbt k=1 ends at 0.6, pbt k=2 at 0.85, random at 0.5" in said
        assert "≥ 0.7 takes the same work and wall time with all 4 that reach it: 4 mem" in said
        assert (
            "a fork (with all saves made for it) costs 3 s on tune, 20 ms on inprocess: 150" in said
        )
        assert "1 of 11 runs failed: 1 by crash." in said
        assert "2 of random" in said


def test_numbers_read_as_people_write_them():
    assert [number(v) for v in (0.52468, -2, 12800, float("inf"), NAN)] == [
        "0.525", "−2", "12,800", "∞", "–",
    ]  # fmt: skip
    assert [seconds(v) for v in (5e-8, 3e-5, 0.0031, 4, 300, 1e4)] == [
        "50 ns", "30 µs", "3.1 ms", "4 s", "5.0 min", "2.8 h",
    ]  # fmt: skip
    assert [percent(v) for v in (0, 1e-5, 0.007, 0.41, NAN)] == [
        "0.0%",
        "<0.1%",
        "0.7%",
        "41%",
        "–",
    ]


class TestTables:
    cells = cells_of(list(a_study()))

    def test_mark_the_best_and_escape_the_rest(self):
        worse = (a_run(method="worse"), pbt_outcome(0.8))
        named = cells_of([(a_run(method="a_b|c&%"), pbt_outcome()), worse])
        assert r"a\_b\|c&%" in tables.comparison(named).markdown()
        assert r"a\_b|c\&\%" in tables.comparison(named).latex()
        assert "**0.9**" in tables.comparison(named).markdown()
        assert r"\textbf{0.9}" in tables.comparison(named).latex()
        assert "**0.8**" not in tables.comparison(named).markdown()

    def test_have_a_line_for_each_cell(self):
        assert len(tables.comparison(self.cells).csv().splitlines()) == len(self.cells) + 1
        assert tables.comparison(self.cells).latex().count(r" \\") == len(self.cells) + 1

    @pytest.mark.parametrize("width", [80, 120])
    def test_fit_the_terminal(self, width):
        console = Console(width=width, record=True, file=StringIO())
        print_summary(list(a_study()), console)
        text = console.export_text()
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        assert "RuntimeError: no luck" in text
        assert ("[min–max]" in text) == (width == 120)

    def test_take_names_as_they_are_on_the_terminal(self):
        console = Console(width=120, record=True, file=StringIO())
        run = a_run(method="[red]x[/]", id="a[b]/\x1b]0;x\x07/s0")
        print_summary([(run, an_outcome(cause="crash", message="\x1b[2J[/bold]"))], console)
        text = console.export_text()
        assert "[red]x[/]" in text
        assert "[/bold]" in text
        assert "\x1b" not in text


AWKWARD = {
    "nothing": [],
    "one run": [(a_run(targets=(0.7,)), pbt_outcome())],
    "only failures": [(a_run(), an_outcome(cause="hang", message="over the limit"))],
    "no targets": [(a_run(method="pbt", interval=4), pbt_outcome())],
    "only NaN": [(a_run(targets=(1,)), an_outcome(score(1, 0, 1, NAN), timed("train", 0, 1)))],
}


@pytest.mark.parametrize("case", AWKWARD)
def test_a_report_is_made_of_whatever_there_is(tmp_path, case):
    store = stored(tmp_path / "out", *AWKWARD[case])
    page = written(store)
    text = page.read_text("utf-8")
    assert ("No run is kept" in text) == (case == "nothing")
    assert (page.parent / "tables/comparison.md").is_file()
    assert not list(store.path.glob(".part-*"))
    console = Console(file=StringIO())
    print_summary(AWKWARD[case], console)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report of an honest study, and one in which every name is hostile."""
    root = tmp_path_factory.mktemp("reports")
    honest = written(stored(root / "honest", *a_study()))
    run = a_run(method="pbt", interval=1, targets=(0.7,))
    fields = {**run.__dict__, "method": HOSTILE, "id": f"toy.{HOSTILE.replace('/', '')}/x/s0"}
    crash = a_run(seed=1, id="x/../y/s1")
    store = stored(
        root / "hostile", (run, pbt_outcome()), (crash, an_outcome(cause="crash", message=HOSTILE)),
        title=HOSTILE,
    )  # fmt: skip
    place = next(store.path.glob("runs/toy.hand/pbt/*/k1/s0/run.json"))
    facts = json.loads(place.read_text("utf-8"))
    facts["run"].update(method=HOSTILE, engine=HOSTILE, id=fields["id"])
    facts["run"]["card"].update(title=HOSTILE, source=HOSTILE, finding=HOSTILE)
    facts["run"]["card"]["objective"]["metric"] = HOSTILE
    facts["cluster"] = HOSTILE
    place.write_text(json.dumps(facts), "utf-8")
    return {"honest": honest, "hostile": written(store)}


def test_figures_stand_alone_and_stay_in_their_folder(pages):
    for page in pages.values():
        drawn = list((page.parent / "figures").glob("*.svg"))
        assert drawn
        assert len(drawn) == page.read_text("utf-8").count("<figure>")
        assert not any("var(--" in f.read_text("utf-8") for f in drawn)


def test_the_page_loads_nothing(pages):
    markup = re.sub(r"<script.*?</script>", "", pages["honest"].read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', markup) == []
    assert "url(" not in markup


def browser(tmp_path, javascript=True):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not javascript:
        off = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", off)
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


@pytest.mark.browser
@pytest.mark.parametrize("which", ["honest", "hostile"])
def test_the_page_in_a_browser_draws_every_figure_and_asks_for_nothing(pages, tmp_path, which):
    from selenium.webdriver.support.ui import WebDriverWait

    page = pages[which]
    chrome = browser(tmp_path)
    try:
        chrome.set_window_size(1200, 30000)
        chrome.get(page.as_uri())
        count = chrome.execute_script("return document.querySelectorAll('figure').length")
        assert count > 0
        drawn = "return document.querySelectorAll('.chart.live.vega-embed svg').length"
        WebDriverWait(chrome, 30).until(lambda c: c.execute_script(drawn) == count)
        sizes = chrome.execute_script(
            "return [...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().width)"
        )
        assert min(sizes) > 100
        assert chrome.execute_script("return document.querySelectorAll('img').length") == 0
        assert chrome.get_log("browser") == []
        asked = [
            message["params"]["request"]["url"]
            for entry in chrome.get_log("performance")
            if (message := json.loads(entry["message"])["message"])["method"]
            == "Network.requestWillBeSent"
        ]
        own = ("data:", "blob:", "chrome", page.as_uri())
        assert [url for url in asked if not url.startswith(own)] == []
    finally:
        chrome.quit()


@pytest.mark.browser
def test_the_page_can_be_read_without_javascript(pages, tmp_path):
    from selenium.webdriver.common.by import By

    chrome = browser(tmp_path, javascript=False)
    try:
        chrome.get(pages["honest"].as_uri())
        figures = chrome.find_elements(By.CSS_SELECTOR, "figure")
        still = chrome.find_elements(By.CSS_SELECTOR, "figure .chart:not(.live) svg")
        assert len(still) == len(figures) > 0
        assert all(svg.is_displayed() for svg in still)
        assert Path(chrome.current_url.removeprefix("file://")) == pages["honest"]
    finally:
        chrome.quit()
