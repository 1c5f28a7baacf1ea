"""A user's file may leave by whatever Python has: it is told as the file's fault, in one line."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from pbtbench import BadInput, Study
from pbtbench.user_code import loading
from pbtbench.user_code.guard import guarded

WAYS = {
    "raise KeyboardInterrupt": "it leaves by KeyboardInterrupt()",
    "raise GeneratorExit": "it leaves by GeneratorExit()",
    "raise BaseException('two\\nlines')": "it leaves by BaseException('two\\nlines')",
    "raise SystemExit": "it leaves by SystemExit()",
    "import sys; sys.exit(3)": "it leaves by SystemExit(3)",
    "import sys; sys.exit('done')": "it leaves by SystemExit('done')",
    "import os; os._exit(0)": "it leaves by os._exit(0)",
    "from os import _exit; _exit(7)": "it leaves by os._exit(7)",
    "try:\n    import os; os._exit(0)\nexcept Exception:\n    pass": "it leaves by os._exit(0)",
    "class Own(BaseException): pass\nraise Own": "it leaves by Own()",
    "raise ValueError": "ValueError: no message",
    "def f(): f()\nf()": "RecursionError: maximum recursion depth exceeded",
    "x = '\\0'; exec(x)": "null bytes",
}


@pytest.mark.parametrize("text", WAYS)
def test_a_file_that_leaves_is_told_in_one_line(text, tmp_path):
    (file := tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadInput) as refused:
        loading.module(str(file), "problem 'mine' does not import")
    line = str(refused.value)
    assert line.startswith("problem 'mine' does not import: ")
    assert WAYS[text] in line
    assert "\n" not in line


def test_ctrl_c_while_a_file_is_imported_stops_and_is_not_the_files_fault():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        with pytest.raises(KeyboardInterrupt), guarded("no fault"):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_process_that_a_file_forks_ends_as_it_likes(tmp_path):
    text = (
        "import os\nif not (child := os.fork()):\n    os._exit(7)\nSTATUS = os.waitpid(child, 0)[1]"
    )
    (file := tmp_path / "mine.py").write_text(text)
    module = loading.module(str(file), "failure")
    assert module.STATUS >> 8 == 7


SPACE = """
from dataclasses import replace
from pbtbench import Space
from problems.toy.pbt_quadratic import PROBLEM

def draw(rng):
    raise SystemExit(0)

PROBLEM = replace(PROBLEM, space=Space({"h0": draw, "h1": 0.5}))
"""


def test_a_space_that_leaves_is_told_while_the_study_is_planned(tmp_path):
    (file := tmp_path / "mine.py").write_text(SPACE)
    with pytest.raises(BadInput, match=r"the space of problem 'mine' .* leaves by SystemExit\(0\)"):
        Study.plan({"problems": [str(file)], "methods": ["random"]})


AT_EXIT = """
import atexit, os
atexit.register(os._exit, 0)
raise RuntimeError("after all that")
"""


def test_no_file_changes_the_exit_code_by_what_it_does_at_the_end(tmp_path):
    (tmp_path / "mine.py").write_text(AT_EXIT)
    command = [sys.executable, "-m", "pbtbench", "run", "--problems", "mine.py"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 2
    assert "RuntimeError: after all that" in done.stderr


def test_bad_input_in_a_file_is_told_with_the_file(tmp_path):
    (file := tmp_path / "mine.py").write_text("from pbtbench import *\nUniform(2.0, 1.0)")
    with pytest.raises(BadInput, match=r"problem 'mine' does not import: Uniform\(2.0, 1.0\)"):
        loading.module(str(file), "problem 'mine' does not import")
