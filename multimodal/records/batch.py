"""The batch: many records as columns. All work inside is done on it.

A batch holds what the source gave, item by item, before the rooms of the modalities have checked it:
measurements as raw values with their units, notes as text, images as paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from .measurements import MeasurementTable, measurement_table
from .reasons import Problem

MODALITIES = ("image", "notes", "vitals")
MEASUREMENT_COLUMNS = ("record", "code", "value", "unit", "hours", "where")


@dataclass(frozen=True)
class NoteItem:
    """One note. record: index into the batch; text: as read, unprepared; hours: relative to the prediction, <= 0."""

    record: int
    text: str
    kind: str = ""
    hours: float = 0.0
    where: str = ""

    def __repr__(self) -> str:
        return f"NoteItem(record={self.record}, {len(self.text)} characters)"


@dataclass(frozen=True)
class ImageItem:
    """One image. record: index into the batch; path: absolute and inside the cohort; hours: <= 0."""

    record: int
    path: Path
    kind: str = ""
    view: str = ""
    hours: float = 0.0
    where: str = ""


def empty_measurements() -> pd.DataFrame:
    """The measurement columns of a batch without any: record, code, value (raw), unit ("" none), hours, where."""
    dtypes = {"record": "int64", "code": object, "value": object, "unit": object, "hours": "float64", "where": object}
    return pd.DataFrame({name: pd.Series([], dtype=dtypes[name]) for name in MEASUREMENT_COLUMNS})


@dataclass(frozen=True)
class Batch:
    """n records as columns.

    record_ids, patient_ids  object (n,), str
    age_years     float (n,), NaN where unknown
    sex           object (n,), "female" | "male" | "other" | "" where unknown
    measurements  DataFrame sorted by record: record (int, index into the batch), code (str, as given), value (raw:
                  number or text), unit (str, "" where none was given), hours (float, relative to the prediction
                  time, 0 where the source gave none), where (str, the place for messages)
    notes, images lists sorted by record
    problems      (record index, Problem), found while the batch was filled
    table         the measurement table, with the cohort's own additions
    """

    record_ids: np.ndarray
    patient_ids: np.ndarray
    age_years: np.ndarray
    sex: np.ndarray
    measurements: pd.DataFrame = field(default_factory=empty_measurements)
    notes: Sequence[NoteItem] = ()
    images: Sequence[ImageItem] = ()
    problems: Sequence[tuple[int, Problem]] = ()
    table: MeasurementTable = field(default_factory=measurement_table)

    def __len__(self) -> int:
        return len(self.record_ids)

    def __repr__(self) -> str:
        counts = {name: len(getattr(self, name)) for name in ("measurements", "notes", "images", "problems")}
        return f"Batch({len(self)} records, " + ", ".join(f"{n} {name}" for name, n in counts.items()) + ")"

    def take(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The records at `rows` (each at most once), in that order, as a batch of their own."""
        rows = np.asarray(rows, dtype=np.int64)
        place = np.full(len(self), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        measurements = self.measurements.assign(record=place[self.measurements["record"].to_numpy(dtype=np.int64)])
        measurements = measurements[measurements["record"] >= 0].sort_values("record", kind="stable")
        return replace(
            self,
            record_ids=self.record_ids[rows],
            patient_ids=self.patient_ids[rows],
            age_years=self.age_years[rows],
            sex=self.sex[rows],
            measurements=measurements.reset_index(drop=True),
            notes=_taken(self.notes, place),
            images=_taken(self.images, place),
            problems=[(int(place[row]), problem) for row, problem in self.problems if place[row] >= 0],
        )


def _taken(items: Sequence, place: np.ndarray) -> list:
    kept = [replace(item, record=int(place[item.record])) for item in items if place[item.record] >= 0]
    return sorted(kept, key=lambda item: item.record)
