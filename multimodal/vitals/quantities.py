"""Quantities: numbers converted to the table's unit, within its plausible range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..records import MeasurementKind, shown
from .rows import Rows
from .units import conversion, is_fraction, plausible, suspects, unit_matters


def quantity(kind: MeasurementKind, unit: str, rows: Rows, mine: np.ndarray, convert_suspect: bool) -> np.ndarray:
    """The values of one code given in one unit, float (len(mine),), NaN where refused; findings go on the account.

    unit  UCUM, an accepted one, "" where none was given
    mine  int, the rows
    """
    scale = conversion(kind, unit)
    assert scale is not None, unit
    factor, offset = scale
    given = rows.numbers.value[mine]
    with np.errstate(over="ignore"):  # 1e306 is a number, and becomes an infinite one, which is not plausible
        value = given * factor + offset
        thousandfold = given * 1000 * factor + offset
    limit = rows.numbers.limit[mine]

    either_way = plausible(kind, value) & plausible(kind, thousandfold)
    unread = np.isnan(given) | (limit & (not kind.censored)) | (rows.numbers.thousands[mine] & either_way)
    rows.account.add("NOT_A_NUMBER", mine[unread], lambda row, more: _not_a_number(kind, rows, row) + more)
    value[unread] = np.nan

    off = ~unread & ~plausible(kind, value)
    percent = np.zeros(len(mine), dtype=bool)
    if is_fraction(kind) and unit in ("", kind.unit):
        percent = off & (given > 1) & plausible(kind, given / 100)
        value[percent] = given[percent] / 100
    doubted = np.flatnonzero(off & ~percent)
    which, others, converted = suspects(kind, unit, given[doubted])
    suspect, implausible = (np.zeros(len(mine), dtype=bool) for _ in range(2))
    suspect[doubted], implausible[doubted] = which >= 0, which < 0
    value[doubted] = np.where(convert_suspect, converted, np.nan)

    meant = {int(mine[place]): others[other] for place, other in zip(doubted, which) if other >= 0}
    _report_range(kind, unit, rows, mine, implausible, meant, convert_suspect)
    _report_reading(kind, unit, rows, mine, ~np.isnan(value), percent, suspect)
    return value


def _not_a_number(kind: MeasurementKind, rows: Rows, row: int) -> str:
    raw = rows.raw.iloc[row]
    if pd.isna(raw) or not str(raw).strip():
        return f"{kind.code} has no value"
    if np.isnan(rows.numbers.value[row]):
        return f"{kind.code} {shown(raw)} is no number"
    if rows.numbers.limit[row]:
        return f"{kind.code} {shown(raw)} is a limit, which this code does not take"
    return f"{kind.code} {shown(raw)} has a comma that may part decimals or thousands"


def _report_range(kind, unit, rows: Rows, mine, implausible, meant: Mapping[int, str], converted: bool) -> None:
    """IMPLAUSIBLE, and UNIT_SUSPECT or UNIT_CONVERTED. meant: {suspect row: the unit in which it is plausible}."""
    hyphen = "-" if kind.low >= 0 else " to "
    span = f"{kind.low:g}{hyphen}{kind.high:g} {kind.unit}"
    written = f" {unit}" if unit not in ("", kind.unit) else ""

    def outside(row: int, more: str) -> str:
        numbers = rows.numbers
        odd = numbers.comma[row] or numbers.limit[row]
        found = shown(rows.raw.iloc[row]) if odd else f"{numbers.value[row]:.10g}"
        return f"{kind.code} {found}{written} is outside {span}{more}"

    def suspected(row: int, more: str) -> str:
        other = "1 (a fraction)" if meant[row] == "1" else meant[row]
        if converted:
            return f"{outside(row, more)}. It is read in {other}, as asked for."
        return (
            f"{outside(row, more)}. It is plausible in {other}: "
            "give the unit in the column `unit`, or pass --convert-suspect."
        )

    rows.account.add("IMPLAUSIBLE", mine[implausible], outside)
    suspect = np.array(list(meant), dtype=np.int64)
    rows.account.add("UNIT_CONVERTED" if converted else "UNIT_SUSPECT", suspect, suspected)


def _report_reading(kind, unit, rows: Rows, mine, kept, percent, suspect) -> None:
    """The warnings on values that are kept: how they were read."""
    numbers = rows.numbers

    def read_as(row: int, more: str) -> str:
        return f"{kind.code} {shown(rows.raw.iloc[row])} is read as {numbers.value[row]:.10g}{more}"

    def read_as_percent(row: int, more: str) -> str:
        return f"{kind.code} {numbers.value[row]:.10g} is above 1 and read as percent{more}"

    def taken(row: int, more: str) -> str:
        return f"{kind.code} {numbers.value[row]:.10g} has no unit{more}: {kind.unit} is taken"

    rows.account.add("DECIMAL_COMMA", mine[kept & numbers.comma[mine]], read_as)
    rows.account.add("CENSORED", mine[kept & numbers.limit[mine]], read_as)
    rows.account.add("PERCENT_READ", mine[percent], read_as_percent)
    if not unit and unit_matters(kind):
        rows.account.add("UNIT_ASSUMED", mine[kept & ~percent & ~suspect], taken)
