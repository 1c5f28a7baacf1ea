"""The members of a fleet, tested by the actors that hold them, when the time of their run is over."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from pbtbench.engines.held_out import Tested, note
from pbtbench.engines.ray.fleet import Fleet
from pbtbench.recorder import Recorder
from pbtbench.user_code.tracebacks import line


def test(fleet: Fleet, limit_s: float, recorder: Recorder) -> None:
    """Have all members tested, off the run's clock; `limit_s`: for each shard."""
    with recorder.paused():
        calls = [(actor, actor.handle.test.remote()) for actor in fleet.actors if actor.alive]
        for actor, call in calls:
            members = [unit.members for unit in fleet.units if unit.actor is actor]
            for found in _answered(call, members, limit_s):
                note(found, recorder)


def _answered(call: ray.ObjectRef, members: Sequence[range], limit_s: float) -> list[Tested]:
    """What an actor found, or why its members have no test score."""
    try:
        found: list[Tested] = ray.get(call, timeout=limit_s * len(members))
    except ray.exceptions.GetTimeoutError:
        return [Tested(of, why=f"test() did not end within hang_s = {limit_s:g}") for of in members]
    except ray.exceptions.RayError as error:
        return [Tested(of, why=f"test(): {line(error)}") for of in members]
    return found
