"""The measurement table: what may be measured, in which units, within which plausible range."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from math import isfinite
from typing import Literal

import numpy as np
import pandas as pd

from .nearest import did_you_mean


@dataclass(frozen=True)
class MeasurementKind:
    """One row of the table.

    kind        quantity (a number on a scale), category (a code without order), flag (0 or 1)
    unit        UCUM; values are converted to it
    low, high   plausible range in `unit`, both ends allowed
    units       other accepted units: {UCUM unit: (factor, offset)}, value_in_unit = value * factor + offset
    categories  the allowed values of a category, as text; empty: any text
    censored    "<5" and ">5" are kept, at the limit
    """

    code: str
    display: str
    loinc: str
    kind: Literal["quantity", "category", "flag"]
    unit: str
    low: float
    high: float
    units: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    censored: bool = False


class MeasurementTable(Mapping[str, MeasurementKind]):
    """The table, by code. `resolve` also finds LOINC codes."""

    def __init__(self, kinds: Mapping[str, MeasurementKind], spellings: Mapping[str, str]):
        self._kinds = dict(kinds)
        self._spellings = dict(spellings)
        self._codes = {kind.loinc: code for code, kind in self._kinds.items() if kind.loinc}
        self._codes |= {code.casefold(): code for code in self._kinds}

    def __getitem__(self, code: str) -> MeasurementKind:
        return self._kinds[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def resolve(self, code: str) -> str | None:
        """The table's code for a code or LOINC code, in any case; None where there is none."""
        return self._codes.get(code.strip().casefold())

    def ucum(self, unit: str) -> str:
        """The UCUM spelling of a common one (`mmHg` -> `mm[Hg]`); the unit itself where none is known."""
        unit = unit.strip()
        return self._spellings.get(unit, self._spellings.get(unit.casefold(), unit))

    def called(self, name: str) -> str | None:
        """The code that clinicians call so; never what a measurement of that name is read as."""
        return _code_names().get(name.strip().casefold())

    def did_you_mean(self, name: str, others: Iterable[str] = ()) -> str:
        """`; did you mean 'X'?` for the code that clinicians call so, else for the nearest code or one of `others`.

        By its letters alone spo2 is nearest to pao2, which is another quantity.
        """
        meant = self.called(name)
        return f"; did you mean {meant!r}?" if meant else did_you_mean(name, [*others, *self])

    def extended(self, own: Mapping[str, MeasurementKind]) -> MeasurementTable:
        """This table with a cohort's own additions."""
        return MeasurementTable(self._kinds | dict(own), self._spellings) if own else self

    def as_learnt(self, learnt: Mapping[str, MeasurementKind]) -> MeasurementTable:
        """This table with the measurements `learnt` as a model knows them: their kind, unit and levels, whatever a
        cohort declares. A declaration in the same unit gives the range, and one in another unit may give the
        conversion; a value in a unit that has none is UNKNOWN_UNIT."""
        return self.extended(
            {code: _for_model(kind, self.get(self.resolve(code) or "")) for code, kind in learnt.items()}
        )


_WHOLE = re.compile(r"-?[0-9]+\.0+")


def level_text(item: object) -> str:
    """A level of a category as text: 3, 3.0, "3" and " 3.0 " are all "3"; missing is ""."""
    if item is None or (not isinstance(item, str) and pd.isna(item)):
        return ""
    if isinstance(item, bool | np.bool_):
        return str(int(item))
    text = str(item).strip()
    if text.casefold() == "nan":
        return ""
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def span(kind: MeasurementKind) -> str:
    """What may be given, in words: the range of a quantity (empty where there is no limit), levels, or 0, 1."""
    if kind.kind == "flag":
        return "0, 1"
    if kind.kind == "category":
        return ", ".join(kind.categories)
    if isfinite(kind.low) and isfinite(kind.high):
        return f"{kind.low:g} to {kind.high:g}"
    return f"from {kind.low:g}" if isfinite(kind.low) else f"up to {kind.high:g}" if isfinite(kind.high) else ""


def _for_model(learnt: MeasurementKind, cohort: MeasurementKind | None) -> MeasurementKind:
    if cohort is None or "quantity" not in (learnt.kind, cohort.kind) or learnt.kind != cohort.kind:
        return learnt
    if cohort.unit == learnt.unit:
        return replace(learnt, low=cohort.low, high=cohort.high, units={**cohort.units, **learnt.units})
    if learnt.unit in cohort.units:
        factor, offset = cohort.units[learnt.unit]
        return replace(learnt, units={cohort.unit: (1 / factor, -offset / factor), **learnt.units})
    return learnt


@lru_cache(maxsize=1)
def measurement_table() -> MeasurementTable:
    """The package's table, from measurements.csv and unit_spellings.csv beside this file."""
    folder = resources.files(__package__)
    kinds = {row["code"]: _kind_of(row) for row in _rows(folder / "measurements.csv")}
    spellings = {row["spelling"]: row["ucum"] for row in _rows(folder / "unit_spellings.csv")}
    return MeasurementTable(kinds, spellings)


@lru_cache(maxsize=1)
def _code_names() -> dict[str, str]:
    """{what clinicians call it: code}"""
    return {row["name"]: row["code"] for row in _rows(resources.files(__package__) / "code_names.csv")}


def _rows(file: Traversable) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(file.read_text(encoding="utf-8").splitlines())


def _kind_of(row: Mapping[str, str]) -> MeasurementKind:
    """other_units is `unit:factor:offset` separated by blanks; categories is `a|b|c`; censored is 1 or empty."""
    units = {}
    for item in row["other_units"].split():
        unit, factor, offset = item.rsplit(":", 2)
        units[unit] = (float(factor), float(offset))
    return MeasurementKind(
        code=row["code"],
        display=row["display"],
        loinc=row["loinc"],
        kind=row["kind"],  # type: ignore[arg-type]
        unit=row["unit"],
        low=float(row["low"]),
        high=float(row["high"]),
        units=units,
        categories=tuple(row["categories"].split("|")) if row["categories"] else (),
        censored=row["censored"] == "1",
    )
