"""Inputs that were not there when the prediction is made, as far as their times and kinds show it.

An input later than the prediction is refused where the cohort is read (FUTURE_INPUT), so it cannot leak; many of them
say that the export ran past the prediction, and what has no time is then doubtful too.
"""

from __future__ import annotations

import numpy as np

from .findings import CAUTION, NAMED, Finding
from .material import Material
from .telling import Telling, sampled, telling

MANY = 0.01
"""Of the records; so many with a refused later input are a finding."""
TIMES_LOW = 0.7
"""Of the interval's lower end: the sick are measured until later, so more is asked of times than of what is no care."""


def future_inputs(material: Material) -> tuple[list[Finding], list[str]]:
    """LEAK_FUTURE, and a line on the inputs that were refused."""
    refused = [row for row, problem in material.batch.problems if problem.code == "FUTURE_INPUT"]
    rows, findings, account = np.unique(refused).astype(np.int64), [], []
    if len(refused):
        said = f"inputs later than the prediction, which were refused: {len(refused):,}, in {len(rows):,} records"
        if len(rows) >= MANY * len(material):
            findings.append(_finding(material, CAUTION, said, rows))
        else:
            account.append(said)
    return [*findings, *_last_times(material), *_discharge_notes(material)], account


def _last_times(material: Material) -> list[Finding]:
    batch, findings = material.batch, []
    items = {
        "images": [(one.record, one.hours) for one in batch.images],
        "notes": [(one.record, one.hours) for one in batch.notes],
        "measurements": batch.measurements[["record", "hours"]].to_numpy(dtype=float),
    }
    for name, found in items.items():
        found = np.asarray(found, dtype=float).reshape(-1, 2)
        latest = np.full(len(material), -np.inf)
        np.maximum.at(latest, found[:, 0].astype(np.int64), found[:, 1])
        for target in material.targets:
            known, y = material.known(target)
            known, y = sampled(known[np.isfinite(latest[known])], y[np.isfinite(latest[known])])
            one = telling(latest[known], y, known, material.patients[known], either=True)
            if one and one.low > TIMES_LOW and one.severity:
                what = f"{target}: how late the last of a record's {name} is tells the label, {one}"
                findings.append(_finding(material, one.severity, what, one.surest, target, one))
    return findings


def _discharge_notes(material: Material) -> list[Finding]:
    """A discharge note without a time, and a risk: the note tells how the stay ended."""
    risks = [name for name, target in material.targets.items() if target.kind == "risk"]
    rows = np.unique([one.record for one in material.batch.notes if one.kind == "discharge" and one.hours == 0])
    if not risks or not len(rows):
        return []
    what = f"{len(rows):,} records have a discharge note without a time, and {', '.join(risks)} may stand in it"
    return [_finding(material, CAUTION, what, rows.astype(np.int64))]


def _finding(
    material: Material, severity: str, what: str, rows: np.ndarray, target: str = "", told: Telling | None = None
) -> Finding:
    named = tuple((one,) for one in material.named(rows[:NAMED]))
    count = len(told.rows) if told else len(rows)
    return Finding("LEAK_FUTURE", severity, what, count, named, target, told.figures if told else {})
