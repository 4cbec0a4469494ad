"""Batches for the tests of this room."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pandas as pd
import pytest

from multimodal.records import Batch, empty_measurements, measurement_table

COLUMNS = ["record", "code", "value", "unit", "hours"]


def frame_of(rows):
    """Measurements as the batch holds them, from (record, code, value, unit, hours)."""
    if not rows:
        return empty_measurements()
    dtypes = {"record": "int64", "hours": "float64"}
    frame = pd.DataFrame(
        {name: pd.Series(cells, dtype=dtypes.get(name, object)) for name, cells in zip(COLUMNS, map(list, zip(*rows)))}
    )
    frame["where"] = [f"measurements.csv row {i + 2}" for i in range(len(rows))]
    return frame.sort_values("record", kind="stable").reset_index(drop=True)


@pytest.fixture(scope="session")
def batch_of():
    """batch_of(rows, n, age_years, sex): n records with the rows (record, code, value, unit, hours)."""

    def make(rows, n=None, *, age_years=None, sex=None, table=None):
        n = n if n is not None else max((row[0] for row in rows), default=-1) + 1
        ids = np.array([f"r{i}" for i in range(n)], dtype=object)
        return Batch(
            record_ids=ids,
            patient_ids=ids,
            age_years=np.array(age_years if age_years is not None else [np.nan] * n, dtype=float),
            sex=np.array(sex if sex is not None else [""] * n, dtype=object),
            measurements=frame_of(rows),
            table=table or measurement_table(),
        )

    return make


def real_batch(ids, frame):
    """A batch from record ids and columns record_id, code, value, unit, time."""
    place = pd.Series(range(len(ids)), index=ids)
    where = "measurements.csv row " + (frame.index + 2).astype(str)
    columns = frame.assign(record=place[frame["record_id"]].to_numpy(), hours=frame["time"], where=where)
    columns = columns[[*COLUMNS, "where"]].sort_values("record", kind="stable").reset_index(drop=True)
    ids = np.array(ids, dtype=object)
    nothing = np.full(len(ids), np.nan)
    return Batch(ids, ids, nothing, np.full(len(ids), "", dtype=object), columns)


@pytest.fixture(scope="session")
def composite(shared):
    """The composite cohort's 720 records and 277,167 measurements."""
    folder = shared / "data" / "composite"
    ids = pd.read_csv(folder / "patients.csv", dtype={"record_id": str})["record_id"]
    return real_batch(ids, pd.read_csv(folder / "measurements.csv.gz", dtype={"record_id": str}))


@pytest.fixture(scope="session")
def set_a(shared):
    """PhysioNet 2012 set A as a batch: 4,000 records, without RecordID, Age and Gender."""
    folder = shared / "data" / "physionet2012"
    parts = []
    with tarfile.open(folder / "set-a.tar.gz") as archive:
        for member in archive:
            if member.isfile():
                name = member.name.rsplit("/", 1)[1].removesuffix(".txt")
                lines = archive.extractfile(member).read().decode().splitlines()[1:]
                parts.append("".join(f"{name},{line}\n" for line in lines))
    rows = pd.read_csv(io.StringIO("".join(parts)), names=["record_id", "clock", "parameter", "value"], dtype={0: str})
    codes = pd.read_csv(folder / "codes.csv").set_index("parameter")
    ids = sorted(rows["record_id"].unique())
    rows = rows[rows["parameter"].isin(codes.index)].reset_index(drop=True)
    hours = {clock: int(clock[:-3]) + int(clock[-2:]) / 60 - 48 for clock in rows["clock"].unique()}
    rows = rows.assign(
        code=rows["parameter"].map(codes["code"]),
        unit=rows["parameter"].map(codes["unit"]),
        time=rows["clock"].map(hours),
    )
    return real_batch(ids, rows)
