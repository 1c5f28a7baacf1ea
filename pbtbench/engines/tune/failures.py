"""Trials that Tune starts again after a failure (`max_failures`): recorded, and their count put right."""

from __future__ import annotations

from typing import Any

from ray.tune import Callback

from pbtbench.engines.tune.budget import Budget
from pbtbench.engines.tune.collector import Inbox
from pbtbench.engines.tune.trainable import member_of
from pbtbench.recorder import Recorder


class Restarts(Callback):  # type: ignore[misc]
    """Takes a member's count of iterations back to where its trial starts again, and records what was lost.

    A trial starts again from its latest checkpoint, its own or its last donor's, or from scratch.
    """

    def __init__(self, budget: Budget, recorder: Recorder, inbox: Inbox) -> None:
        self._budget, self._recorder, self._inbox = budget, recorder, inbox

    def __getstate__(self) -> dict[str, Any]:
        """Tune's snapshots of the experiment need none of it."""
        return {}

    def on_checkpoint(
        self, iteration: int, trials: Any, trial: Any, checkpoint: Any, **info: Any
    ) -> None:
        """A trial's save has arrived."""
        self._budget.saved(member_of(trial.trial_id))

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """A trial failed, and will start again."""
        member = member_of(trial.trial_id)
        reached = self._budget.made[member]
        self._budget.again(member)
        discarded = reached - self._budget.made[member]
        self._recorder.lost(
            "crash",
            "its trial failed and starts again",
            member=member,
            iteration=reached,
            iterations=discarded,
        )
        self._inbox.lost(member, self._recorder.now(), discarded)
