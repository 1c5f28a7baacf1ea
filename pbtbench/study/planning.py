"""Cells become runs: each is checked with all that it names, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pbtbench import catalogue, engines, methods
from pbtbench.adapters.trainable import requested
from pbtbench.errors import BadInput
from pbtbench.methods import Method
from pbtbench.problem import Card, Problem, card, method_rng
from pbtbench.runs import Cluster, Run
from pbtbench.study.cells import Cell, method, of_sweep
from pbtbench.study.declaration import Declaration, Sweep, sweeps
from pbtbench.user_code.guard import guarded

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What a declaration comes to."""

    runs: tuple[Run, ...]
    left_out: tuple[str, ...]
    """Why problems are left out, a line each."""
    cells: dict[str, Cell]
    """By name, also those of problems that are left out."""


def plan(declared: Declaration, where: str) -> Plan:
    """Lay out the runs of a resolved declaration. One engine after another; within one, seed by seed."""
    planner = _Planner(declared)
    cells: dict[str, Cell] = {}
    first: dict[str, Run] = {}
    left_out: dict[str, None] = {}
    for sweep in sweeps(declared, where):
        try:
            planner.check_tables()
            for cell in of_sweep(sweep, declared):
                name = cell.name
                if name not in cells or cells[name].seeds < cell.seeds:
                    cells[name] = cell
                if why := planner.missing(cell):
                    left_out[why] = None
                    continue
                run = planner.run(cell)
                if first.setdefault(name, run) != run:
                    raise BadInput(
                        f"two sweeps plan {run.id} with different settings; "
                        "give the sweeps a label each, or a method variant another name"
                    )
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from None
    if not first:
        raise BadInput(f"{where}: nothing to run: {next(iter(left_out))}")
    return Plan(tuple(_in_order(first, cells)), tuple(left_out), cells)


def _in_order(first: dict[str, Run], cells: dict[str, Cell]) -> Iterator[Run]:
    of_engines: dict[str, list[Run]] = {}
    for run in first.values():
        of_engines.setdefault(run.engine, []).append(run)
    for runs in of_engines.values():
        for seed in range(max(cells[run.cell].seeds for run in runs)):
            for run in runs:
                if seed < cells[run.cell].seeds:
                    yield run.at_seed(seed)


@cache
def _problem(reference: str) -> Problem:
    return catalogue.problem(reference)


@dataclass(frozen=True)
class _Of:
    """What the cells of a sweep with one problem have in common."""

    problem: Problem
    iterations: int
    targets: tuple[float, ...]
    card: Card


@dataclass
class _Planner:
    """Makes the first run of each cell. What several cells have in common is made and checked once."""

    declared: Declaration
    made: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def check_tables(self) -> None:
        """Raise `BadInput` for options of a method or an engine that don't fit, also if nothing uses it."""
        for name in self.declared.method:
            kind, _ = method(self.declared, name)
            self._method(name, 1 if methods.uses_interval(kind) else None)
        for name in self.declared.engine:
            self._engine_options(name)

    def missing(self, cell: Cell) -> str:
        """Why the cell's problem is left out; empty if it isn't."""
        if not cell.sweep.where_installed:
            return ""
        try:
            _problem(cell.problem).check_installed()
        except BadInput as error:
            return str(error)
        return ""

    def run(self, cell: Cell) -> Run:
        """The run with seed 0."""
        of = self._once(lambda: _of(cell), "problem", id(cell.sweep), cell.problem)
        kind, options = method(self.declared, cell.method)
        return Run(
            id=f"{cell.name}/s0",
            problem=cell.problem,
            problem_name=cell.problem_name,
            problem_options=cell.sweep.options,
            method=cell.method,
            kind=kind,
            method_options=options,
            interval=cell.interval,
            synchronous=self._checked_method(cell, of, kind).synchronous,
            engine=cell.engine,
            engine_label=cell.engine_label,
            engine_options=self._engine_options(cell.engine),
            transport=cell.transport,
            cluster=self._once(
                lambda: _cluster(cell.sweep, of.problem, cell.engine),
                *("cluster", id(cell.sweep), cell.problem, cell.engine),
            ),
            seed=0,
            population=cell.sweep.population,
            workers=cell.sweep.workers,
            iterations=of.iterations,
            targets=of.targets,
            limit_s=cell.sweep.limit_s,
            card=of.card,
            sources=self._once(
                lambda: catalogue.sources(cell.problem, options),
                *("sources", cell.problem, str(options.get("explore", ""))),
            ),
        )

    def _checked_method(self, cell: Cell, of: _Of, kind: str) -> Method:
        if (only := methods.only_on(kind)) not in (None, cell.engine):
            raise BadInput(
                f"method {cell.method!r} runs on engine {only!r} only, not on {cell.engine!r}"
            )
        problem, engine = of.problem, cell.engine
        if (only := problem.starter.only_on) not in (None, engine):
            raise BadInput(
                f"problem {problem.name!r} is a function trainable, which runs on engine {only!r} only, not on "
                f"{engine!r}; for that one, make it a class with setup, step, save_checkpoint and "
                "load_checkpoint"
            )
        options = self._engine_options(engine)
        found = self._method(cell.method, cell.interval)
        try:
            found.check(cell.sweep.population, of.iterations)
        except BadInput as error:
            raise BadInput(f"method {cell.method!r} on {problem.name}: {error}") from None
        self._once(
            lambda: _try_space(problem, found, cell.sweep.population),
            *("space", cell.problem, cell.method, cell.sweep.population),
        )
        engines.engine(engine).check(problem, found, options)
        return found

    def _method(self, name: str, interval: int | None) -> Method:
        kind, options = method(self.declared, name)
        return self._once(lambda: methods.build(kind, interval, options), "method", name, interval)

    def _engine_options(self, name: str) -> dict[str, Any]:
        given = self.declared.engine.get(name, {})
        return self._once(lambda: engines.with_options(name, given), "engine", name)

    def _once(self, make: Callable[[], T], *key: Any) -> T:
        if key not in self.made:
            self.made[key] = make()
        found: T = self.made[key]
        return found


def _of(cell: Cell) -> _Of:
    sweep, problem = cell.sweep, _problem(cell.problem)
    problem.check_installed()
    problem.with_options(sweep.options)
    iterations = sweep.iterations or max(1, round(sweep.budget * problem.iterations))
    targets = problem.objective.targets if cell.targets is None else cell.targets
    for target in targets:
        problem.objective.check_target(target)
    as_it_is = iterations == problem.iterations and not sweep.options
    return _Of(problem, iterations, targets, card(problem, as_it_is=as_it_is))


def _try_space(problem: Problem, found: Method, population: int) -> None:
    """What members start with is the same at any interval."""
    with guarded(f"the space of problem {problem.name!r} can't be drawn from"):
        found.propose(problem.space, population, method_rng(0))


def _cluster(sweep: Sweep, problem: Problem, engine: str) -> Cluster:
    if sweep.address is not None and sweep.nodes is not None:
        raise BadInput("address and nodes: give one; nodes starts a cluster, address takes one")
    if sweep.cpus_per_node is not None and sweep.nodes is None:
        raise BadInput("cpus_per_node: give nodes, too; it is for a cluster that is started here")
    keys = ("address", "nodes", "cpus_per_node", "cpus_per_worker", "gpus_per_worker")
    given = {key: value for key in keys if (value := getattr(sweep, key)) is not None}
    asked = requested(problem) if engines.engine(engine).distributed else {}
    return Cluster(**{**asked, **given})
