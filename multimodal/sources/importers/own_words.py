"""A disease's own words in a note, masked, so that a model cannot read the diagnosis off its name."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...records.own_words import own_words_pattern

MASK = "___"
COVID_WORDS = (
    "covid-19",
    "covid-2019",
    "covid",
    "sars-cov-2",
    "sars-cov",
    "hcov-19",
    "severe acute respiratory syndrome coronavirus 2",
    "2019 novel coronavirus",
    "novel coronavirus",
    "coronavirus disease 2019",
    "coronavirus disease",
    "coronavirus 2019",
    "coronavirus 2",
    "coronaviruses",
    "coronavirus",
    "corona",
    "2019-ncov",
    "ncov-2019",
    "ncov",
)


def masked(notes: pd.Series, words: Sequence[str]) -> tuple[pd.Series, int]:
    """The notes with each of `words` replaced by `___`, and how many notes held one.

    Spellings are those of records.own_words.
    """
    pattern = own_words_pattern(words)
    held = notes.str.contains(pattern)
    return notes.str.replace(pattern, MASK, regex=True), int(held.sum())
