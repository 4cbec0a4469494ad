"""The account of what was found: one Problem per record, reason and code, which says how many values it concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..records import Problem

Message = Callable[[int, str], str]


class Account:
    """Collects findings by row; `problems` turns them into one Problem per record, reason and code.

    record  int (n,), the record of each row
    code    int (n,), the code of each row
    where   (n,) texts, the place of each row, for messages: those that are needed are read one by one
    """

    def __init__(self, record: np.ndarray, code: np.ndarray, where: Sequence[str]):
        self._record, self._code, self._where = record, code, where
        self._span = int(code.max()) + 1 if len(code) else 1
        self._found: dict[tuple[str, int], tuple[int, int, Message]] = {}

    def add(self, reason: str, rows: np.ndarray, message: Message) -> None:
        """Rows with one finding. message(row, more) is made for the first row of each record and code;
        `more` is "" or " (and N more)"."""
        if not len(rows):
            return
        rows = np.sort(rows)
        key = self._record[rows] * self._span + self._code[rows]
        keys, first, count = np.unique(key, return_index=True, return_counts=True)
        for place, row, times in zip(keys.tolist(), rows[first].tolist(), count.tolist()):
            before = self._found.get((reason, place))
            if before is None:
                self._found[reason, place] = (row, times, message)
            else:
                earlier = min(before, (row, 0, message), key=lambda found: found[0])
                self._found[reason, place] = (earlier[0], before[1] + times, earlier[2])

    def problems(self) -> list[tuple[int, Problem]]:
        """(record, Problem), by record and row; `problem.times` is the number of values."""
        found = [
            (int(self._record[row]), row, reason, times, message)
            for (reason, _), (row, times, message) in self._found.items()
        ]
        found.sort(key=lambda item: item[:3])
        problems = []
        for record, row, reason, times, message in found:
            more = f" (and {times - 1} more)" if times > 1 else ""
            problems.append((record, Problem(reason, str(self._where[row]), message(row, more), times=times)))
        return problems
