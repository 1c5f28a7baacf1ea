"""How much a Parquet file claims to hold, by the headers of its pages, before any page is unpacked.

Arrow makes room for what a page's header says, whatever the footer says and the file can hold: some bytes
that claim 2 GB get them. Headers are structures of Thrift's compact protocol (`PageHeader` in Parquet's
`parquet.thrift`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import IO, Any

from pbtbench.errors import BadInput

FREE_BYTES, MOST_RATIO = 2**29, 1000
"""What any file may claim in memory; and a larger one, how many times its own bytes. A record's tables have
some twice their bytes; only those of a population whose scores are all alike come to a hundred times."""

VALUE_BYTES = 8
"""Of a value in memory, at most."""

MOST_PAGES, LONGEST_HEADER = 200_000, 2**16
"""A table of a hundred million rows has a fifth of these pages; headers have some fifty bytes."""

DEEPEST = 4
"""Structures in one another: a header, a page's own, its statistics."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _BINARY, _STRUCT = 1, 2, 3, 4, 5, 6, 8, 12
_UNPACKED, _PACKED, _DICTIONARY = 2, 3, 7
"""Fields of a header: the page's bytes in memory and in the file, and what it says of a dictionary."""
_VALUES = 1
"""The field with a dictionary's number of values."""


def check_claims(file: IO[bytes], metadata: Any) -> None:
    """Raise `BadInput` if a Parquet file with that footer claims more than a file of its size may, or the
    headers of its pages are none."""
    size = os.fstat(file.fileno()).st_size
    rows, columns = metadata.num_rows, metadata.num_columns
    claimed = pages = 0
    for unpacked in _pages(file, metadata, size):
        claimed, pages = claimed + unpacked, pages + 1
        if pages > MOST_PAGES:
            raise BadInput(f"more than {MOST_PAGES} pages")
        if max(claimed, VALUE_BYTES * rows * columns) > max(FREE_BYTES, MOST_RATIO * size):
            raise BadInput(
                f"{size} bytes that claim to hold {claimed}, and {rows} rows of {columns} columns"
            )


def _pages(file: IO[bytes], metadata: Any, size: int) -> Iterator[int]:
    """The bytes that each page says it has in memory."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            at, end = _place(chunk)
            if not 0 <= at <= end <= size:
                raise BadInput(f"column {chunk.path_in_schema!r} is said to stand outside of it")
            while (
                at < end and chunk.num_values > 0
            ):  # of one without, the places are those of nothing
                unpacked, packed, header = _page(file, at)
                at += header + packed
                yield unpacked


def _place(chunk: Any) -> tuple[int, int]:
    """Where a column's pages begin and end."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    return start, start + chunk.total_compressed_size


def _page(file: IO[bytes], at: int) -> tuple[int, int, int]:
    """Bytes of the page there: in memory, in the file, and of its header."""
    file.seek(at)
    header = _struct(file, at + LONGEST_HEADER, DEEPEST)
    unpacked, packed = (_size(header, field) for field in (_UNPACKED, _PACKED))
    dictionary = header.get(_DICTIONARY)
    if isinstance(dictionary, dict) and (values := _size(dictionary, _VALUES)) > unpacked:
        raise BadInput(f"a dictionary of {unpacked} bytes that claims to hold {values} values")
    return unpacked, packed, file.tell() - at


def _size(fields: Mapping[int, Any], field: int) -> int:
    found = fields.get(field)
    if not isinstance(found, int) or found < 0:
        raise BadInput("the header of a page says nothing of its size")
    return found


def _struct(file: IO[bytes], end: int, depth: int) -> dict[int, Any]:
    """A structure's fields by their numbers: those that are numbers or structures, None for others."""
    found: dict[int, Any] = {}
    key = 0
    while head := _byte(file, end):
        key = key + (head >> 4) if head >> 4 else _signed(file, end)
        found[key] = _value(file, head & 15, end, depth)
    return found


def _value(file: IO[bytes], kind: int, end: int, depth: int) -> Any:
    if kind in (_TRUE, _FALSE):
        return None
    if kind in (_I16, _I32, _I64):
        return _signed(file, end)
    if kind == _BYTE:
        _byte(file, end)
        return None
    if kind == _BINARY:
        file.seek(_unsigned(file, end), os.SEEK_CUR)
        return None
    if kind == _STRUCT and depth:
        return _struct(file, end, depth - 1)
    raise BadInput("the header of a page holds what none has")


def _signed(file: IO[bytes], end: int) -> int:
    number = _unsigned(file, end)
    return number >> 1 ^ -(number & 1)


def _unsigned(file: IO[bytes], end: int) -> int:
    number = shift = 0
    while shift < 64:
        byte = _byte(file, end)
        number |= (byte & 127) << shift
        if byte < 128:
            return number
        shift += 7
    raise BadInput("the header of a page holds what none has")


def _byte(file: IO[bytes], end: int) -> int:
    if file.tell() >= end or not (found := file.read(1)):
        raise BadInput("the header of a page is cut short")
    return found[0]
