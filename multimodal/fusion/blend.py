"""One modality's encoders -> its calibrated log-odds.

Per target a logistic regression on the encoders' out-of-fold log-odds with weights >= 0 (stacking: Wolpert, Neural
Networks 5(2):241, 1992; non-negative: Breiman, Machine Learning 24:49, 1996). What all targets together say of the
encoders is shrunk to the plain mean, and each target's weights to that: a rare class alone cannot tell whom to hear.
With one encoder this is Platt scaling, drawn to a slope of 1. With enough records an encoder that adds nothing gets a
weight near 0, and the weights are reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

SHRINKAGE = 5.0  # of the weights that all targets share, to the plain mean
SHRINKAGE_TO_SHARED = 50.0
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
    scores = log_odds.clip(-LARGEST_SCORE, LARGEST_SCORE)
    known = present[:, None] & ~np.isnan(y)
    usable = [t for t in range(targets) if len(np.unique(y[known[:, t], t])) == 2]
    mean = np.full(encoders, 1 / encoders)
    data = {t: (scores[known[:, t], :, t], y[known[:, t], t]) for t in usable}
    shared = _fit(list(data.values()), mean, SHRINKAGE)[0] if usable else mean
    weights, intercept = np.repeat(shared[:, None], targets, axis=1), np.zeros(targets)
    for t, one in data.items():
        weights[:, t], (intercept[t],) = _fit([one], shared, SHRINKAGE_TO_SHARED)
    # A probability stays within [1 / (n + 2), 1 - 1 / (n + 2)].
    return Blend(weights, intercept, np.log(known.sum(axis=0) + 1))


def _fit(data: list[tuple[np.ndarray, np.ndarray]], prior: np.ndarray, shrinkage: float) -> tuple:
    """The weights (C,) that all parts of `data` share, and an intercept for each.

    data: (scores (n, C), labels (n,)) of each target; prior: (C,), what the weights are drawn to.
    """
    encoders = len(prior)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, away = parameters[:encoders], parameters[:encoders] - prior
        value, gradient = shrinkage / 2 * away @ away, np.append(shrinkage * away, np.zeros(len(data)))
        for place, (scores, y) in enumerate(data, start=encoders):
            logits = scores @ weights + parameters[place]
            error = expit(logits) - y
            value += np.logaddexp(0, logits).sum() - y @ logits
            gradient[:encoders] += scores.T @ error
            gradient[place] = error.sum()
        return value, gradient

    start = np.append(prior, np.zeros(len(data)))
    bounds = [(0, None)] * encoders + [(None, None)] * len(data)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:encoders], found.x[encoders:]
