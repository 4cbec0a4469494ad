"""The figures of a procedure: a model refitted without each part of a cohort, and scored on the part it did not see.

Parts are the values of a column (a site that no refit has seen), or folds by patient (nested cross-validation). In each
refit everything is fitted again: encoders, fusion, calibration, thresholds. No refit is the model in use, so the
figures are of its configuration on such data, and patients whom that model trained on need not be left out.
Steyerberg & Harrell, J Clin Epidemiol 69:245, 2016 (internal-external validation); Varma & Simon, BMC Bioinformatics
7:91, 2006 (nested cross-validation).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimodal.records import CohortError, Target, UsageError, shown

from ..encoders.inputs import READERS
from ..model import ClinicalModel, Config, with_options
from ..model.folds import join_groups, make_folds
from ..model.scoring import read
from ..sources import Cohort
from ..trust.curves import curves
from ..trust.metrics import measure
from ..trust.tabulate import Answers, Scored, group_of, tabulate
from ..trust.thresholds import rule_of
from ..trust.within_parts import auroc_within_parts
from .evaluate import Evaluation, score_cohort
from .report import About

MIN_RECORDS = 20
SMALL = "other small"
UNNAMED = "(not given)"
Partition = tuple[str, np.ndarray]
"""A name, and the rows that are held out together."""


@dataclass(frozen=True)
class Refit:
    """One refit: the records it answered (rows of the cohort), their answers, and its own cross-fitted figures.

    scored   of the held-out records, on the targets that it learnt
    trained  how many records it was fitted on
    """

    name: str
    rows: np.ndarray
    scored: Scored
    trained: int
    figures: Mapping[str, Any]


def by_value(cohort: Cohort, column: str) -> list[Partition]:
    """The records of each value of an attribute column; values with fewer than 20 records, or with no target that some
    of their records have and some have not, are held out together as `other small`."""
    values = np.array([value or UNNAMED for value in cohort.attribute(column)], dtype=object)
    labels = cohort.labels()
    large, small = [], []
    for value in sorted(set(values)):
        rows = np.flatnonzero(values == value)
        both = ((labels[rows] == 1).any(axis=0) & (labels[rows] == 0).any(axis=0)).any()
        (large if len(rows) >= MIN_RECORDS and both else small).append((value, rows))
    if not large:
        known = f"at least {MIN_RECORDS} records, some with and some without a target"
        raise UsageError(f"no value of the column {shown(column)} has {known}: there is nothing to leave out")
    pooled = [(SMALL, np.sort(np.concatenate([rows for _, rows in small])))] if small else []
    return large + pooled


def by_fold(cohort: Cohort, groups: np.ndarray, folds: int, *, random_state: int) -> list[Partition]:
    """`folds` parts of about equal size; no group of records is divided. Raises UsageError for fewer than 2 folds."""
    if folds < 2:
        raise UsageError(f"nested cross-validation needs at least 2 folds, not {folds}")
    fold = make_folds(cohort.labels(), groups, folds, random_state=random_state)
    return [(f"fold {k + 1}", np.flatnonzero(fold == k)) for k in range(folds)]


def related(cohort: Cohort, config: Config) -> np.ndarray:
    """int (n,): the group of each record; those of one patient, or with an identical note or image file, share one."""
    batch = cohort.batch()
    used = [modality for modality in READERS if getattr(config, modality).encoders]
    inputs = [read(batch, modality, config, cohort.targets.values()) for modality in used]
    return join_groups(batch.patient_ids, [one.fingerprints() for one in inputs])


def refit_out_of_fold(
    config: Config,
    cohort: Cohort,
    partitions: Sequence[Partition],
    groups: np.ndarray,
    *,
    progress: Callable[[str, float, float], None] = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[list[Refit], dict[str, str]]:
    """Each partition answered by a model that was fitted on the records outside it, and on none that is related.

    groups  int (n,), as `related`; progress(what, done, total) in partitions
    Returns the refits, and {name: why} of partitions that could not be answered.
    """
    config = with_options(config, "train", holdout=0.0)
    refits: list[Refit] = []
    failed: dict[str, str] = {}
    report(f"{len(partitions)} refits; the first says how long one takes")
    began = time.monotonic()
    for k, (name, rows) in enumerate(partitions):
        outside = np.flatnonzero(~np.isin(groups, groups[rows]))
        label = f"without {shown(name)}"
        report(f"{label}: fitted on {len(outside):,} records, scored on {len(rows):,}")

        def advance(what: str, done: float, total: float, k: int = k, label: str = label) -> None:
            progress(f"{label}, {what}", k + min(done / total, 1.0), len(partitions))

        try:
            model = ClinicalModel(config).fit(
                cohort.take(outside), progress=advance, report=report if k == 0 else lambda line: None
            )
            refits.append(_scored(model, cohort, name, rows, len(outside)))
        except CohortError as error:
            failed[name] = str(error)
            report(f"{label}: {error}")
        left = (time.monotonic() - began) / (k + 1) * (len(partitions) - k - 1)
        if left:
            report(f"{len(partitions) - k - 1} refits to go: about {max(1, round(left / 60))} min")
    if not refits:
        raise CohortError("COHORT_FORM", f"no refit was possible: {next(iter(failed.values()))}")
    return refits, failed


def _scored(model: ClinicalModel, cohort: Cohort, name: str, rows: np.ndarray, trained: int) -> Refit:
    # None of them is a patient of this training; but what it began with (weights, a checkpoint) may have seen some.
    rows = rows[~model.trained_on(cohort.patient_ids[rows])]
    if not len(rows):
        raise CohortError("TRAINING_PATIENTS", "what the model began with has seen all of its patients.")
    shared = [target for target in model.targets if target in cohort.targets]
    scored, _ = score_cohort(model, cohort.take(rows), shared, None)
    return Refit(name, rows, scored, trained, model.figures_)


def joined(refits: Sequence[Refit], cohort: Cohort) -> tuple[Scored, np.ndarray]:
    """The answers of all refits as one, in the order of the cohort, and the rows that they answer.

    A target that a refit did not learn has no answer on its records; a modality that it did not learn counts as
    absent. Each refit chose thresholds of its own, so there is none to show.
    """
    rows = np.concatenate([refit.rows for refit in refits])
    order = np.argsort(rows, kind="stable")
    targets = tuple(name for name in cohort.targets if any(name in refit.scored.targets for refit in refits))
    modalities = tuple(name for name in READERS if any(name in refit.scored.modalities for refit in refits))

    def columns(one: np.ndarray, names: Sequence[str], wanted: Sequence[str], gap: Any) -> np.ndarray:
        out = np.full((len(one), len(wanted), *one.shape[2:]), gap, dtype=one.dtype)
        out[:, [list(wanted).index(name) for name in names]] = one
        return out

    def answers(of: Callable[[Scored], Answers | None]) -> Answers:
        found = [(refit.scored, of(refit.scored)) for refit in refits]
        none = [np.full((len(scored.labels), len(targets)), np.nan) for scored, _ in found]
        probability, decision = (
            np.concatenate(
                [
                    gaps if one is None else columns(getattr(one, part), scored.targets, targets, np.nan)
                    for (scored, one), gaps in zip(found, none, strict=True)
                ]
            )[order]
            for part in ("probability", "decision")
        )
        known = all(one is None or one.is_probability for _, one in found)
        return Answers(probability, decision, np.full(len(targets), np.nan), known)

    rows = rows[order]
    taken = cohort.take(rows)
    fused = answers(lambda scored: scored.fused)
    names = dict.fromkeys(name for refit in refits for name in refit.scored.baselines)
    single = {m: answers(lambda scored, m=m: scored.single.get(m)) for m in modalities}
    scored = Scored(
        targets=targets,
        modalities=modalities,
        labels=taken.labels(targets),
        patients=np.asarray(taken.patient_ids, dtype=object),
        present=np.concatenate(
            [columns(refit.scored.present, refit.scored.modalities, modalities, False) for refit in refits]
        )[order],
        abstained=np.concatenate([refit.scored.abstained for refit in refits])[order],
        fused=fused,
        single=single,
        baselines={name: answers(lambda scored, name=name: scored.baselines.get(name)) for name in names},
        groups=_groups(taken, targets, fused),
        sets={
            level: np.concatenate(
                [columns(refit.scored.sets[level], refit.scored.targets, targets, False) for refit in refits]
            )[order]
            for level in refits[0].scored.sets
        },
    )
    return scored, rows


def _groups(cohort: Cohort, targets: Sequence[str], fused: Answers) -> dict[str, Any]:
    by_name: dict[str, list[int]] = {}
    for t, name in enumerate(targets):
        if group := cohort.targets[name].group:
            by_name.setdefault(group, []).append(t)
    return {
        group: group_of(group, [targets[t] for t in ours], cohort.targets, cohort.labels, fused.decision[:, ours])
        for group, ours in by_name.items()
    }


def evaluate_refits(
    model: ClinicalModel,
    cohort: Cohort,
    *,
    leave_out: str | None = None,
    nested: int | None = None,
    resamples: int = 1000,
    random_state: int = 0,
    progress: Callable[[str, float, float], None] = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """The figures of `model`'s configuration, refitted without each value of the column `leave_out`, or in `nested`
    folds by patient. The model itself answers nothing.

    Raises UsageError unless one of both is given, or where the column is unknown or divides nothing; CohortError where
    the cohort has no targets, or no refit has enough labels.
    """
    if (leave_out is None) == (nested is None):
        raise UsageError("give either --leave-out or --nested")
    if not cohort.targets:
        raise CohortError("COHORT_FORM", "the cohort has no targets.")
    config = model.config_
    partitions = by_value(cohort, leave_out) if leave_out is not None else []
    report(f"reading {len(cohort):,} records, to keep together what is related")
    groups = related(cohort, config)
    if nested is not None:
        partitions = by_fold(cohort, groups, nested, random_state=config.train.seed)
    refits, failed = refit_out_of_fold(config, cohort, partitions, groups, progress=progress, report=report)
    scored, rows = joined(refits, cohort)
    options = {"resamples": resamples, "random_state": random_state}
    metrics = {
        "schema": 1,
        "model_id": model.model_id,
        "cohort": {
            "records": len(rows),
            "patients": len(set(cohort.patient_ids[rows])),
            "excluded_training_patients": 0,
            "no_input": int((~scored.present.any(axis=1)).sum()),
            "abstained": int(scored.abstained.sum()),
        },
        **tabulate(scored, **options),
        "refits": {
            "left_out": leave_out,
            "folds": nested,
            "within": _within(refits, scored, rows, options),
            "parts": [_part(refit, cohort, options) for refit in refits],
            "not_answered": [
                {"name": name, "records": len(dict(partitions)[name]), "why": why} for name, why in failed.items()
            ],
            "related_left_out": int(sum(np.isin(groups, groups[part]).sum() - len(part) for _, part in partitions)),
        },
    }
    for name, found in metrics["targets"].items():
        found["rule"] = None if cohort.targets[name].group else rule_of(config.trust.threshold, name)
    targets: dict[str, Target] = {name: cohort.targets[name] for name in scored.targets}
    return Evaluation(metrics, curves(scored, **options), About(scored.modalities, targets, resamples))


def _within(
    refits: Sequence[Refit], scored: Scored, rows: np.ndarray, options: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """By target: how well the records of one and the same part are told apart; rows: of `scored`, in the cohort."""
    part_of = {row: k for k, refit in enumerate(refits) for row in refit.rows.tolist()}
    part = np.array([part_of[row] for row in rows.tolist()])
    found = {}
    for t, name in enumerate(scored.targets):
        score = scored.fused.probability[:, t]
        known = scored.present.any(axis=1) & ~np.isnan(scored.labels[:, t]) & ~np.isnan(score)
        found[name] = auroc_within_parts(
            scored.labels[known, t], score[known], part[known], scored.patients[known].astype(str), **options
        )
    return found


def _part(refit: Refit, cohort: Cohort, options: Mapping[str, int]) -> dict[str, Any]:
    """One refit's figures: on the part it did not see, and its cross-fitted ones on what it was fitted on."""
    scored, targets = refit.scored, {}
    for t, name in enumerate(scored.targets):
        probability, decision = scored.fused.probability[:, t], scored.fused.decision[:, t]
        rows = scored.present.any(axis=1) & ~np.isnan(scored.labels[:, t]) & ~np.isnan(probability + decision)
        threshold = scored.fused.threshold[t]
        unseen = measure(
            scored.labels[rows, t],
            probability[rows],
            decision[rows],
            scored.patients[rows],
            threshold=threshold,
            **options,
        )
        targets[name] = {"unseen": unseen, "seen": refit.figures["targets"][name]["fused"]}
    return {
        "name": refit.name,
        "records": len(refit.rows),
        "patients": len(set(cohort.patient_ids[refit.rows])),
        "fitted_on": refit.trained,
        "targets": targets,
    }
