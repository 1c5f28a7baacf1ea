"""A worker's memory is what it has held since its run began."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from pbtbench import process_memory
from pbtbench.process_memory import Memory
from pbtbench.recorder import Recorder

SIZE = 200_000_000


def noted(memory, recorder=None):
    recorder = recorder or Recorder()
    memory.note(recorder, worker=3)
    timeline = recorder.record().timeline
    assert set(timeline.worker.tolist()) <= {3}
    return timeline.bytes.tolist()


def filled():
    return np.ones(SIZE, np.uint8)


def test_what_was_held_before_does_not_count():
    filled()
    (most,) = noted(Memory())
    (now,) = noted(Memory())
    assert abs(most - now) < SIZE / 4


def test_what_was_held_and_given_back_meanwhile_counts():
    memory, before = Memory(), noted(Memory())[0]
    filled()
    (most,) = noted(memory)
    assert most > before + 0.9 * SIZE


def test_a_row_is_written_only_where_memory_has_grown():
    memory, recorder = Memory(), Recorder()
    assert len(noted(memory, recorder)) == 1
    assert len(noted(memory, recorder)) == 1
    filled()
    first, second = noted(memory, recorder)
    assert second > first + 0.9 * SIZE


def test_where_the_peak_can_not_be_started_anew_what_is_held_now_counts(monkeypatch):
    monkeypatch.setattr(process_memory, "_peak", lambda: 10**15)
    (most,) = noted(Memory())
    assert 10**6 < most < 10**12


def test_a_process_does_not_inherit_the_peak_of_who_started_it():
    held = filled()
    code = (
        "from pbtbench.process_memory import Memory\nfrom pbtbench.recorder import Recorder\n"
        "recorder = Recorder()\nMemory().note(recorder)\n"
        "print(recorder.record().timeline.bytes[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < held.nbytes
