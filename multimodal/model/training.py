"""Training: a labelled cohort in, everything a fitted model holds out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders.inputs import READERS
from ..learning.devices import pick_device
from ..records import CohortError, MeasurementKind, Problem, Target, UsageError
from ..trust.conformal import Conformal
from ..trust.gates import Gates
from ..trust.tabulate import tabulate
from ..trust.thresholds import check_targets, choose_threshold, rule_of
from ..vitals import check_constraints, learnt_additions, read_constraints, settle_levels
from .auditing import audit_training
from .baselines import Baselines, fit_baselines, rule_answers, score_rules
from .config import Config
from .cross_fitting import CrossFitted, cross_fit, new_encoder
from .estimate import Progress, clock
from .folds import join_groups, make_folds
from .kept_work import KeptWork, digest, run_of
from .out_of_fold import answer_out_of_fold, as_scored
from .partial import check_run, start_run
from .scoring import read
from .seen_patients import SeenPatients, among_any, begun_with, seen_by_pretraining
from .stack import Stack, exclusive_units, fit_stack
from .trusting import fit_trust, stopped_line

MIN_LABELS = 10


@dataclass(frozen=True)
class Trained:
    """What `fit` leaves behind; see ClinicalModel."""

    targets: Mapping[str, Target]
    encoders: Mapping[str, Mapping[str, Any]]
    densities: Mapping[str, Mapping[str, Any]]
    stack: Stack
    thresholds: np.ndarray
    conformal: Conformal
    gates: Gates
    baselines: Baselines
    baseline_thresholds: Mapping[str, np.ndarray]
    patients: SeenPatients
    pretraining_patients: Mapping[str, Sequence[SeenPatients]]
    figures: Mapping[str, Any]
    summary: Mapping[str, Any]
    problems: Sequence[Problem]
    own_measurements: Mapping[str, MeasurementKind]
    audit: Mapping[str, Any]


def train(
    cohort: Any, config: Config, progress: Progress, report: Callable[[str], None], kept_in: Path | None = None
) -> Trained:
    """cohort: sources.Cohort with labels. report(line): what the user should know, as it becomes known.
    kept_in: a folder for what is finished (see kept_work.py), from which the same training goes on; the caller removes
    it in the end.

    Raises CohortError COHORT_FORM if no target has enough known labels, or no modality enough records; LEAKAGE if the
    audit is to stop it and finds a leak; UsageError if
    the options name a device, weights or a checkpoint that is not there, or let the training diverge, or if
    `kept_in` is of another training.
    """
    check_options(config)
    run = run_of(cohort, config, pick_device(config.train.device)) if kept_in else {}
    if kept_in:
        check_run(kept_in, run)
    held_out: Collection[str] = ()
    left_out = None
    if config.train.holdout:
        cohort, left_out = cohort.split(config.train.holdout, config.train.seed)
        held_out = sorted(set(left_out.patient_ids))
    try:
        grouped = [name for name, target in cohort.targets.items() if target.group]
        check_targets(config.trust.threshold, list(cohort.targets), grouped)
    except ValueError as error:
        raise UsageError(f"trust.threshold: {error}") from None
    problems: list[Problem] = []
    targets, labels = usable_targets(cohort, problems)
    batch, rare = settle_levels(cohort.batch())
    problems += rare
    if config.vitals.monotone and "boosting" not in config.vitals.encoders:
        raise UsageError("vitals.monotone: boosting alone heeds it, and is not among vitals.encoders")
    try:
        check_constraints(read_constraints(config.vitals.monotone), batch.table, targets)
    except ValueError as error:
        raise UsageError(f"vitals.monotone: {error}") from None
    inputs = {}
    for modality in READERS:
        if not getattr(config, modality).encoders:
            report(f"{modality} is switched off")
            continue
        report(f"reading {modality} of {len(batch):,} records")
        read_in = read(batch, modality, config, targets.values())
        having = int(read_in.present.sum())
        if having >= config.fusion.min_records:
            inputs[modality] = read_in
        else:
            message = f"{having} training records have {modality}, fewer than {config.fusion.min_records}: no encoder"
            problems.append(Problem("MODALITY_RARE", modality, message))
    if not inputs:
        raise CohortError("COHORT_FORM", f"no modality is usable in {config.fusion.min_records} records.")
    pretraining = {
        option: seen
        for modality, option, weights in begun_with(config)
        if modality in inputs and (seen := seen_by_pretraining(weights))
    }
    for option, whom in pretraining.items():
        if seen := int(among_any(whom, held_out).sum()):
            message = f"{seen:,} of the {len(held_out):,} patients held out are among those it learnt from"
            problems.append(Problem("PRETRAINED_ON_HELD_OUT", option, message))
    for problem in problems:
        report(str(problem))
    found = audit_training(cohort, batch, inputs, targets, labels, left_out, config, report)
    groups = join_groups(batch.patient_ids, [one.fingerprints() for one in inputs.values()])
    folds = make_folds(labels, groups, config.fusion.folds, random_state=config.train.seed)
    kept = KeptWork(kept_in)
    if kept_in:
        # What was read, too: an image that one run could decode and the other could not is another training.
        read_in = digest(folds, groups, labels, *(one.present for one in inputs.values()))
        start_run(kept_in, run | {"what was read": read_in})
        if kept.finished:
            report(f"going on from an earlier run, which finished {kept.finished} trainings")
    advance = clock(inputs, targets, labels, groups, config, progress, report)
    try:
        fitted = cross_fit(inputs, list(targets), labels, groups, folds, config, advance, kept)
    except FloatingPointError as error:
        if kept_in:
            shutil.rmtree(kept_in)  # it would diverge again
        raise UsageError(f"the training diverged: {error}") from error
    units = exclusive_units(targets)
    options = {"random_state": config.train.seed, "device": config.train.device}
    options |= {"calibration": config.trust.calibration}
    stack = fit_stack(fitted.evidence, fitted.present, labels, folds, units, **options)
    outside = answer_out_of_fold(fitted, inputs, targets, labels, folds, units, options)
    z = stack.z(fitted.evidence)
    baselines = fit_baselines(list(targets), z, fitted.present, labels, inputs, random_state=config.train.seed)

    rules = [rule_of(config.trust.threshold, name) for name in targets]

    def choose(probability: np.ndarray, rows: np.ndarray) -> np.ndarray:
        usable = rows & fitted.present.any(axis=1)
        return _thresholds(rules, labels[usable], probability[usable], units)

    trust = fit_trust(outside, fitted, stack, labels, folds, list(targets), config)
    report(stopped_line(trust.stopped))
    scored, thresholds, baseline_thresholds = as_scored(outside, choose, cohort, targets, labels, fitted, folds, units)
    bedside = score_rules(batch, inputs, convert_suspect=config.vitals.convert_suspect)
    every = {**scored.baselines, **rule_answers(bedside, len(targets))}
    scored = replace(scored, baselines=every, sets=trust.sets, abstained=trust.abstained)
    return Trained(
        targets=targets,
        encoders=fitted.encoders,
        densities=fitted.densities,
        stack=stack,
        thresholds=thresholds,
        conformal=trust.conformal,
        gates=trust.gates,
        baselines=baselines,
        baseline_thresholds=baseline_thresholds,
        patients=SeenPatients.of(batch.patient_ids, config.train.seed),
        pretraining_patients=pretraining,
        figures=tabulate(scored, random_state=config.train.seed),
        summary={
            **_summary(cohort, batch, targets, labels, fitted, stack, groups),
            "gates": trust.stopped,
        },
        problems=problems,
        own_measurements=learnt_additions(batch.table),
        audit=found,
    )


def check_options(config: Config) -> None:
    """Raise UsageError for a device that is not here, and whatever else an encoder needs and lacks."""
    try:
        pick_device(config.train.device)
    except ValueError as error:
        raise UsageError(f"train.device: {error}") from None
    for modality in READERS:
        for name in getattr(config, modality).encoders:
            encoder = new_encoder(name, config)
            if hasattr(encoder, "check"):
                encoder.check()


def usable_targets(cohort: Any, problems: list[Problem]) -> tuple[dict[str, Target], np.ndarray]:
    """The targets with at least MIN_LABELS positive and negative patients, and their labels, float (n, T).

    In an exclusive group a class needs that many positive patients. Raises CohortError if none is left.
    """
    names = list(cohort.targets)
    labels = cohort.labels(names)
    patients = np.asarray(cohort.patient_ids, dtype=object)
    kept = []
    for t, name in enumerate(names):
        positives, negatives = (len(set(patients[labels[:, t] == value])) for value in (1, 0))
        grouped = cohort.targets[name].group is not None
        if positives >= MIN_LABELS and negatives >= (1 if grouped else MIN_LABELS):
            kept.append(t)
        else:
            message = f"{positives} positive and {negatives} negative patients, fewer than {MIN_LABELS}: left out"
            problems.append(Problem("TOO_FEW_LABELS", name, message))
    if not kept:
        found = "; ".join(f"{problem.where}: {problem.message}" for problem in problems) or "it has no targets"
        raise CohortError("COHORT_FORM", f"there is no target to learn: {found}.")
    return {names[t]: cohort.targets[names[t]] for t in kept}, labels[:, kept]


def _thresholds(
    rules: Sequence[str], labels: np.ndarray, probability: np.ndarray, units: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """float (T,): by each target's rule where label and probability are known; NaN for the classes of a group, and
    where there is nothing to choose from."""
    out = np.full(labels.shape[1], np.nan)
    for unit in units:
        t = unit[0]
        rows = ~np.isnan(labels[:, t]) & ~np.isnan(probability[:, t])
        if len(unit) == 1 and len(np.unique(labels[rows, t])) == 2:
            out[t] = choose_threshold(rules[t], labels[rows, t], probability[rows, t])
    return out


def _summary(cohort, batch, targets, labels, fitted: CrossFitted, stack: Stack, groups: np.ndarray) -> dict[str, Any]:
    """What `inspect` shows of the training; no identifiers."""
    return {
        "cohort": cohort.name,
        "provenance": cohort.provenance,
        "records": len(batch),
        "patients": len(set(batch.patient_ids)),
        "groups": int(groups.max()) + 1,
        "records_with": {name: int(fitted.present[:, m].sum()) for m, name in enumerate(fitted.evidence)},
        "labels": {
            name: {
                "positive": int((labels[:, t] == 1).sum()),
                "negative": int((labels[:, t] == 0).sum()),
                "unknown": int(np.isnan(labels[:, t]).sum()),
            }
            for t, name in enumerate(targets)
        },
        "encoder_weights": {
            modality: {
                encoder: {name: round(float(stack.blends[modality].weights[c, t]), 4) for t, name in enumerate(targets)}
                for c, encoder in enumerate(named)
            }
            for modality, named in fitted.encoders.items()
        },
    }
