"""Every key and every option × every kind of value: what isn't legal is refused with exit code 2 and one
line, before anything is planned or written.

Keys and options are taken from the schema itself, so that a new one is held to this without being
added. Which kinds of values are legal for it, says `LEGAL`.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from dataclasses import fields

import pytest
import tomli_w

from pbtbench import Study, cli, engines, methods
from pbtbench.engines.tune.constructed import OURS, accepted
from pbtbench.engines.tune.schedulers import scheduler_class
from pbtbench.study.declaration import MOST_RUNS, Declaration, Sweep


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES = {
    "a number": 3,
    "a real number": 2.5,
    "negative": -1,
    "zero": 0,
    "huge": 10**12,
    "beyond 64 bits": 10**30,
    "infinite": math.inf,
    "nan": math.nan,
    "truth": True,
    "text": "no such thing",
    "empty text": "",
    "a null byte": "a\0b",
    "control characters": "a\n\x1b[31m\u2028b",
    "long text": "x" * 5000,
    "empty list": [],
    "a list of lists": [[1]],
    "a list of text": [""],
    "a list of numbers": [math.nan, -1, 0, 1e308],
    "deep": nested(60),
    "empty table": {},
    "a table": {"x": 1},
    "a table of tables": {"\0": {"x" * 5000: {}}},
    "a date": dt.date(2024, 1, 1),
}

LEGAL = {
    "population": {"a number"},
    "workers": {"a number"},
    "cpus_per_worker": {"a number"},
    "gpus_per_worker": {"a number", "zero"},
    "address": {"text"},
    "nodes": {"a number"},
    "iterations": {"a number"},
    "seeds": {"a number"},
    "targets": {"empty list"},
    "limit_s": {"a number", "a real number"},
    "options": {"empty table"},
    "where_installed": {"truth"},
    "until_clear": {"truth"},
    "title": {"text", "empty text"},
    "method": {"empty table"},
    "engine": {"empty table"},
    "sweep": {"empty list"},
    "quick": {"empty table"},
    "scale": {"a number"},
    "engine.ray.hang_s": {"a number", "a real number"},
    "engine.ray.max_failures": {"a number", "zero"},
    "engine.ray.persist_every": {"a number", "zero"},
    "engine.ray.runtime_env": {"empty table"},
    "engine.tune.reuse_actors": {"truth"},
    "engine.tune.stop": {"empty table", "a table"},
    "engine.tune.checkpoint_frequency": {"a number", "zero"},
    "engine.tune.num_to_keep": {"a number"},
    "engine.tune.storage_path": {"text"},
    "engine.tune.max_failures": {"a number", "zero", "negative"},
    "engine.tune.loggers": {"truth"},
    "method.pbt.resample_probability": {"zero"},
    "method.pbt.burn_in_period": {"a number", "zero"},
    "method.pbt.synchronous": {"truth"},
    "method.pbt.points": {"empty list"},
    "method.random.points": {"empty list"},
    "method.grid.values": {"empty table"},
    "method.grid.points": {"empty list"},
    "method.tune:asha.max_t": {"a number", "a real number"},
    "method.tune:asha.grace_period": {"a number", "a real number"},
    "method.tune:asha.reduction_factor": {"a number", "a real number"},
    "method.tune:asha.brackets": {"a number"},
    "method.tune:asha.stop_last_trials": {"truth"},
    "method.tune:hyperband.max_t": {"a number", "a real number"},
    "method.tune:hyperband.reduction_factor": {"a number", "a real number"},
    "method.tune:hyperband.stop_last_trials": {"truth"},
    "method.tune:median.grace_period": {"a number", "a real number"},
    "method.tune:median.min_samples_required": {"a number", "a real number"},
    "method.tune:median.min_time_slice": {"a number", "a real number", "zero"},
    "method.tune:median.hard_stop": {"truth"},
    "method.tune:pb2.log_config": {"truth"},
    "method.tune:pb2.require_attrs": {"truth"},
    "method.tune:pb2.synch": {"truth"},
}
"""Key -> the kinds of values that it may have; of the others, none."""

SMALL = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "seeds": 1}

KEYS = list(Declaration.model_fields)
OF_ENGINES = [
    (name, option)
    for name in engines.names()
    for option in engines.engine(name).options.model_fields
]
OF_METHODS = [
    (kind, field.name)
    for kind in methods.kinds()
    for field in fields(methods.method_class(kind))
    if field.name != "interval"
]
OF_TUNES = [
    (f"tune:{name}", option)
    for name in ("asha", "hyperband", "median", "pb2")
    for option, default in accepted(scheduler_class(name)).items()
    if option not in OURS and default is not None
]


def studies():
    """Name of the key, kind of the value, the study with that value."""
    for kind, value in VALUES.items():
        for key in KEYS:
            yield key, kind, {**SMALL, key: value}
        for name, option in OF_ENGINES:
            engine = {"engines": [name], "engine": {name: {option: value}}}
            yield f"engine.{name}.{option}", kind, {**SMALL, **engine}
        for name, option in OF_METHODS + OF_TUNES:
            engine = "tune" if (name, option) in OF_TUNES else "inprocess"
            method = {"methods": [name], "method": {name: {option: value}}, "engines": [engine]}
            yield f"method.{name}.{option}", kind, {**SMALL, **method}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """The one line with which the command line refuses a study, and that it left nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pbtbench.running.runner.run_study", None)

    def line(keys, *flags):
        text = keys if isinstance(keys, str) else tomli_w.dumps(keys)
        (tmp_path / "mine.toml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["pbtbench", "run", "mine.toml", *flags])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert (left.value.code, said.out) == (2, "")
        assert [file.name for file in tmp_path.iterdir()] == ["mine.toml"]
        (only,) = said.err.splitlines()
        assert only.startswith("pbtbench: mine.toml: ")
        assert only.isprintable()
        assert len(only) < 2000
        return only

    return line


def ids(cases):
    return [f"{key}-{kind}" for key, kind, _ in cases]


ILLEGAL = [case for case in studies() if case[1] not in LEGAL.get(case[0], ())]
ALLOWED = [case for case in studies() if case[1] in LEGAL.get(case[0], ())]


def test_every_key_that_is_said_to_have_legal_values_is_there():
    assert LEGAL.keys() <= {key for key, _, _ in studies()}


@pytest.mark.parametrize(("key", "kind", "keys"), ILLEGAL, ids=ids(ILLEGAL))
def test_what_is_not_legal_is_refused_with_its_key(key, kind, keys, refused):
    line = refused(keys)
    own = key.rpartition(".")[2].removesuffix("s")
    assert own in line or "method 'tune:" in line  # in the words of Tune's class


@pytest.mark.parametrize(("key", "kind", "keys"), ALLOWED, ids=ids(ALLOWED))
def test_what_is_legal_is_planned(key, kind, keys):
    assert Study.plan(keys).runs


OF_SWEEPS = [case for case in ILLEGAL if case[0] in Sweep.model_fields]


@pytest.mark.parametrize(("key", "kind", "keys"), OF_SWEEPS, ids=ids(OF_SWEEPS))
def test_a_sweep_and_the_quick_version_are_held_to_the_same(key, kind, keys, refused):
    refused({"sweep": [{**SMALL, key: keys[key]}]})
    refused({**SMALL, "quick": {key: keys[key]}}, "--quick")


def test_a_quick_version_that_is_not_asked_for_is_checked_too(refused):
    assert "quick: seeds = -1" in refused({**SMALL, "quick": {"seeds": -1}})


def test_a_method_that_no_sweep_uses_is_checked_too(refused):
    assert "quantile_fraction" in refused({**SMALL, "method": {"pbt": {"quantile_fraction": 3}}})


def test_an_engine_that_no_sweep_uses_is_checked_too(refused):
    assert "hang_s" in refused({**SMALL, "engine": {"ray": {"hang_s": -1}}})


TWICE = {
    "problems": ["toy.pbt_quadratic", "toy.pbt_quadratic"],
    "methods": ["random", "random"],
    "engines": ["inprocess", "inprocess"],
    "transports": ["disk", "disk"],
    "intervals": [2, 2],
    "targets": [0.5, 0.5],
}


def test_every_list_of_a_sweep_is_tried_with_something_twice():
    lists = {k for k, f in Sweep.model_fields.items() if "list" in str(f.annotation)}
    assert TWICE.keys() == lists


@pytest.mark.parametrize("key", TWICE)
def test_what_stands_twice_in_a_list_is_refused(key, refused):
    assert "stands there twice; leave one out" in refused({**SMALL, key: TWICE[key]})


def test_a_file_that_is_named_in_two_ways_stands_there_twice(refused, tmp_path):
    assert "stands there twice" in refused({**SMALL, "problems": ["x.py", "./x.py"]})


CONTRADICTIONS = {
    "a cluster that is there and one to start": {"address": "auto", "nodes": 2},
    "CPUs of nodes without nodes": {"cpus_per_node": 2},
    "sweeps for another scale": {"from_scale": 2},
    "an interval beyond the budget": {"methods": ["pbt"], "intervals": [9], "iterations": 8},
    "more points than members": {
        "population": 1,
        "method": {"random": {"points": [{"h0": 0.1}, {"h0": 0.2}]}},
    },
    "points and values": {
        "method": {"grid": {"points": [{}], "values": {"h0": [0.1]}}},
        "methods": ["grid"],
    },
    "a target that is out of reach": {"targets": [9.0]},
    "a transport that the engine lacks": {"engines": ["tune"], "transports": ["memory"]},
    "two settings of one run": {"sweep": [{"population": 3}]},
    "checkpoints that go while they are read": {
        "engine": {"tune": {"num_to_keep": 1, "checkpoint_frequency": 1}}
    },
    "a method of Tune's elsewhere": {"methods": ["tune:asha"]},
    "two ways to install": {"engine": {"ray": {"runtime_env": {"pip": ["a"], "conda": "b"}}}},
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_contradiction_is_refused(what, refused):
    refused({**SMALL, **CONTRADICTIONS[what]})


MANY = {
    "seeds of many sweeps": {"sweep": [{"seeds": MOST_RUNS, "problems": ["toy.branin"]}]},
    "intervals and seeds": {"seeds": 10_000, "intervals": list(range(1, 101)), "methods": ["pbt"]},
}


@pytest.mark.parametrize("what", MANY)
def test_too_many_runs_are_refused_before_any_is_planned(what, refused, monkeypatch):
    monkeypatch.setattr("pbtbench.study.planning._Planner.run", None)
    assert f"a study has {MOST_RUNS} at most" in refused({**SMALL, **MANY[what]})


BROKEN = {
    "deep lists": "x = " + "[" * 100_000,
    "deep tables": "x = " + "{a=" * 100_000,
    "deep keys": ".".join("a" * 5_000) + " = 1",
    "a number of thousands of digits": "seeds = " + "9" * 5_000,
    "half a line": "seeds = ",
    "a key twice": "seeds = 1\nseeds = 2",
    "a null byte": 'name = "a\0"',
    "an impossible date": "title = 2024-13-45",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_is_no_study_is_refused(what, refused):
    refused(BROKEN[what])


FLAGS = [p for p in cli.run.params if p.name not in ("study", "quick", "out")]
TEXTS = ["", " ", "x", "-1", "0", "1e30", "9" * 30, "9" * 5000, "inf", "nan", "true", ",", "a,a"]
"""What a shell may hand over."""

LEGAL_FLAGS = {
    "address": {" ", "x", "-1", "0", "1e30", "9" * 30, "inf", "nan", "true", ",", "a,a"},
    "gpus_per_worker": {"0"},
    "targets": {"", " ", ",", "-1", "0"},
}


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_flags_are_held_to_the_same(flag, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for text in set(TEXTS) - LEGAL_FLAGS.get(flag.name, set()):
        small = ["--problems=toy.pbt_quadratic", "--methods=random"]
        command = ["pbtbench", "run", *small, f"{flag.opts[0]}={text}"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert (left.value.code, len(said.err.splitlines())) == (2, 1), (text, said.err)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "folder", ["", " ", "a\0b", "x" * 300, "x/" * 3000, "mine.toml", "/proc/x"]
)
@pytest.mark.parametrize("command", ["run", "report"])
def test_a_folder_that_can_be_none_is_refused(command, folder, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("pbtbench.running.runner.run_study", None)
    (tmp_path / "mine.toml").write_text(tomli_w.dumps(SMALL))
    arguments = ["report", folder] if command == "report" else ["run", "mine.toml", "--out", folder]
    monkeypatch.setattr(sys, "argv", ["pbtbench", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    (only,) = capsys.readouterr().err.splitlines()
    assert only.startswith("pbtbench: ")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("study", ["a\0b.toml", "x" * 300 + ".toml", "", ".toml", "/proc", "a\nb"])
def test_a_study_that_can_be_none_is_refused(study, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pbtbench", "run", study])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "reference",
    ["a\0b.py", "x" * 300 + ".py", "", ":", ":X", "x:", "..", "a b", ".py", "\udc80.py", "toy"],
)
def test_a_problem_that_can_be_none_is_refused(reference, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for arguments in (["show", reference], ["run", "--problems", reference]):
        monkeypatch.setattr(sys, "argv", ["pbtbench", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert (left.value.code, said.out) == (2, ""), reference
        assert len(said.err.splitlines()) == 1
