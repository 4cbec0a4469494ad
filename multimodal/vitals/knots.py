"""Normal scores: a value's rank among those of the training, as a standard normal deviate.

So neither skew nor outliers matter. Van der Waerden scores: Conover, Practical Nonparametric Statistics, 3rd ed., 1999,
section 5.10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

KNOTS = 101


@dataclass(frozen=True)
class Knots:
    """A quantity's normal scores: its distinct quantiles in training, and the score of each; both empty if it had none.

    Between two knots a score is interpolated, outside it is that of the outermost.
    """

    value: tuple[float, ...]
    score: tuple[float, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> Knots:
        """values: float (m,), NaN is ignored. Values that are met often get the score of their middle rank."""
        known = values[~np.isnan(values)]
        if not len(known):
            return cls((), ())
        share = np.linspace(0, 1, KNOTS)
        distinct, place = np.unique(np.quantile(known, share), return_inverse=True)
        middle = np.bincount(place, weights=share) / np.bincount(place)
        half = 0.5 / KNOTS
        return cls(tuple(distinct.tolist()), tuple(ndtri(middle.clip(half, 1 - half)).tolist()))

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Of float (m,); NaN where the value is NaN or nothing was known in training."""
        if not self.value:
            return np.full(len(values), np.nan)
        # With a single knot np.interp answers NaN, too.
        return np.where(np.isnan(values), np.nan, np.interp(values, self.value, self.score))

    def extended(self, values: np.ndarray) -> np.ndarray:
        """The same, but outside the knots the score goes on along the line from the median to the outermost knot: the
        farther outside, the more extreme."""
        out = self.scores(values)
        if not self.value:
            return out
        middle = np.median(self.value)
        for end, outside in ((0, values < self.value[0]), (-1, values > self.value[-1])):
            if self.value[end] != middle:
                per_unit = self.score[end] / (self.value[end] - middle)
                out[outside] = self.score[end] + (values[outside] - self.value[end]) * per_unit
        return out
