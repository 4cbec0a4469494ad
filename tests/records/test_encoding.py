"""Bytes become text in one of three known ways, or are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.records import ItemError
from multimodal.records.encoding import decode, encoding_of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff")))
def test_unicode_reads_back_without_a_warning(encoding, text):
    """UTF-8 with or without byte order mark, and UTF-16 with one."""
    assert decode(text.encode(encoding)) == (text, [])


def test_windows_1252_is_read_with_a_warning():
    """0xB0 is the degree sign there and no UTF-8."""
    text, problems = decode(b"38.5 \xb0C, \x80 20")

    assert text == "38.5 °C, € 20"
    assert [problem.code for problem in problems] == ["ENCODING_GUESSED"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"caf\xe9 \x00\x01", id="control bytes: a binary file"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", id="a JPEG"),
        pytest.param(b"\xe9\x81", id="a byte that Windows-1252 leaves undefined"),
        pytest.param(b"\xff\xfea\x00b", id="UTF-16 cut in half"),
    ],
)
def test_what_is_in_no_known_encoding_is_refused(data):
    with pytest.raises(ItemError) as refusal:
        decode(data)

    assert refusal.value.code == "BAD_ENCODING"


@given(data=st.binary(), cut=st.integers(2, 9))
def test_pieces_are_read_as_the_whole(data, cut):
    """A character may lie across two pieces."""

    def outcome(pieces):
        try:
            return encoding_of(pieces)
        except ItemError as error:
            return error.problem

    assert outcome([data[i : i + cut] for i in range(0, len(data), cut)]) == outcome([data])
