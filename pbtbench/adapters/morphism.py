"""Network morphisms: a member's state made to fit the same network with other widths.

Growing keeps the network's function: new units have fresh weights on their way in, so that they can
learn, and zeros on their way out (after Net2Net, Chen et al. 2016, which copies units instead).
Shrinking drops the units of least magnitude, by the l1 norm of the weights in and out of them, or, to
compare, the last ones. Optimizer slots go with their weights, and are 0 for new units.

Units are followed through a chain of layers: from the axis of the weights that makes them, past what
leaves them as they are, to the axis of the weights that takes them in.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pbtbench.adapters.keras_internals import takes_from
from pbtbench.adapters.program import Program
from pbtbench.adapters.recipe import Rule
from pbtbench.errors import BadInput
from pbtbench.population import State

PASSING = (
    *("InputLayer", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D"),
    *("SpatialDropout2D", "Flatten", "MaxPooling1D", "MaxPooling2D", "AveragePooling1D"),
    *("AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D"),
    *("UpSampling1D", "UpSampling2D"),
)
"""Layers without weights that treat every unit alike, and keep them in their order."""

GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


@dataclass(frozen=True)
class Axis:
    """Where a weight has an axis along which a layer's units lie."""

    weight: str
    axis: int
    role: Literal["in", "out", "own"]
    """Of the weight, to the units: it leads in to them, out of them, or is a number of their own."""
    blocks: int = 1
    """How often the units follow one another along the axis: positions after flattening, or gates."""


@dataclass
class Units:
    """A layer's units: all axes along which they lie."""

    layer: str
    width: int
    axes: list[Axis] = field(default_factory=list)
    stopped_by: str = ""
    """The layer that they can't be followed through, if any."""


def morphed(state: State, program: Program, rule: Rule) -> State:
    """The state, made to fit a program of the same network with other widths. It is itself where all
    shapes are the same.

    Raises `BadInput` where a layer can't be morphed, or states differ by more than widths.
    """
    shapes = {name: tuple(v.shape) for name, v in program.variables.items()}
    if all(state[name].shape == shape for name, shape in shapes.items() if name in state):
        return state
    for name, shape in shapes.items():
        if name not in state or state[name].ndim != len(shape):
            what = (
                "has no"
                if name not in state
                else f"has {state[name].ndim} axes, not {len(shape)}, for"
            )
            raise BadInput(
                f"a state can't be morphed: it {what} {name!r}; it is of another network"
            )
    found = dict(state)
    for units in followed(program):
        had = {state[a.weight].shape[a.axis] // a.blocks for a in units.axes}
        if had == {units.width}:
            continue
        if units.stopped_by:
            raise BadInput(
                f"layer {units.layer!r} can't be morphed from {max(had)} to {units.width} units: they "
                f"go through {units.stopped_by}, which is not known to treat them alike; keep the "
                "width as it is, or leave that layer out"
            )
        if len(had) > 1:
            raise BadInput(
                f"a state can't be morphed: its weights around layer {units.layer!r} have room for "
                f"{' and '.join(map(str, sorted(had)))} units; it is of another network"
            )
        (width,) = had
        kept = _kept(state, units, width, rule)
        for axis in units.axes:
            found.update(_resized(found, axis, kept, width, units.width))
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise BadInput(
                f"a state can't be morphed: {name!r} has shape {state[name].shape}, where the network "
                f"has {shape}, which is no matter of a layer's width"
            )
    return found


def followed(program: Program) -> list[Units]:
    """The units of all layers that make some, in the order of the layers."""
    names = {id(variable): name for name, variable in program.variables.items()}
    found: list[Units] = []
    now: Units | None = None
    for layer in _chain(program.model):
        kind = type(layer).__name__
        weights = {w.name: (names[id(w)], tuple(w.shape)) for w in layer.weights if id(w) in names}
        if now is not None:
            now.axes += _taken_in(kind, weights, now.width)
        if kind == "BatchNormalization" and now is not None:
            blocks = weights["moving_mean"][1][0] // now.width
            now.axes += [Axis(name, 0, "own", blocks) for name, _ in weights.values()]
        elif made := _made(layer, kind, weights):
            now = made
            found.append(now)
        elif kind not in PASSING:
            if now is not None:
                now.stopped_by = f"{kind} {layer.name!r}"
            now = None
    return found


def _chain(model: Any) -> list[Any]:
    """The model's layers, if each takes the one before it; else it says where it branches."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    for layer in layers:
        if takes_from(layer) > 1:
            raise BadInput(
                f"a network that branches can't be morphed: layer {layer.name!r} takes several; build "
                "a chain of layers"
            )
    return layers


def _taken_in(
    kind: str, weights: Mapping[str, tuple[str, tuple[int, ...]]], width: int
) -> Iterator[Axis]:
    """The axes along which a layer takes in the units before it."""
    if kind == "Dense" or kind in GATES:
        name, shape = weights["kernel"]
        yield Axis(name, 0, "out", shape[0] // width)
    elif kind in ("Conv1D", "Conv2D"):
        name, shape = weights["kernel"]
        yield Axis(name, len(shape) - 2, "out")


def _made(
    layer: Any, kind: str, weights: Mapping[str, tuple[str, tuple[int, ...]]]
) -> Units | None:
    """The units that a layer makes; None if it is none that is known to make some."""
    if kind == "Embedding":
        name, shape = weights["embeddings"]
        return Units(layer.name, shape[1], [Axis(name, 1, "in")])
    if kind == "Dense" or (kind in ("Conv1D", "Conv2D") and layer.groups == 1):
        name, shape = weights["kernel"]
        axes = [Axis(name, len(shape) - 1, "in")]
        if "bias" in weights:
            axes.append(Axis(weights["bias"][0], 0, "own"))
        return Units(layer.name, shape[-1], axes)
    if kind in GATES:
        gates = GATES[kind]
        recurrent = weights["recurrent_kernel"][0]
        axes = [
            Axis(weights["kernel"][0], 1, "in", gates),
            Axis(recurrent, 1, "in", gates),
            Axis(recurrent, 0, "out"),
        ]
        if "bias" in weights:
            name, shape = weights["bias"]
            axes.append(Axis(name, len(shape) - 1, "own", gates))
        return Units(layer.name, layer.units, axes)
    return None


def _kept(state: State, units: Units, width: int, rule: Rule) -> np.ndarray:
    """The units that stay, in their order."""
    if units.width >= width:
        return np.arange(width)
    if rule == "truncation":
        return np.arange(units.width)
    magnitude = np.zeros(width)
    for axis in units.axes:
        if axis.role != "own":
            along = np.abs(np.moveaxis(state[axis.weight], axis.axis, 0))
            magnitude += along.reshape(axis.blocks, width, -1).sum(axis=(0, 2))
    return np.asarray(np.sort(np.argsort(-magnitude, kind="stable")[: units.width]))


def _resized(
    state: State, axis: Axis, kept: np.ndarray, before: int, after: int
) -> Iterator[tuple[str, np.ndarray]]:
    """A weight and its slots with the units that are kept, and new ones up to `after`."""
    stem = axis.weight.removeprefix("weights/")
    slots = [name for name in state if name.startswith(f"optimizer/{stem}/")]
    for name in (axis.weight, *slots):
        array = np.moveaxis(state[name], axis.axis, 0)
        blocks = array.reshape(axis.blocks, before, *array.shape[1:])[:, kept]
        more = max(0, after - before)
        shape = (axis.blocks, more, *array.shape[1:])
        new = np.zeros(shape, array.dtype)
        if name == axis.weight and more:
            new = _new(state, axis, shape).astype(array.dtype)
        joined = np.concatenate([blocks, new], axis=1)
        joined = joined.reshape(axis.blocks * after, *array.shape[1:])
        yield name, np.ascontiguousarray(np.moveaxis(joined, 0, axis.axis))


def _new(state: State, axis: Axis, shape: tuple[int, ...]) -> np.ndarray:
    """What new units have in a weight: on the way in, uniform after Glorot and Bengio 2010, drawn from
    the step and the weight's name; zeros on the way out; and numbers of their own as layers begin with."""
    if axis.role == "out":
        return np.zeros(shape)
    if axis.role == "own":
        ones = axis.weight.endswith(("gamma", "moving_variance"))
        return np.ones(shape) if ones else np.zeros(shape)
    array = state[axis.weight]
    fans = array.size / array.shape[-1] + array.shape[-1]
    seed = [int(state["step"]), zlib.crc32(axis.weight.encode())]
    return np.asarray(np.random.default_rng(seed).uniform(-1, 1, shape) * np.sqrt(6 / fans))
