"""Raw values to numbers, column-wise: a million rows cost one pass, and only distinct odd texts cost more.

What it does    reads plain numbers, decimal commas ("36,6") and limits ("<5", ">100"), and says which it met.
What it does not  guess: "12O", "", NaN, infinity, "1_000" and other digits than 0-9 are no number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

_ODD = re.compile(r"\s*(?P<limit>[<>]=?)?\s*(?P<number>[+-]?[0-9]*[.,]?[0-9]*(?:[eE][+-]?[0-9]{1,3})?)\s*", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_LONGEST = 64


@dataclass(frozen=True)
class Numbers:
    """n raw values, read.

    value      float (n,), NaN where there is no number
    comma      bool (n,), read with a decimal comma
    thousands  bool (n,), that comma may as well part thousands ("1,234")
    limit      bool (n,), "<" or ">" stood before it
    """

    value: np.ndarray
    comma: np.ndarray
    thousands: np.ndarray
    limit: np.ndarray


def read_numbers(raw: pd.Series) -> Numbers:
    """The numbers in a column of numbers and texts; never raises for what stands in it."""
    value = _plain(raw)
    comma, thousands, limit = (np.zeros(len(raw), dtype=bool) for _ in range(3))
    odd = np.flatnonzero(~np.isfinite(value))
    value[odd] = np.nan
    if len(odd) and not pd.api.types.is_numeric_dtype(raw.dtype):
        which, distinct = pd.factorize(raw.iloc[odd].to_numpy(dtype=object), use_na_sentinel=False)
        read = [_read_odd(str(item)) for item in distinct]
        value[odd] = np.array([number for number, *_ in read])[which]
        for column, marks in zip((comma, thousands, limit), list(zip(*read))[1:]):
            column[odd] = np.array(marks)[which]
    return Numbers(value, comma, thousands, limit)


def _plain(raw: pd.Series) -> np.ndarray:
    if raw.dtype == object:
        raw = pd.Series([_as_read(item) for item in raw], index=raw.index, dtype=object)
    return pd.to_numeric(raw, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)


def _as_read(item: object) -> object:
    """Item by item, so that no value depends on what else the column holds: True is no number, though pandas takes it
    for 1, and an integer beyond 64 bits is its text, which pandas else refuses together with the whole column."""
    if isinstance(item, bool | np.bool_) or (isinstance(item, int) and abs(item) >= 2**63):
        return str(item)
    return item


def _read_odd(text: str) -> tuple[float, bool, bool, bool]:
    """(number, comma, thousands, limit) of one text that is no plain number."""
    match = _ODD.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not any(c.isdigit() for c in match["number"].partition("e")[0].partition("E")[0]):
        return np.nan, False, False, False
    digits = match["number"]
    number = float(digits.replace(",", "."))
    if not np.isfinite(number):
        return np.nan, False, False, False
    return number, "," in digits, bool(_THOUSANDS.fullmatch(digits)), match["limit"] is not None
