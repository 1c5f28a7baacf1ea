"""A process knows when it began."""

import subprocess
import sys
import time

import pytest

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
