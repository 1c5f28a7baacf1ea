"""A process knows when it began, and is killed with all that it started."""

import subprocess
import sys
import time

import pytest
from started import started_for

from pbtbench.process import kill_tree

ASK = "import time; time.sleep(0.3); from pbtbench import process; print(process.began())"
TICK_S = 0.01
"""To which the system knows it."""


@pytest.mark.slow
def test_a_process_says_when_it_began_on_the_clock_of_the_others():
    before = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True)
    after = time.perf_counter()
    began = float(child.communicate(timeout=60)[0])
    assert before - TICK_S <= began <= after + TICK_S


def test_what_is_started_while_a_tree_is_killed_is_killed_too(tmp_path):
    """A process that starts one more as soon as it can, as a raylet does: none has a parent that is gone."""
    script = (
        "import os, subprocess, sys, time\n"
        "while True:\n"
        "    subprocess.Popen(['sleep', '60'], env={'STARTED_FOR': sys.argv[1]})\n"
    )
    starter = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    leader = subprocess.Popen(
        [sys.executable, "-c", starter, script, str(tmp_path)], start_new_session=True
    )

    give_up = time.monotonic() + 30
    while not started_for(tmp_path) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert started_for(tmp_path)
    kill_tree(leader.pid)
    leader.wait()
    assert not started_for(tmp_path)
