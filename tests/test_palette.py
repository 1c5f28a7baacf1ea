"""Colours can be told apart, in both themes, also by eyes that lack a kind of cone."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from fabricated import a_run, an_outcome, score
from reported import measured

from pbtbench.report import palette
from pbtbench.statistics.cells import cells

# Machado, Oliveira and Fernandes 2009, at full severity; of linear RGB
SIGHTS = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}  # fmt: skip


def linear(colour):
    channels = np.array(list(bytes.fromhex(colour[1:]))) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Ottosson 2020: lightness first."""
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_lms) @ rgb)


def apart(one, other, sight):
    seen = [oklab(np.clip(SIGHTS[sight] @ linear(colour), 0, 1)) for colour in (one, other)]
    return 100 * np.linalg.norm(seen[0] - seen[1])


def contrast(one, other):
    luminances = [float(np.array([0.2126, 0.7152, 0.0722]) @ linear(c)) for c in (one, other)]
    low, high = sorted(luminances)
    return (high + 0.05) / (low + 0.05)


def colours(*methods):
    runs = [
        (a_run(method=name, interval=k), an_outcome(score(1, 0, 1, 0.5))) for name, k in methods
    ]
    return palette.series(cells(measured(runs)))


def swept(count):
    return [("pbt", k) for k in (1, 2, 5, 10, 20, 50, 100, 200)[:count]]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("count", range(1, 7))
def test_intervals_of_a_method_and_its_baselines_can_be_told_apart(count, dark):
    found = [s.shades[dark] for s in colours(*swept(count), ("random", None), ("grid", None))]
    for sight in SIGHTS:
        assert min(apart(*pair, sight) for pair in combinations(found, 2)) > 7, sight
        steps = pairwise(found[2:])
        assert all(apart(*pair, sight) > 9 for pair in steps), sight


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("count", range(2, 9))
def test_longer_intervals_are_darker(count, dark):
    found = [s.shades[dark] for s in colours(*swept(count))]
    lightness = [oklab(linear(colour))[0] for colour in found]
    assert all(one > other for one, other in pairwise(lightness))


@pytest.mark.parametrize("dark", [False, True])
def test_all_are_seen_on_the_paper(dark):
    paper = palette.BASE["paper"][dark]
    many = [("pb2", 1), ("pb2", 5), ("random", None), ("grid", None), *swept(6)]
    found = [s.shades[dark] for s in colours(*many)]
    assert min(contrast(colour, paper) for colour in found) > 2
    words = [palette.BASE[name][dark] for name in ("ink", "muted", "accent", "better", "worse")]
    assert min(contrast(colour, paper) for colour in words) > 4.5


def test_what_others_are_held_against_has_dashes_of_its_own():
    found = {s.label: s for s in colours(("pbt", 1), ("random", None), ("grid", None))}
    assert found["pbt k=1"].dash == ()
    assert () != found["random"].dash != found["grid"].dash != ()


def test_methods_of_one_interval_each_differ_in_hue():
    found = [s.shades[0] for s in colours(*((f"m{i}", 2) for i in range(8)))]
    assert len(set(found)) == 8
    assert min(apart(*pair, "usual") for pair in combinations(found, 2)) > 7
