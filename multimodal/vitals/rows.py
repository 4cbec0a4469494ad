"""The measurements of a batch as arrays, with codes and units resolved."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd

from ..records import Batch, MeasurementKind, shown
from .account import Account
from .numbers import read_numbers
from .units import conversion

_LONGEST_NAME = 40


class Rows:
    """n raw measurements.

    record   int (n,);  hours float (n,), 0 where there is none;  raw  Series (n,), the values as given
    numbers  the values, read
    codes    object (c,), the table's codes, sorted
    code     int (n,), an index into `codes`, -1 where unknown
    unit     int (n,), an index into `ucum`
    ucum     object (u,), the units in UCUM, "" none
    account  where findings go
    """

    def __init__(self, batch: Batch):
        frame = batch.measurements
        self.table = batch.table
        self.record = frame["record"].to_numpy(dtype=np.int64)
        self.hours = np.nan_to_num(frame["hours"].to_numpy(dtype=float), nan=0.0)
        self.raw = frame["value"].reset_index(drop=True)
        self.numbers = read_numbers(self.raw)
        self.codes = np.array(sorted(batch.table), dtype=object)
        place = {code: i for i, code in enumerate(self.codes)}
        self._named, self._names = _distinct(frame["code"])
        known = np.array([place.get(batch.table.resolve(name), -1) for name in self._names] or [-1], dtype=np.int64)
        self.code = known[self._named]
        self._spelt, self._spellings = _distinct(frame["unit"])
        ucum = [batch.table.ucum(spelling) for spelling in self._spellings]
        which, self.ucum = pd.factorize(np.array(ucum or [""], dtype=object))
        self.unit = which[self._spelt]
        column = np.where(self.code >= 0, self.code, len(self.codes) + self._named)
        self.account = Account(self.record, column, frame["where"].array)

    def kind(self, code: int) -> MeasurementKind:
        return self.table[self.codes[code]]

    def usable(self) -> Iterator[tuple[MeasurementKind, str, np.ndarray]]:
        """(kind, UCUM unit, its rows) for each pair of known code and accepted unit; the other rows are refused."""
        self.account.add("UNKNOWN_CODE", np.flatnonzero(self.code < 0), self._unknown_code())
        known = np.flatnonzero(self.code >= 0)
        pair = self.code[known] * len(self.ucum) + self.unit[known]
        if len(self.codes) * len(self.ucum) < 2**15:
            pair = pair.astype(np.int16)  # these numpy sorts by counting
        order = np.argsort(pair, kind="stable")
        starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
        refused = []
        for start, end in zip(starts, np.append(starts[1:], len(order))):
            rows = known[order[start:end]]
            kind, unit = self.kind(self.code[rows[0]]), self.ucum[self.unit[rows[0]]]
            if conversion(kind, unit) is None:
                refused.append(rows)
            else:
                yield kind, unit, rows
        if refused:
            self.account.add("UNKNOWN_UNIT", np.concatenate(refused), self._unknown_unit)

    def _unknown_code(self):
        near = lru_cache(maxsize=None)(self.table.did_you_mean)

        def message(row: int, more: str) -> str:
            name = self._names[self._named[row]]
            # Swapped columns give thousands of distinct numbers here: the search for a near name is for names.
            hint = near(name) if len(name) <= _LONGEST_NAME and any(map(str.isalpha, name)) else ""
            return f"{shown(name)} is no code of the measurement table and no LOINC code of it{more}{hint}"

        return message

    def _unknown_unit(self, row: int, more: str) -> str:
        kind = self.kind(self.code[row])
        accepted = ", ".join((kind.unit, *kind.units))
        return f"{kind.code} in {shown(self._spellings[self._spelt[row]])} has no conversion{more}: give {accepted}"


def _distinct(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """An index per row, and the distinct texts, stripped; missing is ""."""
    which, distinct = pd.factorize(column, use_na_sentinel=False)
    return which, ["" if pd.isna(item) else str(item).strip() for item in distinct]
