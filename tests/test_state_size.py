"""The instrument has the size that was asked for, and steps that last as long as was asked for."""

import time

import pytest

from pbtbench import BadInput, catalogue
from pbtbench.population import state_bytes
from pbtbench.problem import member_seed

PROBLEM = catalogue.problem("synthetic.state_size")
ROW = 32


def population(size=1, **options):
    seeds = [member_seed(0, member) for member in range(size)]
    return PROBLEM.population([{"learning_rate": 0.5}] * size, seeds, options)


@pytest.mark.parametrize("asked", [1_000, 1_000_000, 16_000_000])
def test_a_state_has_the_size_asked_for_to_within_a_row(asked):
    state = population(state_bytes=asked, step_s=0.0).state(0)
    assert asked - ROW < state_bytes(state) <= asked


def test_a_step_lasts_at_least_as_long_as_asked_for_every_member():
    members = population(size=2, step_s=0.01)
    start = time.perf_counter()
    members.train(5)
    assert time.perf_counter() - start >= 2 * 5 * 0.01


def test_a_size_learns_as_another_does():
    small, large = (population(state_bytes=n, step_s=0.0) for n in (2_000, 2_000_000))
    for members in (small, large):
        before = members.evaluate()["loss"][0]
        members.train(400)
        assert members.evaluate()["loss"][0] < before / 2


@pytest.mark.parametrize(
    "options", [{"state_bytes": 10}, {"state_bytes": 10**10}, {"step_s": -1.0}]
)
def test_what_cannot_be_is_bad_input_that_names_it(options):
    with pytest.raises(BadInput, match=next(iter(options))):
        population(**options)
