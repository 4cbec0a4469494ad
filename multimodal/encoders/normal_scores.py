"""Feature columns for linear models: normal scores, their squares, and what is missing.

Each column becomes its normal score (its rank among the training values, as a standard normal deviate), so that neither
skew nor outliers matter; the square of it, since risk is U-shaped (too low is as bad as too high); and whether it is
missing, once for all columns that are missing together. Van der Waerden scores: Conover, Practical Nonparametric
Statistics, 3rd ed., 1999, section 5.10.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import ndtri

KNOTS = 100
LARGEST = 3.0
SQUARE_WEIGHT = 0.5  # how much less the square is believed beforehand than the score itself


class NormalScores:
    """Learned by `fit`: knots_ (F, KNOTS), the training values at KNOTS even ranks, NaN for a column that was empty;
    missing_ (k,), one column of each set of columns that are missing together."""

    def fit(self, x: np.ndarray) -> NormalScores:
        """x: float (n, F), NaN where missing."""
        ranks = np.linspace(0, 1, KNOTS)
        self.knots_ = np.full((x.shape[1], KNOTS), np.nan)
        there = ~np.isnan(x)
        for column in np.flatnonzero(there.any(axis=0)):
            self.knots_[column] = np.quantile(x[there[:, column], column], ranks)
        _, first = np.unique(there, axis=1, return_index=True)
        share = there[:, first].mean(axis=0)
        self.missing_ = np.sort(first[(share > 0) & (share < 1)])
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """float (n, 2 F + k): the scores, the squares, and what is missing; a missing value has score and square 0."""
        scores = np.zeros(x.shape)
        squares = np.zeros(x.shape)
        levels = ndtri(np.linspace(0, 1, KNOTS)).clip(-LARGEST, LARGEST)
        missing = np.isnan(x)
        for column, knots in enumerate(self.knots_):
            rows = np.flatnonzero(~missing[:, column])
            if len(rows) and not np.isnan(knots[0]):
                # Values that many records share stand on several ranks: their score is the mean of these.
                values, place, times = np.unique(knots, return_inverse=True, return_counts=True)
                score = np.interp(x[rows, column], values, np.bincount(place, levels) / times)
                scores[rows, column] = score
                squares[rows, column] = SQUARE_WEIGHT * (score**2 - 1)
        return np.hstack([scores, squares, missing[:, self.missing_]])

    def save(self, path: Path) -> None:
        save_file({"knots": self.knots_, "missing": self.missing_.astype(np.int64)}, path)

    @classmethod
    def load(cls, path: Path) -> NormalScores:
        scores, state = cls(), load_file(path)
        scores.knots_, scores.missing_ = state["knots"], state["missing"]
        return scores
