"""Prediction sets and gates, fitted on what models of other folds said of the training records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fusion.subsets import set_index
from ..trust.conformal import Conformal, fit_conformal
from ..trust.gates import GATES, NO_INPUT, Gates, Stop, fit_gates
from .config import Config
from .cross_fitting import CrossFitted
from .out_of_fold import OutOfFold
from .stack import Stack

LEVELS = (0.9, 0.95)  # at which coverage is measured, beside `trust.coverage`


@dataclass(frozen=True)
class Trust:
    """What is in use, and what it says of the training records, each answered by what stands on the other folds:
    sets {coverage: bool (n, T, 2)}, abstained bool (n,), stopped, see `stopped_by`."""

    conformal: Conformal
    gates: Gates
    sets: Mapping[float, np.ndarray]
    abstained: np.ndarray
    stopped: Mapping[str, Any]


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
            stack.modalities,
            targets,
            _rows(fitted.novelty, rows),
            outside.z[rows],
            present[rows],
            rate=config.trust.false_alarms,
            min_records=config.fusion.min_records,
        )

    sets = {level: np.zeros((*labels.shape, 2), dtype=bool) for level in levels(config)}
    reasons = np.full(len(labels), None, dtype=object)
    stops: list[Stop] = []
    for fold in np.unique(folds):
        inside, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        found = conformal(inside)
        for level, held in sets.items():
            held[held_out] = found.sets(outside.probability[held_out], set_index(present[held_out]), level)
        novelty = _rows(fitted.novelty, held_out)
        reasons[held_out], said = gates(inside).judge(novelty, outside.z[held_out], present[held_out])
        stops += [(int(held_out[row]), problem) for row, problem in said]
    every = np.arange(len(labels))
    return Trust(
        conformal=conformal(every),
        gates=gates(every),
        sets=sets,
        abstained=np.isin(reasons, GATES),
        stopped=stopped_by(reasons, stops),
    )


def stopped_by(reasons: np.ndarray, stops: Sequence[Stop]) -> dict[str, Any]:
    """How many records the gates stop: of how many with an input, altogether, and by each gate, as
    {code: {where: records}}; a record that two gates stop counts for both."""
    by_gate: dict[str, Counter[str]] = {code: Counter() for code in GATES}
    for _, problem in stops:
        by_gate[problem.code][problem.where] += 1
    return {
        "records": int((reasons != NO_INPUT).sum()),
        "altogether": int(np.isin(reasons, GATES).sum()),
        "by_gate": {code: dict(sorted(counts.items())) for code, counts in by_gate.items()},
    }


def stopped_line(stopped: Mapping[str, Any]) -> str:
    """What `stopped_by` gives, in one line."""
    said = ", ".join(
        f"{code} {where} {count:,}" for code, counts in stopped["by_gate"].items() for where, count in counts.items()
    )
    head = f"the gates stop {stopped['altogether']:,} of {stopped['records']:,} training records, answered out of fold"
    return f"{head}: {said}" if said else head


def _rows(novelty: Mapping[str, Mapping[str, np.ndarray]], rows: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    return {name: {measure: values[rows] for measure, values in one.items()} for name, one in novelty.items()}
