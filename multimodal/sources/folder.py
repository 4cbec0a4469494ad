"""A cohort folder: cohort.toml, patients and the other tables, each CSV or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from ..records import CohortError, MeasurementKind, Problem, Target, did_you_mean, shown
from .assemble import ITEM_TABLES, TABLES
from .description import Description, read_description
from .fingerprint import hash_files
from .labels import Labels, LabelSheet
from .roster import Orphans, Roster
from .store import MEMORY_BYTES, Store
from .tables import COLUMNS, KEYS
from .textfiles import SUFFIXES, TextTable, look_at


@dataclass
class TableSource:
    """Records whose rows lie in a Store: what cohort folders and flat files become.

    read_rows         (positions, names of tables) -> these raw tables of the records at `positions`
    measurements_per_record  () -> about their mean number; None where records have notes or images too
    record_ids, patient_ids, splits  object (n,)
    files             whose bytes make the fingerprint: all that is read but the labels, the notes' files and the images
    read_targets, read_labels  are called when these are asked for: scoring does not depend on them
    problems          of the cohort as a whole
    record_problems   {record index: problems of its row}
    """

    root: Path
    description: Description
    record_ids: np.ndarray
    patient_ids: np.ndarray
    splits: np.ndarray
    read_rows: Callable[[np.ndarray, Collection[str]], dict[str, pa.Table | None]]
    measurements_per_record: Callable[[], float | None]
    files: Sequence[Path]
    read_targets: Callable[[], dict[str, Target]]
    read_labels: Callable[[], Labels]
    problems: list[Problem] = field(default_factory=list)
    record_problems: Mapping[int, list[Problem]] = field(default_factory=dict)

    @cached_property
    def targets(self) -> dict[str, Target]:
        return self.read_targets()

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.description.attributes

    def rows(
        self, positions: np.ndarray, names: Collection[str] = TABLES
    ) -> tuple[dict[str, pa.Table | None], list[tuple[int, Problem]]]:
        """The raw tables `names` of the records at `positions`, and what was wrong with them already."""
        problems = []
        if self.record_problems:
            known = [self.record_problems.get(position, ()) for position in positions.tolist()]
            problems = [(i, problem) for i, found in enumerate(known) for problem in found]
        return self.read_rows(positions, names), problems

    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of `files`."""
        return hash_files(self.files)


def open_folder(
    path: Path,
    *,
    ignore: Collection[str] = (),
    known: Mapping[str, MeasurementKind] = MappingProxyType({}),
    memory_bytes: int = MEMORY_BYTES,
) -> TableSource:
    """The cohort folder at `path`; every table but the labels is read once. ignore, known: see Cohort.open.

    Raises CohortError: COHORT_FORM, UNKNOWN_COLUMN, DUPLICATE_RECORD, BAD_ENCODING.
    """
    description = read_description(path / "cohort.toml").opened_with(ignore, known)
    files = _find_tables(path)
    looks = {name: look_at(file) for name, file in files.items() if name != "labels"}
    for name, look in looks.items():
        own = description.attributes if name == "patients" else ()
        check_columns(look, name, (*COLUMNS[name], *own), description.ignore)
    roster = Roster(looks["patients"].path.name)
    for chunk in looks["patients"].chunks(("record_id", "patient_id", "split")):
        roster.add(chunk)
    problems = [problem for look in looks.values() for problem in look.problems] + roster.problems()
    record_ids = np.array(roster.record_ids, dtype=object)
    store = Store(len(record_ids), sum(look.size for look in looks.values()), memory_bytes=memory_bytes)
    position = 0
    for chunk in looks["patients"].chunks(COLUMNS["patients"][2:], description.attributes):
        store.add("patients", np.arange(position, position + len(chunk)), chunk)
        position += len(chunk)
    index = pd.Index(record_ids)
    for name in ITEM_TABLES:
        if name in looks:
            orphans = Orphans(looks[name].path.name)
            for chunk in looks[name].chunks(COLUMNS[name]):
                chunk, records = orphans.without(chunk, index)
                store.add(name, records, chunk.drop_columns(["record_id"]))
            problems += orphans.problems()
    store.finish()
    targets = dict(description.targets or {})
    return TableSource(
        root=path.resolve(),
        description=description,
        record_ids=record_ids,
        patient_ids=np.array(roster.patient_ids, dtype=object),
        splits=np.array(roster.splits, dtype=object),
        measurements_per_record=lambda: _measurements_per_record(store, len(record_ids)),
        read_rows=lambda positions, names: {name: store.rows(name, positions) for name in names},
        files=[path / "cohort.toml", *(look.path for look in looks.values())],
        read_targets=lambda: targets,
        read_labels=lambda: _labels(files.get("labels"), targets, record_ids, description.ignore),
        problems=problems,
        record_problems=roster.record_problems,
    )


def _measurements_per_record(store: Store, n: int) -> float | None:
    return None if store.count("notes") or store.count("images") else store.count("measurements") / max(n, 1)


def _find_tables(path: Path) -> dict[str, Path]:
    """The table files by name. Raises CohortError COHORT_FORM: no patients, a table twice, a misspelt one."""
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), "")
        name = file.name[: -len(suffix)] if suffix else ""
        if name in KEYS and name in files:
            raise CohortError("COHORT_FORM", f"{files[name].name} and {file.name} are the same table.")
        if name in KEYS:
            files[name] = file
        elif suffix and (hint := did_you_mean(name, KEYS)):
            raise CohortError("COHORT_FORM", f"{shown(file.name)} is no table of a cohort{hint}")
    if "patients" not in files:
        raise CohortError("COHORT_FORM", "the table patients (.csv, .csv.gz or .parquet) is missing.")
    return files


def check_columns(look: TextTable, name: str, known: Collection[str], ignore: Collection[str]) -> None:
    """Raises CohortError: UNKNOWN_COLUMN, all of them named; COHORT_FORM for a table without its key."""
    if not look.columns:  # an empty file has no rows
        return
    unknown = [column for column in look.columns if column and column not in known and column not in ignore]
    refuse_unknown(look, {column: did_you_mean(column, known) for column in unknown})
    lacking = [key for key in KEYS[name] if key not in look.columns]
    if lacking:
        raise CohortError("COHORT_FORM", f"{look.path.name} lacks the column {', '.join(lacking)}.")
    if name == "notes" and not {"text", "path"} & set(look.columns):
        raise CohortError("COHORT_FORM", f"{look.path.name} has neither the column text nor path.")


def refuse_unknown(look: TextTable, hints: Mapping[str, str], advice: str = "") -> None:
    """Raises CohortError UNKNOWN_COLUMN if there is any; hints: {column: what was probably meant, or ""};
    advice: a further sentence.

    Where the form has none of the table's columns, COHORT_FORM names none: the first row may be a patient's.
    """
    if not hints:
        return
    if len(hints) == sum(map(bool, look.columns)):
        message = f"{look.path.name}: its first row names no column that the form has: is the header missing?"
        raise CohortError("COHORT_FORM", message)
    named = ", ".join(f"{shown(column)}{hint}" for column, hint in hints.items())
    raise CohortError("UNKNOWN_COLUMN", f"{look.path.name}: {named}{'' if named.endswith('?') else '.'}{advice}")


def _labels(
    file: Path | None, targets: Mapping[str, Target], record_ids: np.ndarray, ignore: Collection[str]
) -> Labels:
    """All labels of the table in `file`. Raises CohortError as for the other tables."""
    labels = LabelSheet(len(record_ids), targets)
    whole: list[Problem] = []
    if file is not None:
        look = look_at(file)
        known = (*KEYS["labels"], *targets)
        check_columns(look, "labels", known, ignore)
        orphans, index = Orphans(file.name), pd.Index(record_ids)
        for chunk in look.chunks(known):
            chunk, records = orphans.without(chunk, index)
            labels.add(chunk, records)
        whole = look.problems + orphans.problems()
    return labels.finished(whole)
