"""Sets of modalities as bits: bit m of a set is modality m. Every array over sets has 2 ** M entries, [0] the empty."""

from __future__ import annotations

from math import factorial

import numpy as np


def all_sets(modalities: int) -> np.ndarray:
    """bool (2 ** M, M): which modalities each set holds."""
    return (np.arange(2**modalities)[:, None] >> np.arange(modalities) & 1).astype(bool)


def set_index(present: np.ndarray) -> np.ndarray:
    """int (n,): the set of each row of a presence mask, bool (n, M)."""
    return present @ (1 << np.arange(present.shape[1]))


def shapley(value: np.ndarray) -> np.ndarray:
    """The exact Shapley values of the modalities.

    value    float (2 ** M, n, T), the log-odds with each set shown
    Returns  float (n, M, T); their sum over M is value[-1] - value[0].
    Shapley, Contributions to the Theory of Games II, 307, 1953.
    """
    sets = len(value)
    modalities = sets.bit_length() - 1
    out = np.zeros((value.shape[1], modalities, value.shape[2]))
    for m in range(modalities):
        for without in range(sets):
            if without >> m & 1:
                continue
            size = without.bit_count()
            weight = factorial(size) * factorial(modalities - size - 1) / factorial(modalities)
            out[:, m] += weight * (value[without | 1 << m] - value[without])
    return out
