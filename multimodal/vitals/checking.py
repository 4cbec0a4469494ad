"""Raw measurements to checked values, column-wise, with an account of all that was refused or changed.

What it does      resolves codes, reads numbers, converts units, refuses what is implausible or inconsistent, merges
                  equal duplicates: INPUTS.md, "Measurements".
What it does not  look at the prediction time (the source has done that), impute, or clip.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..records import Batch, MeasurementTable, Problem
from .agreement import drop_reversed_pressures, merge_equal, ordered, warn_of_unequal
from .choices import choice
from .quantities import quantity
from .rows import Rows


@dataclass(frozen=True)
class Checked:
    """The measurements that may be used, and what was found on the way.

    values    DataFrame sorted by record, code, hours, value: record (int), code (categorical, the table's codes),
              value (float, in the table's unit; a category: index into its levels; a flag: 0 or 1), hours (float)
    problems  (record, Problem), one per record, reason and code, with the number of values as `times`
    levels    {code of a category: its levels, as text}
    table     the measurement table that was used
    """

    values: pd.DataFrame
    problems: list[tuple[int, Problem]]
    levels: Mapping[str, tuple[str, ...]]
    table: MeasurementTable


def check(batch: Batch, *, convert_suspect: bool = False) -> Checked:
    """The batch's measurements in the table's units, and a Problem for all that is not as it should be.

    convert_suspect  a value that is implausible as given and plausible in exactly one other accepted unit is
                     converted (UNIT_CONVERTED) instead of refused (UNIT_SUSPECT)
    Never raises for what a measurement holds. A record's values depend neither on other records nor on row order.
    """
    rows = Rows(batch)
    value = np.full(len(rows.record), np.nan)
    chosen: dict[str, list[np.ndarray]] = {}
    for kind, unit, mine in rows.usable():
        if kind.kind == "quantity":
            value[mine] = quantity(kind, unit, rows, mine, convert_suspect)
        else:
            chosen.setdefault(kind.code, []).append(mine)
    levels = {}
    for code, groups in chosen.items():
        mine = np.concatenate(groups)
        value[mine], found = choice(batch.table[code], rows, mine)
        if batch.table[code].kind == "category":
            levels[code] = found
    kept = merge_equal(rows, value, ordered(rows, value))
    kept = drop_reversed_pressures(rows, value, kept)
    warn_of_unequal(rows, value, kept, levels)
    values = pd.DataFrame(
        {
            "record": rows.record[kept],
            "code": pd.Categorical.from_codes(rows.code[kept], categories=pd.Index(rows.codes, dtype=object)),
            "value": value[kept],
            "hours": rows.hours[kept],
        }
    )
    return Checked(values, rows.account.problems(), levels, batch.table)


def present(checked: Checked, n: int, codes: Collection[str] | None = None) -> np.ndarray:
    """bool (n,): the records with at least one usable measurement, of `codes` if they are given. Age and sex alone are
    none."""
    rows = checked.values
    if codes is not None:
        rows = rows[rows["code"].isin(list(codes))]
    there = np.zeros(n, dtype=bool)
    there[rows["record"].to_numpy()] = True
    return there
