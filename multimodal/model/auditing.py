"""The leakage audit of a cohort as training reads it: on its own, and before a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..encoders.inputs import READERS
from ..leakage import Audit, Material, audited
from ..records import Batch, CohortError, Target, UsageError
from ..sources import Cohort
from ..vitals import settle_levels
from .config import Config
from .scoring import read

Progress = Callable[[str, float, float], None]
THIS, OTHER = "this", "other"
TRAINING, HELD_OUT = "training", "held out"


def audit(
    cohort: Cohort,
    *,
    against: Cohort | None = None,
    holdout: float = 0.0,
    seed: int = 0,
    config: Config | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Audit:
    """What would make the figures of `cohort` too good: leaks and shortcuts, each with the records and what to do.

    The sides that must share nobody are `cohort` and `against`; else the training and held-out patients that
    `train --holdout --seed` would draw; else those of the column `split`. progress(what, done, in all)
    Raises UsageError if both `against` and `holdout` are given.
    """
    if against is not None and holdout:
        raise UsageError("give either another cohort or a holdout, not both")
    config, other = config or Config(), against
    if holdout:
        cohort, other = cohort.split(holdout, seed)
    names = (TRAINING, HELD_OUT) if holdout else (THIS, OTHER)
    read_other = None
    if other is not None:
        read_other = _material(other, config, {}, np.full(len(other), names[1], dtype=object), progress)
    half = cohort.splits if other is None else np.full(len(cohort), names[0], dtype=object)
    return audited(_material(cohort, config, cohort.targets, half, progress, read_other), progress)


def audit_training(
    cohort: Cohort,
    batch: Batch,
    inputs: Mapping[str, Any],
    targets: Mapping[str, Target],
    labels: np.ndarray,
    left_out: Cohort | None,
    config: Config,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """The audit of what a training has read; the held-out patients are read here, and only for this.

    What is found is reported line by line. Returns it without identifiers, for the model: {"records", "findings"}.
    Raises CohortError LEAKAGE where `trust.audit` is stop and a leak was found.
    """
    if config.trust.audit == "off":
        return {"records": 0, "findings": [], "account": []}
    other = None
    if left_out is not None:
        other = _material(left_out, config, {}, np.full(len(left_out), HELD_OUT, dtype=object), modalities=inputs)
    half = cohort.splits if other is None else np.full(len(cohort), TRAINING, dtype=object)
    attributes = {name: cohort.attribute(name) for name in cohort.attributes}
    found = audited(Material(batch, inputs, half, targets, labels, attributes, other))
    for line in told(found):
        report(line)
    if found.leaks and config.trust.audit == "stop":
        raise CohortError(
            "LEAKAGE", "\n".join(["trust.audit is stop, and there are leaks:", *told(found, found.leaks)])
        )
    saved = [finding.to_json(with_records=False) for finding in found.findings]
    return {"records": found.records, "findings": saved, "account": list(found.account)}


def told(found: Audit, findings: Iterable | None = None) -> list[str]:
    """Each finding as a line with the records that it names."""
    lines = []
    for finding in found.findings if findings is None else findings:
        records = "; ".join(" = ".join(group) for group in finding.records)
        lines.append(f"{finding} Records: {records}." if records else str(finding))
    return lines


def _material(
    cohort: Cohort,
    config: Config,
    targets: Mapping[str, Target],
    half: np.ndarray,
    progress: Progress = lambda what, done, total: None,
    against: Material | None = None,
    modalities: Iterable[str] = READERS,
) -> Material:
    batch, _ = settle_levels(cohort.batch())
    inputs = {}
    for modality in modalities:
        progress(f"reading {modality}", len(inputs), len(READERS))
        inputs[modality] = read(batch, modality, config, targets.values())
    labels = cohort.labels(list(targets)) if targets else np.zeros((len(cohort), 0))
    attributes = {name: cohort.attribute(name) for name in cohort.attributes}
    return Material(batch, inputs, half, targets, labels, attributes, against)
