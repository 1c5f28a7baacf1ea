"""What tests ask of a record."""

from collections import Counter
from types import SimpleNamespace

import numpy as np

from pbtbench.record import KINDS, TIMED
from pbtbench.space.columns import rows, taken


def scores(record, metric):
    """member -> iteration -> score, in order of both."""
    found = {}
    table, values = record.scores, record.scores.metrics[metric]
    for place in np.lexsort((table.t_s, table.iteration, table.member)).tolist():
        made = found.setdefault(int(table.member[place]), {})
        made[int(table.iteration[place])] = float(values[place])
    return found


def made(record):
    """member -> how many iterations it made."""
    table = record.scores
    most = Counter()
    for member, iteration in zip(table.member.tolist(), table.iteration.tolist(), strict=True):
        most[member] = max(most[member], iteration)
    return dict(sorted(most.items()))


def starts(record):
    """member -> the hyperparameters that it started with."""
    table = record.forks.at(record.forks.starts)
    return dict(zip(table.member.tolist(), rows(table.new), strict=True))


def forks(record):
    """Who took whose state, in order of time; `copied`: the iteration whose state it was."""
    table = record.forks.at(~record.forks.starts)
    copied = np.where(table.copied_iteration < 0, table.iteration, table.copied_iteration)
    return [
        SimpleNamespace(
            member=int(table.member[i]),
            donor=int(table.donor[i]),
            iteration=int(table.iteration[i]),
            copied=int(copied[i]),
            out_of_bounds=bool(table.out_of_bounds[i]),
            old=rows(taken(table.old, [i]))[0],
            new=rows(taken(table.new, [i]))[0],
        )
        for i in range(len(table))
    ]


def kinds(record):
    """Kind -> how many rows there are of it."""
    return Counter(KINDS[code] for code in record.timeline.kind.tolist())


def assert_accounted_for(outcome):
    """Conservation: no worker does two things at once, and what it does takes all of its time."""
    rows = outcome.record.timeline.at(outcome.record.timeline.of(*TIMED))
    assert rows.worker.max() < outcome.workers
    for worker in range(outcome.workers):
        own = rows.at(rows.worker == worker)
        assert (own.duration_s >= 0).all()
        ends = own.t_start_s + own.duration_s
        assert (own.t_start_s[1:] - ends[:-1] > -1e-6).all()
        assert abs(own.duration_s.sum() - outcome.wall_s) <= 0.02 * outcome.wall_s
