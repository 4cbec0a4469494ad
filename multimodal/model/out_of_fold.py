"""Each fold answered by a stack and baselines fitted without it: `train` prints that, and thresholds stand on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records import Target
from ..trust.tabulate import Answers, Scored, group_of
from .baselines import fit_baselines
from .cross_fitting import CrossFitted
from .stack import decide, fit_stack


@dataclass(frozen=True)
class OutOfFold:
    """value (2 ** M, n, T), z (n, M, T), probability (n, T) and those of each set; baselines {name: (n, T)}."""

    value: np.ndarray
    z: np.ndarray
    probability: np.ndarray
    single: Mapping[str, np.ndarray]
    baselines: Mapping[str, np.ndarray]


def answer_out_of_fold(
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
    every_z = np.full((shape[0], len(modalities), shape[1]), np.nan)
    single = {name: np.full(shape, np.nan) for name in modalities}
    baselines: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        evidence = {name: log_odds[inside] for name, log_odds in fitted.evidence.items()}
        stack = fit_stack(evidence, fitted.present[inside], labels[inside], folds[inside], units, **options)
        z_inside = stack.z(evidence)
        z = stack.z({name: log_odds[outside] for name, log_odds in fitted.evidence.items()})
        every_z[outside] = z
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
            gaps = np.isnan(answers) & ~np.isnan(answers).all(axis=0)
            baselines.setdefault(name, np.full(shape, np.nan))[outside] = np.where(gaps, base, answers)
    return OutOfFold(value, every_z, probability, single, baselines)


def as_scored(
    outside: OutOfFold,
    choose: Callable[[np.ndarray, np.ndarray], np.ndarray],
    cohort: Any,
    targets: Mapping[str, Target],
    labels: np.ndarray,
    fitted: CrossFitted,
    folds: np.ndarray,
    units: Sequence[tuple[int, ...]],
) -> tuple[Scored, np.ndarray, dict[str, np.ndarray]]:
    """The answers as `tabulate` takes them, the thresholds (T,), and those of the baselines.

    choose(probability, rows) gives the thresholds (T,) by the rule on the records at `rows`, bool (n,). Each fold is
    decided at thresholds that were chosen on the other folds; the model's own are chosen on all.
    """

    def answers(probability: np.ndarray, cuts_on: np.ndarray | None = None) -> Answers:
        cuts_on = probability if cuts_on is None else cuts_on
        decision = np.full(probability.shape, np.nan)
        for fold in np.unique(folds):
            cuts = choose(cuts_on, folds != fold)
            decision[folds == fold] = decide(probability[folds == fold], cuts, units)
        return Answers(probability, decision, choose(cuts_on, np.ones(len(folds), dtype=bool)))

    names = list(targets)
    fused = answers(outside.probability)
    groups = {}
    for unit in units:
        if len(unit) > 1:
            ours, group = [names[t] for t in unit], targets[names[unit[0]]].group
            groups[group] = group_of(group, ours, cohort.targets, cohort.labels, fused.decision[:, list(unit)])
    baselines = {name: answers(found) for name, found in outside.baselines.items()}
    scored = Scored(
        targets=tuple(targets),
        modalities=tuple(fitted.evidence),
        labels=labels,
        patients=cohort.patient_ids,
        present=fitted.present,
        abstained=np.zeros(len(labels), dtype=bool),
        fused=fused,
        single={name: answers(one, cuts_on=outside.probability) for name, one in outside.single.items()},
        baselines=baselines,
        groups=groups,
    )
    return scored, fused.threshold, {name: found.threshold for name, found in baselines.items()}
