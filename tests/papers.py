"""Papers of studies made by hand."""

from __future__ import annotations

from fabricated import NAN, a_run, an_outcome, fork, score, started, timed
from reported import InMemory, measured

from pbtbench.problem import Card, Objective
from pbtbench.report.paper import paper_files

BAD = "%_&#{}\\^~$|<>\"'`-- [x] éął²λ中😀 @a, ,,?`"
"""All that means something to LaTeX or BibTeX, and letters that few documents know."""


def a_paper(folder, pairs, columns=None, title="a study"):
    """Path within `paper/` -> what is in the file."""
    pairs = list(pairs)
    folder.mkdir(exist_ok=True)
    store = InMemory(folder, records={run.id: o.record for run, o in pairs}, titled=title)
    found = paper_files(store, measured(pairs), columns)
    return {name.removeprefix("paper/"): data for name, data in found.items()}


def of_hostile_names():
    """Names that would be commands; long ones; scores that are no numbers; runs that all failed."""
    metric = f"[{BAD}"
    hostile = Card(
        title=f"{BAD}{{",
        source=f"}} {BAD}",
        finding=BAD,
        objective=Objective(metric, "max"),
        hyperparameters={BAD: "LogUniform(low=0.001, high=1.0, dynamic=True)"},
        dynamic=(BAD,),
    )
    endless = Card("", "", "", Objective("m" * 300, "min"), {}, ())
    for seed in (0, 1):
        for k in (1, 2):
            about = {"problem": f"[{BAD}", "method": f"*{BAD}", "engine": f"({BAD}"}
            run = a_run(
                **about, interval=k, seed=seed, card=hostile, targets=(0.7,), id=f"bad{k}{seed}",
                method_options={BAD: BAD},
            )  # fmt: skip
            yield run, forked(metric)
        long = {"problem": "long" * 400, "method": "[long" * 300}
        yield a_run(**long, seed=seed, card=endless, id=f"long{seed}"), an_outcome()
        for method, value in (
            ("infinite", float("inf")),
            ("none", NAN),
            ("huge", 1e-9 + 3e9 * seed),
        ):
            run = a_run(
                problem="one", method=method, seed=seed, targets=(0.2,), id=f"{method}{seed}"
            )
            yield run, an_outcome(score(1, 0, 1, value))
        crash = an_outcome(cause="crash", message=BAD)
        yield a_run(problem="failed", method="x", seed=seed, id=f"failed{seed}"), crash


def forked(metric):
    return an_outcome(
        started(0, **{BAD: 0.1}), started(1, **{BAD: 0.4}), timed("train", 0.1, 3),
        score(1, 0, 1, 0.5, metric=metric), score(1, 1, 1, 0.2, metric=metric),
        timed("save", 1, 0.1, member=0, iteration=1, size=800),
        fork(2, 1, 0, 1, old={BAD: 0.4}, new={BAD: 0.08}),
        score(3, 0, 2, 0.6, metric=metric), score(3, 1, 2, 0.7, metric=metric),
    )  # fmt: skip
