"""Reports of runs made by hand, whose records stand in memory."""

from dataclasses import dataclass, field, replace

from fabricated import CAME_FROM, NAN, a_run, an_outcome, fork, score, started, timed

from pbtbench import report
from pbtbench.measures import measure
from pbtbench.store import Store


@dataclass(frozen=True)
class InMemory(Store):
    """A study's folder that holds nothing but its report."""

    records: dict = field(default_factory=dict)
    titled: str = "a study"

    def record(self, run):
        return self.records[run.id]

    def title(self):
        return self.titled

    def study_text(self):
        return f"name = {self.titled!r}\n"

    def declared(self):
        return {"name": self.titled}


def measured(pairs):
    return [replace(measure(run, outcome), provenance=CAME_FROM) for run, outcome in pairs]


def reported(folder, pairs, title="a study"):
    """The page of a report."""
    pairs = list(pairs)
    folder.mkdir(exist_ok=True)
    records = {run.id: outcome.record for run, outcome in pairs}
    return report.write(InMemory(folder, records=records, titled=title), measured(pairs))


def pbt_outcome(final=0.9, engine_cost=0.5):
    """Two members, three iterations; member 1 forks from member 0 after the first."""
    return an_outcome(
        started(0, rate=0.1),
        started(1, rate=0.4),
        timed("train", 0.1, 3),
        score(1, 0, 1, 0.5),
        score(1, 1, 1, 0.2),
        timed("save", 1, engine_cost, member=0, iteration=1, size=800),
        timed("restore", 1.5, engine_cost, member=1, iteration=1, size=800),
        fork(2, 1, 0, 1, old=0.4, new=0.08),
        score(3, 0, 2, 0.6),
        score(3, 1, 2, 0.7),
        score(4, 0, 3, 0.6),
        score(4, 1, 3, final),
    )


def a_study():
    """PBT at two intervals on two engines, random search, and a crash."""
    for seed in (0, 1):
        for engine, cost in (("inprocess", 0.01), ("tune", 1.5)):
            for interval in (1, 2):
                run = a_run(
                    method="pbt", interval=interval, engine=engine, seed=seed, targets=(0.7,)
                )
                yield run, pbt_outcome(0.9 - 0.1 * seed - 0.3 * (interval == 1), cost)
        outcome = an_outcome(score(1, 0, 1, 0.5), score(1, 1, 1, NAN), timed("train", 0, 1))
        yield a_run(seed=seed, targets=(0.7,)), outcome
    yield a_run(seed=2, targets=(0.7,)), an_outcome(cause="crash", message="RuntimeError: no luck")


def a_study_of_costs():
    """PBT and its control on a state of two sizes, on two engines whose shortest intervals differ."""
    for size, label in ((1000, "1kB"), (2000, "2kB")):
        about = {"problem": "synthetic.size", "problem_name": f"synthetic.size@{label}"}
        for engine, shortest, cost in (("inprocess", 1, 0.5), ("tune", 2, 1.5)):
            for k in (shortest, 4):
                name = f"{label}{engine}{k}"
                run = a_run(method="pbt", interval=k, engine=engine, id=name, **about)
                yield run, checkpointed(size, cost / k)
            control = an_outcome(timed("train", 0, 4), score(4, 0, 2, 0.5), wall_s=5)
            yield a_run(engine=engine, id=f"{label}{engine}", **about), control


def checkpointed(size, cost):
    return an_outcome(
        started(0, rate=1), started(1, rate=2), timed("train", 0, 4, iteration=1),
        timed("save", 4, cost, member=0, iteration=1, size=size),
        timed("restore", 5, cost, member=1, iteration=1, size=size),
        timed("morph", 7, cost / 2, member=1, iteration=1),
        fork(4, 1, 0, 1, 2, 3), score(6, 0, 2, 0.5), score(6, 1, 2, 0.6),
    )  # fmt: skip
