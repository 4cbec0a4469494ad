"""Small cohorts on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TOML = 'schema = 1\nname = "small"\n[targets.pneumonia]\n[targets.effusion]\n'
PATIENTS = "record_id,patient_id,age_years,sex\nA,P1,64,female\nB,P2,,male\n"


@pytest.fixture
def cohort_folder(tmp_path) -> Callable[..., Path]:
    """cohort_folder(patients="…", notes=b"…", toml="…") writes a cohort folder: two records unless told otherwise."""

    def write(*, toml: str = TOML, patients: str | bytes = PATIENTS, **tables: str | bytes) -> Path:
        folder = tmp_path / "cohort"
        folder.mkdir(exist_ok=True)
        for name, content in {"cohort.toml": toml, "patients": patients, **tables}.items():
            file = folder / (name if "." in name else f"{name}.csv")
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return write
