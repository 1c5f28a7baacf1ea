"""Gymnasium's classic control environments in TensorFlow: many side by side, compiled, states plain tensors.

The constants are read from Gymnasium's own environment, the equations are its sources': Barto, Sutton
and Anderson 1983 (CartPole), Sutton 1996 (Acrobot). A test holds them against Gymnasium's steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Environment:
    """An environment with a few actions. States have shape (environments, size)."""

    size: int
    """Numbers of a state."""
    observed: int
    """Numbers of an observation."""
    actions: int
    max_steps: int
    """Steps after which an episode is cut off."""
    spread: float
    """First states are uniform within this of 0."""
    step: Callable[[Any, Any], tuple[Any, Any, Any]]
    """`step(states, actions)`: the next states, rewards and whether each has ended, shape (environments,)."""
    observe: Callable[[Any], Any]
    """Observations of states, shape (environments, observed)."""

    def first(self, count: int, seed: Any) -> Any:
        """States at the start of an episode."""
        import tensorflow as tf

        shape = (count, self.size)
        return tf.random.stateless_uniform(shape, seed, -self.spread, self.spread)


def cartpole() -> Environment:
    """`CartPole-v1`: position, velocity, angle and angular velocity; 1 for each step that it lasts."""
    import gymnasium
    import tensorflow as tf

    made = gymnasium.make("CartPole-v1")
    env: Any = made.unwrapped
    assert made.spec is not None
    assert made.spec.max_episode_steps is not None

    def step(states: Any, actions: Any) -> tuple[Any, Any, Any]:
        x, velocity, angle, spin = tf.unstack(states, axis=1)
        force = env.force_mag * (2.0 * tf.cast(actions, tf.float32) - 1.0)
        sine, cosine = tf.sin(angle), tf.cos(angle)
        push = (force + env.polemass_length * spin**2 * sine) / env.total_mass
        inertia = env.length * (4.0 / 3.0 - env.masspole * cosine**2 / env.total_mass)
        turning = (env.gravity * sine - cosine * push) / inertia
        speeding = push - env.polemass_length * turning * cosine / env.total_mass
        rates = tf.stack([velocity, speeding, spin, turning], axis=1)
        after = states + env.tau * rates
        fallen = tf.abs(after[:, 2]) > env.theta_threshold_radians
        ended = fallen | (tf.abs(after[:, 0]) > env.x_threshold)
        return after, tf.ones_like(x), ended

    limit = made.spec.max_episode_steps
    return Environment(4, 4, 2, limit, 0.05, step, observe=lambda states: states)


def acrobot() -> Environment:
    """`Acrobot-v1`: two angles and their velocities; −1 for each step until the tip is up."""
    import gymnasium
    import tensorflow as tf

    made = gymnasium.make("Acrobot-v1")
    env: Any = made.unwrapped
    assert made.spec is not None
    assert made.spec.max_episode_steps is not None
    m1, m2 = env.LINK_MASS_1, env.LINK_MASS_2
    l1, c1, c2 = env.LINK_LENGTH_1, env.LINK_COM_POS_1, env.LINK_COM_POS_2
    moment, g = env.LINK_MOI, 9.8  # Gymnasium has g in its equations alone

    def rates(states: Any, torque: Any) -> Any:
        """dθ₁, dθ₂ and their rates: the equations of the book (Sutton and Barto), not of Sutton 1996."""
        one, two, spin1, spin2 = tf.unstack(states, axis=1)
        sine, cosine = tf.sin(two), tf.cos(two)
        d1 = m1 * c1**2 + m2 * (l1**2 + c2**2 + 2 * l1 * c2 * cosine) + 2 * moment
        d2 = m2 * (c2**2 + l1 * c2 * cosine) + moment
        phi2 = m2 * c2 * g * tf.sin(one + two)
        phi1 = phi2 + (m1 * c1 + m2 * l1) * g * tf.sin(one)
        phi1 -= m2 * l1 * c2 * sine * (spin2**2 + 2 * spin2 * spin1)
        pull = torque + d2 / d1 * phi1 - m2 * l1 * c2 * spin1**2 * sine - phi2
        turning2 = pull / (m2 * c2**2 + moment - d2**2 / d1)
        turning1 = -(d2 * turning2 + phi1) / d1
        return tf.stack([spin1, spin2, turning1, turning2], axis=1)

    def step(states: Any, actions: Any) -> tuple[Any, Any, Any]:
        torque, dt = tf.gather(tf.constant(env.AVAIL_TORQUE, tf.float32), actions), env.dt
        k1 = rates(states, torque)
        k2 = rates(states + dt / 2 * k1, torque)
        k3 = rates(states + dt / 2 * k2, torque)
        k4 = rates(states + dt * k3, torque)
        after = states + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        one, two = (_wrapped(after[:, place]) for place in (0, 1))
        spin1 = tf.clip_by_value(after[:, 2], -env.MAX_VEL_1, env.MAX_VEL_1)
        spin2 = tf.clip_by_value(after[:, 3], -env.MAX_VEL_2, env.MAX_VEL_2)
        up = -tf.cos(one) - tf.cos(two + one) > 1.0
        reward = tf.where(up, 0.0, -1.0)
        return tf.stack([one, two, spin1, spin2], axis=1), reward, up

    def observe(states: Any) -> Any:
        one, two, spin1, spin2 = tf.unstack(states, axis=1)
        seen = [tf.cos(one), tf.sin(one), tf.cos(two), tf.sin(two), spin1, spin2]
        return tf.stack(seen, axis=1)

    limit = made.spec.max_episode_steps
    return Environment(4, 6, 3, limit, 0.1, step, observe)


def _wrapped(angle: Any) -> Any:
    """The angle in [−π, π]."""
    import tensorflow as tf

    return angle - 2 * math.pi * tf.round(angle / (2 * math.pi))
