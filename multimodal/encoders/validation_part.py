"""Which records of a training decide when it ends."""

from __future__ import annotations

import numpy as np

from ..records import UsageError


def validation_part(
    rows: np.ndarray, groups: np.ndarray, share: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """`rows` to learn from, and rows held out: about `share` of the groups, at least one; none where share is 0.

    rows: int (k,), the records that can be learnt from; groups: int (n,), of all records
    Raises UsageError if there are fewer than two groups.
    """
    if not share:
        return rows, rows[:0]
    found = np.unique(groups[rows])
    if len(found) < 2:
        raise UsageError("image.validation holds patients out; the records with a label and an image are of one only")
    count = min(max(round(share * len(found)), 1), len(found) - 1)
    held = np.isin(groups[rows], np.random.default_rng(random_state).permutation(found)[:count])
    return rows[~held], rows[held]
