"""Training: a labelled cohort in, everything a fitted model holds out."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders import ENCODERS, encoder_class
from ..encoders.inputs import READERS
from ..records import CohortError, Problem, Target
from ..trust.tabulate import Answers, Group, Scored, tabulate
from ..trust.thresholds import choose_threshold
from .baselines import Baselines, fit_baselines
from .config import Config
from .cross_fitting import CrossFitted, cross_fit, new_encoder
from .folds import join_groups, make_folds
from .scoring import read
from .stack import Stack, fit_stack

MIN_LABELS = 10
PROBES = (60, 120)
PROBE_STEP = 20

Progress = Callable[[str, float, float], None]
"""progress(what, done, total): done and total in seconds, as estimated at the start."""


@dataclass(frozen=True)
class Trained:
    """What `fit` leaves behind; see ClinicalModel."""

    targets: Mapping[str, Target]
    encoders: Mapping[str, Mapping[str, Any]]
    stack: Stack
    thresholds: np.ndarray
    baselines: Baselines
    baseline_thresholds: Mapping[str, np.ndarray]
    salt: str
    patients: frozenset[str]
    figures: Mapping[str, Any]
    summary: Mapping[str, Any]
    problems: Sequence[Problem]


def train(cohort: Any, config: Config, progress: Progress, report: Callable[[str], None]) -> Trained:
    """cohort: sources.Cohort with labels. report(line): what the user should know, as it becomes known.

    Raises CohortError COHORT_FORM if no target has enough known labels, or no modality enough records.
    """
    problems: list[Problem] = []
    targets, labels = usable_targets(cohort, problems)
    batch = cohort.batch()
    inputs = {}
    for modality in READERS:
        if not getattr(config, modality).encoders:
            report(f"{modality} is switched off")
            continue
        report(f"reading {modality} of {len(batch):,} records")
        read_in = read(batch, modality, config)
        having = int(read_in.present.sum())
        if having >= config.fusion.min_records:
            inputs[modality] = read_in
        elif having:
            message = f"{having} training records have {modality}, fewer than {config.fusion.min_records}: no encoder"
            problems.append(Problem("MODALITY_RARE", modality, message))
    if not inputs:
        raise CohortError("COHORT_FORM", f"no modality is usable in {config.fusion.min_records} records.")
    for problem in problems:
        report(str(problem))
    groups = join_groups(batch.patient_ids, [one.fingerprints() for one in inputs.values()])
    folds = make_folds(labels, groups, config.fusion.folds, random_state=config.train.seed)
    advance = _clock(inputs, targets, labels, groups, config, progress, report)
    fitted = cross_fit(inputs, list(targets), labels, groups, folds, config, advance)
    units = exclusive_units(targets)
    options = {"random_state": config.train.seed, "device": config.train.device}
    stack = fit_stack(fitted.evidence, fitted.present, labels, folds, units, **options)
    outside = _out_of_fold(fitted, inputs, targets, labels, folds, units, options)
    thresholds = _thresholds(config.trust.threshold, labels, outside.probability, fitted.present, units)
    z = stack.z(fitted.evidence)
    baselines = fit_baselines(list(targets), z, fitted.present, labels, inputs, random_state=config.train.seed)
    baseline_thresholds = {
        name: _thresholds(config.trust.threshold, labels, found, fitted.present, units, score=name == "news2")
        for name, found in outside.baselines.items()
    }
    scored = _scored(outside, thresholds, baseline_thresholds, targets, labels, batch.patient_ids, fitted, units)
    salt = hashlib.sha256(f"{config.train.seed}\n{sorted(set(batch.patient_ids))}".encode()).hexdigest()
    return Trained(
        targets=targets,
        encoders=fitted.encoders,
        stack=stack,
        thresholds=thresholds,
        baselines=baselines,
        baseline_thresholds=baseline_thresholds,
        salt=salt,
        patients=frozenset(hashed_patients(batch.patient_ids, salt)),
        figures=tabulate(scored, random_state=config.train.seed),
        summary=_summary(cohort, batch, targets, labels, fitted, stack, groups),
        problems=problems,
    )


def hashed_patients(patient_ids: Sequence[str], salt: str) -> list[str]:
    """HMAC-SHA-256 of each id under the model's salt, in hex."""
    return [hmac.new(salt.encode(), str(patient).encode(), hashlib.sha256).hexdigest() for patient in patient_ids]


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


def exclusive_units(targets: Mapping[str, Target]) -> list[tuple[int, ...]]:
    """Indexes of the targets that belong together: each target alone, or all classes of an exclusive group."""
    units: dict[str, list[int]] = {}
    for t, (name, target) in enumerate(targets.items()):
        units.setdefault(f"group {target.group}" if target.group else name, []).append(t)
    return [tuple(unit) for unit in units.values()]


@dataclass(frozen=True)
class OutOfFold:
    """value (2 ** M, n, T), probability (n, T) and those of each set; baselines {name: (n, T)}."""

    value: np.ndarray
    probability: np.ndarray
    single: Mapping[str, np.ndarray]
    baselines: Mapping[str, np.ndarray]


def _out_of_fold(
    fitted: CrossFitted,
    inputs: Mapping[str, Any],
    targets: Mapping[str, Target],
    labels: np.ndarray,
    folds: np.ndarray,
    units: Sequence[tuple[int, ...]],
    options: Mapping[str, Any],
) -> OutOfFold:
    """Each fold answered by a stack and baselines that were fitted without it."""
    shape, modalities = labels.shape, tuple(fitted.evidence)
    value = np.zeros((2 ** len(modalities), *shape))
    probability = np.full(shape, np.nan)
    single = {name: np.full(shape, np.nan) for name in modalities}
    baselines: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        evidence = {name: log_odds[inside] for name, log_odds in fitted.evidence.items()}
        stack = fit_stack(evidence, fitted.present[inside], labels[inside], folds[inside], units, **options)
        z_inside = stack.z(evidence)
        z = stack.z({name: log_odds[outside] for name, log_odds in fitted.evidence.items()})
        present = fitted.present[outside]
        value[:, outside] = stack.value(z, present)
        probability[outside] = stack.probabilities(value[-1][outside])
        for m, name in enumerate(modalities):
            single[name][outside] = stack.probabilities(value[1 << m][outside])
        plain = fit_baselines(
            list(targets),
            z_inside,
            fitted.present[inside],
            labels[inside],
            {name: one.take(inside) for name, one in inputs.items()},
            random_state=options["random_state"],
        )
        found = plain.answers(z, present, {name: one.take(outside) for name, one in inputs.items()})
        found["sum"] = stack.probabilities(stack.sum_value(z, present))
        base = stack.probabilities(stack.base[None])
        for name, answers in found.items():
            gaps = np.isnan(answers) & (name != "news2") & ~np.isnan(answers).all(axis=0)
            baselines.setdefault(name, np.full(shape, np.nan))[outside] = np.where(gaps, base, answers)
    return OutOfFold(value, probability, single, baselines)


def decide(probability: np.ndarray, thresholds: np.ndarray, units: Sequence[tuple[int, ...]]) -> np.ndarray:
    """float (n, T), 0 or 1: above the threshold; in an exclusive group the most probable class. NaN stays NaN."""
    out = (probability >= np.nan_to_num(thresholds)).astype(float)
    for unit in units:
        if len(unit) > 1:
            columns = list(unit)
            filled = np.where(np.isnan(probability[:, columns]), -1.0, probability[:, columns])
            out[:, columns] = filled.argmax(axis=1)[:, None] == np.arange(len(columns))
    return np.where(np.isnan(probability), np.nan, out)


def _thresholds(
    rule: str,
    labels: np.ndarray,
    probability: np.ndarray,
    present: np.ndarray,
    units: Sequence[tuple[int, ...]],
    *,
    score: bool = False,
) -> np.ndarray:
    """float (T,): by the rule on the records with input; NaN for the classes of a group. A score keeps Youden's."""
    out = np.full(labels.shape[1], np.nan)
    for unit in units:
        if len(unit) == 1:
            t = unit[0]
            rows = present.any(axis=1) & ~np.isnan(labels[:, t]) & ~np.isnan(probability[:, t])
            if len(np.unique(labels[rows, t])) == 2:
                out[t] = choose_threshold("youden" if score else rule, labels[rows, t], probability[rows, t])
    return out


def _scored(
    outside: OutOfFold,
    thresholds: np.ndarray,
    baseline_thresholds: Mapping[str, np.ndarray],
    targets: Mapping[str, Target],
    labels: np.ndarray,
    patients: np.ndarray,
    fitted: CrossFitted,
    units: Sequence[tuple[int, ...]],
) -> Scored:
    def answers(probability: np.ndarray, cuts: np.ndarray, is_probability: bool = True) -> Answers:
        return Answers(probability, decide(probability, cuts, units), cuts, is_probability)

    names = np.array(list(targets), dtype=object)
    groups = {}
    decided = decide(outside.probability, thresholds, units)
    for unit in units:
        if len(unit) > 1:
            columns = list(unit)
            truth = names[columns][np.nan_to_num(labels[:, columns]).argmax(axis=1)]
            truth[np.nan_to_num(labels[:, columns]).max(axis=1) < 1] = None
            of_group = names[columns][np.nan_to_num(decided[:, columns]).argmax(axis=1)]
            groups[targets[names[columns[0]]].group] = Group(tuple(names[columns]), truth, of_group)
    return Scored(
        targets=tuple(targets),
        modalities=tuple(fitted.evidence),
        labels=labels,
        patients=patients,
        present=fitted.present,
        abstained=np.zeros(len(labels), dtype=bool),
        fused=answers(outside.probability, thresholds),
        single={name: answers(probability, thresholds) for name, probability in outside.single.items()},
        baselines={
            name: answers(found, baseline_thresholds[name], name != "news2")
            for name, found in outside.baselines.items()
        },
        groups=groups,
    )


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


def _clock(
    inputs: Mapping[str, Any],
    targets: Mapping[str, Target],
    labels: np.ndarray,
    groups: np.ndarray,
    config: Config,
    progress: Progress,
    report: Callable[[str], None],
) -> Callable[[str, float], None]:
    """advance(name, share) for `cross_fit`, in seconds as estimated from a short go of each encoder on a sample."""
    trainings = config.fusion.folds + 1
    seconds: dict[str, float] = {}
    small, large = PROBES
    for modality, whole in inputs.items():
        having = np.flatnonzero(whole.present)
        drawn = np.random.default_rng(config.train.seed).permutation(having)
        for name in getattr(config, modality).encoders:
            steps = new_encoder(name, config).steps(len(having)) if hasattr(encoder_class(name), "steps") else None
            took = []
            for size in (small, small, large):  # the first pays for what is loaded and compiled once
                encoder = new_encoder(name, config)
                if steps is not None:
                    encoder.min_steps = encoder.max_steps = size // PROBE_STEP
                rows = drawn[:large] if steps is not None else drawn[:size]
                started = time.perf_counter()
                encoder.fit(whole.take(rows), list(targets), labels[rows], groups[rows], random_state=config.train.seed)
                took.append(time.perf_counter() - started)
            # What grows with the work, apart from what every start costs.
            more = (steps * PROBE_STEP if steps is not None else len(having)) - large
            seconds[name] = took[2] + max(took[2] - took[1], 0.0) / (large - small) * max(more, 0)
    total = trainings * sum(seconds.values())
    report(f"training {', '.join(seconds)}, {trainings} times each: about {max(1, round(total / 60))} min")
    done = 0.0

    def advance(name: str, share: float) -> None:
        nonlocal done
        done += seconds[name] * share
        progress(f"{ENCODERS[name].modality}: {name}", done, total)

    return advance
