"""What the ring's score is for generators that are known."""

import numpy as np
import pytest
import tensorflow as tf

from pbtbench import catalogue
from pbtbench.problem import member_seed
from problems.generative import ring_gan
from problems.generative.ring_gan import MODES, RADIUS, SIGMA, centres, coverage, real

SEED = tf.constant([3, 1], tf.int64)


def test_the_modes_lie_on_the_ring_evenly():
    np.testing.assert_allclose(np.linalg.norm(centres(), axis=1), RADIUS, rtol=1e-6)
    gaps = np.linalg.norm(centres() - np.roll(centres(), 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 2 * RADIUS * np.sin(np.pi / MODES), rtol=1e-5)


def test_the_ring_itself_scores_what_three_standard_deviations_hold():
    """Of a normal distribution in the plane, 1 − exp(−3²/2) lies within 3σ."""
    assert float(coverage(real(50_000, SEED))) == pytest.approx(1 - np.exp(-4.5), abs=0.003)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_generator_of_some_modes_scores_their_share(count):
    samples = np.repeat(centres()[:count], 512 // count, axis=0)
    assert float(coverage(tf.constant(samples))) == pytest.approx(count / MODES)


def test_samples_between_the_modes_are_worth_nothing():
    far = np.zeros((512, 2), np.float32)
    assert float(coverage(tf.constant(far))) == 0
    near = centres()[:1] + np.float32([3.1 * SIGMA, 0])
    assert float(coverage(tf.constant(np.repeat(near, 512, axis=0)))) == 0


def test_a_mode_with_a_stray_sample_is_not_covered():
    samples = np.concatenate([np.repeat(centres()[:1], 511, axis=0), centres()[1:2]])
    assert float(coverage(tf.constant(samples))) == pytest.approx(1 / MODES)


def test_good_constants_reach_the_first_target():
    problem = catalogue.problem("generative.ring_gan")
    good = {"generator_rate": 0.0027, "discriminator_rate": 0.0083}
    population = problem.population([good] * 2, [member_seed(0, m) for m in range(2)])
    best = 0.0
    for _ in range(15):
        population.train(problem.steps_per_iteration)
        best = max(best, population.evaluate()["coverage"].max())
    assert best >= problem.objective.targets[0]


def test_only_its_own_network_moves_with_a_rate():
    problem = catalogue.problem("generative.ring_gan")
    still = {"generator_rate": 1e-5, "discriminator_rate": 1e-1}
    population = problem.population([still], [member_seed(0, 0)])
    before = population.state(0)
    population.train(5)
    after = population.state(0)

    def moved(network):
        names = [n for n in before if n.startswith(f"{network}/") and n.endswith("kernel")]
        return max(np.abs(after[n] - before[n]).max() for n in names)

    assert moved("discriminator") > 1000 * moved("generator") > 0
    assert ring_gan.PROBLEM.objective.bound == 1.0
