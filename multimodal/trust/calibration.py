"""Temperature: one number per target (or exclusive group) that scales how far the log-odds move from the base rate.

Guo et al., ICML 2017; here around the base rate, so that a record without input keeps exactly the base rate.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

RANGE = (0.5, 3.0)
SHRINKAGE = 5.0


def temperature(logits: np.ndarray, base: np.ndarray, y: np.ndarray) -> float:
    """The temperature of independent targets (one column) or of the classes of an exclusive group (several).

    logits  float (n, C), out of fold; base  float (C,); y  float (n, C): 0 or 1
    Returns the T in [0.5, 3] with the least log-loss of base + (logits - base) / T; 1 where there is nothing to fit.
    """
    if len(logits) == 0:
        return 1.0

    def loss(log_t: float) -> float:
        scaled = base + (logits - base) / np.exp(log_t)
        fit = binary_loss(scaled, y) if scaled.shape[1] == 1 else exclusive_loss(scaled, y)
        return float(fit.sum() + SHRINKAGE * log_t**2)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))


def binary_loss(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-loss of each record, summed over the columns; (n, C) -> (n,)."""
    return (np.logaddexp(0, logits) - y * logits).sum(axis=1)


def exclusive_loss(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-loss of the softmax; y has one 1 a row; (n, C) -> (n,)."""
    return logsumexp(logits, axis=1) - (y * logits).sum(axis=1)
