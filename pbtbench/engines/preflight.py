"""What is tried of a problem once, before any run of it starts and before any clock: two members are made,
trained for a step, evaluated and looked at.

It refuses a problem that could not be run at all, before others are run; and it pays, in the process
that makes the runs, for what is no run's own cost: imports, and whatever a framework does at its first
steps. What fails otherwise fails in the runs, where it is recorded.
"""

from __future__ import annotations

import importlib
import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from pbtbench import catalogue
from pbtbench.errors import BadInput
from pbtbench.problem import Problem, member_seed, method_rng
from pbtbench.process import Terminated
from pbtbench.protocol import check_state, scores
from pbtbench.space.columns import rows
from pbtbench.user_code import tracebacks

if TYPE_CHECKING:
    from pbtbench.runs import Run

SIZE = 2
"""Members that are made."""


def refusal(run: Run) -> str:
    """Why the run's problem can't be run; empty if it can be, as far as a trial shows."""
    return _refusal(run.problem, json.dumps(run.problem_options), min(SIZE, run.population))


@cache
def _refusal(reference: str, options: str, size: int) -> str:
    problem = afresh(catalogue.problem(reference))
    try:
        _try(problem, json.loads(options), size)
    except Terminated:
        raise
    except BadInput as error:
        return tracebacks.line(error)
    except BaseException:
        return ""
    return ""


def _try(problem: Problem, options: dict[str, object], size: int) -> None:
    if problem.framework:
        importlib.import_module(problem.framework)
    problem.starter.check(**problem.with_options(options))
    proposed = rows(problem.space.sample(method_rng(0), size))
    seeds = [member_seed(0, member) for member in range(size)]
    population = problem.population(proposed, seeds, options)
    population.train(1)
    scores(population.evaluate(), problem.objective.metric, size)
    check_state(population.state(0))


def afresh(problem: Problem) -> Problem:
    """The problem without what it may have compiled before: every run compiles for itself."""
    return replace(problem, start=deepcopy(problem.start))
