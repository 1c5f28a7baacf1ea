"""Output never stops the work: neither an encoding that lacks a character, nor a reader that has gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SMALL = ["--problems", "toy.plain", "--methods", "pbt,random", "--population", "4", "--seeds", "1"]
POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "posix": POSIX,
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pbtbench", *arguments]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_is_written_in_any_encoding(tmp_path, encoding):
    environment = {**os.environ, **ENCODINGS[encoding]}
    done = subprocess.run(
        command("list"), env=environment, cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_every_command_writes_in_any_encoding(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for arguments in (
        ["run", *SMALL, "--iterations", "3", "--intervals", "1", "--out", "out"],
        ["report", "out"],
        ["show", "toy.plain"],
        ["doctor"],
    ):
        done = subprocess.run(
            command(*arguments), env=environment, cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_problem_prints_in_a_worker_is_written_too(tmp_path):
    file = tmp_path / "prints.py"
    file.write_text(
        "from dataclasses import replace\n"
        "from problems.toy.plain import PROBLEM as PLAIN\n"
        "def start(*given, **options):\n"
        "    print('≥ \U0001f600')\n"
        "    return PLAIN.start(*given, **options)\n"
        "PROBLEM = replace(PLAIN, start=start)\n",
        "utf-8",
    )
    flags = ["--problems", str(file), "--methods", "random", "--seeds", "1", "--out", "out"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        command("run", *flags), env=environment, cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "≥ \U0001f600" in (tmp_path / "out" / "log.txt").read_text("utf-8")


def test_an_argument_that_is_no_text_here_is_refused_in_one_line(tmp_path):
    done = subprocess.run(
        command("run", "--problems", "größe.py"),
        env={**os.environ, **POSIX},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert b"PYTHONUTF8=1" in done.stderr


def test_a_reader_that_goes_does_not_stop_a_study(tmp_path):
    out = tmp_path / "out"
    running = subprocess.Popen(
        command("run", *SMALL, "--seeds", "3", "--out", str(out)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == b"6 runs\n"
    running.stdout.close()
    said = running.stderr.read()
    assert (running.wait(), said) == (0, b"")
    assert len(list(out.rglob("run.json"))) == 6
    assert (out / "summary.csv").is_file()
    assert (out / "report" / "index.html").is_file()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "| true"])
def test_other_ways_to_be_without_a_reader(tmp_path, closed):
    line = " ".join(command("list", "problems")) + f" {closed}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
