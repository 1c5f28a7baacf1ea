"""CartPole-v1: a pole on a cart, by advantage actor-critic."""

from __future__ import annotations

from pbtbench.adapters.actor_critic import ActorCritic
from pbtbench.adapters.environments import cartpole
from pbtbench.adapters.functional import functional_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import LogUniform, Space, Uniform

PROBLEM = Problem(
    title="a pole on a cart, by advantage actor-critic on Gymnasium's CartPole-v1",
    source="Barto, Sutton and Anderson 1983, Neuronlike Adaptive Elements; Gymnasium's CartPole-v1; "
    "Mnih et al. 2016, Asynchronous Methods (arXiv 1602.01783)",
    finding="What a member learns it may forget: random search often ends below what it had reached. PBT "
    "keeps what works, and ends at the most that there is in the median, at short intervals.",
    space=Space(
        {
            "learning_rate": LogUniform(1e-5, 1.0),
            "entropy_cost": LogUniform(1e-4, 1.0),
            "discount": Uniform(0.8, 0.999),
        }
    ),
    objective=Objective("return", "max", targets=(300.0, 475.0), bound=500.0),
    iterations=20,
    steps_per_iteration=6,
    start=functional_population(ActorCritic(cartpole)),
    framework="tensorflow",
    test="100 other episodes",
    requires={"gymnasium": 'pip install "gymnasium>=1.0"'},
)
