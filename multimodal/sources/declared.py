"""[measurements.NAME] of cohort.toml: a cohort's own additions to the measurement table, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any

from ..records import CohortError, MeasurementKind, did_you_mean, level_text, measurement_table, shown
from ..records.documents import MeasurementEntry
from .tables import FLAT_COLUMNS

KINDS = ("quantity", "category", "flag")
LONGEST_NAME = 64
_KEYS = tuple(MeasurementEntry.model_fields)
_OF_KIND = {"unit": "quantity", "units": "quantity", "low": "quantity", "high": "quantity", "censored": "quantity"}
_OF_KIND |= {"categories": "category"}


def declared(file: str, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, MeasurementKind]:
    """{NAME: its kind} of the tables (NAME, keys) in `file`, with units in UCUM. Raises CohortError COHORT_FORM."""
    found: dict[str, MeasurementKind] = {}
    for name, entry in entries:
        _check_name(file, name, found)
        try:
            found[name] = _kind_of(name, entry)
        except ValueError as error:
            told = f"{error}" if str(error).endswith("?") else f"{error}."
            raise CohortError("COHORT_FORM", f"{file}: [measurements.{name}] {told}") from None
    return found


def _check_name(file: str, name: str, before: Mapping[str, MeasurementKind]) -> None:
    same = next((other for other in before if other.casefold() == name.casefold()), None)
    wrong = next((character for character in name if character in "[]=|" or not character.isprintable()), None)
    why = {
        "it is empty": not name.strip(),
        "it begins or ends with a blank": name != name.strip(),
        f"it has more than {LONGEST_NAME} characters": len(name) > LONGEST_NAME,
        f"it holds {shown(wrong)}": wrong is not None,
        "a flat file has a column of this name": name.casefold() in FLAT_COLUMNS,
        "`label.` begins the column of a target": name.casefold().startswith("label."),
        f"{shown(same)} is declared too, and codes are the same in any case": same is not None,
    }
    for reason, holds in why.items():
        if holds:
            message = f"{file}: [measurements] {shown(name, LONGEST_NAME)} cannot be a code: {reason}."
            raise CohortError("COHORT_FORM", message)
    if (code := measurement_table().resolve(name)) is not None:
        kind = measurement_table()[code]
        what = f"{kind.display}, {kind.unit}" if kind.kind == "quantity" else f"{kind.display}, a {kind.kind}"
        message = f"{code} is in the measurement table already ({what}): use it, or choose another name."
        raise CohortError("COHORT_FORM", f"{file}: [measurements.{name}] {message}")


def _kind_of(name: str, entry: Mapping[str, Any]) -> MeasurementKind:
    """Raises ValueError, which says what is wrong."""
    for key, value in entry.items():
        if key not in _KEYS and isinstance(value, Mapping):
            raise ValueError(f'unknown table {shown(key)}: a name with a dot is quoted, [measurements."{name}.{key}"]')
        if key not in _KEYS:
            raise ValueError(f"unknown key {shown(key)}{did_you_mean(key, _KEYS)}")
    kind = entry.get("kind", "quantity")
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}, not {shown(kind)}")
    for key, of in _OF_KIND.items():
        if key in entry and kind != of:
            raise ValueError(f"`{key}` is for a {of}, and the kind is {kind}")
    low, high = (_number(entry.get(key, default), key) for key, default in (("low", -inf), ("high", inf)))
    if not low <= high:
        raise ValueError("`low` must not be above `high`")
    unit = measurement_table().ucum(_typed(entry, "unit", str, "1")) or "1"
    return MeasurementKind(
        code=name,
        display=_typed(entry, "display", str, "").strip() or name,
        loinc="",
        kind=kind,
        unit=unit,
        low=low,
        high=high,
        units=_units(unit, _typed(entry, "units", dict, {})),
        categories=_categories(entry["categories"]) if "categories" in entry else (),
        censored=_typed(entry, "censored", bool, False),
    )


def _units(unit: str, entries: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """{UCUM: (factor, offset)}; an entry is a factor, or [factor, offset]."""
    units: dict[str, tuple[float, float]] = {}
    for spelling, given in entries.items():
        other = measurement_table().ucum(spelling)
        both = given if isinstance(given, list) else [given, 0]
        if len(both) != 2:
            raise ValueError(f"`units` {shown(spelling)} must be a factor or [factor, offset], not {shown(given)}")
        factor, offset = (_number(part, f"units.{spelling}") for part in both)
        if not factor or not isfinite(factor) or not isfinite(offset):
            raise ValueError(f"`units` {shown(spelling)}: the factor must not be 0, and both finite")
        if not other or other == unit or other in units:
            raise ValueError(f"`units` {shown(spelling)} is {'empty' if not other else 'there already'}")
        units[other] = (factor, offset)
    return units


def _categories(given: Any) -> tuple[str, ...]:
    """At least two levels, as text, different in any case."""
    items = given if isinstance(given, list) else [None]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in items):
        raise ValueError(f"`categories` must be a list of texts or numbers, not {shown(given)}")
    levels = tuple(level_text(item) for item in given)
    if "" in levels or len(levels) < 2 or len({level.casefold() for level in levels}) < len(levels):
        raise ValueError("`categories` must be at least two levels, different in any case and not empty")
    return levels


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{key}` must be a number, not {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{key}` is too large a number") from None


def _typed(entry: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = entry.get(key, default)
    if not isinstance(value, kind):
        words = {str: "a text", bool: "true or false", dict: "a table of units"}
        raise ValueError(f"`{key}` must be {words[kind]}, not {shown(value)}")
    return value
