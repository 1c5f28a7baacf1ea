"""Benchmarks of population based training (PBT) against other hyperparameter searches.

Reading order, which is the way of the data:

1. `space`, `population`, `problem`, `protocol`, `catalogue`: what is tuned, what is trained, and the
   named problems; `adapters` make populations of a framework's models, of pure functions, of a user's
   trainables; `summaries` is where these write by `tf.summary`; `user_code` is how what users bring is
   found and held off;
2. `methods`: pure decisions (random search, grid search, PBT);
3. `runs`, `study`: one run, and the declared experiment that comes to many;
4. `engines`: what executes a run and times it (one process, our own on Ray, Ray Tune), in a `process` whose
   `process_memory` is known;
5. `record`, `recorder`, `store`: what an engine emits, how it is collected, and the folder that keeps it;
6. `running`: a study run by run, each guarded in a child process;
7. `measures`, `statistics`, then `report`: numbers from records, estimates from many runs' numbers, and
   sentences, tables, figures and pages from these; `tensorboard`: events from records;
8. `results`: what a folder keeps, from Python (`running.whole_study` runs it); `cli` is the command line, a
   thin layer over it.

Public names load on first use, so that importing the package stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pbtbench.errors import BadInput
    from pbtbench.population import LoopedPopulation, Population, State
    from pbtbench.problem import Objective, Problem
    from pbtbench.record import Record
    from pbtbench.results import Results, load
    from pbtbench.running.whole_study import run
    from pbtbench.runs import Run
    from pbtbench.space import (
        Choice,
        Constant,
        Hyperparameters,
        IntUniform,
        LogIntUniform,
        LogUniform,
        Sampler,
        Space,
        Uniform,
    )
    from pbtbench.study import Study

__version__ = "0.1.0"

_HOME = {
    "BadInput": "errors",
    "Choice": "space",
    "Constant": "space",
    "Hyperparameters": "space",
    "IntUniform": "space",
    "LogIntUniform": "space",
    "LogUniform": "space",
    "LoopedPopulation": "population",
    "Objective": "problem",
    "Population": "population",
    "Problem": "problem",
    "Record": "record",
    "Results": "results",
    "Run": "runs",
    "Sampler": "space",
    "Space": "space",
    "State": "population",
    "Study": "study",
    "Uniform": "space",
    "load": "results",
    "run": "running.whole_study",
}

__all__ = [
    "BadInput",
    "Choice",
    "Constant",
    "Hyperparameters",
    "IntUniform",
    "LogIntUniform",
    "LogUniform",
    "LoopedPopulation",
    "Objective",
    "Population",
    "Problem",
    "Record",
    "Results",
    "Run",
    "Sampler",
    "Space",
    "State",
    "Study",
    "Uniform",
    "__version__",
    "load",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pbtbench' has no attribute {name!r}")
    return getattr(import_module(f"pbtbench.{_HOME[name]}"), name)
