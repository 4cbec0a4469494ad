"""PatientRecords as raw tables: the source behind `Cohort.from_records`, and what JSONL lines become."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..records import MeasurementKind, PatientRecord, Problem, Target
from .assemble import ITEM_TABLES, TABLES, raw_table
from .description import Description, targets_of
from .labels import Labels, LabelSheet
from .roster import refuse_duplicates
from .store import RECORD
from .textfiles import ATTRIBUTE, SURPLUS, WHERE


class ListedRecords:
    """Records held in memory; `targets` None: the union of the labels' names, kind diagnosis."""

    def __init__(
        self,
        records: Iterable[PatientRecord],
        targets: Mapping[str, Target] | None,
        measurements: Mapping[str, MeasurementKind],
        root: Path,
    ):
        records = list(records)
        refuse_duplicates("records", [record.record_id for record in records])
        self.records = records
        self.root = root
        self.description = Description("records", measurements=measurements)
        self.record_ids = np.array([record.record_id for record in records], dtype=object)
        self.patient_ids = np.array([record.patient_id for record in records], dtype=object)
        self.splits = np.array([record.split or "" for record in records], dtype=object)
        self.problems: list[Problem] = []
        self._targets = targets
        self.attributes = tuple(dict.fromkeys(name for record in records for name in record.attributes))

    @cached_property
    def targets(self) -> dict[str, Target]:
        if self._targets is not None:
            return dict(self._targets)
        return targets_of(name for record in self.records for name in record.labels)

    def rows(
        self, positions: np.ndarray, names: Collection[str] = TABLES
    ) -> tuple[dict[str, pa.Table | None], list[tuple[int, Problem]]]:
        """All raw tables of the records at `positions`, whichever are named."""
        del names
        return tables_of([self.records[i] for i in positions], self.attributes), []

    def measurements_per_record(self) -> float | None:
        """Their mean number; None where records have notes or images too."""
        if any(record.notes or record.images for record in self.records):
            return None
        return sum(len(record.measurements) for record in self.records) / max(len(self.records), 1)

    def read_labels(self) -> Labels:
        """The labels; those that `targets` does not name are not read."""
        sheet = LabelSheet(len(self.records), self.targets)
        add_labels(sheet, [record.labels for record in self.records], np.arange(len(self.records)))
        return sheet.finished()

    def fingerprint(self) -> str:
        """SHA-256 over the records without their labels."""
        whole = hashlib.sha256()
        for record in self.records:
            whole.update(record.model_dump_json(exclude={"labels"}).encode() + b"\n")
        return whole.hexdigest()


def tables_of(
    records: Sequence[PatientRecord],
    attributes: Sequence[str],
    places: Sequence[Mapping[str, Sequence[int]]] | None = None,
) -> dict[str, pa.Table | None]:
    """The raw tables of records; items are placed as `images[0]`.

    places  per record, what the items' indices were where some were left out
    """
    tables: dict[str, pa.Table | None] = {
        "patients": pa.table(
            {
                "age_years": _column("" if r.age_years is None else number_text(r.age_years) for r in records),
                "sex": _column(r.sex or "" for r in records),
                "prediction_time": _column(r.prediction_time or "" for r in records),
                **{ATTRIBUTE + name: _column(r.attributes.get(name, "") for r in records) for name in attributes},
                WHERE: _column("" for _ in records),
                SURPLUS: pa.array(np.zeros(len(records), dtype=bool)),
                RECORD: pa.array(np.arange(len(records))),
            }
        )
    }
    for name in ITEM_TABLES:
        columns: dict[str, list] = {RECORD: [], WHERE: []}
        items = []
        for i, record in enumerate(records):
            own = getattr(record, name)
            indices = places[i][name] if places is not None else range(len(own))
            columns[RECORD] += [i] * len(own)
            columns[WHERE] += [f"{name}[{index}]" for index in indices]
            items += own
        if not items:
            tables[name] = None
            continue
        for field in type(items[0]).model_fields:
            columns[field] = [item_text(getattr(item, field)) for item in items]
        tables[name] = raw_table(name, columns)
    return tables


def add_labels(sheet: LabelSheet, labels: Sequence[Mapping[str, Any]], records: np.ndarray) -> None:
    """Add the labels of `records` (int (m,)): one mapping each, of any values; all but 0, 1 and None are BAD_VALUE."""
    rows = {name: _column(label_text(own.get(name)) for own in labels) for name in sheet.targets}
    rows[WHERE] = _column("labels" for _ in labels)
    rows[SURPLUS] = pa.array(np.zeros(len(labels), dtype=bool))
    sheet.add(pa.table(rows), records)


def label_text(value: Any) -> str:
    """A JSON label as a table's cell: 0, 1 or empty; anything else as JSON, which no table's cell allows."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value in (0, 1):
        return str(int(value))
    return json.dumps(value)


def item_text(value: float | str | None) -> str:
    """A field of an item as a table's cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else number_text(value)


def number_text(number: float) -> str:
    """The shortest text that reads as the same number; whole numbers without a point, as codes are written."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(float(number))


def _column(texts) -> pa.Array:
    return pa.array(texts, pa.string())
