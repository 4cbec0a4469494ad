"""The rows of a cohort by record: in memory where they are few, else sorted once into files of a temporary folder.

Rows may come in any order. Records are cut into ranges; a range's rows lie together, so that reading records in order
holds one range at a time, however large the cohort.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

RECORD = "#record"  # int64: which record a row belongs to
MEMORY_BYTES = 64 << 20
_MOST_RANGES = 128  # each holds a file open per table while rows are sorted in


class Store:
    """Tables of rows that each belong to a record.

    n_records  how many there are
    size       about the bytes of all tables; above `memory_bytes` they go to disk
    """

    def __init__(self, n_records: int, size: int, *, memory_bytes: int = MEMORY_BYTES):
        ranges = 1 if size <= memory_bytes else min(_MOST_RANGES, math.ceil(4 * size / max(memory_bytes, 1)))
        self._width = max(1, math.ceil(n_records / ranges))
        self._held: dict[tuple[str, int], list[pa.Table]] = {}
        self._writers: dict[tuple[str, int], pa.RecordBatchStreamWriter] = {}
        self._schemas: dict[str, pa.Schema] = {}
        self._count: Counter[str] = Counter()
        self._read: dict[str, tuple[int, pa.Table, np.ndarray]] = {}
        self._folder: Path | None = None
        if ranges > 1:
            self._folder = Path(tempfile.mkdtemp(prefix="multimodal-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def add(self, name: str, records: np.ndarray, rows: pa.Table) -> None:
        """Append `rows` to the table `name`; records: int (m,), the record of each row."""
        rows = rows.append_column(RECORD, pa.array(records, pa.int64()))
        self._schemas.setdefault(name, rows.schema)
        self._count[name] += len(rows)
        if self._folder is None:
            self._held.setdefault((name, 0), []).append(rows)
            return
        ranges = records // self._width
        for part in np.unique(ranges):
            key = (name, int(part))
            if key not in self._writers:
                self._writers[key] = pa.ipc.new_stream(str(self._file(*key)), rows.schema)
            self._writers[key].write_table(rows.take(pa.array(np.flatnonzero(ranges == part))))

    def finish(self) -> None:
        """All rows are added; from here on they are read."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def count(self, name: str) -> int:
        """How many rows the table has."""
        return self._count[name]

    def rows(self, name: str, records: np.ndarray) -> pa.Table | None:
        """The rows of `records` (int, any order), sorted by their place in `records`, which RECORD then holds; within
        a record in the order in which they were added. None where the table has never had a row."""
        if name not in self._schemas:
            return None
        records = np.asarray(records, dtype=np.int64)
        ranges = records // self._width if self._folder is not None else np.zeros(len(records), dtype=np.int64)
        parts = []
        for part in np.unique(ranges):
            places = np.flatnonzero(ranges == part)
            rows, sorted_records = self._range(name, int(part))
            low = np.searchsorted(sorted_records, records[places], side="left")
            count = np.searchsorted(sorted_records, records[places], side="right") - low
            taken = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(count.sum())
            parts.append(_replaced(rows.take(pa.array(taken)), np.repeat(places, count)))
        if not parts:
            return self._schemas[name].empty_table()
        rows = pa.concat_tables(parts)
        if len(parts) > 1:
            order = np.argsort(rows[RECORD].to_numpy(), kind="stable")
            rows = rows.take(pa.array(order))
        return rows

    def _range(self, name: str, part: int) -> tuple[pa.Table, np.ndarray]:
        """One range of a table, sorted by record, and its records; the last one read is kept."""
        if name not in self._read or self._read[name][0] != part:
            rows = self._load(name, part)
            records = rows[RECORD].to_numpy()
            order = np.argsort(records, kind="stable")
            self._read[name] = (part, rows.take(pa.array(order)), records[order])
        return self._read[name][1:]

    def _load(self, name: str, part: int) -> pa.Table:
        if self._folder is None:
            return pa.concat_tables(self._held.pop((name, part))).combine_chunks()
        file = self._file(name, part)
        if not file.exists():
            return self._schemas[name].empty_table()
        with pa.ipc.open_stream(str(file)) as stream:
            return stream.read_all().combine_chunks()

    def _file(self, name: str, part: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{name}-{part}.arrow"


def _replaced(rows: pa.Table, records: np.ndarray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(RECORD), RECORD, pa.array(records, pa.int64()))
