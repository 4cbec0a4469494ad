"""cohort.toml: what a cohort says about itself, its targets and its own measurements."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..records import (
    CohortError,
    MeasurementKind,
    MeasurementTable,
    RecordError,
    Target,
    did_you_mean,
    measurement_table,
    shown,
)
from .declared import declared

SCHEMA = 1
_KEYS = ("schema", "name", "provenance", "attributes", "ignore", "targets", "measurements")


@dataclass(frozen=True)
class Description:
    """The contents of cohort.toml; targets is None where the file (or the file itself) does not name any.

    known  further measurements that the reader of the cohort knows, a model's own: what `measurements` declares wins
    """

    name: str
    provenance: str = ""
    attributes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    targets: Mapping[str, Target] | None = None
    measurements: Mapping[str, MeasurementKind] = field(default_factory=dict)
    known: Mapping[str, MeasurementKind] = field(default_factory=dict)

    @property
    def table(self) -> MeasurementTable:
        """The package's measurement table with the cohort's additions."""
        return measurement_table().extended({**self.known, **self.measurements})

    def opened_with(self, ignore: Collection[str], known: Mapping[str, MeasurementKind]) -> Description:
        """The description, with further columns to leave out and further measurements."""
        return replace(self, ignore=(*self.ignore, *ignore), known=dict(known))


def read_description(path: Path) -> Description:
    """cohort.toml at `path`. Raises CohortError COHORT_FORM: missing, unreadable, of a newer schema, unknown keys."""
    try:
        contents = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise CohortError("COHORT_FORM", f"{path.name} is missing.") from None
    except OSError as error:
        raise CohortError("COHORT_FORM", f"{path.name} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise CohortError("COHORT_FORM", f"{path.name} is not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise CohortError("COHORT_FORM", f"{path.name} cannot be read: {_first_line(error)}.") from error
    schema = contents.get("schema")
    if type(schema) is not int or schema < 1:
        raise CohortError("COHORT_FORM", f"{path.name}: `schema` must be 1, not {shown(schema)}.")
    if schema > SCHEMA:
        message = f"{path.name} is of schema {schema}, this version reads up to {SCHEMA}: a newer version is needed."
        raise CohortError("COHORT_FORM", message)
    _refuse_unknown(path.name, "", contents, _KEYS)
    return Description(
        name=_value(path.name, contents, "name", str, path.parent.name if path.name == "cohort.toml" else path.stem),
        provenance=_value(path.name, contents, "provenance", str, ""),
        attributes=_names(path.name, contents, "attributes"),
        ignore=_names(path.name, contents, "ignore"),
        targets=_targets(path.name, contents),
        measurements=declared(path.name, _tables(path.name, contents, "measurements")),
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _refuse_unknown(file: str, place: str, entry: Mapping[str, Any], known: Collection[str]) -> None:
    for key in entry:
        if key not in known:
            raise CohortError(
                "COHORT_FORM", f"{file}: {place}unknown key {shown(key)}{did_you_mean(key, known) or '.'}"
            )


def _value(file: str, entry: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = entry.get(key, default)
    if not isinstance(value, kind):
        raise CohortError("COHORT_FORM", f"{file}: `{key}` must be a {kind.__name__}, not {shown(value)}.")
    return value


def _names(file: str, contents: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = _value(file, contents, key, list, [])
    if not all(isinstance(name, str) and name for name in names):
        raise CohortError("COHORT_FORM", f"{file}: `{key}` must be a list of column names.")
    return tuple(names)


def _tables(file: str, contents: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = _value(file, contents, key, dict, {})
    for name, entry in tables.items():
        if not isinstance(entry, dict):
            raise CohortError("COHORT_FORM", f"{file}: `{key}.{name}` must be a table.")
    return list(tables.items())


def _targets(file: str, contents: Mapping[str, Any]) -> dict[str, Target] | None:
    if "targets" not in contents:
        return None
    targets = {}
    for name, entry in _tables(file, contents, "targets"):
        _refuse_unknown(file, f"[targets.{name}] ", entry, [key for key in Target.model_fields if key != "name"])
        targets[name] = make_target(name, f"{file}: [targets.{name}]", **entry)
    return targets


def make_target(name: str, place: str, **fields: Any) -> Target:
    """The target; raises CohortError COHORT_FORM, naming `place`."""
    try:
        return Target(name=name, **fields)
    except RecordError as error:
        problem = error.problems[0]
        raise CohortError("COHORT_FORM", f"{place} {problem.where}: {problem.message}.") from None


def targets_of(names: Iterable[str], place: str = "the label", prefix: str = "") -> dict[str, Target]:
    """A target of kind diagnosis for each label's name, once.

    Raises CohortError COHORT_FORM for a name that cannot be one: it is shown after `place`, with `prefix`.
    """
    targets = {}
    for name in dict.fromkeys(names):
        try:
            targets[name] = Target(name=name)
        except RecordError:
            rule = "a target's name is a small letter, then small letters, digits and _ ([a-z][a-z0-9_]*)"
            raise CohortError("COHORT_FORM", f"{place} {shown(prefix + name)} names no target: {rule}.") from None
    return targets
