"""Acrobot-v1: a two-link arm that swings up, by advantage actor-critic."""

from __future__ import annotations

from pbtbench.adapters.actor_critic import ActorCritic
from pbtbench.adapters.environments import acrobot
from pbtbench.adapters.functional import functional_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import LogUniform, Space, Uniform

PROBLEM = Problem(
    title="a two-link arm that swings up, by advantage actor-critic on Gymnasium's Acrobot-v1",
    source="Sutton 1996, Generalization in Reinforcement Learning; Gymnasium's Acrobot-v1; "
    "Mnih et al. 2016, Asynchronous Methods (arXiv 1602.01783)",
    finding="Rates that are too high stay at −500 for good. PBT ends above −100 at every interval in the "
    "median, random search does not, with seeds overlapping.",
    space=Space(
        {
            "learning_rate": LogUniform(1e-5, 1.0),
            "entropy_cost": LogUniform(1e-4, 1.0),
            "discount": Uniform(0.8, 0.999),
        }
    ),
    objective=Objective("return", "max", targets=(-120.0, -100.0), bound=0.0),
    iterations=20,
    steps_per_iteration=6,
    start=functional_population(ActorCritic(acrobot)),
    framework="tensorflow",
    test="100 other episodes",
    requires={"gymnasium": 'pip install "gymnasium>=1.0"'},
)
