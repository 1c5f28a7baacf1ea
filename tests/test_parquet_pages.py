"""A Parquet file takes no more memory than a file of its size may, whatever its headers claim."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pbtbench import BadInput
from pbtbench.store import pages, tables
from pbtbench.store.files import Folder


def zigzag(number):
    """As Thrift's compact protocol writes a whole number."""
    digits, number = [], 2 * number
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def claim(file, unpacked):
    """Have the header of the last column's page claim so many bytes in memory. The footer fits its length."""
    group = pq.read_metadata(file).row_group(0)
    chunk = group.column(group.num_columns - 1)
    start, length, data = chunk.data_page_offset, chunk.total_compressed_size, file.read_bytes()
    at = start + len(head := b"\x15\x00\x15")  # a page of data; its bytes in memory
    assert data[start:at] == head
    end = next(i for i in range(at, len(data)) if data[i] < 128) + 1
    body = data[:at] + zigzag(unpacked) + data[end:]
    said, place = b"\x16" + zigzag(length), b"\x26" + zigzag(start)
    assert body.count(said + place) == 1
    longer = b"\x16" + zigzag(length + len(body) - len(data))
    file.write_bytes(body.replace(said + place, longer + place))


def load(file):
    with tables.loaded(Folder(file.parent), file.name) as table:
        return table


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_page_that_claims_more_than_its_file_can_hold_is_refused_before_it_is_unpacked(
    file, compression, monkeypatch
):
    table = pa.table({"some": np.arange(100), "more": np.random.default_rng(0).random(100)})
    pq.write_table(table, file, use_dictionary=False, compression=compression)
    claim(file, 2**31 - 1)
    monkeypatch.setattr(pq.ParquetFile, "read", None)  # as it would make room for them
    with pytest.raises(
        BadInput, match=r"a\.parquet: damaged \(\d+ bytes that claim to hold 214748"
    ):
        load(file)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data_page_size": 1000},
        {"row_group_size": 9000, "version": "1.0"},
        {"data_page_version": "2.0", "write_statistics": False},
        {"write_page_checksum": True, "use_dictionary": False},
    ],
)
def test_what_pages_claim_is_read_as_arrow_writes_it(file, monkeypatch, options):
    """Texts and numbers, with statistics and without, in several pages and groups."""
    texts, numbers = [f"x{i}" * 9 for i in range(20_000)], np.arange(20_000.0)
    table = pa.table({"text": texts, "number": numbers, "none": pa.nulls(20_000, pa.int32())})
    pq.write_table(table, file, compression="zstd", **options)
    assert load(file).equals(table)
    monkeypatch.setattr(pages, "FREE_BYTES", 0)
    monkeypatch.setattr(pages, "MOST_RATIO", 1)
    claims = r"a\.parquet: damaged \(\d+ bytes that claim to hold \d+, and 20000 rows of 3 columns"
    with pytest.raises(BadInput, match=claims):
        load(file)


def test_rows_that_take_no_bytes_in_the_file_are_counted(file):
    """Runs of one value are a few bytes, however many rows."""
    pq.write_table(pa.table({"x": pa.nulls(70_000_000, pa.bool_())}), file)
    assert file.stat().st_size < 200_000
    with pytest.raises(BadInput, match="and 70000000 rows of 1 columns"):
        load(file)


@pytest.mark.parametrize("cut", [1, 2, 5, 20])
def test_a_header_that_is_none_is_named(file, cut):
    pq.write_table(pa.table({"x": np.arange(100)}), file)
    data = bytearray(file.read_bytes())
    data[4 : 4 + cut] = b"\x19" * cut
    file.write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.parquet: damaged \("):
        load(file)
