"""How well something that is no evidence tells a label, and when that is too well.

The rule, for whatever is tried: out of fold by patient, at least ENOUGH patients of each class, and then
  caution  the lower end of the 99 % patient-bootstrap interval of its AUROC is above 0.6
  leak     its AUROC is at least 0.95, and that lower end at least 0.9
Chance: with 20 patients of each class an AUROC has a standard deviation of 0.09, and one whose lower end is above 0.6
is about 0.81, more than three of these from 0.5; with more patients it is further. What it does not tell: whether the
disease itself makes the difference (the sick are measured more often), so a caution asks and does not judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold

from ..encoders.tabular import few_threads, no_empty_column
from ..trust.bootstrap import draw, interval
from ..trust.metrics import auroc, weighted_metrics
from .findings import CAUTION, LEAK, NAMED, Severity

ENOUGH = 20
CAUTION_LOW, LEAK_VALUE, LEAK_LOW = 0.6, 0.95, 0.9
LEVEL, RESAMPLES, FOLDS = 0.99, 400, 3
SAMPLE = 20_000
"""Records that are looked at, at most: what tells a label this well tells it in these."""
PRIOR = 5.0
"""A level's rate counts so many records at the base rate beside its own."""


@dataclass(frozen=True)
class Telling:
    """An AUROC and the ends of its interval; rows  the records that were judged, and surest  those of them that it told
    best; least  what the lower end must be above for a caution."""

    auroc: float
    low: float
    high: float
    rows: np.ndarray
    surest: np.ndarray
    least: float = CAUTION_LOW

    @property
    def severity(self) -> Severity | None:
        """None where it is no finding."""
        if self.auroc >= LEAK_VALUE and self.low >= LEAK_LOW:
            return LEAK
        return CAUTION if self.low > self.least else None

    @property
    def figures(self) -> dict[str, float]:
        return {name: round(float(getattr(self, name)), 4) for name in ("auroc", "low", "high")}

    def __str__(self) -> str:
        return f"AUROC {self.auroc:.2f} [{self.low:.2f}, {self.high:.2f}]"


def enough(y: np.ndarray, patients: np.ndarray) -> bool:
    """Whether there are ENOUGH patients of each class. y: 0 or 1 (n,)"""
    return all(len(set(patients[y == label])) >= ENOUGH for label in (0, 1))


def sampled(rows: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The records and their labels, or SAMPLE of them, drawn always alike."""
    if len(rows) <= SAMPLE:
        return rows, y
    drawn = np.sort(np.random.default_rng(0).choice(len(rows), SAMPLE, replace=False))
    return rows[drawn], y[drawn]


def telling(
    score: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    patients: np.ndarray,
    *,
    either: bool,
    least: float = CAUTION_LOW,
) -> Telling | None:
    """How well `score` float (k,) tells y (k,), of the records `rows`, of `patients` (k,); None where there are too few
    patients, or it is below the least that could be a finding.

    either  a low score may tell as well as a high one: True where nothing was fitted
    least   what the lower end of the interval must be above for a caution
    """
    if not enough(y, patients):
        return None
    value = auroc(y, score)
    if either and value < 0.5:
        score, value = -score, 1 - value
    if value <= least:  # the interval's lower end is lower still
        return None
    zeros = np.zeros(len(y))
    samples = [
        weighted_metrics(y, score, zeros, weights, is_probability=False)["auroc"]
        for weights in draw(patients, resamples=RESAMPLES).weights()
    ]
    low, high = interval(np.concatenate(samples), level=LEVEL)
    if low is None:
        return None
    order = np.argsort(np.where(y == 1, -score, score), kind="stable")
    right = (score > np.median(score)) == (y == 1)
    surest = rows[order[right[order]][:NAMED]]
    return Telling(value, low, high, rows, surest, least)


def by_boosting(x: np.ndarray, y: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Out-of-fold log-odds float (n,) of y from the columns x float (n, F), NaN missing, by small boosted trees."""
    out = np.zeros(len(y))
    x = no_empty_column(x)
    with few_threads(len(x)):
        for inside, outside in _folds(y, patients):
            model = HistGradientBoostingClassifier(
                max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=0
            )
            out[outside] = model.fit(no_empty_column(x[inside]), y[inside]).decision_function(x[outside])
    return out


def by_level(levels: Sequence[str] | np.ndarray, y: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Out-of-fold rate float (n,) of positives among the records of the same level (n,), drawn to the base rate."""
    codes = np.unique(np.asarray(levels, dtype=str), return_inverse=True)[1]
    out, size = np.zeros(len(y)), int(codes.max()) + 1
    for inside, outside in _folds(y, patients):
        counts = np.bincount(codes[inside], minlength=size)
        positives = np.bincount(codes[inside], weights=y[inside], minlength=size)
        out[outside] = ((positives + PRIOR * y[inside].mean()) / (counts + PRIOR))[codes[outside]]
    return out


def _folds(y: np.ndarray, patients: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds that part no patient, with both classes in each training part; needs `enough`."""
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros(len(y)), y, np.asarray(patients, dtype=str)))
