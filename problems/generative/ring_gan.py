"""A generative adversarial network on a ring of eight Gaussians: it loses modes, or learns nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbtbench.adapters.functional import Functions, Seed, Tensors, folded, functional_population
from pbtbench.adapters.optimizers import adam
from pbtbench.adapters.perceptron import outputs, perceptron, zeros_like
from pbtbench.problem import Objective, Problem
from pbtbench.space import LogUniform, Space

MODES, RADIUS, SIGMA = 8, 2.0, 0.1
NEAR = 3.0
"""Standard deviations from a mode within which a sample counts as good."""
LATENT, HIDDEN = 8, 64
LAYERS = 3
BATCH, JUDGED = 128, 512
COVERED = JUDGED // MODES // 10
"""Good samples that make a mode covered: a tenth of its fair share."""


def centres() -> np.ndarray:
    """Of the modes, shape (MODES, 2)."""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    return (RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def real(count: int, seed: Seed) -> Any:
    """Samples of the ring, shape (count, 2)."""
    import tensorflow as tf

    modes = tf.random.stateless_uniform([count], folded(seed, 0), 0, MODES, tf.int32)
    noise = tf.random.stateless_normal([count, 2], folded(seed, 1), stddev=SIGMA)
    return tf.gather(tf.constant(centres()), modes) + noise


def coverage(samples: Any) -> Any:
    """(Share of modes that are covered) × (share of samples that are good), of samples of shape (n, 2)."""
    import tensorflow as tf

    distances = tf.norm(samples[:, None, :] - tf.constant(centres()), axis=2)
    good = tf.cast(distances <= NEAR * SIGMA, tf.float32)
    covered = (
        tf.reduce_sum(good, axis=0) >= COVERED * tf.cast(tf.shape(samples)[0], tf.float32) / JUDGED
    )
    modes = tf.reduce_mean(tf.cast(covered, tf.float32))
    return modes * tf.reduce_mean(tf.reduce_max(good, axis=1))


def functions() -> Functions:
    """Both networks by Adam (β₁ = 0.5), both on every step, the generator by the non-saturating loss."""
    import tensorflow as tf

    def generated(tensors: Tensors, count: int, seed: Seed) -> Any:
        latent = tf.random.stateless_normal([count, LATENT], seed)
        return outputs(tensors, "generator", LAYERS, latent, tf.nn.relu)

    def judged(tensors: Tensors, samples: Any) -> Any:
        return outputs(tensors, "discriminator", LAYERS, samples, tf.nn.relu)

    def first(seed: Seed) -> Tensors:
        weights = {
            **perceptron("generator", (LATENT, HIDDEN, HIDDEN, 2), folded(seed, 0)),
            **perceptron("discriminator", (2, HIDDEN, HIDDEN, 1), folded(seed, 1)),
        }
        slots = {**zeros_like(weights, "mean"), **zeros_like(weights, "square")}
        return {**weights, **slots, "count": tf.zeros(())}

    def update(tensors: Tensors, hyper: Tensors, seed: Seed) -> Tensors:
        def losses(of: Tensors) -> dict[str, Any]:
            false = generated(of, BATCH, folded(seed, 2))
            of_false = judged(of, false)
            of_real = judged(of, real(BATCH, seed))
            softplus = tf.nn.softplus
            return {
                "discriminator": tf.reduce_mean(softplus(-of_real) + softplus(of_false)),
                "generator": tf.reduce_mean(softplus(-of_false)),
            }

        after = dict(tensors)
        for network in ("generator", "discriminator"):
            names = [name for name in tensors if name.startswith(network)]
            with tf.GradientTape() as tape:
                tape.watch([tensors[name] for name in names])
                loss = losses(tensors)[network]
            weights, means, squares = adam(
                [tensors[name] for name in names],
                tape.gradient(loss, [tensors[name] for name in names]),
                [tensors[f"mean/{name}"] for name in names],
                [tensors[f"square/{name}"] for name in names],
                tensors["count"],
                hyper[f"{network}_rate"],
                beta_1=0.5,
            )
            for name, w, m, s in zip(names, weights, means, squares, strict=True):
                after |= {name: w, f"mean/{name}": m, f"square/{name}": s}
        return {**after, "count": tensors["count"] + 1}

    def scores(tensors: Tensors, seed: Seed) -> Tensors:
        return {"coverage": coverage(generated(tensors, JUDGED, seed))}

    return Functions(first, update, scores, test=scores)


PROBLEM = Problem(
    title="a GAN on a ring of eight Gaussians: modes covered × samples that are good",
    source="Metz et al. 2017, Unrolled Generative Adversarial Networks (arXiv 1611.02163), with a σ of 0.1 "
    "instead of 0.02; good within 3σ as in Srivastava et al. 2017, VEEGAN (arXiv 1705.07761)",
    finding="Most pairs of rates lose the ring or never find it. PBT ends above random search in the "
    "median, and covers all modes with either of its shorter intervals in most runs, not in all.",
    space=Space(
        {
            "generator_rate": LogUniform(1e-5, 1e-1),
            "discriminator_rate": LogUniform(1e-5, 1e-1),
        }
    ),
    objective=Objective("coverage", "max", targets=(0.7, 0.9), bound=1.0),
    iterations=40,
    steps_per_iteration=100,
    start=functional_population(functions),
    framework="tensorflow",
    test="512 other samples",
)
