"""Checked values grouped by record and code, and the sums over groups that the features are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checking import Checked

DAY_HOURS = 24.0
SAME_TIME = 1e-6  # hours


@dataclass(frozen=True)
class Groups:
    """Values in one run per record and code, in time order; several at the same time are averaged.

    record, code  int (g,), of each group; code is an index into the categories of checked.values["code"]
    start         int (g,), the first of the group's values
    value, hours  float (m,)
    """

    record: np.ndarray
    code: np.ndarray
    start: np.ndarray
    value: np.ndarray
    hours: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """int (g,), values in each group."""
        return np.diff(np.append(self.start, len(self.value)))

    @property
    def last(self) -> np.ndarray:
        """int (g,), the last of each group's values."""
        return self.start + self.size - 1

    def sums(self, per_value: np.ndarray) -> np.ndarray:
        """float (g,): the sum of a per-value array (m,) over each group."""
        return np.add.reduceat(per_value, self.start) if len(self.start) else np.zeros(0)

    def spread(self, per_group: np.ndarray) -> np.ndarray:
        """(m,): a per-group array (g,) at each value."""
        return np.repeat(per_group, self.size)

    def where(self, kept: np.ndarray) -> Groups:
        """With only the values where `kept`, bool (m,); a group without any is left out."""
        owner = self.spread(np.arange(len(self.start)))[kept]
        start = np.flatnonzero(changes(owner))
        first = owner[start]
        return Groups(self.record[first], self.code[first], start, self.value[kept], self.hours[kept])


def grouped(checked: Checked, codes: tuple[str, ...]) -> Groups:
    """The groups of `codes`, by record and code."""
    values = checked.values
    column = values["code"].cat
    wanted = np.isin(np.asarray(column.categories, dtype=object), np.array(codes, dtype=object))
    mine = np.flatnonzero(wanted[column.codes.to_numpy()])
    record, hours, value = (values[name].to_numpy()[mine] for name in ("record", "hours", "value"))
    return in_runs(record, column.codes.to_numpy()[mine].astype(np.int64), hours, value)


def in_runs(record: np.ndarray, code: np.ndarray, hours: np.ndarray, value: np.ndarray) -> Groups:
    """The groups of m values, (m,) each, sorted by record, code and hours."""
    new_group = changes(record) | changes(code)
    moment = np.flatnonzero(new_group | changes(hours))
    if len(moment):
        value = np.add.reduceat(value, moment) / np.diff(np.append(moment, len(value)))
    start = np.flatnonzero(new_group[moment])
    first = moment[start]
    return Groups(record[first], code[first], start, value, hours[moment])


def last_of(checked: Checked, n: int, *codes: str) -> np.ndarray:
    """float (n,): each record's latest value of any of `codes`; at the same time the code named first counts."""
    groups = grouped(checked, codes)
    last = groups.last
    names = list(checked.values["code"].cat.categories)
    rank = np.full(len(names), len(codes))
    for i, code in enumerate(codes):
        if code in names:
            rank[names.index(code)] = i
    order = np.lexsort((-rank[groups.code], groups.hours[last], groups.record))
    latest = np.full(n, np.nan)
    # Assigned in order, so the latest of a record is written last.
    latest[groups.record[order]] = groups.value[last][order]
    return latest


def changes(column: np.ndarray) -> np.ndarray:
    """bool: True at the first row and wherever a row differs from the one before."""
    return np.append(True, column[1:] != column[:-1]) if len(column) else np.zeros(0, dtype=bool)
