"""A cohort as tables: what importers and the synthetic cohort produce, and `write_cohort` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..records import MeasurementKind, Target

KEYS = {
    "patients": ("record_id", "patient_id"),
    "measurements": ("record_id", "code", "value"),
    "notes": ("record_id",),
    "images": ("record_id", "path"),
    "labels": ("record_id",),
}
COLUMNS = {
    "patients": ("record_id", "patient_id", "age_years", "sex", "prediction_time", "split"),
    "measurements": ("record_id", "code", "value", "unit", "time"),
    "notes": ("record_id", "kind", "time", "text", "path"),
    "images": ("record_id", "path", "kind", "view", "time"),
}
# Of a flat file: what is no code, label or attribute.
FLAT_COLUMNS = (*COLUMNS["patients"], "note", "image")


@dataclass(frozen=True)
class CohortTables:
    """A whole cohort in memory, before it is written.

    tables      {"patients" | "measurements" | "notes" | "images" | "labels": DataFrame} with the columns of COLUMNS
                (labels: record_id and one column per target; patients also the attributes)
    files       {path inside the cohort, with "/": the file's source path, or its bytes}
    remark      lines at the end of cohort.toml, as comments
    account     lines that say what was kept, refused and why
    """

    name: str
    provenance: str
    targets: Mapping[str, Target]
    tables: Mapping[str, pd.DataFrame]
    attributes: Sequence[str] = ()
    measurements: Mapping[str, MeasurementKind] = field(default_factory=dict)
    files: Mapping[str, Path | bytes] = field(default_factory=dict)
    remark: Sequence[str] = ()
    account: Sequence[str] = ()
