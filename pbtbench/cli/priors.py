"""How hyperparameters are drawn, in words: their priors and bounds."""

from __future__ import annotations

from functools import singledispatch

from pbtbench.space import (
    Choice,
    Constant,
    Derived,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Uniform,
)


def prior(hyperparameter: object) -> str:
    """How a hyperparameter is drawn, and its bounds; one of a type of somebody's own in its own words."""
    if type(hyperparameter) in _prior.registry:
        return _prior(hyperparameter)
    meaning = (type(hyperparameter).__doc__ or "").strip().splitlines()[:1]
    return ": ".join([str(hyperparameter), *meaning]).rstrip(".")


@singledispatch
def _prior(hyperparameter: object) -> str:
    return str(hyperparameter)


@_prior.register
def _(found: Uniform) -> str:
    return f"uniform in [{found.low:g}, {found.high:g}]{_steps(found.step)}"


@_prior.register
def _(found: LogUniform) -> str:
    return f"log-uniform in [{found.low:g}, {found.high:g}]{_steps(found.step)}"


@_prior.register
def _(found: IntUniform) -> str:
    return f"a whole number, uniform in [{found.low}, {found.high}]{_steps(found.step)}"


@_prior.register
def _(found: LogIntUniform) -> str:
    return f"a whole number, log-uniform in [{found.low}, {found.high}]{_steps(found.step)}"


@_prior.register
def _(found: Derived) -> str:
    return "drawn from the others' values"


@_prior.register
def _(found: Choice) -> str:
    return f"one of {', '.join(map(str, found.values))}"


@_prior.register
def _(found: Constant) -> str:
    return f"always {found.value}"


@_prior.register
def _(found: Sampler) -> str:
    return "whatever its callable draws; no bounds"


def _steps(step: float | None) -> str:
    return "" if step in (None, 1) else f" in steps of {step:g}"
