"""Figures drawn by several processes are those that one draws."""

import pytest

from pbtbench.report import figures, vega
from pbtbench.report.figures import draw, figure


def some(count, mark="line"):
    for i in range(count):
        data = {"rows": [{"a": j, "b": i * j} for j in range(5)]}
        encoding = {"x": figures.real("a", "a"), "y": figures.real("b", f"<{i}>")}
        spec = {"data": {"name": "rows"}, "mark": mark, "encoding": encoding}
        yield figure(f"f{i}", "title", "caption", spec, data)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(figures, "usable_cores", lambda: 2)


def test_many_are_drawn_by_several_processes_as_by_one(two_cores):
    together, alone = list(some(figures.MANY + 1)), list(some(figures.MANY + 1))
    draw(together)
    assert all(f.chart.done for f in together)
    assert [f.svg for f in together] == [f.svg for f in alone]
    assert len({f.svg for f in together}) == len(together)


def test_one_that_cannot_be_drawn_says_so_and_the_others_are(two_cores):
    shown = [*some(figures.MANY), *some(3, mark="no such mark")]
    draw(shown)
    assert ["not drawn" in f.svg for f in shown] == [False] * figures.MANY + [True] * 3
    assert [f.uses for f in shown[-3:]] == [()] * 3


def test_a_process_that_fails_leaves_the_work_to_this_one(two_cores, monkeypatch):
    monkeypatch.setattr(vega, "_DRAW", "raise SystemExit(1)")
    monkeypatch.setattr(vega, "_BUNDLE", "raise SystemExit(1)")
    for made in (vega.bundle, vega.bundling):
        made.cache_clear()
    shown = list(some(figures.MANY))
    draw(shown)
    assert all(f.svg.startswith("<svg") for f in shown)
    assert "vegaEmbed" in vega.bundle()


def test_nothing_is_imported_from_the_working_directory(two_cores, tmp_path, monkeypatch):
    (tmp_path / "vl_convert.py").write_text("open('evil', 'w')")
    (tmp_path / "json.py").write_text("open('evil', 'w')")
    monkeypatch.chdir(tmp_path)
    draw(list(some(figures.MANY)))
    assert not (tmp_path / "evil").exists()
