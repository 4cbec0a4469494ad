"""Whatever the bytes, a cohort is read or refused by the package's own errors."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multimodal.records import InputError
from multimodal.sources import Cohort

WORDS = b'record_id patient_id code value text path heart_rate A , ; " { } [ \x00 \xff\xfe \xef\xbb\xbf \xe9'.split(
    b" "
)
PIECES = st.sampled_from([*WORDS, b"\n", b"\r\n", b"\t", b" ", b'{"record_id": "A"}'])
BYTES = st.lists(PIECES | st.binary(max_size=3), max_size=12).map(b"".join)
TABLES = [
    "cohort.toml",
    "patients.csv",
    "measurements.csv",
    "notes.csv",
    "images.csv.gz",
    "labels.csv",
    "notes.parquet",
    "cohort.toml",
]


@pytest.mark.parametrize("name", [*TABLES, "cohort.jsonl", "flat.csv"])
@given(content=BYTES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(cohort_folder, name, content):
    folder = cohort_folder()
    (folder / name).write_bytes(content)
    try:
        cohort = Cohort.open(folder if name in TABLES else folder / name)
        assert len(cohort.batch()) == len(cohort)
        assert len(list(cohort)) == len(cohort.labels()) == len(cohort)
    except InputError:
        pass
    finally:
        (folder / name).unlink()
