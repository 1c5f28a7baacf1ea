"""A record's tables as Parquet files: timeline, scores, forks, and notes if there are any.

Columns are those of `record`: a metric's is `metric.NAME`, a hyperparameter's `old.NAME` and `new.NAME`:
float64 or int64, or else each value as JSON. No value is missing; −1 and NaN stand for none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pbtbench.errors import SHOWN, BadInput, plain
from pbtbench.record import CODES, KINDS, Forks, Notes, Record, Scores, Timeline
from pbtbench.record import NOTES as NAMES
from pbtbench.runs import Run
from pbtbench.schema import Label, checked, unfit
from pbtbench.space.columns import Columns
from pbtbench.store.files import Folder
from pbtbench.store.pages import check_claims

MOST_BYTES = 4 * 2**30
"""Of a table, in its file and in memory: a record of 100 million scores has some 3 GB. What claims to be more
would take the machine down."""

MOST_ROWS, MOST_COLUMNS = 200_000_000, 10_000
"""Of a table. Columns are metrics, and hyperparameters twice."""

MOST_VALUES = 1_000_000_000
"""Rows times columns: some bytes each."""

SMALL_BYTES = 2**15
"""Up to which a table is written as it is, at once: compressing it piece by piece takes five times as long."""

MOST_WORKERS = 100_000
"""Numbers of workers, those included that took the place of lost ones."""

_ITERATIONS, _LONG = 2**31 - 1, 1e10
_MOMENT = (-_LONG, _LONG)
"""Seconds since the start of the run; clocks of other machines may be ahead of it."""

TEXT = np.object_
TIMELINE = {**Timeline.COLUMNS, "kind": TEXT}
"""The columns in the file: kinds are names there."""


def write(record: Record, folder: Folder) -> None:
    """Write a record's tables into a folder; `BadInput` for names and values that no table holds."""
    import pyarrow as pa

    timeline, scores, forks, notes = record.timeline, record.scores, record.forks, record.notes
    kinds = pa.DictionaryArray.from_arrays(pa.array(timeline.kind), list(KINDS))
    _write(folder, "timeline", {**_own(timeline, TIMELINE), "kind": kinds})
    metrics = _named("metric", scores.metrics)
    _write(folder, "scores", {**_own(scores, Scores.COLUMNS), **metrics})
    values = {**_named("old", forks.old), **_named("new", forks.new)}
    _write(folder, "forks", {**_own(forks, Forks.COLUMNS), **values})
    if len(notes):
        texts = [plain(text) for text in notes.text]
        _write(folder, "notes", {**_own(notes, Notes.COLUMNS), "text": texts})


def read(folder: Folder, within: str, files: Collection[str]) -> Record:
    """Read what `write` wrote, these files in the folder `within` another; `BadInput` for some that are damaged
    or hold no such tables."""
    timeline = _read(folder, f"{within}/timeline.parquet", TIMELINE)
    scores = _read(folder, f"{within}/scores.parquet", Scores.COLUMNS, "metric")
    forks = _read(folder, f"{within}/forks.parquet", Forks.COLUMNS, "old", "new")
    notes: dict[str, Any] = {name: np.zeros(0, kind) for name, kind in Notes.COLUMNS.items()}
    if "notes.parquet" in files:
        notes = _read(folder, f"{within}/notes.parquet", Notes.COLUMNS)
    return Record(
        timeline=Timeline.ordered(*timeline.values()),
        scores=Scores.ordered(*scores.values()),
        forks=Forks.ordered(*forks.values()),
        notes=Notes.ordered(*notes.values()),
    )


def _own(table: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(table, name) for name in columns}


def _named(which: str, values: Columns) -> dict[str, Any]:
    """Columns of metrics or hyperparameters, under the names that they have in the file."""
    what = "metric" if which == "metric" else "hyperparameter"
    return {
        f"{which}.{checked(Label, name, f'the name of a {what}')}": values[name]
        if values[name].dtype in (np.float64, np.int64)
        else [_json(value, name) for value in values[name].tolist()]
        for name in values
    }


def _json(value: object, name: str) -> str:
    _check_fit(value, name)
    return json.dumps(value)


def _from_json(text: str, name: str) -> Any:
    value = json.loads(text)
    _check_fit(value, name)
    return value


def _check_fit(value: object, name: str) -> None:
    """Raise `BadInput` for what is no hyperparameter's value."""
    if what := unfit(value, finite=False):
        raise BadInput(f"hyperparameter {name!r} = {plain(value)[:SHOWN]}: {what}")


def _write(folder: Folder, name: str, columns: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        key: pa.array(values, pa.string())
        if isinstance(values, list) or getattr(values, "dtype", None) == TEXT
        else values
        for key, values in columns.items()
    }
    table = pa.table(arrays)
    texts = [field.name for field in table.schema if not pa.types.is_primitive(field.type)]
    options: dict[str, Any] = {"use_dictionary": texts, "write_statistics": False}
    with folder.created(f"{name}.parquet") as file:
        if table.nbytes > SMALL_BYTES:
            pq.write_table(table, file, compression="zstd", **options)
        else:
            packed = pa.BufferOutputStream()
            pq.write_table(table, packed, compression="none", **options)
            file.write(packed.getvalue())


def _read(folder: Folder, name: str, columns: Mapping[str, Any], *prefixes: str) -> dict[str, Any]:
    """A table's columns; those of a prefix together under it, as `Columns`."""
    with loaded(folder, name) as table:
        found: dict[str, Any] = {key: _values(table, key, kind) for key, kind in columns.items()}
        found |= {prefix: {} for prefix in prefixes}
        for key in table.column_names:
            prefix, _, of = key.partition(".")
            if prefix in prefixes:
                found[prefix][checked(Label, of, "a column's name")] = _any_values(table, key)
            elif key not in columns:
                raise BadInput(f"a column {key!r}, which no such table has")
    return found


@contextmanager
def loaded(folder: Folder, name: str) -> Iterator[Any]:
    """A Parquet file as Arrow's table; `BadInput` that names the file for one that is damaged or too large,
    and for what is then found wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with folder.open(name, MOST_BYTES) as file:
        try:
            parquet = pq.ParquetFile(file)
            _check_size(parquet.metadata)
            check_claims(file, parquet.metadata)
            table = parquet.read(use_threads=parquet.metadata.num_rows > 100_000)
            table.validate(full=True)
            yield table
        except (
            pa.ArrowException,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            OverflowError,
            MemoryError,
            RecursionError,
        ) as error:
            raise BadInput(
                f"{folder.path / name}: damaged ({str(error)[:200]}); delete its folder and run again"
            ) from None


def _check_size(metadata: Any) -> None:
    rows, columns = metadata.num_rows, metadata.num_columns
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    size = sum(max(group.total_byte_size, 0) for group in groups)
    limits = (
        (rows, MOST_ROWS, "rows"),
        (columns, MOST_COLUMNS, "columns"),
        (rows * columns, MOST_VALUES, "values"),
        (size, MOST_BYTES, "bytes"),
    )
    for number, most, what in limits:
        if number > most:
            raise BadInput(f"{number} {what}; such a table has {most} at most")


def _values(table: Any, name: str, kind: Any, what: Callable[[str], Any] = str) -> np.ndarray:
    """A column that must be of that kind, without gaps; of texts, what each stands for."""
    import pyarrow as pa

    values = table.column(name)
    if values.null_count:
        raise BadInput(f"{name!r} has gaps")
    if name == "kind":
        return _mapped(values, CODES.__getitem__, np.int8)
    if kind is TEXT:
        return _mapped(values, what, kind)
    if values.type != pa.from_numpy_dtype(kind):
        raise BadInput(f"{name!r} is of {values.type}, not {np.dtype(kind)}")
    return values.to_numpy()  # type: ignore[no-any-return]


def _words(values: Any) -> tuple[list[str], np.ndarray]:
    """The different texts of a column, and for each row its place among them."""
    import pyarrow as pa

    if pa.types.is_string(values.type):
        values = values.dictionary_encode()
    elif not (pa.types.is_dictionary(values.type) and pa.types.is_string(values.type.value_type)):
        raise BadInput(f"text is asked for, not {values.type}")
    if not len(values):
        return [], np.zeros(0, np.int64)
    whole = values.unify_dictionaries().combine_chunks()
    one = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return one.dictionary.to_pylist(), one.indices.to_numpy()


def _mapped(values: Any, what: Callable[[str], Any], kind: Any) -> np.ndarray:
    """A column of texts as what each of them stands for."""
    texts, places = _words(values)
    found = np.empty(len(texts), kind)
    for place, word in enumerate(texts):
        found[place] = what(word)
    return found[places]  # type: ignore[no-any-return]


def _any_values(table: Any, name: str) -> np.ndarray:
    """A column of numbers, or of values as JSON."""
    import pyarrow as pa

    kind = table.schema.field(name).type
    for number in (np.float64, np.int64):
        if kind == pa.from_numpy_dtype(number):
            return _values(table, name, number)
    return _values(table, name, TEXT, lambda text: _from_json(text, name))


def check(record: Record, run: Run, cause: str) -> None:
    """Raise `BadInput` for a record that is none of that run's, which ended with `cause` if it failed."""
    timeline, scores, forks, notes = record.timeline, record.scores, record.forks, record.notes
    most, members = MOST_WORKERS, run.population
    _between("timeline", timeline, t_start_s=_MOMENT, duration_s=(0.0, _LONG), bytes=(0, 2**62))
    for name, table in (("timeline", timeline), ("notes", notes)):
        _between(name, table, worker=(-1, most), member=(-1, members), iteration=(-1, _ITERATIONS))
    _between("notes", notes, t_s=_MOMENT)
    own = {"t_s": _MOMENT, "member": (0, members), "iteration": (0, _ITERATIONS)}
    _between("scores", scores, **own, age=(0, _ITERATIONS))
    _between("forks", forks, **own, donor=(-1, members), copied_iteration=(-1, _ITERATIONS))
    if not set(notes.name.tolist()) <= set(NAMES):
        raise BadInput(f"notes: a name that is none of {', '.join(NAMES)}")
    if not cause and not len(scores):
        raise BadInput("scores: the run completed, but nobody scored")
    if len(scores) and run.card.objective.metric not in scores.metrics:
        raise BadInput(f"scores: without the objective, {run.card.objective.metric!r}")
    if list(forks.old) != list(forks.new):
        raise BadInput("forks: old and new hyperparameters have different names")
    starts = forks.starts
    if (forks.iteration[starts] != 0).any():
        raise BadInput("forks: one without a donor")
    started = np.zeros(members, bool)
    started[forks.member[starts]] = True
    others = np.concatenate([forks.member[~starts], forks.donor[~starts]])
    if not started[others].all():
        raise BadInput(f"forks: member {others[~started[others]][0]} has no starting values")


def _between(where: str, table: Any, **bounds: tuple[float, float]) -> None:
    """Raise `BadInput` if a column has a value outside [low, high)."""
    for name, (low, high) in bounds.items():
        values = getattr(table, name)
        fits = (values >= low) & (values < high)
        if not fits.all():
            raise BadInput(f"{where}: {name} = {values[~fits][0]}")
