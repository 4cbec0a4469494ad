"""What of a record was measured last, and how much in all: its measurements at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checking import Checked
from .groups import grouped


def common_codes(checked: Checked, n: int, *, min_records: int = 5) -> dict[str, str]:
    """{code: its kind} of what at least `min_records` of the n records have, and one in 500 of them."""
    codes = tuple(checked.values["code"].cat.categories)
    records = np.bincount(grouped(checked, codes).code, minlength=len(codes))
    least = max(min_records, n / 500)
    return {code: checked.table[code].kind for code, having in zip(codes, records) if having >= least}


def latest(checked: Checked, n: int, codes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of n records: the last value of each code, float (n, C), NaN where there is none, of a category the index of its
    level; and at how many moments any of them was measured, summed over the codes, float (n,)."""
    groups = grouped(checked, tuple(codes))
    names = {code: place for place, code in enumerate(codes)}
    columns = np.array([names.get(code, -1) for code in checked.values["code"].cat.categories], dtype=np.int64)
    last = np.full((n, len(codes)), np.nan)
    last[groups.record, columns[groups.code]] = groups.value[groups.last]
    return last, np.bincount(groups.record, weights=groups.size, minlength=n)
