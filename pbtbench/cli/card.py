"""All that is known of one problem, on the terminal."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbtbench.cli.listing import GAP, numbers, print_indented, tested_on
from pbtbench.cli.priors import prior
from pbtbench.problem import Objective, Problem


def print_problem(problem: Problem, reference: str, console: Console) -> None:
    """Print all that is known of a problem, and how to run it by the `reference` that it was asked for."""
    console.print(Text(problem.name, "bold"), Text(problem.title), soft_wrap=True)
    rows = Table.grid(padding=(0, GAP, 0, 0))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for name, lines in _card(problem).items():
        for place, line in enumerate(lines):
            rows.add_row(Text("" if place else name, "dim"), Text(line))
    print_indented(rows, console)
    command = f"pbtbench run --problems {shlex.quote(reference)} --methods pbt,random"
    console.print(f"\nto run it: {command}", highlight=False, markup=False, soft_wrap=True)


def _card(problem: Problem) -> dict[str, list[str]]:
    """Name -> lines."""
    objective = problem.objective
    width = max(map(len, problem.space))
    return {
        **_made_with(problem),
        "source": [problem.source],
        "finding": [problem.finding or "none stated"],
        "objective": [_objective(objective)],
        "tested on": [tested_on(problem)],
        "targets": [numbers(objective.targets) or "none"],
        "budget": [
            f"{problem.iterations} iterations of {problem.steps_per_iteration} "
            + ("step" if problem.steps_per_iteration == 1 else "steps")
        ],
        "hyperparameters": [
            f"{name:<{width}}  {prior(h)}; {'dynamic' if h.dynamic else 'static'}"
            for name, h in problem.space.items()
        ],
        "options": [f"{name} = {value!r}" for name, value in problem.options.items()] or ["none"],
        "requires": [
            f"{module}: {'not installed: ' if module in problem.missing() else ''}{command}"
            for module, command in problem.requires.items()
        ]
        or ["nothing beyond pbtbench"],
        "downloads": [problem.download or "nothing"],
    }


def _made_with(problem: Problem) -> dict[str, list[str]]:
    """What trains: a framework, or a user's class; nothing where nobody says."""
    from pbtbench.adapters.trainable import TrainableStart

    if isinstance(problem.start, TrainableStart):
        objective, name = problem.objective, problem.start.trainable.__name__
        return {
            "trainable": [
                f'{name} of Ray Tune, METRIC = "{objective.metric}", MODE = "{objective.goal}"'
            ]
        }
    return {"framework": [problem.framework]} if problem.framework else {}


def _objective(objective: Objective) -> str:
    known = [f"{objective.metric}, {'higher' if objective.sign > 0 else 'lower'} is better"]
    if objective.optimum is not None:
        known.append(f"optimum {objective.optimum:.6g}")
    elif objective.bound is not None:
        known.append(
            f"{'never above' if objective.sign > 0 else 'never below'} {objective.bound:g}"
        )
    return "; ".join(known)
