"""Labels: 1, 0, or empty for unknown; read only when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ..records import Problem, Target, shown
from .textfiles import SURPLUS, WHERE

_KNOWN = {"": np.nan, "0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0}  # Parquet holds labels with gaps as 0.0 and 1.0


@dataclass(frozen=True)
class Labels:
    """values float (n, T), NaN unknown; problems (record index, Problem); whole: problems of the cohort as a whole."""

    values: np.ndarray
    problems: Sequence[tuple[int, Problem]]
    whole: Sequence[Problem] = ()


class LabelSheet:
    """The labels of n records, filled from raw rows.

    The classes of a group are exclusive: one that is 1 says that the others, where they were left empty, are 0.
    """

    def __init__(self, n: int, targets: Mapping[str, Target]):
        self.targets = targets
        self.values = np.full((n, len(targets)), np.nan)
        self.problems: list[tuple[int, Problem]] = []
        self._filled = np.zeros(n, dtype=bool)
        self._contradicted: set[tuple[int, int]] = set()
        self._refused = np.zeros(self.values.shape, dtype=bool)  # a cell that was given, but cannot be used

    def add(self, rows: pa.Table, records: np.ndarray) -> None:
        """Rows with one column per target; records: int (m,), the record of each row. A record's second row may fill
        in what the first left empty; where both are known and differ, the label is BAD_VALUE and unknown."""
        where, surplus = rows[WHERE].to_numpy(), rows[SURPLUS].to_numpy()
        for i in np.flatnonzero(surplus):
            self._refuse(records[i], where[i], "more cells than the header has columns")
        again = self._filled[records] | pd.Series(records).duplicated().to_numpy()
        for t, name in enumerate(self.targets):
            found = self._parsed(rows[name].to_numpy(), name, records, where)
            self._refused[records[np.isinf(found)], t] = True
            found[np.isinf(found) | surplus] = np.nan
            self.values[records[~again], t] = found[~again]
            for i in np.flatnonzero(again & ~np.isnan(found)):
                record = int(records[i])
                if np.isnan(self.values[record, t]):
                    self.values[record, t] = found[i]
                elif self.values[record, t] != found[i]:
                    self._contradicted.add((record, t))
                    self._refuse(record, where[i], f"label {name} contradicts an earlier row of this record")
        self._filled[records] = True

    def finished(self, whole: Sequence[Problem] = ()) -> Labels:
        """The labels; those of an exclusive group in which more than one class is 1 become unknown; where one is, the
        group's empty ones become 0."""
        for record, t in self._contradicted:
            self.values[record, t] = np.nan
            self._refused[record, t] = True
        names = list(self.targets)
        for group in dict.fromkeys(target.group for target in self.targets.values() if target.group):
            columns = [t for t, name in enumerate(names) if self.targets[name].group == group]
            positives = (self.values[:, columns] == 1).sum(axis=1)
            empty = np.isnan(self.values[:, columns]) & ~self._refused[:, columns]
            self.values[:, columns] = np.where(empty & (positives == 1)[:, None], 0.0, self.values[:, columns])
            several = np.flatnonzero(positives > 1)
            for i in several:
                classes = " and ".join(names[t] for t in columns if self.values[i, t] == 1)
                self._refuse(i, f"labels of group {group}", f"{classes} are 1, but the group's classes are exclusive")
            self.values[np.ix_(several, columns)] = np.nan
        return Labels(self.values, sorted(self.problems, key=lambda item: item[0]), whole)

    def _parsed(self, cells: np.ndarray, name: str, records: np.ndarray, where: np.ndarray) -> np.ndarray:
        """0, 1, NaN where empty, infinity where refused."""
        codes, distinct = pd.factorize(cells)
        values = np.array([_KNOWN.get(text, np.inf) for text in distinct], dtype=np.float64)[codes]
        for i in np.flatnonzero(np.isinf(values)):
            self._refuse(records[i], where[i], f"label {name} is {shown(cells[i])}, not 0, 1 or empty")
        return values

    def _refuse(self, record: int, where: str, message: str) -> None:
        self.problems.append((int(record), Problem("BAD_VALUE", where, message)))
