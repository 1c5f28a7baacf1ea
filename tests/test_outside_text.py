"""Text from outside on its way to a terminal, a file's name or a spreadsheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import filename, spreadsheet
from pbtbench.errors import CONTROL, LONGEST, BadInput, Failed, plain

ANY = st.text(st.characters(), max_size=3000)  # surrogates, too


@given(text=ANY)
def test_a_message_is_one_line_that_a_terminal_shows_as_it_is(text):
    for line in (plain(text), str(BadInput(text)), str(Failed(text))):
        assert not CONTROL.search(line)
        assert len(line) <= LONGEST
        line.encode("utf-8")


def test_what_can_not_be_shown_is_shown_by_its_code():
    assert plain("a\x1b[31m\nb\u202fc\ud800") == "a\\x1b[31m b\u202fc\\ud800"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1"])
def test_a_cell_is_no_formula(text):
    assert not spreadsheet.cell(text).lstrip().startswith((*spreadsheet.FORMULA, "\t", "\r"))


@pytest.mark.parametrize("text", ["", "pbt k=4", "a-b", "'x", "é"])
def test_a_cell_of_plain_text_is_left_alone(text):
    assert spreadsheet.cell(text) == text


@given(text=ANY)
def test_a_name_of_a_file_is_short_and_plain_whatever_the_text(text):
    for name in (filename.part(text), filename.folder(text)):
        assert 0 < len(name.encode()) <= 255 - len(".part-.parquet") or text == ""
        assert not {"/", "\0"} & set(name)
        assert name not in (".", "..")
    assert filename.part(text).isascii()
