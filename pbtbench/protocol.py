"""What populations are held to: as many members as asked for, real numbers as scores, states of arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbtbench.errors import CONTROL, BadInput, nearest

AGE, DONE = "score_age", "done"
"""What `evaluate` may give beside metrics: for each member, the iterations since its score was measured,
where a metric comes only now and then; and whether it had made its last iteration before."""


def check_population(population: object, size: int) -> None:
    """Raise `BadInput` for what is no population of `size` members."""
    methods = ("train", "evaluate", "state", "adopt")
    lacking = [name for name in methods if not callable(getattr(population, name, None))]
    lacking += [name for name in ("size", "traces") if not hasattr(population, name)]
    if lacking:
        raise BadInput(
            f"start() gives a {type(population).__name__} without {', '.join(lacking)}; "
            "it must give a pbtbench.Population"
        )
    for name in ("size", "traces"):
        number = getattr(population, name)
        if not isinstance(number, int | np.integer) or isinstance(number, bool):
            raise BadInput(f"a population's {name} is {number!r}; it must be a whole number")
    found = population.size  # type: ignore[attr-defined]
    if found != size:
        raise BadInput(
            f"start() gives a population of {found} members for {size} hyperparameters; "
            "it must have a member for each"
        )


def scores(
    metrics: Mapping[str, np.ndarray], objective: str, size: int, by: str = "evaluate()"
) -> dict[str, np.ndarray]:
    """What a population of `size` members measured, each an array of floats, the objective among them.
    `by`: what gave it.

    NaN and infinite numbers are scores, too: of members that diverged. Raises `BadInput` for a
    population that does not keep to the protocol.
    """
    found = check_metrics(metrics, size, by)
    if objective not in found:
        raise BadInput(
            f"{by} gives {', '.join(map(repr, found)) or 'nothing'}, but not the objective "
            f"{objective!r}: {nearest(objective, found)}Objective(metric) names one of what "
            f"{by} gives; for a Keras model: 'loss', and what keras_population(metrics=…) names"
        )
    return found


def check_metrics(metrics: object, size: int, by: str = "evaluate()") -> dict[str, np.ndarray]:
    """What a population of `size` members measured, each metric an array of floats, shape (size,).

    Raises `BadInput` for anything but one real number for each member and metric.
    """
    if not isinstance(metrics, Mapping):
        raise BadInput(
            f"{by} gives a {type(metrics).__name__}; it must give a dictionary, "
            "metric -> an array with a number for each member"
        )
    for name in metrics:
        if not isinstance(name, str) or not 0 < len(name) <= 200 or CONTROL.search(name):
            raise BadInput(
                f"{by} gives a metric named {name!r}; a name must be text of a line, of 200 "
                "characters at most"
            )
    return {
        name: _numbers(f"{by} gives {name!r}", values, size) for name, values in metrics.items()
    }


def _numbers(what: str, values: object, size: int) -> np.ndarray:
    rule = f"it must be ({size},), a number for each member"
    try:
        array = np.asarray(values)
    except Exception as error:
        raise BadInput(f"{what}, which is no array: {error}; {rule}") from None
    if array.shape != (size,):
        raise BadInput(f"{what} with shape {array.shape}; {rule}")
    if array.dtype.kind in "OUSTcMm" or np.ma.is_masked(values):
        some = next(
            (v for v in array.tolist() if not isinstance(v, int | float)), array.tolist()[0]
        )
        raise BadInput(
            f"{what} as {some!r}, of {array.dtype}; "
            "it must be a real number for each member, NaN where there is none"
        )
    return array.astype(float)


def check_state(state: object) -> None:
    """Raise `BadInput` for what is no state: a dictionary of arrays that hold no Python objects."""
    if not isinstance(state, Mapping):
        raise BadInput(
            f"state() gives a {type(state).__name__}; it must give a dictionary, name -> array"
        )
    for name, array in state.items():
        if not isinstance(name, str):
            raise BadInput(f"state() gives an array named {name!r}; a name must be text")
        if not isinstance(array, np.ndarray | np.generic):
            raise BadInput(
                f"state() gives {name!r} as a {type(array).__name__}; it must be an array of NumPy's"
            )
        if array.dtype.hasobject:
            raise BadInput(
                f"state() gives {name!r} as an array of Python objects, which can't travel; "
                "it must hold numbers or text"
            )
