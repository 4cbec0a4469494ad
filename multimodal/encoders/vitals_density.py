"""How unusual a record's measurements are: which of them there are, and what they say.

The last value of each quantity as a normal score (0 where it is missing), whether it is there at all, and how many are,
under one Gaussian (mahalanobis.py). So a record with one ordinary value is strange where every patient of the training
had thirty, and ordinary where they had few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..vitals import FeaturePlan
from ..vitals.knots import KNOTS, Knots
from .inputs import VitalsInputs
from .mahalanobis import Mahalanobis

LAST = ".last"


@dataclass(frozen=True)
class Density:
    """columns  int (c,), of the plan's features: the last value of each quantity; knots, of each; space, of all."""

    plan: FeaturePlan
    columns: np.ndarray
    knots: tuple[Knots, ...]
    space: Mahalanobis

    @classmethod
    def of(cls, inputs: VitalsInputs, plan: FeaturePlan, rows: np.ndarray) -> Density | None:
        """Of the training records at `rows`; None where the plan has no quantity, or there are too few records."""
        columns = np.array([i for i, name in enumerate(plan.names) if name.endswith(LAST)], dtype=np.int64)
        if not len(columns) or len(rows) < 2:
            return None
        x = inputs.columns(plan)[np.ix_(rows, columns)]
        knots = tuple(Knots.of(column) for column in x.T)
        return cls(plan, columns, knots, Mahalanobis.of(_described(x, knots)))

    def novelty(self, inputs: VitalsInputs, present: np.ndarray) -> np.ndarray:
        """float (n,), NaN where not `present`."""
        out = np.full(len(inputs), np.nan)
        if present.any():
            x = inputs.columns(self.plan)[present][:, self.columns]
            out[present] = self.space.distance(_described(x, self.knots))
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        value, score = np.full((2, len(self.knots), KNOTS), np.nan)
        for column, knots in enumerate(self.knots):
            value[column, : len(knots.value)], score[column, : len(knots.value)] = knots.value, knots.score
        return {"columns": self.columns, "value": value, "score": score, **self.space.arrays("space.")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], plan: FeaturePlan) -> Density:
        known = ([row[~np.isnan(row)] for row in arrays[name]] for name in ("value", "score"))
        knots = tuple(Knots(tuple(value.tolist()), tuple(score.tolist())) for value, score in zip(*known, strict=True))
        return cls(plan, arrays["columns"], knots, Mahalanobis.from_arrays(arrays, "space."))


def _described(x: np.ndarray, knots: tuple[Knots, ...]) -> np.ndarray:
    """float (n, c) -> (n, 2 c + 1): normal scores with 0 where missing, what is there, and the share of it."""
    scores = np.column_stack([one.scores(column) for one, column in zip(knots, x.T, strict=True)])
    there = ~np.isnan(x)
    return np.hstack([np.nan_to_num(scores), there, there.mean(axis=1, keepdims=True)])
