"""What a user's Keras model comes as: how to build it, its data, its space, and what to measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

from pbtbench.adapters.dynamic import within
from pbtbench.adapters.examples import Data, Examples, load
from pbtbench.space import Hyperparameters, Space, Value

Build = Callable[[Mapping[str, Any]], Any]
"""`build(hyper)`: a model, an optimizer and a loss, or a compiled model; made anew at every call. `hyper`
holds a `DynamicNumber` for each dynamic hyperparameter of real numbers, and the plain value of any other."""


Rule = Literal["magnitude", "truncation"]
RULES = ("magnitude", "truncation")
"""By which of a layer's units are dropped where a network shrinks (`adapters.morphism`)."""


@dataclass(frozen=True)
class Recipe:
    """What programs are made from, with the data, loaded once."""

    space: Space
    build: Build
    data: Data
    batch_size: int
    metrics: Any
    class_weight: Mapping[int, float] | None = None
    widths: tuple[str, ...] = ()
    rule: Rule = "magnitude"

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, tuple(getattr(self, f.name) for f in fields(self))

    def __deepcopy__(self, memo: object) -> Recipe:
        """Without the data."""
        return replace(self)

    @cached_property
    def dynamic_numbers(self) -> dict[str, float]:
        """The dynamic hyperparameters of real numbers, each with one of its values. Others, such as a
        choice of names, whole numbers, and widths, count as static here: each value has its own program."""
        dynamic = [name for name in self.space.dynamic if name not in self.widths]
        numbers = {name: within(self.space[name]) for name in dynamic}
        return {name: number for name, number in numbers.items() if number is not None}

    def present(self, hyperparameters: Hyperparameters) -> Any:
        """The values of the dynamic numbers among `hyperparameters`, shape (dynamic numbers,)."""
        import tensorflow as tf

        return tf.constant(
            [float(hyperparameters[name]) for name in self.dynamic_numbers] or [0.0],
            dtype=tf.float32,
        )

    @cached_property
    def examples(self) -> dict[str, Examples]:
        """The data on the device, loaded once."""
        return load(self.data, self.class_weight)

    def static(self, hyperparameters: Hyperparameters) -> dict[str, Value]:
        """Those among `hyperparameters` that a program is made for."""
        return {
            name: hyperparameters[name] for name in self.space if name not in self.dynamic_numbers
        }
