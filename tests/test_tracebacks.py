"""What is said of an exception: one line with the place in the user's own code, clean of what Ray adds."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pbtbench import BadInput
from pbtbench.engines import RunFailed, cluster
from pbtbench.runs import Cluster
from pbtbench.user_code.tracebacks import Raised, contained, line, whole

RAYS = """\x1b[36mray::A.f()\x1b[39m (pid=9105, ip=192.0.2.2)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/ray/x.py", line 10, in f
    g()
  File "/home/somebody/my_problem.py", line 12, in plain
    raise ValueError("no luck")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
ValueError: no luck"""


def raised(statement: str, folder: Path) -> BaseException:
    """What a statement on the second line of a user's file raises."""
    file = folder / "mine.py"
    file.write_text(f"def f():\n    {statement}\n")
    names: dict[str, object] = {}
    exec(compile(file.read_text(), file, "exec"), names)
    try:
        names["f"]()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("it raises")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("raise ValueError('no\\nluck')", "ValueError: no luck (mine.py:2)"),
        ("raise ValueError", "ValueError (mine.py:2)"),
        ("import sys; sys.exit(3)", "SystemExit: 3 (mine.py:2)"),
        (
            "import json; json.loads('')",
            "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (mine.py:2)",
        ),
    ],
)
def test_a_line_ends_with_the_innermost_place_of_the_users_own(tmp_path, statement, expected):
    error = raised(statement, tmp_path)
    assert line(error) == expected
    assert whole(error).startswith("Traceback (most recent call last)")
    assert f'File "{tmp_path / "mine.py"}", line 2, in f' in whole(error)


def test_what_ray_adds_is_cut_out():
    found = line(RuntimeError(RAYS))
    assert "\x1b" not in found
    assert "^^" not in found
    assert found.endswith("(my_problem.py:12)")
    assert "\x1b" not in whole(RuntimeError(RAYS))


def test_a_line_is_not_endless():
    assert len(line(ValueError("x" * 10_000))) <= 400


def test_bad_input_is_a_line_in_itself():
    assert line(BadInput("give another")) == "give another"


@pytest.mark.parametrize(
    "statement", ["raise SystemExit(2)", "class Odd(Exception): pass; raise Odd"]
)
def test_what_is_raised_in_a_worker_arrives_whole_whatever_it_is(tmp_path, statement):
    error = raised(statement.replace("; ", "\n    "), tmp_path)
    with pytest.raises(Raised) as caught, contained():
        raise error
    arrived = pickle.loads(pickle.dumps(caught.value))
    assert (line(arrived), whole(arrived)) == (line(error), whole(error))
    assert line(arrived).endswith(("(mine.py:2)", "(mine.py:3)"))


@pytest.mark.ray
@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError("AF_UNIX path length cannot exceed 107 bytes: /…"), "set RAY_TMPDIR"),
        (FileNotFoundError(2, "No such file", "/no/home/.ray"), "HOME is /no/home: set it"),
    ],
)
def test_a_ray_that_does_not_start_fails_with_its_remedy(monkeypatch, error, remedy):
    import ray

    def fails(**options: object) -> None:
        raise error

    monkeypatch.setenv("HOME", "/no/home")
    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(RunFailed) as failed:
        cluster._start(Cluster(), 1)
    assert remedy in str(failed.value)
    assert "\n" not in str(failed.value)
