"""Who is in a cohort: record ids, patients and splits, and which rows belong to nobody."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..records import CohortError, Problem, shown
from .textfiles import SURPLUS, WHERE


class Roster:
    """Collects the records of a table in order.

    record_ids       a row without id, or that cannot be read, is `line:N`
    patient_ids      the record_id where a record has none
    record_problems  {record index: problems of its row}
    """

    def __init__(self, file: str):
        self.file = file
        self.record_ids: list[str] = []
        self.patient_ids: list[str] = []
        self.splits: list[str] = []
        self.record_problems: dict[int, list[Problem]] = {}
        self._assumed = 0

    def add(self, rows: pa.Table) -> None:
        """The records of raw rows with the columns record_id, patient_id, split, WHERE and SURPLUS."""
        record_ids = rows["record_id"].to_numpy().copy()
        patient_ids, splits = rows["patient_id"].to_numpy().copy(), rows["split"].to_numpy().copy()
        surplus = rows[SURPLUS].to_numpy()
        splits[surplus] = ""
        for i in np.flatnonzero(record_ids == ""):
            place = rows[WHERE][int(i)].as_py()
            record_ids[i] = f"line:{place.rsplit(' ', 1)[1]}"
            self.record_problems[len(self.record_ids) + int(i)] = [Problem("BAD_VALUE", place, "no record_id")]
        without = (patient_ids == "") | surplus
        self._assumed += int(without.sum())
        patient_ids[without] = record_ids[without]
        self.record_ids += record_ids.tolist()
        self.patient_ids += patient_ids.tolist()
        self.splits += splits.tolist()

    def problems(self) -> list[Problem]:
        """PATIENT_ASSUMED, counted. Raises CohortError DUPLICATE_RECORD, which lists all of them."""
        refuse_duplicates(self.file, self.record_ids)
        return assumed(self.file, self._assumed)


def refuse_duplicates(file: str, record_ids: list[str]) -> None:
    """Raises CohortError DUPLICATE_RECORD."""
    if len(set(record_ids)) < len(record_ids):
        twice = [shown(name) for name, count in Counter(record_ids).items() if count > 1]
        raise CohortError("DUPLICATE_RECORD", f"{file}: {len(twice)} record_id stand twice: {', '.join(twice)}.")


def assumed(file: str, count: int) -> list[Problem]:
    """PATIENT_ASSUMED for `count` records."""
    if not count:
        return []
    noun = "record has" if count == 1 else "records have"
    return [Problem("PATIENT_ASSUMED", file, f"{count} {noun} no patient_id: the record_id is taken")]


class Orphans:
    """Counts the rows of a table that name no record of the cohort."""

    def __init__(self, file: str):
        self.file = file
        self.count = 0
        self.first: dict[str, None] = {}

    def without(self, rows: pa.Table, index: pd.Index) -> tuple[pa.Table, np.ndarray]:
        """The rows that belong to a record, and which: int (m,), index into `index`."""
        names = rows["record_id"].to_numpy()
        records = index.get_indexer(names)
        orphaned = records < 0
        if orphaned.any():
            self.count += int(orphaned.sum())
            for name in pd.unique(names[orphaned]):
                if len(self.first) < 10:
                    self.first[name] = None
            rows = rows.filter(pc.invert(pa.array(orphaned)))
            records = records[~orphaned]
        return rows, records

    def problems(self) -> list[Problem]:
        """ORPHAN_ROW, counted, the first ten records named."""
        if not self.count:
            return []
        noun = "row names" if self.count == 1 else "rows name"
        names = ", ".join(map(shown, self.first))
        return [Problem("ORPHAN_ROW", self.file, f"{self.count} {noun} records that the cohort lacks: {names}")]
