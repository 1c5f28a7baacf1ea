"""The fixture `pbt_benchmark`: the runs of a study as the rounds of a benchmark, a seed a round."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pbtbench import catalogue, machine
from pbtbench.errors import BadInput, RunsFailed
from pbtbench.problem import Problem
from pbtbench.regression import FIXTURE
from pbtbench.regression.clock import advance
from pbtbench.regression.exchange import extra_info
from pbtbench.regression.result import Result, in_rounds
from pbtbench.running.observer import Observer
from pbtbench.running.runner import session
from pbtbench.store import Store
from pbtbench.study import Study

if TYPE_CHECKING:
    from pbtbench.runs import Run

ROUNDS = 5

SINGULAR = {
    "problem": "problems",
    "method": "methods",
    "engine": "engines",
    "transport": "transports",
    "interval": "intervals",
    "target": "targets",
}
"""A key that a benchmark may give one value for -> the study's own, which takes a list."""


class PbtBenchmark:
    """The fixture: called once in a test, with the keys of a study."""

    def __init__(self, benchmark: Any, test: ModuleType, folder: Path) -> None:
        """`benchmark`: pytest-benchmark's fixture. `test`: the module that the test stands in. `folder`: where
        the runs are kept, a new one."""
        self._benchmark, self._test, self._folder = benchmark, test, folder

    def __call__(
        self, study: str | None = None, *, rounds: int | None = None, **keys: Any
    ) -> Result:
        """Run a study a seed a round, and give what was measured.

        `study`: one that ships, or a path that ends in `.toml`; `keys`, those of a study file, go before its
        own. Of a key that takes a list, one value may be given in the singular: `problem`, `method`,
        `interval`, `engine`, `transport`, `target`. A problem, or a trainable, may be the object itself, if it
        has a name in a module's file, where a worker process can find it. `rounds`: how many seeds; by
        default the study's own, or 5.

        Raises `BadInput` for what can't be run, `RunsFailed` if a run crashed or hung.
        """
        planned = self._planned(study, rounds, keys)
        seeds: dict[int, list[Run]] = {}
        for run in planned.runs:
            seeds.setdefault(run.seed, []).append(run)
        store = Store.claim(self._folder)
        with store.locked():
            store.write_machine(machine.describe())
            with session(planned, store, Observer()) as under_way:
                self._timed(under_way.execute, seeds.values())
            measures = store.runs()
        failed = [f"{m.run.id}: {m.cause}: {m.message}" for m in measures if m.cause]
        if failed:
            raise RunsFailed("\n".join(failed))
        result = in_rounds(measures)
        self._benchmark.extra_info.update(extra_info(result, machine.facts()))
        return result

    def _planned(self, study: str | None, rounds: int | None, keys: Mapping[str, Any]) -> Study:
        given: dict[str, Any] = {}
        for key, value in keys.items():
            several = SINGULAR.get(key)
            if several is None or isinstance(value, Mapping):  # such as the options of a method
                given[key] = value
            elif several in keys:
                raise BadInput(f"{FIXTURE}: both {key} and {several} are given; give one of them")
            else:
                given[several] = [value]
        if "problems" in given:
            given["problems"] = [self._reference(problem) for problem in _listed(given["problems"])]
        if rounds is not None:
            if "seeds" in given:
                raise BadInput(
                    "both rounds and seeds are given: they are the same; give one of them"
                )
            given["seeds"] = rounds
        elif study is None:
            given.setdefault("seeds", ROUNDS)
        if study is None and "problems" not in given:
            raise BadInput(f"{FIXTURE}: nothing to run: give a problem, or a study")
        return Study.load(study, given) if study else Study.plan(given, FIXTURE)

    def _reference(self, problem: Any) -> Any:
        """The text by which a worker process finds a problem."""
        if isinstance(problem, str):
            return problem
        if isinstance(problem, Problem) and problem.name in catalogue.names():
            return problem.name
        for module in (self._test, *sys.modules.copy().values()):
            file = getattr(module, "__file__", None)
            if file is None or not file.endswith(".py"):
                continue
            for name, value in vars(module).items():
                if value is problem:
                    return f"{file}:{name}"
        title = getattr(problem, "title", None) or type(problem).__name__
        raise BadInput(
            f"problem {title!r}: no module has it under a name, so that no worker process can find it; "
            "give it one at the top of a file: PROBLEM = …"
        )

    def _timed(self, execute: Callable[[Run], dict[str, Any]], seeds: Iterable[list[Run]]) -> None:
        """Have each seed's runs be a round. Every other one runs them in the other order, so that what changes
        with time falls on all alike."""
        ahead = enumerate(seeds)

        def of_the_next_seed() -> tuple[tuple[list[Run]], dict[str, Any]]:
            number, runs = next(ahead)
            return (runs[::-1] if number % 2 else runs,), {}

        def once(runs: list[Run]) -> None:
            for run in runs:
                advance(execute(run)["wall_s"])

        self._benchmark.pedantic(once, setup=of_the_next_seed, rounds=len([*seeds]))


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value]
