"""A report's pages: made of whatever there is, safe with whatever there is, readable in a browser."""

import json
import math
import re
import shutil
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import DRAWN, started_browser
from fabricated import NAN, a_folder, a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st
from reported import InMemory, a_study, a_study_of_costs, measured, pbt_outcome, reported
from rich.console import Console

from pbtbench import BadInput, engines, filename, report
from pbtbench.report import build, html
from pbtbench.report.terminal import print_summary
from pbtbench.study import Study

HOSTILE = "</script><img src=x onerror=alert(1)>\"'{{7*7}}\x00\x1b[2J\u2028=1+1"

AWKWARD = {
    "nothing": [],
    "one run": [(a_run(targets=(0.7,)), pbt_outcome())],
    "only failures": [(a_run(), an_outcome(cause="hang", message="over the limit"))],
    "no targets": [(a_run(method="pbt", interval=4), pbt_outcome())],
    "only NaN": [(a_run(targets=(1,)), an_outcome(score(1, 0, 1, NAN), timed("train", 0, 1)))],
}


class Page(HTMLParser):
    """What a page refers to, and the texts of its scripts."""

    def __init__(self, file):
        super().__init__()
        self.file, self.references, self.ids, self.policy = file, [], set(), ""
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.references += [found[name] for name in ("src", "href") if name in found]
        self.ids.add(found.get("id"))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]


def all_pages(page):
    return [page, *sorted(page.parent.glob("problems/*.html"))]


def with_runs(page):
    return [*all_pages(page), *sorted(page.parent.glob("runs/*.html"))]


def check_links(page):
    """Whatever pages refer to is a file of the report, or a place in it."""
    folder = page.parent.resolve()
    places = {file.resolve(): Page(file).ids for file in with_runs(page)}
    for file in places:
        for reference in Page(file).references:
            if reference.startswith("data:"):
                continue
            path, _, anchor = reference.partition("#")
            there = (file.parent / unquote(path)).resolve() if path else file
            assert there.is_file()
            assert folder in there.parents
            assert not anchor or anchor in places[there]


def drawing(file):
    text = file.read_text("utf-8")
    return json.loads(re.search(r'id="drawing">(.*?)</script>', text, re.DOTALL)[1])


@pytest.mark.parametrize("case", AWKWARD)
def test_a_report_is_made_of_whatever_there_is(tmp_path, case):
    page = reported(tmp_path / "out", AWKWARD[case])
    assert ("No run is kept" in page.read_text("utf-8")) == (case == "nothing")
    assert (page.parent / "tables/comparison.md").is_file()
    assert not list((tmp_path / "out").glob(".part-*"))
    check_links(page)
    print_summary(measured(AWKWARD[case]), Console(file=StringIO()))


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, NAN, 1e308, -1e308, 0.0, 5e-324], ids=str
)  # fmt: skip
@pytest.mark.parametrize("goal", ["max", "min"])
def test_any_score_makes_a_report(tmp_path, value, goal):
    rows = [
        started(0, rate=value), started(1, rate=10**400), timed("train", 0, 1),
        score(1, 0, 1, value), score(1, 1, 1, 0.5), fork(2, 1, 0, 1, 10**400, value),
        score(3, 0, 2, value), score(3, 1, 2, value),
    ]  # fmt: skip
    pairs = [
        (a_run(method=m, interval=k, goal=goal, targets=(0.5,), optimum=0.0), an_outcome(*rows))
        for m, k in (("pbt", 1), ("pbt", 2), ("random", None))
    ]
    assert "not drawn" not in reported(tmp_path, pairs).read_text("utf-8")


def hostile(problems=1):
    for i in range(problems):
        card = a_run().card
        card = replace(
            card,
            title=HOSTILE, source=HOSTILE, finding=HOSTILE,
            objective=replace(card.objective, metric="accuracy"),
            dynamic=(HOSTILE,), hyperparameters={HOSTILE: f"LogUniform({HOSTILE})"},
        )  # fmt: skip
        about = {
            "problem": f"{HOSTILE}{i}", "problem_name": f"{HOSTILE}{i}",
            "engine": HOSTILE, "engine_label": HOSTILE, "card": card, "targets": (0.7,),
        }  # fmt: skip
        rows = [
            started(0, **{HOSTILE: 0.1}), started(1, **{HOSTILE: 0.4}), timed("train", 0.1, 3),
            score(1, 0, 1, 0.5), score(1, 1, 1, 0.2),
            fork(2, 1, 0, 1, {HOSTILE: 0.4}, {HOSTILE: 0.08}), score(3, 1, 2, 0.9),
        ]  # fmt: skip
        outcome = replace(an_outcome(*rows), cluster=HOSTILE)
        for k in (1, 2):
            run = a_run(method=HOSTILE, interval=k, id=f"{HOSTILE}{i}/{k}", **about)
            yield run, outcome
        crash = an_outcome(cause="crash", message=HOSTILE)
        yield a_run(seed=1, id=f"{HOSTILE}{i}/s1", **about), crash


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Of an honest study, one in which every name is hostile, and one of many problems: of more than one."""
    root = tmp_path_factory.mktemp("reports")
    store = a_folder(root / "honest", *a_study())
    many = [
        (replace(run, id=f"{run.id}{i}", problem=f"toy.p{i}", problem_name=f"toy.p{i}"), outcome)
        for i in range(3)
        for run, outcome in a_study()
    ]
    found = {
        "honest": report.write(store, store.runs()),
        "hostile": reported(root / "hostile", hostile(), HOSTILE),
        "costs": reported(root / "costs", a_study_of_costs()),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MANY", 1)
        found["hostile many"] = reported(root / "hostile many", hostile(2), HOSTILE)
        found["many"] = reported(root / "many", many)
    return found


KINDS = ("honest", "hostile", "costs", "hostile many", "many")


@pytest.mark.parametrize("which", KINDS)
def test_figures_stand_alone_and_stay_in_their_folder(pages, which):
    page = pages[which]
    drawn = [file.name for file in (page.parent / "figures").iterdir()]
    named = [
        Path(reference).name
        for file in all_pages(page)
        for reference in Page(file).references
        if reference.endswith(".svg")
    ]
    assert sorted(drawn) == sorted(named) != []
    texts = [file.read_text("utf-8") for file in (page.parent / "figures").iterdir()]
    assert not any("var(--" in text or "not drawn" in text for text in texts)


@pytest.mark.parametrize("which", KINDS)
def test_pages_refer_to_their_folder_and_nothing_else(pages, which):
    check_links(pages[which])
    for file in with_runs(pages[which]):
        assert Page(file).policy.startswith("default-src 'none';")
        assert "url(" not in re.sub(
            r"<script.*?</script>", "", file.read_text("utf-8"), flags=re.DOTALL
        )


@pytest.mark.parametrize("which", ["hostile", "hostile many"])
def test_hostile_text_is_nothing_but_text(pages, which):
    for file in pages[which].parent.rglob("*"):
        if file.is_file() and file.name != html.VEGA:
            text = file.read_text("utf-8")
            assert not re.search(r"(?<!\\)<img src=x", text) or file.suffix == ".csv"
            assert not re.search("[\x00\x1b\u2028]", text)
            assert "{{7*7}}" in text or file.suffix not in {".html", ".csv"}
        assert re.fullmatch(r"[\w.-]+", file.name, re.ASCII)
    for file in (pages[which].parent / "tables").glob("*.csv"):
        assert not re.search(r"(?m)(^|,)=", file.read_text("utf-8"))


def test_ten_problems_stand_in_one_page_and_more_have_a_page_each(tmp_path):
    def study(problems):
        return [(a_run(problem=f"toy.p{i}"), pbt_outcome()) for i in range(problems)]

    one = reported(tmp_path / "one", study(build.MANY))
    assert all_pages(one) == [one]
    assert not (one.parent / html.VEGA).exists()
    many = reported(tmp_path / "many", study(build.MANY + 1))
    assert [file.stem for file in all_pages(many)[1:]] == sorted(f"toy.p{i}" for i in range(11))
    assert (many.parent / html.VEGA).is_file()


def test_a_problems_page_leads_to_the_index_and_its_neighbours(pages):
    index, first, *_ = all_pages(pages["many"])
    assert {f"problems/toy.p{i}.html" for i in range(3)} <= set(Page(index).references)
    assert {"../index.html", "../problems/toy.p1.html"} <= set(Page(first).references)
    middle = Page(pages["many"].parent / "problems" / "toy.p1.html").references
    assert {"../problems/toy.p0.html", "../problems/toy.p2.html"} <= set(middle)


@pytest.mark.parametrize("which", KINDS)
def test_rows_stand_once_in_a_page_and_all_figures_draw_from_them(pages, which):
    for file in all_pages(pages[which]):
        if 'id="drawing"' not in file.read_text("utf-8"):
            continue
        found = drawing(file)
        assert len(found["figures"]) == file.read_text("utf-8").count("<figure>")
        for figure in found["figures"].values():
            assert figure["uses"]
            assert set(figure["uses"]) <= set(found["data"][figure["group"]])
            assert "datasets" not in figure["spec"]
        used = {(f["group"], name) for f in found["figures"].values() for name in f["uses"]}
        there = {(i, name) for i, data in enumerate(found["data"]) for name in data if data[name]}
        assert used <= there


def test_a_run_whose_record_is_damaged_is_named_and_the_rest_is_shown(tmp_path):
    class Damaged(InMemory):
        def record(self, run):
            raise BadInput(f"{run.id}: damaged")

    pairs = list(a_study())
    page = report.write(Damaged(tmp_path), measured(pairs))
    text = page.read_text("utf-8")
    assert "toy.hand/pbt/inprocess/k1/s0: damaged" in text
    assert text.count("toy.hand/pbt/inprocess/k1/s0: damaged") == 1
    assert "Where the worker-seconds went" in text
    assert with_runs(page) == [page]


def test_what_the_store_could_not_read_is_said(tmp_path):
    store = InMemory(tmp_path)
    store.left_out.append("runs/x/run.json: damaged")
    assert "runs/x/run.json: damaged" in report.write(store, []).read_text("utf-8")


def test_runs_say_which_pbtbench_made_them(tmp_path):
    text = reported(tmp_path, [(a_run(), pbt_outcome())]).read_text("utf-8")
    assert "Runs by pbtbench 1.0 at abc, changed." in text


class TestNames:
    @given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
    def test_of_files_are_short_plain_and_stay_different(self, names):
        one, other = map(filename.part, names)
        assert one != other
        assert len(one.encode()) < 120
        assert not set(one) - set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
        )

    ODD = (
        *("model.lr", "optimizer/lr", "drop out", "layer[0].rate", "it's", 'say "x"', "η_0", "a:b"),
        *("a b", "<b>&amp;", "100%", "\\\\alpha", "x" * 400),
    )

    def test_of_hyperparameters_may_be_of_any_kind(self, tmp_path):
        about = dict.fromkeys(self.ODD, "Uniform(…)")
        card = replace(a_run().card, dynamic=self.ODD, hyperparameters=about)
        old, new = dict.fromkeys(self.ODD, 1.0), dict.fromkeys(self.ODD, 2.0)
        rows = [
            started(0, **old), started(1, **old), fork(2, 1, 0, 1, old, new),
            score(3, 0, 2, 0.5), score(3, 1, 2, 0.6),
        ]  # fmt: skip
        run = a_run(method="pbt", interval=1, card=card)
        page = reported(tmp_path, [(run, an_outcome(*rows))])
        _, inside = with_runs(page)
        shown = unescape(inside.read_text("utf-8"))
        assert all(name in shown for name in self.ODD[:12])

    def test_of_figures_that_would_be_the_same_are_kept_apart(self, tmp_path):
        pairs = [
            (a_run(f"toy{a}", engine=f"{b}", id=f"{a}/{b}"), pbt_outcome())
            for a, b in (("-a", "b"), ("", "a-b"))
        ]
        page = reported(tmp_path, pairs)
        names = list(drawing(page)["figures"])
        assert len(names) == page.read_text("utf-8").count("<figure>")
        assert len(names) == len(list(page.parent.glob("figures/*.svg")))


class TestSizes:
    def test_of_a_thousand_runs_are_small(self, tmp_path):
        pairs = [
            (replace(run, seed=i, id=f"{run.problem}/{i}"), outcome)
            for problem in range(5)
            for run, outcome in [(a_run(f"toy.p{problem}", "pbt", 1), pbt_outcome())]
            for i in range(200)
        ]
        page = reported(tmp_path, pairs)
        text = page.read_text("utf-8")
        assert "1,000 runs" in text
        assert len(text.encode()) < 1_500_000

    def test_of_twenty_two_problems_are_small(self, tmp_path):
        page = reported(
            tmp_path,
            [
                (replace(run, id=f"{problem}{run.id}", problem=problem, problem_name=problem), o)
                for problem in (f"toy.p{i}" for i in range(22))
                for run, o in a_study()
                if run.seed == 0 and run.engine == "inprocess" and run.interval != 2
            ],
        )
        files = [*all_pages(page), page.parent / html.VEGA]
        assert sum(file.stat().st_size for file in files) < 2_500_000
        assert page.stat().st_size < 200_000
        text = page.read_text("utf-8")
        assert text.count("<svg ") == 22

    def test_of_a_family_of_thousands_are_usual(self, tmp_path):
        wanted = {"problems": ["toy.plain"], "methods": ["pbt"], "population": 3000}
        (run,) = Study.load(None, {**wanted, "iterations": 20, "seeds": 1}).runs
        page = reported(tmp_path, [(run, engines.execute(run))])
        assert page.stat().st_size < 1_200_000
        _, inside = with_runs(page)
        assert inside.stat().st_size < 150_000
        assert "of 3,000 members is drawn" in inside.read_text("utf-8")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    with started_browser(tmp_path_factory.mktemp("chrome")) as found:
        yield found


@pytest.fixture(scope="module")
def without_javascript(tmp_path_factory):
    with started_browser(tmp_path_factory.mktemp("chrome"), javascript=False) as found:
        yield found


def asked_for(chrome):
    """The addresses that were asked for."""
    return {
        message["params"]["request"]["url"]
        for entry in chrome.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    }


def open_drawn(chrome, page, dark=False):
    """Open a page and wait until all its figures are drawn; how many they are."""
    from selenium.webdriver.support.ui import WebDriverWait

    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    chrome.get_log("browser")
    chrome.get_log("performance")
    chrome.get(page.as_uri())
    count = chrome.execute_script("return document.querySelectorAll('figure').length")
    assert count > 0
    WebDriverWait(chrome, 30).until(lambda c: c.execute_script(DRAWN) == count)
    return count


@pytest.mark.browser
@pytest.mark.parametrize("which", KINDS)
def test_a_browser_draws_every_figure_and_asks_for_nothing_but_the_reports_files(
    pages, chrome, which
):
    page = all_pages(pages[which])[-1]
    open_drawn(chrome, page, dark=which == "many")
    sizes = chrome.execute_script(
        "return [...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().width)"
    )
    assert min(sizes) > 100
    shown = "return [...document.querySelectorAll('img')].filter(i => i.checkVisibility()).length"
    assert chrome.execute_script(shown) == 0
    marks = "return document.querySelectorAll('.chart .mark-rect.role-mark path').length"
    assert chrome.execute_script(marks) > 0
    paper = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (which != "many")
    assert chrome.get_log("browser") == []
    own = ("data:", "blob:", "chrome", pages[which].parent.as_uri() + "/")
    assert [url for url in asked_for(chrome) if not url.startswith(own)] == []


@pytest.mark.browser
def test_a_page_alone_without_its_folder_draws_all_the_same(pages, chrome, tmp_path):
    alone = shutil.copy(pages["honest"], tmp_path / "sent.html")
    assert open_drawn(chrome, alone) == len(drawing(alone)["figures"])


@pytest.mark.browser
@pytest.mark.parametrize("which", ["honest", "many"])
def test_pages_can_be_read_without_javascript(pages, without_javascript, which):
    from selenium.webdriver.common.by import By

    page, chrome = all_pages(pages[which])[-1], without_javascript
    chrome.get(page.as_uri())
    figures = chrome.find_elements(By.CSS_SELECTOR, "figure")
    still = chrome.find_elements(By.CSS_SELECTOR, "figure .chart:not(.live) img")
    assert len(still) == len(figures) > 0
    assert all(image.is_displayed() for image in still)
    assert all(image.get_property("naturalWidth") > 100 for image in still)
