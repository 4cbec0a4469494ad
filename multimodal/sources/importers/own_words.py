"""A disease's own words in a note, masked, so that a model cannot read the diagnosis off its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

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
# Only as whole words: they are parts of ordinary ones (coronary, peribroncovascular). The others are masked also
# where a blank was lost, as in "classiccovid-19".
_WHOLE_WORDS = {"corona", "ncov"}


def masked(notes: pd.Series, words: Sequence[str]) -> tuple[pd.Series, int]:
    """The notes with each of `words` replaced by `___`, and how many notes held one.

    Case is ignored; a blank or hyphen of a word stands for up to two characters that are no letter or digit, or for
    none ("SARS CoV2", "covid19", another dash).
    """
    pattern = _pattern(words)
    held = notes.str.contains(pattern)
    return notes.str.replace(pattern, MASK, regex=True), int(held.sum())


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    alternatives = []
    for word in sorted(words, key=len, reverse=True):
        flexible = r"[\W_]{0,2}".join(re.escape(part) for part in re.split(r"[ -]", word))
        # Not "coronavirus 2" of "coronavirus 229E": a number ends where its digits and letters end.
        ending = r"(?![^\W_])" if word[-1].isdigit() else ""
        alternatives.append(rf"(?<![^\W_]){flexible}(?![^\W_])" if word in _WHOLE_WORDS else flexible + ending)
    return re.compile("|".join(alternatives), re.IGNORECASE)
