"""Each fold answered by a stack and baselines fitted without it: `train` prints that, and thresholds stand on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records import Target
from ..trust.tabulate import Answers, Group, Scored
from .baselines import fit_baselines
from .cross_fitting import CrossFitted
from .stack import decide, fit_stack


@dataclass(frozen=True)
class OutOfFold:
    """value (2 ** M, n, T), probability (n, T) and those of each set; baselines {name: (n, T)}."""

    value: np.ndarray
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


def as_scored(
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
