"""One modality's encoders -> its calibrated log-odds.

Per target a logistic regression on the encoders' out-of-fold log-odds with weights >= 0 that are shrunk to the plain
mean (stacking: Wolpert, Neural Networks 5(2):241, 1992; non-negative: Breiman, Machine Learning 24:49, 1996). With one
encoder this is Platt scaling. An encoder that adds nothing gets a weight near 0, and the weights are reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

SHRINKAGE = 5.0
LARGEST_SCORE = 12.0


@dataclass(frozen=True)
class Blend:
    """weights: float (C, T), >= 0; intercept: (T,); limit: (T,), the largest log-odds that n labels support."""

    weights: np.ndarray
    intercept: np.ndarray
    limit: np.ndarray

    def calibrated(self, log_odds: np.ndarray) -> np.ndarray:
        """log_odds: float (n, C, T) of the C encoders -> (n, T), NaN where NaN came in."""
        scores = log_odds.clip(-LARGEST_SCORE, LARGEST_SCORE)
        return (np.einsum("nct,ct->nt", scores, self.weights) + self.intercept).clip(-self.limit, self.limit)


def fit_blend(log_odds: np.ndarray, present: np.ndarray, y: np.ndarray) -> Blend:
    """log_odds: float (n, C, T), out of fold; present: bool (n,); y: float (n, T), NaN unknown."""
    _, encoders, targets = log_odds.shape
    weights, intercept = np.full((encoders, targets), 1 / encoders), np.zeros(targets)
    limit = np.zeros(targets)
    for t in range(targets):
        rows = present & ~np.isnan(y[:, t])
        # A probability stays within [1 / (n + 2), 1 - 1 / (n + 2)].
        limit[t] = np.log(rows.sum() + 1)
        if len(np.unique(y[rows, t])) == 2:
            scores = log_odds[rows, :, t].clip(-LARGEST_SCORE, LARGEST_SCORE)
            weights[:, t], intercept[t] = _fit(scores, y[rows, t])
    return Blend(weights, intercept, limit)


def _fit(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    encoders = scores.shape[1]
    start = np.append(np.full(encoders, 1 / encoders), 0.0)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        away = parameters[:-1] - 1 / encoders
        logits = scores @ parameters[:-1] + parameters[-1]
        error = expit(logits) - y
        value = np.logaddexp(0, logits).sum() - y @ logits + SHRINKAGE / 2 * away @ away
        return value, np.append(scores.T @ error + SHRINKAGE * away, error.sum())

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * encoders + [(None, None)])
    return found.x[:-1], float(found.x[-1])
