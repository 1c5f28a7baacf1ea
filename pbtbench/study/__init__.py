"""A study: the declared experiment, and the flat list of runs that it comes to.

    name = "mine"
    problems = ["toy.noisy_quadratic"]
    methods = ["pbt", "random", "wide"]
    intervals = [1, 10]
    [method.wide]            # a variant: another name for a method with options
    is = "pbt"
    perturbation_factors = [0.5, 2.0]
    [[sweep]]                # as many as wanted: each plans more runs, the keys above overridden
    engines = ["tune"]
    seeds = 1

Without problems above them, the sweeps are all there is. Keys that are not given have the
problem's or this package's defaults. Nothing here imports Ray or TensorFlow, or reads a clock.

`declaration`: what may be declared. `cells`: what it spans. `planning`: cells become runs. `growth`: what
a folder has of them already. `sweeps`: cells become a declaration again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from pbtbench.runs import Run
from pbtbench.study import declaration
from pbtbench.study.cells import Cell
from pbtbench.study.declaration import Declaration
from pbtbench.study.planning import plan


@dataclass(frozen=True)
class Study:
    """A validated declaration and its runs."""

    declaration: Declaration
    runs: tuple[Run, ...]
    left_out: tuple[str, ...] = ()
    """Why problems are left out of a study that takes those `where_installed`."""
    cells: Mapping[str, Cell] = field(default_factory=dict, compare=False, repr=False)
    """Name of a cell, as `Run.cell` -> what is declared of it, also of problems that are left out."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.declaration.name

    def to_toml(self) -> str:
        """The study as resolved: enough to run it again."""
        return to_toml(self.declaration)

    @classmethod
    def load(
        cls,
        reference: str | None,
        overrides: Mapping[str, Any] | None = None,
        *,
        quick: bool = False,
    ) -> Study:
        """A study by the name of one that ships, or by path; None for an empty one.

        `overrides` replace keys in it and in all of its sweeps, as its table `[quick]` does if `quick`.
        Raises `BadInput`.
        """
        keys, where, over = declaration.read(reference, overrides or {}, quick=quick)
        return cls.plan(keys, where, over)

    @classmethod
    def plan(
        cls,
        keys: Mapping[str, Any],
        where: str = "study",
        overrides: Mapping[str, Any] | None = None,
    ) -> Study:
        """Validate a study's keys and lay out its runs.

        One engine after another, so that nobody's servers run beside another's measurements; within
        an engine seed by seed, so that methods that are compared run side by side.
        """
        declared = declaration.resolved(keys, where, overrides)
        planned = plan(declared, where)
        return cls(declared, planned.runs, planned.left_out, planned.cells)


def to_toml(declared: Declaration) -> str:
    """A declaration as the text of a study file."""
    return tomli_w.dumps(declared.model_dump(exclude_none=True))
