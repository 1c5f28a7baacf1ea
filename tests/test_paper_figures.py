"""A paper's figures: at the widths of columns, readable, with their font, in light colours."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from fabricated import a_run
from papers import a_paper, of_hostile_names
from reported import a_study, a_study_of_costs, pbt_outcome
from test_figures import swept

from pbtbench.report import palette
from pbtbench.report.paper.figures import TYPE, WIDTHS


@pytest.fixture(
    scope="module",
    params=[
        a_study,
        a_study_of_costs,
        of_hostile_names,
        lambda: swept(60, 1),
        lambda: [(a_run(method="m" * 90 + str(i)), pbt_outcome()) for i in range(12)],
    ],
    ids=["study", "costs", "hostile", "many-intervals", "long-names"],
)
def figures(request, tmp_path_factory):
    """File -> what is in it."""
    files = a_paper(tmp_path_factory.mktemp("paper"), request.param())
    return {name: data for name, data in files.items() if name.startswith("figures/")}


def of_kind(figures, ending):
    return {name: data for name, data in figures.items() if name.endswith(ending)}


def test_are_drawn_for_both_widths_in_both_formats(figures):
    stems = {re.sub(r"-(single|double)\.(pdf|svg)$", "", name) for name in figures}
    endings = [f"-{column}.{kind}" for column in WIDTHS for kind in ("pdf", "svg")]
    assert set(figures) == {stem + ending for stem in stems for ending in endings}
    assert len({name.lower() for name in figures}) == len(figures)
    assert not any("." in stem for stem in stems)


def test_are_as_wide_as_a_column_in_points(figures):
    assert WIDTHS == {"single": 237, "double": 496}
    for name, data in figures.items():
        wanted = WIDTHS["double" if "-double." in name else "single"]
        if name.endswith(".svg"):
            root = ET.fromstring(data)
            assert root.get("width") == f"{wanted}pt", name
            assert root.get("viewBox") == f"0 0 {wanted} {root.get('height').removesuffix('pt')}"
        else:
            (box,) = re.findall(rb"/MediaBox \[([^]]*)\]", data)
            assert [float(n) for n in box.split()][:3] == [0, 0, wanted], name


def test_have_type_that_can_be_read(figures):
    sizes = {
        float(size)
        for svg in of_kind(figures, ".svg").values()
        for size in re.findall(r'font-size="([\d.]+)px"', svg)
    }
    assert min(sizes) >= 7
    assert max(sizes) <= TYPE + 0.5


def test_have_their_font_embedded(figures):
    for name, pdf in of_kind(figures, ".pdf").items():
        assert pdf.startswith(b"%PDF-")
        assert b"/FontFile" in pdf, name
        assert b"LiberationSans" in pdf, name


def test_have_light_colours_alone(figures):
    light, dark = (palette.variables([], dark=dark) for dark in (False, True))
    for name, svg in of_kind(figures, ".svg").items():
        colours = set(re.findall(r"#[0-9a-f]{6}", svg))
        assert "var(--" not in svg, name
        assert light["ink"] in colours or light["muted"] in colours
        assert not colours & {dark["ink"], dark["muted"], dark["paper"], dark["grid"]}


def test_are_all_drawn(figures):
    assert figures
    for name, svg in of_kind(figures, ".svg").items():
        assert "not drawn" not in svg, name
        assert re.search(r'class="mark-(symbol|line|rect|rule|area)', svg), name
