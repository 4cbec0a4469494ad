"""Which conversion a measurement takes, and in which other unit it would be plausible."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np

from ..records import MeasurementKind

_NO_SCALE = {"{score}", "[pH]"}
_ROUNDING = 1e-9
# Where a cohort declares no range. Trees read single precision, up to 3e38; squares must fit too.
LARGEST = 1e15


def conversion(kind: MeasurementKind, unit: str) -> tuple[float, float] | None:
    """(factor, offset) from a UCUM unit to the table's: value * factor + offset; None where there is none.

    An empty unit is the table's.
    """
    if unit in ("", kind.unit):
        return 1.0, 0.0
    return kind.units.get(unit)


def unit_matters(kind: MeasurementKind) -> bool:
    """Whether a missing unit is worth a warning: not for categories, flags, scores, pH and plain ratios."""
    return kind.kind == "quantity" and kind.unit not in _NO_SCALE and not (kind.unit == "1" and not kind.units)


def is_fraction(kind: MeasurementKind) -> bool:
    """Whether the quantity is a fraction that people also give in percent, as FiO2."""
    return kind.kind == "quantity" and kind.unit == "1" and "%" in kind.units


def plausible(kind: MeasurementKind, values: np.ndarray) -> np.ndarray:
    """bool (n,): inside the table's range, ends included up to rounding; NaN is not, nor anything beyond LARGEST."""
    slack = _ROUNDING * max([1.0, *(abs(limit) for limit in (kind.low, kind.high) if isfinite(limit))])
    return (values >= max(kind.low, -LARGEST) - slack) & (values <= min(kind.high, LARGEST) + slack)


def other_units(kind: MeasurementKind, given: str) -> Iterator[tuple[str, float, float]]:
    """(unit, factor, offset) of each accepted unit that is another scale than the given one, each scale once."""
    scales = {conversion(kind, given)}
    for unit, scale in ((kind.unit, (1.0, 0.0)), *kind.units.items()):
        if scale not in scales:
            scales.add(scale)
            yield unit, *scale


def suspects(kind: MeasurementKind, given: str, values: np.ndarray) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Which other unit makes implausible values plausible.

    values   float (n,), as given
    Returns  int (n,), an index into the units, -1 where none or more than one does; the units; and the values
             converted, float (n,), NaN where the index is -1.
    """
    which, times = np.full(len(values), -1), np.zeros(len(values), dtype=int)
    converted = np.full(len(values), np.nan)
    units: list[str] = []
    for unit, factor, offset in other_units(kind, given):
        with np.errstate(over="ignore"):  # an infinite number is not plausible
            there = values * factor + offset
        fits = plausible(kind, there)
        which[fits], converted[fits] = len(units), there[fits]
        times += fits
        units.append(unit)
    unclear = times != 1
    which[unclear], converted[unclear] = -1, np.nan
    return which, units, converted
