"""Runs made by hand that reach a target at a given time, miss it, or crash before."""

from fabricated import a_run, an_outcome, score, timed
from reported import measured

WALL_S = 10.0
"""Of a run that misses the target."""


def raced(problem="toy.hand", engine="inprocess", workers=1, **of_method):
    """Runs and outcomes of each method, such as `pbt_5` or `random`, seed by seed: a time at which accuracy 0.5
    is reached, None for a run that misses it, or a time as a text at which it crashes. Sooner is better in the
    end, too."""
    for name, ends in of_method.items():
        method, _, interval = name.partition("_")
        for seed, end in enumerate(ends):
            run = a_run(
                problem=problem,
                method=method,
                interval=int(interval) if interval else None,
                engine=engine,
                seed=seed,
                targets=(0.5, 0.9),
                workers=workers,
            )
            yield run, _outcome(end, workers)


def _outcome(end, workers):
    rows = [timed("train", 0, 0.1)]
    if isinstance(end, str):
        crashed = {"wall_s": float(end), "cause": "crash", "message": "no luck"}
        return an_outcome(*rows, score(0.1, 0, 1, 0.1), workers=workers, **crashed)
    if end is None:
        return an_outcome(*rows, score(0.1, 0, 1, 0.1), wall_s=WALL_S, workers=workers)
    done = score(end, 0, 1, 0.8 - end / 100)
    return an_outcome(*rows, done, wall_s=WALL_S, workers=workers)


def race(*args, **of_method):
    """The measures of one."""
    return measured(raced(*args, **of_method))
