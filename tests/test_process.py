"""A process knows when it began, and is killed with all that it started."""

import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

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

    def alive():
        found = 0
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.environ().get("STARTED_FOR") == str(tmp_path)
                found += mine and process.status() != psutil.STATUS_ZOMBIE
        return found

    give_up = time.monotonic() + 30
    while not alive() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert alive()
    kill_tree(leader.pid)
    leader.wait()
    assert alive() == 0
