"""The order of rows, and where they are kept, are nobody's business."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multimodal.records import Batch
from multimodal.sources import Cohort

RECORDS = [f"R{i}" for i in range(12)]
ITEMS = [(record, f"{i}") for i, record in enumerate(RECORDS * 3) if record != "R5"]


def write(folder: Path, items: list[tuple[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cohort.toml").write_text("schema = 1\n")
    (folder / "patients.csv").write_text("record_id,patient_id\n" + "".join(f"{r},{r}\n" for r in RECORDS))
    rows = "".join(f"{record},heart_rate,{value}\n" for record, value in items)
    (folder / "measurements.csv").write_text("record_id,code,value\n" + rows)
    (folder / "notes.csv").write_text("record_id,text\n" + "".join(f"{record},{value}\n" for record, value in items))
    return folder


def content(batch: Batch) -> list[tuple]:
    """What each record holds, without order or place."""
    values = batch.measurements.groupby("record")["value"].apply(sorted).to_dict()
    notes: dict[int, list[str]] = {}
    for note in batch.notes:
        notes.setdefault(note.record, []).append(note.text)
    return [(name, values.get(i, []), sorted(notes.get(i, []))) for i, name in enumerate(batch.record_ids)]


@given(items=st.permutations(ITEMS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_in_a_table_is_irrelevant(tmp_path, items):
    ordered = content(Cohort.open(write(tmp_path / "cohort", ITEMS)).batch())

    assert content(Cohort.open(write(tmp_path / "cohort", items)).batch()) == ordered


@given(items=st.permutations(ITEMS), size=st.integers(1, 13), rows=st.permutations(range(12)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_sorted_into_files_are_read_as_from_memory(tmp_path, items, size, rows):
    folder = write(tmp_path / "cohort", items)
    memory, disk = Cohort.open(folder), Cohort.open(folder, memory_bytes=100)

    for one, other in zip(memory.take(rows).batches(size), disk.take(rows).batches(size), strict=True):
        assert one.record_ids.tolist() == other.record_ids.tolist()
        pd.testing.assert_frame_equal(one.measurements, other.measurements)
        assert one.notes == other.notes


def test_flat_files_are_sorted_into_files_too(tmp_path):
    rows = "".join(f"R{i},{i},note {i}\n" for i in range(50))
    (tmp_path / "flat.csv").write_text("record_id,heart_rate,note\n" + rows)
    memory, disk = (Cohort.open(tmp_path / "flat.csv", memory_bytes=size) for size in (1 << 20, 100))

    pd.testing.assert_frame_equal(memory.batch().measurements, disk.batch().measurements)
    assert [batch.notes for batch in memory.batches(7)] == [batch.notes for batch in disk.batches(7)]


def test_the_temporary_folder_goes_with_the_cohort(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cohort = Cohort.open(write(tmp_path / "cohort", ITEMS), memory_bytes=100)
    assert len(list(tmp_path.glob("multimodal-*"))) == 1
    del cohort
    gc.collect()

    assert list(tmp_path.glob("multimodal-*")) == []


def test_random_records_are_what_they_are_in_order(tmp_path):
    cohort = Cohort.open(write(tmp_path / "cohort", ITEMS), memory_bytes=100)
    rows = np.random.default_rng(0).permutation(12)

    assert [record.record_id for record in cohort.take(rows)] == [RECORDS[i] for i in rows]
    assert cohort[5].measurements == ()
    assert cohort[-1].record_id == "R11"
