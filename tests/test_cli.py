"""The command line: exit codes, one line for bad input, and quick commands that import little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pbtbench import cli
from pbtbench.errors import Failed
from pbtbench.store import Store

HEAVY = {"tensorflow", "keras", "ray", "sklearn"}


def pbtbench(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("pbtbench"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def study_file(tmp_path: Path):
    def write(text: str) -> Path:
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return file

    return write


SMALL = [
    "--problems",
    "toy.pbt_quadratic",
    "--intervals",
    "5",
    "--iterations",
    "20",
    "--seeds",
    "1",
]

BAD_FLAGS = {
    "unknown problem": (
        ["--problems", "toy.pbt_quadratik"],
        ["toy.pbt_quadratik", "toy.pbt_quadratic"],
    ),
    "unknown method": ([*SMALL, "--methods", "pbtt"], ["'pbtt'", "'pbt'"]),
    "unknown engine": ([*SMALL, "--engines", "inproces"], ["'inproces'", "'inprocess'"]),
    "unknown flag": ([*SMALL, "--seed", "3"], ["--seed", "--seeds"]),
    "unknown study": (["quickstrat"], ["'quickstrat'", "'quickstart'"]),
    "unknown metric of a list": ([*SMALL, "--intervals", "one"], ["one", "integers"]),
    "no population": ([*SMALL, "--population", "0"], ["population", "0", "1"]),
    "a population beyond reason": (
        [*SMALL, "--population", "100000000000"],
        ["population", "1000000"],
    ),
    "negative population": ([*SMALL, "--population", "-4"], ["population", "-4"]),
    "no interval": ([*SMALL, "--intervals", "0"], ["intervals", "0"]),
    "no iterations": ([*SMALL, "--iterations", "0"], ["iterations", "0"]),
    "no seeds": ([*SMALL, "--seeds", "0"], ["seeds", "0"]),
    "no workers": ([*SMALL, "--workers", "0"], ["workers", "0"]),
    "no limit": ([*SMALL, "--limit-s", "0"], ["limit_s", "0"]),
    "interval beyond the budget": ([*SMALL, "--intervals", "21"], ["21", "20 iterations"]),
    "interval of the whole budget": ([*SMALL, "--intervals", "20"], ["20", "give 19 at most"]),
    "impossible target": ([*SMALL, "--targets", "1.3"], ["1.3", "at most 1.2"]),
    "impossible minimum": (
        ["--problems", "toy.noisy_quadratic", "--targets=-1"],
        ["-1", "at least 0"],
    ),
    "nothing to run": ([], ["--problems"]),
    "missing file of a problem": (["--problems", "./nowhere.py"], ["nowhere.py", "no such file"]),
    "missing study file": (["./nowhere.toml"], ["nowhere.toml", "No such file"]),
}


@pytest.mark.parametrize("what", BAD_FLAGS)
def test_bad_flags_give_one_line_with_the_value_and_the_remedy(what, tmp_path):
    flags, said = BAD_FLAGS[what]
    done = pbtbench("run", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr
    assert list(tmp_path.iterdir()) == [], "bad input leaves nothing behind"


BAD_PROBLEMS = {
    "does not import": ("import nonesuch", "nonesuch"),
    "leaves at once": ("import sys; sys.exit(3)", "SystemExit"),
    "is broken Python": ("def (", "SyntaxError"),
    "has no PROBLEM": ("x = 1", "PROBLEM"),
    "has another PROBLEM": ("PROBLEM = 3", "int"),
    "has bounds the wrong way round": (
        "from pbtbench import *; Space({'x': Uniform(2.0, 1.0)})",
        "Uniform(2.0, 1.0)",
    ),
    "has a log-uniform from zero": (
        "from pbtbench import *; Space({'x': LogUniform(0.0, 1.0)})",
        "above zero",
    ),
    "has an empty list": ("from pbtbench import *; Space({'x': []})", "'x'"),
}


@pytest.mark.parametrize("what", BAD_PROBLEMS)
def test_a_bad_problem_file_gives_one_line(what, tmp_path):
    text, said = BAD_PROBLEMS[what]
    (tmp_path / "mine.py").write_text(text)
    done = pbtbench("run", "--problems", "./mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("problems = [", "mine.toml"),
        ("problms = ['toy.pbt_quadratic']", "problems"),
        ("problems = ['toy.pbt_quadratic']\n[[sweep]]\nseds = 3", "seeds"),
        ("problems = ['toy.pbt_quadratic']\n[method.pbt]\nexplot = 'welch'", "exploit"),
        ("problems = ['toy.pbt_quadratic']\n[method.pbt]\nexploit = 'welsh'", "welch"),
        ("problems = ['toy.pbt_quadratic']\n[engine.inprocess]\ngpus = 1", "gpus"),
        ("problems = ['toy.pbt_quadratic']\noptions = {rate = 3}", "rate"),
        (
            "problems = ['toy.pbt_quadratic']\nmethods = ['../x']\n[method.'../x']\nis = 'pbt'",
            "../x",
        ),
        ("problems = ['toy.noisy_quadratic']\noptions = {noise = 'much'}", "noise = 'much'"),
    ],
)
def test_a_bad_study_file_gives_one_line_that_names_the_file(text, said, study_file, tmp_path):
    done = pbtbench("run", study_file(text), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "mine.toml" in done.stderr
    assert said in done.stderr


def test_a_study_runs_resumes_and_is_reported_again(tmp_path):
    first = pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    page = tmp_path / "out" / "report" / "index.html"
    made = page.stat().st_mtime_ns
    second = pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    assert "3 of them kept" in second.stdout
    third = pbtbench("report", "out", cwd=tmp_path)
    assert third.returncode == 0, third.stderr
    assert page.stat().st_mtime_ns > made
    for name in ("study.toml", "machine.json", "summary.csv"):
        assert (tmp_path / "out" / name).is_file()


def test_a_study_grows_by_the_same_command_with_more(tmp_path):
    """And what is declared in its folder then is all that it has."""
    pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    more = ["--seeds", "2", "--methods", "pbt", "--targets", "0.5"]
    second = pbtbench("run", *SMALL, *more, "--out", "out", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "2 runs, 1 of them kept from before" in second.stdout
    assert "2 more runs that this command does not plan stay in the folder" in second.stdout
    rows = (tmp_path / "out" / "summary.csv").read_text().splitlines()[1:]
    assert len({row.split(",")[0] for row in rows}) == 4
    whole = pbtbench("run", "out/study.toml", "--out", "out", cwd=tmp_path)
    assert "4 runs, 4 of them kept from before" in whole.stdout
    assert "stay in the folder" not in whole.stdout


@pytest.mark.parametrize("there", [False, True])
def test_a_study_that_is_refused_before_its_first_run_leaves_nothing(there, tmp_path):
    """Nor the folders that its own stands in; an empty one that was there stays."""
    if there:
        (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "mine.py").write_text(
        "from pbtbench import *\n"
        "def start(hyperparameters, seeds): raise BadInput('get the data first')\n"
        "PROBLEM = Problem('t', 's', 'f', Space({'x': Uniform(0, 1)}), Objective('a', 'max'), 3, 1, start)"
    )
    flags = ["--problems", "./mine.py", "--methods", "random"]
    done = pbtbench("run", *flags, "--out", "a/b", cwd=tmp_path)
    assert done.returncode == 2
    assert "get the data first" in done.stderr
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    # What Python keeps of a module that it imported is Python's.
    left = {path.as_posix() for path in left if "__pycache__" not in path.parts}
    assert left - {"mine.py"} == ({"a", "a/b"} if there else set())


def test_a_refused_study_leaves_the_folder_of_another_as_it_was(tmp_path):
    pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    before = (tmp_path / "out" / "study.toml").read_text()
    (tmp_path / "mine.py").write_text("import os\nfrom problems.toy.plain import PROBLEM\n")
    broken = "PROBLEM = __import__('dataclasses').replace(PROBLEM, start=lambda *a: os._exit(3))\n"
    with (tmp_path / "mine.py").open("a") as file:
        file.write(broken)
    flags = ["--problems", "./mine.py", "--methods", "random", "--seeds", "1"]
    done = pbtbench("run", *flags, "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "its process died (exit code 3)" in done.stderr
    assert (tmp_path / "out" / "study.toml").read_text() == before


def test_reports_are_made_while_a_study_runs_and_several_at_once(tmp_path):
    pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    command = [Path(sys.executable).with_name("pbtbench"), "report", "out"]
    with Store(tmp_path / "out").locked():
        reports = [
            subprocess.Popen(
                command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            for _ in range(3)
        ]
        said = [report.communicate(timeout=120)[1] for report in reports]
    assert [report.returncode for report in reports] == [0, 0, 0], said
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    assert not list((tmp_path / "out").glob(".part-*"))


def test_a_disk_that_is_full_gives_one_line_and_the_same_command_resumes(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["pbtbench", "run", *SMALL, "--out", "a/out"])

    def full(store, toml):
        raise Failed(f"{store.path}: no space left on the disk")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "declare", full)
        with pytest.raises(SystemExit) as left:
            cli.main()
    assert left.value.code == 1
    assert capsys.readouterr().err == "pbtbench: a/out: no space left on the disk\n"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    assert len(Store.open(tmp_path / "a" / "out").runs()) == 3


def test_a_folder_of_another_study_is_refused_and_left_alone(tmp_path):
    pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    before = (tmp_path / "out" / "study.toml").read_text()
    done = pbtbench("run", *SMALL, "--population", "4", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "population" in done.stderr
    assert (tmp_path / "out" / "study.toml").read_text() == before


def test_a_truncated_table_is_named_and_made_again_by_the_same_command(tmp_path):
    pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    table = tmp_path / "out/runs/toy.pbt_quadratic/random/inprocess/s0/timeline.parquet"
    table.write_bytes(table.read_bytes()[:-200])
    reported = pbtbench("report", "out", cwd=tmp_path)
    assert reported.returncode == 0, reported.stderr
    assert str(table.relative_to(tmp_path)) in reported.stdout
    again = pbtbench("run", *SMALL, "--out", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "2 of them kept" in again.stdout


def test_a_failed_run_makes_the_exit_code_1(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from pbtbench import *\n"
        "def start(hyperparameters, seeds): raise RuntimeError('no data')\n"
        "PROBLEM = Problem('t', 's', 'f', Space({'x': Uniform(0, 1)}), Objective('a', 'max'), 3, 1, start)"
    )
    done = pbtbench(
        "run", "--problems", "./mine.py", "--methods", "random", "--seeds", "1", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "RuntimeError: no data" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    kept = json.loads(
        (tmp_path / "results/study/runs/mine/random/inprocess/s0/run.json").read_text()
    )
    assert kept["outcome"]["cause"] == "crash"


def test_report_of_a_folder_that_is_no_study_gives_one_line(tmp_path):
    done = pbtbench("report", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "study.toml" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["list"], ["list", "problems"], ["doctor"]]
)
def test_quick_commands_import_neither_tensorflow_nor_ray(arguments, tmp_path):
    script = (
        "import sys, atexit\n"
        f"sys.argv[1:] = {arguments!r}\n"
        f"atexit.register(lambda: print('HEAVY', sorted({HEAVY!r} & set(sys.modules))))\n"
        "from pbtbench.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("HEAVY []")


def test_help_states_the_defaults_of_a_study():
    from pbtbench.cli import run
    from pbtbench.study.declaration import Sweep

    stated = {option.name: getattr(option, "help", "") or "" for option in run.params}
    for name, field in Sweep.model_fields.items():
        if name in stated and field.default is not None:
            many = isinstance(field.default, list)
            default = ",".join(map(str, field.default)) if many else f"{field.default:g}"
            assert f"[default: {default}]" in stated[name]


def test_help_does_not_import_numpy(tmp_path):
    script = "import sys; sys.argv[1:] = ['--help']\nfrom pbtbench.cli import main\n"
    script += "try: main()\nfinally: print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.strip().endswith("False")


def test_a_users_own_problems_folder_does_not_hide_the_shipped_one(tmp_path):
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "__init__.py").touch()
    assert "toy.pbt_quadratic" in pbtbench("list", "problems", cwd=tmp_path).stdout
