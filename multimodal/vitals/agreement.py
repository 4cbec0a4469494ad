"""Values against each other: equal ones merge, reversed pressures are refused, unequal duplicates are reported.

`kept` is everywhere the rows still in use, int, by record, code, hours and value.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .rows import Rows

PRESSURE_PAIRS = (("systolic_bp", "diastolic_bp"), ("systolic_bp_invasive", "diastolic_bp_invasive"))
_SAME = 1e-9


def ordered(rows: Rows, value: np.ndarray) -> np.ndarray:
    """The rows that have a value, by record, code, hours and value."""
    kept = np.flatnonzero(~np.isnan(value))
    key = rows.record[kept] * len(rows.codes) + rows.code[kept]
    order = np.argsort(key, kind="stable")
    kept, key = kept[order], key[order]
    hours = rows.hours[kept]
    earlier, lower = np.diff(hours) < 0, (np.diff(hours) == 0) & (np.diff(value[kept]) < 0)
    same_key = np.diff(key) == 0
    # Most files are in order of time: the full sort is for the groups that are not.
    group = np.cumsum(np.append(0, ~same_key))
    disordered = np.zeros(len(key) + 1, dtype=bool)
    disordered[group[1:][same_key & (earlier | lower)]] = True
    places = np.flatnonzero(disordered[group[: len(key)]])
    several = kept[places]
    kept[places] = several[np.lexsort((value[several], hours[places], key[places]))]
    return kept


def merge_equal(rows: Rows, value: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Without those that repeat the value before, of the same record, code and time (up to rounding)."""
    v = value[kept]
    equal = np.abs(np.diff(v)) <= _SAME * np.maximum(np.abs(v[1:]), np.abs(v[:-1]))
    return np.delete(kept, np.flatnonzero(_same_place(rows, kept) & equal) + 1)


def drop_reversed_pressures(rows: Rows, value: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Without each diastolic above every systolic of its time, and each systolic below every diastolic of its time."""
    wrong = np.zeros(len(kept), dtype=bool)
    codes = list(rows.codes)
    for upper, lower in PRESSURE_PAIRS:
        if upper in codes and lower in codes:
            wrong |= _reversed(rows, value, kept, codes.index(upper), codes.index(lower))
    return kept[~wrong]


def _reversed(rows: Rows, value: np.ndarray, kept: np.ndarray, upper: int, lower: int) -> np.ndarray:
    """bool (len(kept),): the values of a pair of codes that are the wrong way round."""
    wrong = np.zeros(len(kept), dtype=bool)
    at = np.flatnonzero((rows.code[kept] == upper) | (rows.code[kept] == lower))
    at = at[_may_be_reversed(rows.record[kept[at]], value[kept[at]], rows.code[kept[at]] == upper)]
    both = kept[at]
    moment = pd.DataFrame({"r": rows.record[both], "h": rows.hours[both]}).groupby(["r", "h"]).ngroup().to_numpy()
    is_upper = rows.code[both] == upper
    highest, lowest = np.full((2, moment.max(initial=0) + 1), np.nan)
    np.fmax.at(highest, moment[is_upper], value[both[is_upper]])
    np.fmin.at(lowest, moment[~is_upper], value[both[~is_upper]])
    wrong[at] = np.where(is_upper, value[both] < lowest[moment], value[both] > highest[moment])
    against = dict(zip(both.tolist(), highest[moment].tolist())) if wrong.any() else {}

    def message(row: int, more: str) -> str:
        above = f"{rows.codes[lower]} {value[row]:.10g} is above {rows.codes[upper]} {against[row]:.10g}"
        return f"{above} at the same time{more}: both are refused"

    rows.account.add("INCONSISTENT", both[wrong[at] & ~is_upper], message)
    return wrong


def _may_be_reversed(record: np.ndarray, value: np.ndarray, is_upper: np.ndarray) -> np.ndarray:
    """bool (k,): the values of the records in which, whatever the time, some lower value is above some upper one."""
    lowest, highest = np.full(record.max(initial=0) + 1, np.inf), np.full(record.max(initial=0) + 1, -np.inf)
    np.minimum.at(lowest, record[is_upper], value[is_upper])
    np.maximum.at(highest, record[~is_upper], value[~is_upper])
    return (highest > lowest)[record]


def warn_of_unequal(rows: Rows, value: np.ndarray, kept: np.ndarray, levels: Mapping[str, tuple[str, ...]]) -> None:
    """DUPLICATE_MEASUREMENT for what is left of the same record, code and time."""
    again = np.flatnonzero(_same_place(rows, kept))
    before = dict(zip(kept[again + 1].tolist(), kept[again].tolist()))

    def named(row: int) -> str:
        code = rows.codes[rows.code[row]]
        return levels[code][int(value[row])] if code in levels else f"{value[row]:.10g}"

    def message(row: int, more: str) -> str:
        code = rows.codes[rows.code[row]]
        return f"{code} is {named(before[row])} and {named(row)} at the same time{more}: both are kept"

    rows.account.add("DUPLICATE_MEASUREMENT", kept[again + 1], message)


def _same_place(rows: Rows, kept: np.ndarray) -> np.ndarray:
    """bool (len(kept) - 1,): a row and the next have the same record, code and time."""
    same = np.diff(rows.record[kept]) == 0
    same &= np.diff(rows.code[kept]) == 0
    return same & (np.diff(rows.hours[kept]) == 0)
