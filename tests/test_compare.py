"""`pbtbench compare` and `export`: exit codes, and files that are none: one line, and never a pass."""

from __future__ import annotations

import json
import os
import re

import pytest
from sittings import a_sitting, an_entry

from pbtbench import cli
from pbtbench.errors import BadInput, Failed
from pbtbench.regression import sitting

FORKS = a_sitting(one=an_entry({"forks": [3, 4]}))


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Writes a sitting, or what should be one, to a file of that name; where one stands, no thresholds are."""
    monkeypatch.chdir(tmp_path)

    def write(name, what):
        if isinstance(what, sitting.Sitting):
            sitting.write(tmp_path / name, what)
        else:
            (tmp_path / name).write_text(what)
        return name

    return write


def answered(*arguments):
    """The exit code, and what is said of bad input."""
    try:
        cli.cli.main(list(arguments), standalone_mode=False)
    except BadInput as error:
        return 2, str(error)
    except Failed as error:
        return 1, str(error)
    except SystemExit as left:
        return left.code, ""
    return 0, ""


def refused(*arguments):
    """The one line by which bad input is refused."""
    code, says = answered(*arguments)
    assert code == 2
    assert says.isprintable()
    assert 0 < len(says) < 2000
    return says


@pytest.mark.parametrize(
    ("new", "code", "says"),
    [
        (FORKS, 0, "1 measure same"),
        (a_sitting(one=an_entry({"forks": [3, 3]})), 0, "1 measure better"),
        (a_sitting(one=an_entry({"forks": [3, 5]})), 1, "1 measure worse"),
        (a_sitting(two=an_entry({"forks": [3, 4]})), 1, "1 benchmark missing"),
        (
            a_sitting(one=an_entry({"forks": [3, 4]}, digest="e")),
            1,
            "the code or options of toy.plain changed",
        ),
        (a_sitting(one=an_entry({"forks": [3, 4]}, population=9)), 1, "population was 8, is 9"),
    ],
)
def test_what_got_worse_or_is_not_there_any_more_is_no_pass(stored, capsys, new, code, says):
    assert answered("compare", stored("base.json", FORKS), stored("new.json", new)) == (code, "")
    assert says in capsys.readouterr().out


def test_a_baseline_is_made_and_moved(stored, tmp_path, capsys):
    dirty = FORKS.model_copy(update={"dirty": True})
    assert answered("compare", "base.json", stored("new.json", dirty), "--update") == (0, "")
    assert "new.json: made of files that differ from their commit." in capsys.readouterr().out
    assert sitting.load(tmp_path / "base.json").sitting == dirty
    worse = a_sitting(one=an_entry({"forks": [9, 9]}))
    assert answered("compare", "base.json", stored("new.json", worse), "--update") == (0, "")
    assert sitting.load(tmp_path / "base.json").sitting == worse


def test_markdown_is_added_to_the_end_of_a_file(stored, tmp_path):
    (tmp_path / "page.md").write_text("before\n")
    worse = stored("new.json", a_sitting(one=an_entry({"forks": [9, 9]})))
    answered("compare", stored("base.json", FORKS), worse, "--markdown", "page.md")
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("before\n1 measure worse.\n")
    assert re.search(r"^\| one pbt \| forks \| 3.5 \| 9 \|.*worse.*\|$", text, re.MULTILINE)


def with_(**fields):
    return json.dumps({**json.loads(sitting.text(FORKS)), **fields})


def with_entry(**fields):
    entry = json.loads(sitting.text(FORKS))["benchmarks"]["one"]["pbt"]
    return with_(benchmarks={"one": {"pbt": {**entry, **fields}}})


HOSTILE = {
    "truncated": sitting.text(FORKS)[:-30],
    "empty": "",
    "another format": with_(format=7),
    "no format": json.dumps({"benchmarks": {}}),
    "a thousand deep": with_(cpu="DEEP").replace('"DEEP"', "[" * 1000 + "]" * 1000),
    "deeper than any stack": "[" * 100_000,
    "deep settings": with_entry(settings=json.loads('{"a":' * 100 + "1" + "}" * 100)),
    "a control character": with_(benchmarks={"a\x1b[2J": {}}),
    "a line break": with_(cpu="one\ntwo"),
    "no number": with_entry(measures={"forks": [float("nan"), 1]}),
    "infinite": with_entry(measures={"forks": [float("inf"), 1]}),
    "overflowing": with_entry(measures={"forks": [3, 4]}).replace("[3, 4]", "[1e999, 4]"),
    "beyond 64 bits": with_entry(seeds=[2**63, 1]),
    "digits without end": with_entry(seeds=[3, 4]).replace("[3, 4]", f"[{'9' * 5000}, 4]"),
    "text for a number": with_entry(measures={"forks": ["many", 1]}),
    "too few values": with_entry(measures={"forks": [3]}),
    "too many values": with_entry(measures={"forks": [3, 4, 5]}),
    "a seed twice": with_entry(seeds=[1, 1]),
    "no seed": with_entry(seeds=[], measures={}),
    "no goal": with_entry(goal="most"),
    "no benchmark": with_(benchmarks={}),
    "no label": with_(benchmarks={"one": {}}),
    "not ours": json.dumps({"benchmarks": [{"fullname": "t.py::t", "extra_info": {}}]}),
    "ours in part": json.dumps(
        {"benchmarks": [{"fullname": "t.py::t", "extra_info": {"pbtbench": {"format": 1}}}]}
    ),
    "bytes": "\ufffd\0",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_baseline_is_one_line_wherever_it_stands(stored, tmp_path, text):
    good, bad = stored("good.json", FORKS), stored("bad.json", text)
    before = (tmp_path / bad).read_bytes()
    assert "bad.json" in refused("compare", bad, good)
    assert "bad.json" in refused("compare", good, bad)
    assert "bad.json" in refused("compare", bad, good, "--update")
    assert (tmp_path / bad).read_bytes() == before
    assert "bad.json" in refused("export", bad, "--to", "bencher")


def a_pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_sparse_file(path):
    path.touch()
    os.truncate(path, 10 * 2**30)


def a_link_to_nowhere(path):
    path.symlink_to("nowhere")


def a_link_to_itself(path):
    path.symlink_to(path.name)


def a_device(path):
    path.symlink_to("/dev/zero")


PLACES = [a_pipe, a_folder, a_sparse_file, a_link_to_nowhere, a_link_to_itself, a_device]


@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
def test_what_is_no_file_is_not_read(stored, tmp_path, make):
    """Not even opened: a pipe would have it wait for ever."""
    good = stored("good.json", FORKS)
    make(tmp_path / "odd")
    assert "odd" in refused("compare", "odd", good)
    assert "odd" in refused("compare", good, "odd")
    code, _ = answered("compare", good, good, "--thresholds", "odd")
    assert code == 2


@pytest.mark.parametrize("make", [a_pipe, a_folder, a_link_to_nowhere, a_device])
def test_what_is_no_file_is_not_written(stored, tmp_path, make):
    good = stored("good.json", FORKS)
    make(tmp_path / "odd")
    assert "odd" in refused("compare", good, good, "--markdown", "odd")


@pytest.mark.parametrize("name", ["x" * 300, "none/base.json", "good.json/base.json"])
def test_a_place_that_cannot_be_is_one_line(stored, name):
    good = stored("good.json", FORKS)
    for flags in ([], ["--update"]):
        refused("compare", name, good, *flags)
    code, says = answered("compare", good, good, "--markdown", name)
    assert code
    assert says.isprintable()


def test_a_threshold_of_an_unknown_measure_names_the_nearest(stored):
    good = stored("good.json", FORKS)
    thresholds = stored("gate.toml", "[gate]\nforsk = 1.5\n")
    assert "did you mean 'forks'" in refused("compare", good, good, "--thresholds", thresholds)


def test_a_projects_thresholds_may_be_a_link(stored, tmp_path):
    base = stored("base.json", FORKS)
    new = stored("new.json", a_sitting(one=an_entry({"forks": [3, 5]})))
    stored("shared.toml", "[tool.pbtbench.gate]\nforks = 2.0\n")
    assert answered("compare", base, new) == (1, "")
    (tmp_path / "pyproject.toml").symlink_to("shared.toml")
    assert answered("compare", base, new) == (0, "")
