"""The budget of each member, as Ray Tune's driver counts it: who is done, was stopped, or is to go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ray.tune import Stopper

from pbtbench.adapters.results import flattened
from pbtbench.engines.tune.trainable import STEP, member_of
from pbtbench.recorder import Recorder


class Budget(Stopper):  # type: ignore[misc]
    """Ends a trial after `iterations` results of its own (Tune's count jumps at an exploit), when a
    metric is at or above its value in `stop`, or when its own trainable says that it is done."""

    def __init__(
        self,
        iterations: int,
        stop: Mapping[str, float],
        recorder: Recorder,
        limit_s: float,
        last_step: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`last_step`: is told which step was a member's last one, before its trial ends."""
        self.made: dict[int, int] = defaultdict(int)
        self.done: set[int] = set()
        """Members that made their budget, met a stop condition, or said that they are done."""
        self.stopped: set[int] = set()
        """Members that a scheduler ended before their budget."""
        self.missing: set[str] = set()
        """Metrics of stop conditions that nobody had by the time the first member was done."""
        self._seen: set[str] = set()
        self._steps: dict[int, Any] = {}
        """Member -> which step its latest result is of."""
        self.hung = False
        """Whether all trials were ended, as they made no progress."""
        self._saved: dict[int, int] = defaultdict(int)
        """Member -> its iterations when its trial last saved, or took a donor's checkpoint."""
        self._iterations, self._stop = iterations, stop
        self._recorder, self._limit_s = recorder, limit_s
        self._last_step = last_step

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        member = member_of(trial_id)
        step = result.get(STEP)
        if step != self._steps.get(member):  # else Tune hands a function's last result on again
            self.made[member] += 1
            self._steps[member] = step
        found = dict(flattened(result))
        self._seen |= set(self._stop) & set(found)
        met = any(found.get(metric, -inf) >= value for metric, value in self._stop.items())
        if met or found.get("done") or self.made[member] >= self._iterations:
            self.done.add(member)
            self._last_step(str(step))
            self.missing = set(self._stop) - self._seen
        return member in self.done

    def stop(self, member: int) -> None:
        """A scheduler ends the member."""
        if member not in self.stopped:
            self.stopped.add(member)
            self._last_step(str(self._steps.get(member)))
            self._recorder.note("stopped", member=member, iteration=self.made[member])

    def saved(self, member: int) -> None:
        """The member's trial has a checkpoint of now: its own, or its donor's."""
        self._saved[member] = self.made[member]

    def again(self, member: int) -> None:
        """The member's trial starts again from its checkpoint, or from scratch."""
        self.made[member] = self._saved[member]

    def stop_all(self) -> bool:
        self.hung = self._recorder.still_s() > self._limit_s
        return bool(self.missing) or self.hung

    def __getstate__(self) -> dict[str, Any]:
        """Tune's snapshots of the experiment need none of it."""
        return {}
