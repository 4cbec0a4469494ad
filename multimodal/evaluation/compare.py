"""Two models on the same records of one cohort: by how much, and how surely, one is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from multimodal.records import CohortError

from ..trust.tabulate import Scored, compare_scored
from .evaluate import score_cohort, unseen
from .summary import comparison_table

if TYPE_CHECKING:
    from multimodal.model import ClinicalModel
    from multimodal.sources import Cohort


@dataclass(frozen=True)
class Comparison:
    """What `multimodal compare --json` prints: the form Comparison of records.documents."""

    metrics: Mapping

    def summary(self) -> str:
        """What a terminal shows of it, in 80 columns."""
        return comparison_table(self.metrics)


def compare(
    a: ClinicalModel,
    b: ClinicalModel,
    cohort: Cohort,
    *,
    split: str | None = None,
    all_patients: bool = False,
    resamples: int = 1000,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """How much higher each figure of model `a` is than that of `b`, on the targets that both and the cohort have.

    The records are those with a known label and an input that each model can use; the models may read different
    modalities. Each decides at its own thresholds. split, all_patients, resamples: as in `evaluate`; a patient whom
    either model trained on is left out.
    progress  called with (records scored, records in all), every record being scored twice
    Raises CohortError COHORT_FORM where the three share no target, TRAINING_PATIENTS where nobody is left; UsageError
    where no record has `split`.
    """
    shared = [name for name in a.targets if name in b.targets and name in cohort.targets]
    if not shared:
        raise CohortError("COHORT_FORM", "the two models and the cohort share no target.")
    cohort, known = unseen(cohort, [a, b], split=split, all_patients=all_patients)

    def half(which: int) -> Callable[[int, int], None] | None:
        return progress and (lambda done, total: progress(which * total + done, 2 * total))

    ours, theirs = (score_cohort(model, cohort, shared, half(i))[0] for i, model in enumerate((a, b)))
    both = ours.present.any(axis=1) & theirs.present.any(axis=1)
    counts = {
        "records": len(cohort),
        "patients": len(set(cohort.patient_ids)),
        "excluded_training_patients": 0 if all_patients else known,
        "both": int(both.sum()),
        "only_a": int((ours.present.any(axis=1) & ~both).sum()),
        "only_b": int((theirs.present.any(axis=1) & ~both).sum()),
    }
    if all_patients:
        counts["includes_training_patients"] = known
    found = compare_scored(_shown(ours, both), _shown(theirs, both), resamples=resamples, random_state=random_state)
    return Comparison({"schema": 1, "models": {"a": a.model_id, "b": b.model_id}, "cohort": counts, "targets": found})


def _shown(scored: Scored, rows: np.ndarray) -> Scored:
    """As if the other records had no input."""
    return replace(scored, present=scored.present & rows[:, None])
