"""How frequent each target is among the labels y, float (n, T), 0, 1 or NaN: where a network starts from."""

from __future__ import annotations

import numpy as np
import torch


def _counts(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives of each target, one added to each."""
    return np.nansum(y, axis=0) + 1, np.nansum(1 - y, axis=0) + 1


def base_log_odds(y: np.ndarray) -> torch.Tensor:
    """The log-odds of each target's base rate; float (T,)."""
    positives, negatives = _counts(y)
    return torch.from_numpy(np.log(positives / negatives)).float()


def balancing_weights(y: np.ndarray) -> torch.Tensor:
    """Weights of a positive and of a negative, float (2, T), under which both weigh half."""
    positives, negatives = _counts(y)
    total = positives + negatives
    return torch.from_numpy(np.stack([total / (2 * positives), total / (2 * negatives)])).float()
