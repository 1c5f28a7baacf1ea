"""Advantage actor-critic on compiled environments, all of it in one call (Mnih et al. 2016, synchronous).

A step is a rollout of some steps in all environments, and one update on it. The environments go on
from one step to the next, and are part of the member's state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pbtbench.adapters.environments import Environment
from pbtbench.adapters.functional import Functions, Seed, Tensors, folded
from pbtbench.adapters.optimizers import adam
from pbtbench.adapters.perceptron import outputs, perceptron, zeros_like

LAYERS = 3
VALUE_COST = 0.5
LONGEST_GRADIENT = 0.5
"""Global norm that gradients are clipped to."""


@dataclass(frozen=True)
class ActorCritic:
    """Its sizes. Hyperparameters: `learning_rate`, `entropy_cost` and `discount`."""

    environment: Callable[[], Environment]
    environments: int = 32
    rollout: int = 8
    hidden: int = 64
    episodes: int = 16
    """In an evaluation."""
    tested: int = 100
    """Episodes of the test."""

    def __call__(self) -> Functions:
        learner = Learner(self, self.environment())
        return Functions(learner.first, learner.update, learner.scores, learner.test)


class Learner:
    """The functions of a member."""

    def __init__(self, sizes: ActorCritic, environment: Environment) -> None:
        self.sizes, self.environment = sizes, environment

    def first(self, seed: Seed) -> Tensors:
        """Two networks, their optimizer's moments, and environments at their start."""
        import tensorflow as tf

        hidden = (self.environment.observed, self.sizes.hidden, self.sizes.hidden)
        weights = {
            **perceptron("actor", (*hidden, self.environment.actions), folded(seed, 0)),
            **perceptron("critic", (*hidden, 1), folded(seed, 1)),
        }
        count = self.sizes.environments
        return {
            **weights,
            **zeros_like(weights, "mean"),
            **zeros_like(weights, "square"),
            "count": tf.zeros(()),
            "environments/state": self.environment.first(count, folded(seed, 2)),
            "environments/steps": tf.zeros(count, tf.int32),
        }

    def update(self, tensors: Tensors, hyper: Tensors, seed: Seed) -> Tensors:
        """After a rollout, and a step on its loss."""
        import tensorflow as tf

        names = [name for name in tensors if name.startswith(("actor", "critic"))]
        seen, states, steps = self._rollout(tensors, seed)
        returns = self._returns(tensors, seen, hyper["discount"])
        with tf.GradientTape() as tape:
            tape.watch([tensors[name] for name in names])
            loss = self._loss(tensors, seen, returns, hyper["entropy_cost"])
        gradients = tape.gradient(loss, [tensors[name] for name in names])
        gradients, _ = tf.clip_by_global_norm(gradients, LONGEST_GRADIENT)
        weights, means, squares = adam(
            [tensors[name] for name in names],
            gradients,
            [tensors[f"mean/{name}"] for name in names],
            [tensors[f"square/{name}"] for name in names],
            tensors["count"],
            hyper["learning_rate"],
        )
        after = dict(tensors)
        for name, w, m, s in zip(names, weights, means, squares, strict=True):
            after |= {name: w, f"mean/{name}": m, f"square/{name}": s}
        progress = {"environments/state": states, "environments/steps": steps}
        return {**after, **progress, "count": tensors["count"] + 1}

    def scores(self, tensors: Tensors, seed: Seed) -> Tensors:
        """`return`: the mean return of whole episodes, actions drawn from the policy as in training."""
        return self._returned(tensors, seed, self.sizes.episodes)

    def test(self, tensors: Tensors, seed: Seed) -> Tensors:
        """The same of other episodes, and more."""
        return self._returned(tensors, seed, self.sizes.tested)

    def _returned(self, tensors: Tensors, seed: Seed, count: int) -> Tensors:
        import tensorflow as tf

        env = self.environment

        def step(t: Any, states: Any, alive: Any, total: Any) -> tuple[Any, Any, Any, Any]:
            logits = self._logits(tensors, env.observe(states))
            states, reward, ended = env.step(states, _drawn(logits, folded(seed, t + 1)))
            return t + 1, states, alive & ~ended, total + tf.where(alive, reward, 0.0)

        _, _, _, total = tf.while_loop(
            lambda t, _states, alive, _total: (t < env.max_steps) & tf.reduce_any(alive),
            step,
            [0, env.first(count, folded(seed, 0)), tf.ones(count, tf.bool), tf.zeros(count)],
        )
        sound = [tf.reduce_all(tf.math.is_finite(w)) for n, w in tensors.items() if "/kernel" in n]
        return {"return": tf.where(tf.reduce_all(sound), tf.reduce_mean(total), float("nan"))}

    def _logits(self, tensors: Tensors, observations: Any) -> Any:
        import tensorflow as tf

        return outputs(tensors, "actor", LAYERS, observations, tf.nn.tanh)

    def _values(self, tensors: Tensors, observations: Any) -> Any:
        import tensorflow as tf

        return outputs(tensors, "critic", LAYERS, observations, tf.nn.tanh)[..., 0]

    def _rollout(self, tensors: Tensors, seed: Seed) -> tuple[Tensors, Any, Any]:
        """What was seen, first axis the time; then the environments' states and steps."""
        import tensorflow as tf

        env, count = self.environment, self.sizes.environments
        states, steps = tensors["environments/state"], tensors["environments/steps"]
        seen: dict[str, list[Any]] = {}
        for t in range(self.sizes.rollout):
            draw = folded(seed, t)
            observations = env.observe(states)
            logits = self._logits(tensors, observations)
            actions = _drawn(logits, folded(draw, 0))
            states, rewards, ended = env.step(states, actions)
            steps = steps + 1
            cut = (steps >= env.max_steps) & ~ended
            row = {
                "observations": observations,
                "actions": actions,
                "rewards": rewards,
                "ended": ended,
                "cut": cut,
                "next": env.observe(states),
            }
            for name, value in row.items():
                seen.setdefault(name, []).append(value)
            over = ended | cut
            states = tf.where(over[:, None], env.first(count, folded(draw, 1)), states)
            steps = tf.where(over, 0, steps)
        return {name: tf.stack(values) for name, values in seen.items()}, states, steps

    def _returns(self, tensors: Tensors, seen: Tensors, discount: Any) -> Any:
        """Discounted returns to the rollout's end, its last values bootstrapped, shape (time, environments);
        an episode that is cut off goes on in its value, one that ends has none."""
        import tensorflow as tf

        values = self._values(tensors, seen["next"])
        found: list[Any] = []
        later = values[-1]
        for t in reversed(range(self.sizes.rollout)):
            later = tf.where(seen["cut"][t], values[t], later)
            later = tf.where(seen["ended"][t], 0.0, later)
            later = seen["rewards"][t] + discount * later
            found.append(later)
        return tf.stack(found[::-1])

    def _loss(self, tensors: Tensors, seen: Tensors, returns: Any, entropy_cost: Any) -> Any:
        import tensorflow as tf

        values = self._values(tensors, seen["observations"])
        advantages = tf.stop_gradient(returns - values)
        log_policy = tf.nn.log_softmax(self._logits(tensors, seen["observations"]))
        entropy = -tf.reduce_sum(tf.exp(log_policy) * log_policy, axis=-1)
        taken = tf.gather(log_policy, seen["actions"], batch_dims=2)
        return tf.reduce_mean(
            -advantages * taken + VALUE_COST * (returns - values) ** 2 - entropy_cost * entropy
        )


def _drawn(logits: Any, seed: Seed) -> Any:
    """Actions from the policy of these logits, shape (environments, actions): the largest with Gumbel noise."""
    import tensorflow as tf

    uniform = tf.random.stateless_uniform(logits.shape, seed, 1e-20, 1.0)
    return tf.argmax(logits - tf.math.log(-tf.math.log(uniform)), axis=1)
