"""A folder whose files have other bytes, fields, cells or columns than were written: it is read, or what is
wrong with it named."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from hostile import GONE, STUDY, changed, paths, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def some_files(folder):
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*"))


@given(data=st.data())
@settings(FUZZ, max_examples=60)
def test_a_file_with_some_bytes_changed_is_read_or_named(world, data):
    folder = world.fresh()
    places = [
        f for f in some_files(folder) if (folder / f).is_file() and not f.startswith("report")
    ]
    file = folder / data.draw(st.sampled_from(places))
    text = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "replace"])):
        case "flip" if text:
            text[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del text[at:]
        case "insert":
            text[at:at] = data.draw(st.binary(min_size=1, max_size=20))
        case "replace":
            text = data.draw(
                st.sampled_from([b"", b"{}", b"[" * 10**5, b"\xff\xfe", b"null", b"1" * 10**4])
            )
    file.write_bytes(text)
    if data.draw(st.booleans()):
        (file.parent / "measures.json").unlink(missing_ok=True)
    read(folder)
    world.unharmed()


VALUES = [
    None, True, 0, -1, 2, 2**63, -(2**70), 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "nan",
    "Infinity", "a\nb", "\x00", "\x1b[31m", "\x9b", "\ud800", "\u2028", "../../outside/secret.txt", "/dev/zero",
    "x" * 300, "x" * 10**5, "evil:PROBLEM", "[x] [/blue]", "=1+1", [], {}, [[]], [None], ["x"], {"x": 1},
    {"\ud800": 1}, json.loads("[" * 900 + "]" * 900), "1e999", "é" * 200, 10**12,
]  # fmt: skip


JSON = [
    "machine.json",
    *(f"runs/toy.hand/pbt/inprocess/k1/s0/{n}.json" for n in ("run", "measures")),
]


@given(data=st.data())
@settings(FUZZ, max_examples=100)
def test_a_field_with_another_value_is_read_or_named(world, data):
    folder = world.fresh()
    file = folder / data.draw(st.sampled_from(JSON))
    fields = json.loads(file.read_text())
    path = data.draw(st.sampled_from(list(paths(fields))[1:]))
    new = data.draw(st.sampled_from([*VALUES, GONE]))
    file.write_text(json.dumps(changed(fields, path, new)))
    if file.name == "run.json" and data.draw(st.booleans()):
        (file.parent / "measures.json").unlink()
    read(folder)
    world.unharmed()


@pytest.mark.parametrize("name", JSON[:2])
def test_each_field_of_a_kind_that_it_can_not_be_is_read_or_named(world, name):
    fields = json.loads((world.fresh() / name).read_text())
    for path in list(paths(fields))[1:]:
        folder = world.fresh()
        (folder / name).write_text(json.dumps(changed(fields, path, {"x": ["\x00"]})))
        assert read(folder)
    world.unharmed()


@given(data=st.data())
@settings(FUZZ, max_examples=30)
def test_a_key_of_the_study_with_another_value_is_read_or_named(world, data):
    folder = world.fresh()
    declared = tomllib.loads(STUDY)
    path = data.draw(st.sampled_from(list(paths(declared))[1:]))
    new = data.draw(st.sampled_from([v for v in VALUES if v is not None and v != [None]]))
    try:
        text = tomli_w.dumps(changed(declared, path, new))
    except (TypeError, ValueError, RecursionError):
        text = "a = " + repr(new)
    (folder / "study.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    read(folder)
    world.unharmed()


TABLES = [
    f"runs/toy.hand/pbt/inprocess/k1/s0/{n}.parquet"
    for n in ("timeline", "scores", "forks", "notes")
]
CELLS = [
    None, 0, 1, -1, -2, 2, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 0.5, 1e308,
    float("nan"), float("inf"), -float("inf"), True, "", "x", "a\nb", "\x00",
    "\x1b[31m", "crash", "memory", "null", "[", "[" * 5000,
    "1e999", "evil:PROBLEM", '{"a": [null, "\\ud800"]}', "1" * 5000, b"\xff", [1],
]  # fmt: skip


def noted(table):
    """Have a table's run say that it is the one that was written."""
    file = table.with_name("run.json")
    fields = json.loads(file.read_text())
    fields["tables"][table.name] = table.stat().st_size
    file.write_text(json.dumps(fields))


@given(data=st.data())
@settings(FUZZ, max_examples=100)
def test_a_table_with_other_cells_or_columns_is_read_or_named(world, data):
    folder = world.fresh()
    file = folder / data.draw(st.sampled_from(TABLES))
    table = pq.read_table(file)
    name = data.draw(st.sampled_from(table.column_names))
    at = table.column_names.index(name)
    old = table.column(at).cast(pa.string()) if name == "kind" else table.column(at)
    cell = data.draw(st.sampled_from(CELLS))
    match data.draw(
        st.sampled_from(["one", "all", "drop", "rename", "add", "type", "no rows", "twice"])
    ):
        case "one" | "all" as how:
            values = old.to_pylist()
            row = data.draw(st.integers(0, len(values) - 1))
            values = (
                [cell] * len(values) if how == "all" else [*values[:row], cell, *values[row + 1 :]]
            )
            try:
                column = pa.array(values, old.type)
            except (pa.ArrowException, OverflowError, TypeError, ValueError):
                column = pa.array([cell] * len(values))
            table = table.set_column(at, name, column)
        case "drop":
            table = table.remove_column(at)
        case "rename":
            names = ["", "x", "metric.", "old.x", "new.\x00", "metric.loss", "member"]
            to = data.draw(st.sampled_from(names))
            table = table.rename_columns([to if n == name else n for n in table.column_names])
        case "add":
            table = table.append_column(f"metric.{cell}", pa.array([cell] * len(table)))
        case "type":
            kind = data.draw(
                st.sampled_from(
                    [pa.string(), pa.float32(), pa.int8(), pa.large_string(), pa.uint64()]
                )
            )
            try:
                table = table.set_column(at, name, old.cast(kind, safe=False))
            except pa.ArrowException:
                table = table.remove_column(at)
        case "no rows":
            table = table.slice(0, 0)
        case "twice":
            table = pa.concat_tables([table, table])
    pq.write_table(table, file)
    noted(file)
    read(folder)
    world.unharmed()


def test_a_table_that_would_fill_the_memory_is_refused_unread(world):
    folder = world.fresh()
    file = folder / TABLES[1]
    nothing = pa.array(np.zeros(20_000_000, bool))
    table = pa.table({"metric.loss": nothing})
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        for _ in range(15):
            writer.write_table(table, row_group_size=len(nothing))
    assert file.stat().st_size < 10**6
    noted(file)
    (line,) = read(folder)
    assert line.startswith(f"{file}: damaged (300000000 rows; such a table has")


@pytest.mark.parametrize("limit", ["rows", "columns", "values", "bytes"])
def test_each_limit_of_a_table_is_said(world, monkeypatch, limit):
    folder = world.fresh()
    (folder / TABLES[0]).with_name("measures.json").unlink()
    sizes = {"bytes": (folder / TABLES[0]).stat().st_size}
    monkeypatch.setattr(f"pbtbench.store.tables.MOST_{limit.upper()}", sizes.get(limit, 2))
    assert f"{limit}; such a " in read(folder)[0]
