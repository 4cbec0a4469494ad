"""Cohort: the records of a source as a lazy sequence and as batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..records import (
    Batch,
    CohortError,
    ImageRef,
    Measurement,
    MeasurementKind,
    MeasurementTable,
    Note,
    PatientRecord,
    Problem,
    Target,
    UsageError,
    did_you_mean,
    shown,
)
from .assemble import TABLES, assemble, prediction_times
from .description import Description
from .fingerprint import marks
from .flat import open_flat
from .folder import open_folder
from .jsonl import open_jsonl
from .labels import Labels
from .listed import ListedRecords
from .store import MEMORY_BYTES, RECORD
from .textfiles import ATTRIBUTE, SURPLUS

SMALL_BATCH, LARGE_BATCH = 256, 8_192
MEASUREMENTS_IN_BATCH = 1 << 19


class Source(Protocol):
    """Where records come from; `rows` delivers raw tables, at least those that are named (see assemble.py);
    `measurements_per_record` is their mean number, None where records have notes or images too."""

    root: Path
    description: Description
    record_ids: np.ndarray
    patient_ids: np.ndarray
    splits: np.ndarray
    problems: list[Problem]

    @property
    def targets(self) -> dict[str, Target]: ...
    @property
    def attributes(self) -> tuple[str, ...]: ...
    def rows(
        self, positions: np.ndarray, names: Collection[str] = TABLES
    ) -> tuple[Mapping[str, pa.Table | None], list[tuple[int, Problem]]]: ...
    def measurements_per_record(self) -> float | None: ...
    def read_labels(self) -> Labels: ...
    def fingerprint(self) -> str: ...


class Cohort:
    """Records of one source, in order.

    name, provenance  from cohort.toml
    targets           {name: Target}; CohortError COHORT_FORM where labels have names that targets cannot have
    attributes        names of the extra columns that are kept
    table             the measurement table with the cohort's own additions
    record_ids, patient_ids, splits  object (n,), str; splits "" where there is none
    problems          of the cohort as a whole: ORPHAN_ROW, ENCODING_GUESSED, PATIENT_ASSUMED; those of the labels
                      join them when the labels are read
    Make one with `Cohort.open` or `Cohort.from_records`.
    """

    def __init__(self, source: Source, rows: np.ndarray | None = None):
        self._source = source
        self._rows = np.arange(len(source.record_ids)) if rows is None else rows
        self._labels: list[Labels] = []  # read once, for all cohorts taken from this one too

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        ignore: Collection[str] = (),
        known: Mapping[str, MeasurementKind] = MappingProxyType({}),
        memory_bytes: int = MEMORY_BYTES,
    ) -> Cohort:
        """The cohort at `path`: a folder, .jsonl, or a flat .csv, .csv.gz, .tsv or .parquet.

        ignore        further columns to leave out
        known         further measurements, a model's `own_measurements_`: so its cohorts need not declare them again;
                      what cohort.toml declares wins
        memory_bytes  tables above this size are sorted into a temporary folder once, and read from there
        Raises CohortError: COHORT_NOT_FOUND, COHORT_FORM, UNKNOWN_COLUMN, DUPLICATE_RECORD, BAD_ENCODING.
        """
        path = Path(path)
        try:
            if path.is_dir():
                return cls(open_folder(path, ignore=ignore, known=known, memory_bytes=memory_bytes))
            if not path.is_file():
                raise CohortError("COHORT_NOT_FOUND", f"{shown(path.name)} is no folder or file.")
            if path.suffix.lower() in (".jsonl", ".ndjson"):
                return cls(open_jsonl(path, ignore=ignore, known=known))
            return cls(open_flat(path, ignore=ignore, known=known, memory_bytes=memory_bytes))
        except OSError as error:
            raise CohortError("COHORT_FORM", f"{shown(path.name)} cannot be read ({error.strerror}).") from error

    @classmethod
    def from_records(
        cls,
        records: Iterable[PatientRecord],
        *,
        targets: Mapping[str, Target] | None = None,
        measurements: Mapping[str, MeasurementKind] = MappingProxyType({}),
        root: str | Path = ".",
    ) -> Cohort:
        """A cohort of records made in Python. targets: by default the labels' names, kind diagnosis; measurements:
        additions to the measurement table; root: the folder that paths are relative to. Raises CohortError
        DUPLICATE_RECORD."""
        return cls(ListedRecords(records, targets, measurements, Path(root).resolve()))

    @property
    def name(self) -> str:
        return self._source.description.name

    @property
    def provenance(self) -> str:
        return self._source.description.provenance

    @property
    def targets(self) -> dict[str, Target]:
        return self._source.targets

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._source.attributes

    @property
    def table(self) -> MeasurementTable:
        return self._source.description.table

    @property
    def root(self) -> Path:
        """The folder that paths are relative to, absolute and without links."""
        return self._source.root

    @property
    def problems(self) -> list[Problem]:
        return self._source.problems

    @property
    def record_ids(self) -> np.ndarray:
        return self._source.record_ids[self._rows]

    @property
    def patient_ids(self) -> np.ndarray:
        return self._source.patient_ids[self._rows]

    @property
    def splits(self) -> np.ndarray:
        return self._source.splits[self._rows]

    def __repr__(self) -> str:
        return f"Cohort({self.name!r}, {len(self)} records of {len(set(self.patient_ids))} patients)"

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def only_measured(self) -> bool:
        """Whether it is known that no record has notes or images."""
        return self._source.measurements_per_record() is not None

    @property
    def batch_size(self) -> int:
        """How many records a batch holds by default: as many as what they hold allows, 256 of those with notes or
        images; of those with nothing but measurements up to 8,192, with half a million measurements at most."""
        measurements = self._source.measurements_per_record()
        if measurements is None:
            return SMALL_BATCH
        return int(min(max(SMALL_BATCH, MEASUREMENTS_IN_BATCH / max(measurements, 1)), LARGE_BATCH))

    def batches(self, n: int | None = None, *, start: int = 0) -> Iterator[Batch]:
        """Batches of n records, by default `batch_size`, from record `start` on; one is held at a time."""
        n = self.batch_size if n is None else n
        for low in range(start, len(self), n):
            yield self._read(self._rows[low : low + n])[0]

    def batch(self) -> Batch:
        """All records as one batch."""
        return self._read(self._rows)[0]

    def _read(self, positions: np.ndarray) -> tuple[Batch, Mapping[str, pa.Table | None]]:
        rows, problems = self._source.rows(positions)
        batch = assemble(
            self._source.record_ids[positions],
            self._source.patient_ids[positions],
            rows,
            root=self._source.root,
            table=self.table,
            declared=self._source.description.measurements,
            problems=problems,
        )
        return batch, rows

    def labels(self, names: Sequence[str] | None = None) -> np.ndarray:
        """Labels float (n, T), 0 or 1, NaN unknown, of the targets `names` (all of them by default)."""
        targets = list(self.targets)
        names = targets if names is None else list(names)
        for name in names:
            if name not in targets:
                raise UsageError(f"the cohort has no target {shown(name)}{did_you_mean(name, targets)}")
        columns = [targets.index(name) for name in names]
        return self._read_labels().values[np.ix_(self._rows, columns)]

    def label_problems(self) -> list[tuple[int, Problem]]:
        """(record index, Problem): labels that are BAD_VALUE, and so unknown."""
        place = {int(row): i for i, row in enumerate(self._rows)}
        problems = self._read_labels().problems
        return sorted(((place[row], p) for row, p in problems if row in place), key=lambda item: item[0])

    def _read_labels(self) -> Labels:
        if not self._labels:
            self._labels.append(self._source.read_labels())
            self._source.problems.extend(self._labels[0].whole)
        return self._labels[0]

    def attribute(self, name: str) -> np.ndarray:
        """An attribute, object (n,), "" where a record has none."""
        if name not in self.attributes:
            raise UsageError(f"the cohort has no attribute {shown(name)}{did_you_mean(name, self.attributes)}")
        values = np.full(len(self), "", dtype=object)
        for low in range(0, len(self), 4096):
            patients = self._source.rows(self._rows[low : low + 4096], ["patients"])[0]["patients"]
            if patients is not None:
                patients = patients.filter(pc.invert(patients[SURPLUS]))
                values[low + patients[RECORD].to_numpy()] = patients[ATTRIBUTE + name].to_numpy()
        return values

    def take(self, rows: Sequence[int] | np.ndarray) -> Cohort:
        """The records at `rows` (indices, each at most once, or a boolean mask), in that order."""
        taken = Cohort(self._source, self._rows[np.asarray(rows, dtype=bool if _is_mask(rows) else np.int64)])
        taken._labels = self._labels
        return taken

    def of_split(self, name: str) -> Cohort:
        """The records whose `split` is `name`. Raises UsageError where there is none."""
        rows = np.flatnonzero(self.splits == name)
        if not len(rows):
            there = sorted({str(split) for split in self.splits if split})
            named = f" (there are: {', '.join(shown(split) for split in there[:10])})" if there else ""
            raise UsageError(f"no record has the split {shown(name)}{did_you_mean(name, there)}{named}")
        return self.take(rows)

    def split(self, test: float = 0.2, seed: int = 0) -> tuple[Cohort, Cohort]:
        """(train, test) by patient, in the cohort's order: the share `test` of the patients, drawn with `seed`.
        The draw depends on the set of patient ids alone. Raises UsageError unless 0 < test < 1."""
        if not 0 < test < 1:
            raise UsageError(f"test must be between 0 and 1, not {test}")
        patients = np.unique(self.patient_ids.astype(str))
        count = min(max(1, round(test * len(patients))), max(len(patients) - 1, 0))
        drawn = np.random.default_rng(seed).permutation(len(patients))[:count]
        held_out = pd.Index(patients[drawn]).get_indexer(self.patient_ids) >= 0
        return self.take(np.flatnonzero(~held_out)), self.take(np.flatnonzero(held_out))

    def fingerprint(self) -> str:
        """SHA-256 over the bytes of the tables (not the labels'), the choice of records, and the size and time of
        change of each note file and image that they name, which are not opened."""
        whole = hashlib.sha256(self._source.fingerprint().encode())
        whole.update(self._rows.astype("<i8").tobytes())
        for low in range(0, len(self), 4096):
            rows, _ = self._source.rows(self._rows[low : low + 4096], ["notes", "images"])
            whole.update(marks(self.root, rows["notes"]) + marks(self.root, rows["images"]))
        return whole.hexdigest()

    def __iter__(self) -> Iterator[PatientRecord]:
        for low in range(0, len(self), 256):
            yield from self._records(np.arange(low, min(low + 256, len(self))))

    def __getitem__(self, i: int) -> PatientRecord:
        """Record i, of what is usable: refused items and values are left out, a note's file is read."""
        return self._records(np.array([range(len(self))[i]]))[0]

    def _records(self, indices: np.ndarray) -> list[PatientRecord]:
        batch, rows = self._read(self._rows[indices])
        times = prediction_times(rows["patients"], len(batch))
        splits, labels, targets = self.splits[indices], self.labels()[indices], list(self.targets)
        attributes = {name: self.take(indices).attribute(name) for name in self.attributes}
        notes: list[list[Note]] = [[] for _ in indices]
        for note in batch.notes:
            notes[note.record].append(Note(text=note.text, kind=note.kind or None, time=note.hours))
        images: list[list[ImageRef]] = [[] for _ in indices]
        for image in batch.images:
            path = Path(os.path.relpath(image.path, self.root)).as_posix()
            images[image.record].append(
                ImageRef(path=path, kind=image.kind or None, view=image.view or None, time=image.hours)
            )
        measurements: list[list[Measurement]] = [[] for _ in indices]
        for row in batch.measurements.itertuples(index=False):
            measurements[row.record].append(
                Measurement(code=row.code, value=row.value, unit=row.unit or None, time=row.hours)
            )
        return [
            PatientRecord(
                record_id=batch.record_ids[i],
                patient_id=batch.patient_ids[i],
                age_years=None if np.isnan(batch.age_years[i]) else float(batch.age_years[i]),
                sex=batch.sex[i] or None,
                prediction_time=times[i] or None,
                split=splits[i] or None,
                attributes={name: values[i] for name, values in attributes.items() if values[i]},
                images=images[i],
                notes=notes[i],
                measurements=measurements[i],
                labels={name: _label(labels[i, t]) for t, name in enumerate(targets)},
            )
            for i in range(len(indices))
        ]


def _label(value: float) -> int | None:
    return None if np.isnan(value) else int(value)


def _is_mask(rows: Sequence[int] | np.ndarray) -> bool:
    return np.asarray(rows).dtype == bool
