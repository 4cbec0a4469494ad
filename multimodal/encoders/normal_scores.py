"""Feature columns for linear models: normal scores, their squares, and what is missing.

A column's normal scores (vitals.knots); the squares of them, since risk is U-shaped (too low is as bad as too high);
and whether it is missing, once for all columns that are missing together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ..vitals.knots import KNOTS, Knots

SQUARE_WEIGHT = 0.5  # how much less the square is believed beforehand than the score itself


class NormalScores:
    """Learned by `fit`: knots_, the Knots of each column; missing_ (k,), one column of each set that is missing
    together."""

    def fit(self, x: np.ndarray) -> NormalScores:
        """x: float (n, F), NaN where missing."""
        self.knots_ = [Knots.of(column) for column in x.T]
        there = ~np.isnan(x)
        _, first = np.unique(there, axis=1, return_index=True)
        share = there[:, first].mean(axis=0)
        self.missing_ = np.sort(first[(share > 0) & (share < 1)])
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """float (n, 2 F + k): the scores, the squares, and what is missing; a missing value has score and square 0."""
        columns = x.shape[1]
        # Column by column in memory: those that are empty, most of them where little is measured, are never touched.
        out = np.zeros((len(x), 2 * columns + len(self.missing_)), order="F")
        missing = np.isnan(x)
        for column in np.flatnonzero(~missing.all(axis=0)):
            rows = np.flatnonzero(~missing[:, column])
            if self.knots_[column].value:
                score = self.knots_[column].scores(x[rows, column])
                out[rows, column] = score
                out[rows, columns + column] = SQUARE_WEIGHT * (score**2 - 1)
        out[:, 2 * columns :] = missing[:, self.missing_]
        return out

    def save(self, path: Path) -> None:
        value, score = np.full((2, len(self.knots_), KNOTS), np.nan)
        for column, knots in enumerate(self.knots_):
            value[column, : len(knots.value)], score[column, : len(knots.value)] = knots.value, knots.score
        save_file({"value": value, "score": score, "missing": self.missing_.astype(np.int64)}, path)

    @classmethod
    def load(cls, path: Path) -> NormalScores:
        scores, state = cls(), load_file(path)
        known = (row[~np.isnan(row)] for row in state["value"]), (row[~np.isnan(row)] for row in state["score"])
        scores.knots_ = [Knots(tuple(value.tolist()), tuple(score.tolist())) for value, score in zip(*known)]
        scores.missing_ = state["missing"]
        return scores
