"""How many records a batch holds depends on what they hold."""

from __future__ import annotations

import json

import pytest

from multimodal.records import Measurement, Note, PatientRecord
from multimodal.sources import Cohort


def cohorts(folder, notes: bool, values: int) -> dict[str, Cohort]:
    """One record with `values` heart rates, and a note or none, in each form that a cohort has."""
    record = PatientRecord(
        record_id="A",
        patient_id="A",
        measurements=[Measurement(code="heart_rate", value=60 + i % 50, time=-i) for i in range(values)],
        notes=[Note(text="dry")] if notes else [],
    )
    (folder / "a.jsonl").write_text(json.dumps(record.model_dump(mode="json")))
    (folder / "cohort.toml").write_text("schema = 1\n")
    (folder / "patients.csv").write_text("record_id,patient_id\nA,A\n")
    rows = "".join(f"A,heart_rate,{m.value},{m.time}\n" for m in record.measurements)
    (folder / "measurements.csv").write_text("record_id,code,value,time\n" + rows)
    (folder / "notes.csv").write_text("record_id,text\n" + ("A,dry\n" if notes else ""))
    return {"records": Cohort.from_records([record])} | {
        name: Cohort.open(path) for name, path in (("jsonl", folder / "a.jsonl"), ("folder", folder))
    }


@pytest.mark.parametrize(
    ("notes", "values", "size"),
    [(False, 1, 8192), (False, 0, 8192), (False, 128, 4096), (False, 9000, 256), (True, 1, 256)],
)
def test_records_with_nothing_but_measurements_come_by_the_thousand(tmp_path, notes, values, size):
    assert {name: cohort.batch_size for name, cohort in cohorts(tmp_path, notes, values).items()} == {
        "records": size,
        "jsonl": size,
        "folder": size,
    }


@pytest.mark.parametrize(("header", "size"), [("record_id,heart_rate", 8192), ("record_id,heart_rate,note", 256)])
def test_a_flat_file_is_known_by_its_header(tmp_path, header, size):
    (tmp_path / "flat.csv").write_text(header + "\n")

    assert Cohort.open(tmp_path / "flat.csv").batch_size == size


def test_batches_hold_the_default_number_of_records(tmp_path):
    (tmp_path / "flat.csv").write_text("record_id,heart_rate\n" + "".join(f"R{i},80\n" for i in range(9000)))

    assert [len(batch) for batch in Cohort.open(tmp_path / "flat.csv").batches()] == [8192, 808]
