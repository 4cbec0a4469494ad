"""Prediction sets and gates, fitted on what models of other folds said of the training records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..fusion.subsets import set_index
from ..trust.conformal import Conformal, fit_conformal
from ..trust.gates import Gates, fit_gates
from .config import Config
from .cross_fitting import CrossFitted
from .out_of_fold import OutOfFold
from .stack import Stack

LEVELS = (0.9, 0.95)  # at which coverage is measured, beside `trust.coverage`


@dataclass(frozen=True)
class Trust:
    """What is in use, and what it says of the training records, each answered by what stands on the other folds:
    sets {coverage: bool (n, T, 2)}, abstained bool (n,), stopped {gate: share}."""

    conformal: Conformal
    gates: Gates
    sets: Mapping[float, np.ndarray]
    abstained: np.ndarray
    stopped: Mapping[str, float]


def levels(config: Config) -> list[float]:
    """The coverages that are measured."""
    return sorted({*LEVELS, config.trust.coverage})


def fit_trust(
    outside: OutOfFold,
    fitted: CrossFitted,
    stack: Stack,
    labels: np.ndarray,
    folds: np.ndarray,
    targets: Sequence[str],
    config: Config,
) -> Trust:
    """outside, fitted: out of fold, of the n training records; labels float (n, T); folds int (n,)."""
    present = fitted.present
    shown = np.stack([stack.probabilities(value) for value in outside.value])

    def conformal(rows: np.ndarray) -> Conformal:
        return fit_conformal(shown[:, rows], present[rows], labels[rows], stack.units, coverage=config.trust.coverage)

    def gates(rows: np.ndarray) -> Gates:
        return fit_gates(
            _rows(fitted.novelty, rows),
            present[rows],
            outside.z[rows],
            modalities=stack.modalities,
            targets=targets,
            false_alarms=config.trust.false_alarms,
            fewest=config.fusion.min_records,
        )

    sets = {level: np.zeros((*labels.shape, 2), dtype=bool) for level in levels(config)}
    abstained = np.zeros(len(labels), dtype=bool)
    stopped: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        inside, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        found = conformal(inside)
        for level, held in sets.items():
            held[held_out] = found.sets(outside.probability[held_out], set_index(present[held_out]), level)
        novelty = _rows(fitted.novelty, held_out)
        verdict = gates(inside).judge(novelty, present[held_out], outside.z[held_out])
        abstained[held_out] = verdict.stopped.any(axis=1)
        for gate, one in verdict.by_gate.items():
            stopped.setdefault(gate, np.zeros(len(labels), dtype=bool))[held_out] = one
    having = present.any(axis=1)
    every = np.arange(len(labels))
    return Trust(
        conformal=conformal(every),
        gates=gates(every),
        sets=sets,
        abstained=abstained,
        stopped={
            **{gate: float(found[having].mean()) for gate, found in stopped.items()},
            "any": float(abstained[having].mean()),
        },
    )


def _rows(novelty: Mapping[str, Mapping[str, np.ndarray]], rows: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    return {name: {measure: values[rows] for measure, values in one.items()} for name, one in novelty.items()}
