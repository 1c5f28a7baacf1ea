"""Compiled functions that are watched at their first call: nothing of a member may be kept out of its state."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbtbench.adapters.dynamic import named_refusals
from pbtbench.errors import BadInput


class Watched:
    """A compiled function. At its first call it is held to change no variables but those whose identities
    are `known`: what changes unseen would be lost at a fork, or leak from member to member. `what` it does
    stands in refusals."""

    def __init__(self, function: Any, known: set[int], what: str) -> None:
        self._function, self._known, self._what = function, known, what
        self._checked = False

    def __call__(self, *arguments: Any) -> Any:
        if self._checked:
            return self._function(*arguments)
        with named_refusals():
            traced = self._function.get_concrete_function(*arguments)
        self._check_draws(traced)
        unknown = [v for v in traced.graph.variables if id(v) not in self._known]
        before = [v.numpy() for v in unknown]
        found = self._function(*arguments)
        for variable, value in zip(unknown, before, strict=True):
            if not np.array_equal(variable.numpy(), value):
                raise BadInput(
                    f"{self._what} changes the variable {variable.name!r}, which is neither a weight of "
                    "the model nor a slot of its optimizer, and would mix members up; as a metric give "
                    "the object of keras.metrics itself, in a layer use self.add_weight"
                )
        self._checked = True
        return found

    def _check_draws(self, traced: Any) -> None:
        """Refuse random numbers that no member's seed reaches."""
        graph = traced.graph.as_graph_def(add_shapes=False)
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        for node in nodes:
            if node.op in UNSEEDED:
                raise BadInput(
                    f"{self._what} draws by TensorFlow's {node.op}, which doesn't follow a member's seed: "
                    "draw by keras.random, with a keras.random.SeedGenerator that is an attribute of a layer"
                )


UNSEEDED = {
    *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal"),
    *(
        "RandomShuffle",
        "RandomGamma",
        "RandomPoissonV2",
        "Multinomial",
        "ParameterizedTruncatedNormal",
    ),
}
"""Operations that draw from the state of TensorFlow's kernels."""
