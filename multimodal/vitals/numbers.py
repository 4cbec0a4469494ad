"""Raw values to numbers, column-wise: a million rows cost one pass, and only distinct odd texts cost more.

What it does    reads plain numbers, decimal commas ("36,6") and limits ("<5", ">100"), and says which it met.
What it does not  guess: "12O", "", NaN, infinity, "1_000" and other digits than 0-9 are no number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = r"^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$"
_ODD = re.compile(r"\s*(?P<limit>[<>]=?)?\s*(?P<number>[+-]?[0-9]*[.,]?[0-9]*(?:[eE][+-]?[0-9]+)?)\s*", re.ASCII)
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
    """The numbers in a column of numbers and texts; never raises for what stands in it.

    A text is read by itself, so that no value depends on what else the column holds, and to the nearest float.
    """
    comma, thousands, limit = (np.zeros(len(raw), dtype=bool) for _ in range(3))
    if pd.api.types.is_float_dtype(raw.dtype) or pd.api.types.is_integer_dtype(raw.dtype):
        value = raw.to_numpy(dtype=float, na_value=np.nan, copy=True)
        value[~np.isfinite(value)] = np.nan
        return Numbers(value, comma, thousands, limit)
    texts = _texts(raw)
    plain = pc.match_substring_regex(texts, _PLAIN)
    numbers = pc.cast(pc.if_else(plain, texts, pa.scalar(None, pa.string())), pa.float64())
    value = numbers.to_numpy(zero_copy_only=False).copy()
    odd = np.flatnonzero(np.isnan(value))
    if len(odd):
        found = texts.take(pa.array(odd)).dictionary_encode()
        read = [_read_odd(text) for text in found.dictionary.to_pylist()]
        which = found.indices.to_numpy()
        value[odd] = np.array([number for number, *_ in read])[which]
        for column, marks in zip((comma, thousands, limit), list(zip(*read))[1:]):
            column[odd] = np.array(marks)[which]
    return Numbers(value, comma, thousands, limit)


def _texts(raw: pd.Series) -> pa.Array:
    """Each item as text; a number as the shortest that reads as the same, a missing one as a text that is no number."""
    if isinstance(raw.dtype, pd.StringDtype) and raw.dtype.storage == "pyarrow":
        texts = pa.array(raw)
        texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        return pc.fill_null(texts.cast(pa.string()), "")
    encoded = [str(item).encode("utf-8", "replace") for item in raw]
    return pa.array(encoded, pa.binary()).cast(pa.string())


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
