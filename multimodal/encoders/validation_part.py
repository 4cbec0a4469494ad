"""Which records of a training decide when it ends."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupShuffleSplit


def validation_part(
    rows: np.ndarray, groups: np.ndarray, share: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """`rows` to learn from, and rows held out: whole groups, about `share` of them; none where share is 0.

    rows: int (k,), the records that can be learnt from; groups: int (n,), of all records
    """
    if not share or len(np.unique(groups[rows])) < 2:
        return rows, rows[:0]
    split = GroupShuffleSplit(n_splits=1, test_size=share, random_state=random_state)
    learnt, held = next(split.split(rows, groups=groups[rows]))
    return rows[np.sort(learnt)], rows[np.sort(held)]
