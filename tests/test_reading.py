"""A report in a browser: both themes, a desk's and a phone's width; tables, contents and figures do what they
promise."""

import re
from dataclasses import replace

import pytest
from browser import DRAWN, started_browser
from fabricated import a_run
from reported import a_study, measured, pbt_outcome, reported

from pbtbench.report import build
from pbtbench.statistics.cells import cells

pytestmark = pytest.mark.browser

WIDTHS = (1300, 420)


def study():
    """Two problems, on the first of which a study of two engines was run."""
    yield from a_study()
    for interval, final in ((1, 0.9), (5, 0.7), (20, 0.8), (None, 0.6)):
        for seed in (0, 1):
            method = "random" if interval is None else "pbt"
            run = a_run("toy.other", method, interval, seed=seed, targets=(0.7,))
            yield run, pbt_outcome(final + 0.01 * seed)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    with started_browser(tmp_path_factory.mktemp("chrome")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("one") / "out", study())


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MANY", 1)
        return reported(tmp_path_factory.mktemp("many") / "out", study())


def opened(chrome, file, width=1300, height=900, dark=False):
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get_log("browser")
    chrome.get(file.as_uri())
    return chrome


def texts(chrome, selector):
    """Of what is visible."""
    script = """return [...document.querySelectorAll(arguments[0])]
        .filter(e => e.checkVisibility()).map(e => e.textContent)"""
    return chrome.execute_script(script, selector)


def column(chrome, number):
    return texts(chrome, f".sortable tbody tr > :nth-child({number})")


def wait_for(chrome, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(chrome, 30).until(condition)


def all_files(page):
    folder = page.parent
    return [page, *folder.glob("problems/*.html"), *sorted(folder.glob("runs/*.html"))[:2]]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_width_and_says_nothing_to_the_console(chrome, page, many, width, dark):
    for file in (*all_files(page), *all_files(many)):
        opened(chrome, file, width, 40_000, dark)
        count = chrome.execute_script("return document.querySelectorAll('.chart').length")
        wait_for(chrome, lambda c, n=count: c.execute_script(DRAWN) == n)
        beyond = chrome.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, file.name
        assert chrome.get_log("browser") == [], file.name
        paper = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") != dark


def test_a_page_begins_with_the_summary_and_the_matrix(chrome, page):
    opened(chrome, page)
    assert texts(chrome, "h2")[:3] == ["Summary", "At a glance", "All results"]
    assert texts(chrome, ".summary li")
    top = "return document.getElementById('matrix').getBoundingClientRect().top"
    assert chrome.execute_script(top) < 900


def test_the_matrix_leads_to_the_problems(chrome, page):
    opened(chrome, page)
    links = chrome.find_elements("css selector", ".matrix tbody th a")
    assert [link.text for link in links] == ["toy.hand", "toy.hand", "toy.other"]
    links[2].click()
    at = "return document.getElementById('problem-2').getBoundingClientRect().top"
    wait_for(chrome, lambda c: 0 <= c.execute_script(at) < 200)


def test_a_table_is_sorted_by_number_and_by_name_and_by_keyboard(chrome, page):
    from selenium.webdriver.common.keys import Keys

    opened(chrome, page)
    names = texts(chrome, ".sortable thead button")
    before = column(chrome, 1)
    scores = names.index("score") + 1

    def heading(number):
        return chrome.find_element("css selector", f".sortable th:nth-child({number})")

    button = heading(scores).find_element("css selector", "button")
    button.send_keys(Keys.ENTER)
    assert heading(scores).get_attribute("aria-sort") == "ascending"
    known = [float(text) for text in column(chrome, scores) if text != "–"]
    assert known == sorted(known)
    button.send_keys(Keys.SPACE)
    assert heading(scores).get_attribute("aria-sort") == "descending"
    known = [float(text) for text in column(chrome, scores) if text != "–"]
    assert known == sorted(known, reverse=True)
    interval = names.index("interval") + 1
    heading(interval).find_element("css selector", "button").click()
    assert heading(scores).get_attribute("aria-sort") is None
    found = column(chrome, interval)
    known = [text for text in found if text != "–"]
    assert known == sorted(known, key=int)
    assert found == known + ["–"] * (len(found) - len(known))
    heading(1).find_element("css selector", "button").click()
    assert column(chrome, 1) == sorted(before)


def test_a_table_is_filtered_by_text_and_by_value(chrome, page):
    from selenium.webdriver.support.ui import Select

    opened(chrome, page)
    rows = len(column(chrome, 1))
    box = chrome.find_element("css selector", ".filters input")
    box.send_keys("OTHER pbt")
    assert set(column(chrome, 1)) == {"toy.other"}
    assert set(column(chrome, 2)) == {"pbt"}
    assert chrome.find_element("css selector", ".filters output").text == f"3 of {rows} rows"
    box.clear()
    box.send_keys(" ")
    assert len(column(chrome, 1)) == rows
    interval = chrome.find_element("css selector", ".filters select[data-column='2']")
    Select(interval).select_by_visible_text("20")
    assert column(chrome, 3) == ["20"]
    assert column(chrome, 1) == ["toy.other"]


def current(chrome):
    script = """return [...document.querySelectorAll(".contents a[aria-current=location]")]
        .map(link => link.hash.slice(1))"""
    return chrome.execute_script(script)


def test_the_contents_say_where_one_is(chrome, page):
    opened(chrome, page)
    for place in ("results", "problem-2", "made"):
        chrome.execute_script("document.getElementById(arguments[0]).scrollIntoView()", place)
        wait_for(chrome, lambda c, at=place: current(c) == [at])
        top = "return document.querySelector('.contents').getBoundingClientRect().top"
        assert abs(chrome.execute_script(top)) < 1


def test_on_a_phone_the_contents_are_a_menu(chrome, page):
    opened(chrome, page, 420)
    menu = chrome.find_element("css selector", ".contents details")
    assert menu.get_attribute("open") is None
    menu.find_element("css selector", "summary").click()
    menu.find_element("css selector", "a[href='#problem-2']").click()
    assert menu.get_attribute("open") is None
    wait_for(chrome, lambda c: c.find_element("css selector", ".here").text.endswith("toy.other"))


def test_a_problems_page_is_marked_in_the_contents(chrome, many):
    opened(chrome, many.parent / "problems" / "toy.other.html")
    assert texts(chrome, ".contents a[aria-current=page]") == ["toy.other"]


def test_a_hidden_method_leaves_the_figures_the_matrix_and_the_table(chrome, page):
    opened(chrome, page, 1300, 40_000)
    charts = chrome.execute_script("return document.querySelectorAll('.chart').length")
    wait_for(chrome, lambda c: c.execute_script(DRAWN) == charts)
    figure = "#figure-toy\\\\.other-inprocess-member-iterations"
    lines = f"return document.querySelectorAll('{figure} .mark-line.role-mark path').length"
    assert chrome.execute_script(lines) == 4
    head = texts(chrome, ".matrix thead th")
    rows = len(column(chrome, 1))
    chrome.find_element("css selector", ".methods input[value='pbt k=1']").click()
    wait_for(chrome, lambda c: c.execute_script(lines) == 3)
    assert texts(chrome, ".matrix thead th") == [name for name in head if name != "pbt k=1"]
    assert len(column(chrome, 1)) == rows - 3
    chrome.find_element("css selector", ".methods input[value='pbt k=1']").click()
    wait_for(chrome, lambda c: c.execute_script(lines) == 4)
    assert len(column(chrome, 1)) == rows
    assert chrome.get_log("browser") == []


def test_figures_are_drawn_when_they_come_into_sight(chrome, page):
    opened(chrome, page)
    assert chrome.execute_script(DRAWN) == 0
    chrome.execute_script("document.querySelector('.chart').scrollIntoView()")
    wait_for(chrome, lambda c: c.execute_script(DRAWN) > 0)
    assert chrome.execute_script(DRAWN) < len(chrome.find_elements("css selector", ".chart"))


def test_numbers_of_the_table_are_the_measures(chrome, page):
    opened(chrome, page)
    script = """return [...document.querySelectorAll('.sortable tbody tr')].map(
        row => [...row.cells].map(cell => cell.dataset.value ?? cell.textContent))"""
    found = chrome.execute_script(script)
    of = cells(measured(study()))
    assert len(found) == len(of)
    for row, cell in zip(found, of, strict=True):
        assert row[:2] == [cell.problem, cell.method]
        assert float(row[5]) == cell.score.median


def test_on_paper_there_are_figures_and_no_contents(chrome, page):
    opened(chrome, page, 1300, 40_000)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not chrome.find_element("css selector", ".contents").is_displayed()
    figures = """return [...document.querySelectorAll("figure")]
        .every(f => f.querySelector(".chart.live, img")?.checkVisibility())"""
    assert chrome.execute_script(figures)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_javascript_there_are_all_rows_and_no_idle_controls(page, tmp_path):
    with started_browser(tmp_path / "chrome", javascript=False) as chrome:
        chrome.get(page.as_uri())
        rows = chrome.find_elements("css selector", ".sortable tbody tr")
        assert len(rows) == len(cells(measured(study())))
        assert all(row.is_displayed() for row in rows)
        for idle in (".filters", ".methods"):
            assert not chrome.find_element("css selector", idle).is_displayed()


def test_a_run_page_shows_its_members_and_its_workers(chrome, page):
    file = next(page.parent.glob("runs/toy.other-pbt-inprocess-k5-*.html"))
    opened(chrome, file)
    assert texts(chrome, "h2")[:3] == ["What the workers did", "Whose state lived on", "Schedules"]
    assert texts(chrome, ".narrow tbody th") == ["1", "2 to 3"]
    sizes = chrome.execute_script(
        "return [...document.querySelectorAll('.plot svg')].map(s => s.getBoundingClientRect().width)"
    )
    assert len(sizes) == 3
    assert min(sizes) > 300


def test_the_best_run_of_each_method_with_an_interval_has_a_page(page):
    names = {file.name for file in page.parent.glob("runs/*.html")}
    seeds = {re.search(r"-(\w+)-k(\d+)-s(\d+)-", name).groups() for name in names if "hand" in name}
    assert seeds == {(engine, k, "0") for engine in ("inprocess", "tune") for k in "12"}
    assert sum("toy.other" in name for name in names) == 3


def test_many_cells_have_no_more_pages_than_can_be_read(tmp_path):
    from pbtbench.report import run_pages

    pairs = [
        (replace(run, id=f"{run.id}{i}", problem=f"p{i}", problem_name=f"p{i}"), outcome)
        for i in range(20)
        for run, outcome in a_study()
        if run.seed == 0 and run.interval
    ]
    page = reported(tmp_path / "out", pairs)
    inside = list(page.parent.glob("runs/*.html"))
    assert len(inside) == run_pages.PAGES
    assert max(file.stat().st_size for file in inside) < 100_000
