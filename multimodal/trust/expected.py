"""What chance alone does to the calibration error: even a perfectly calibrated model does not reach 0 on n records."""

from __future__ import annotations

import numpy as np

from .metrics import BINS, equal_count_bins

DRAWS = 1000
CHUNK = 500_000


def expected_ece(
    probability: np.ndarray, *, level: float = 0.95, draws: int = DRAWS, random_state: int = 0
) -> float | None:
    """The `level` quantile of the calibration error that a model with these probabilities has if they are all true.

    probability  float (n,), in [0, 1]
    Returns      of `draws` sets of labels that were drawn from the probabilities; None without records. A larger error
                 on the true labels says that the probabilities are not calibrated. The records are taken as
                 independent: where patients have several, chance does more than this.
    Parametric bootstrap, as in the consistency bars of Bröcker and Smith, Weather and Forecasting 22:651, 2007.
    """
    n = len(probability)
    if not n:
        return None
    _, which, counts = np.unique(probability, return_inverse=True, return_counts=True)
    in_bin = np.eye(BINS)[equal_count_bins(counts.astype(float))[which]]
    random = np.random.default_rng(random_state)
    errors = []
    rows = max(1, CHUNK // n)
    for start in range(0, draws, rows):
        labels = random.random((min(rows, draws - start), n)) < probability
        errors.append(np.abs((labels - probability) @ in_bin).sum(axis=1) / n)
    return float(np.quantile(np.concatenate(errors), level))
