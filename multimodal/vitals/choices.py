"""Categories and flags: texts, never numbers on a scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..records import MeasurementKind, did_you_mean, level_text, shown
from .rows import Rows

_YES = {"1", "true", "t", "yes", "y", "present", "positive"}
_NO = {"0", "false", "f", "no", "n", "absent", "negative"}
_NAMED = 12
_QUOTED = 16


def choice(kind: MeasurementKind, rows: Rows, mine: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """One category or flag: its values as indices into its levels, float (len(mine),), NaN where refused; the levels.

    A flag is 0 or 1, also written true, false, yes, no and their first letters, present, absent, positive, negative. A
    category's levels are those of the table, in any case; if it names none, those that occur, sorted.
    """
    which, distinct = pd.factorize(rows.raw.iloc[mine].astype(object).to_numpy(), use_na_sentinel=False)
    texts = [level_text(item) for item in distinct]
    levels: tuple[str, ...]
    if kind.kind == "flag":
        levels = ("0", "1")
        texts = ["1" if text.casefold() in _YES else "0" if text.casefold() in _NO else text for text in texts]
    else:
        levels = kind.categories or tuple(sorted({text for text in texts if text}))
    place = {level.casefold(): i for i, level in enumerate(levels)}
    value = np.array([place.get(text.casefold(), -1) for text in texts], dtype=float)[which]
    empty = np.array([not text for text in texts], dtype=bool)[which]
    text_of = dict(zip(mine[value < 0].tolist(), which[value < 0].tolist()))

    def no_value(_: int, more: str) -> str:
        return f"{kind.code} has no value{more}"

    def none_of(row: int, more: str) -> str:
        text = texts[text_of[row]]
        named = ", ".join(levels[:_NAMED]) + (f" and {len(levels) - _NAMED} more" if len(levels) > _NAMED else "")
        near = did_you_mean(text, levels)
        # A longer text may be a person's words or name.
        quoted = shown(text) if near or len(text) <= _QUOTED else f"a text of {len(text)} characters"
        return f"{kind.code} {quoted} is none of {named}{more}{near}"

    rows.account.add("NOT_A_NUMBER", mine[empty], no_value)
    rows.account.add("IMPLAUSIBLE", mine[(value < 0) & ~empty], none_of)
    return np.where(value < 0, np.nan, value), levels
