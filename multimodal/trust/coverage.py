"""How often prediction sets hold the true label: overall, for each label, and for every set of modalities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .bootstrap import Resamples, interval

TOLERANCE = 0.02
ENOUGH = 50  # records with exactly a set of modalities, from which its coverage is shown


def least_coverage(coverage: float, n: int) -> float:
    """What n records may show at the least of sets that keep to `coverage`: 2 % less, or two standard errors."""
    return coverage - max(TOLERANCE, 2 * float(np.sqrt(coverage * (1 - coverage) / n)))


def measure_sets(
    held: np.ndarray,
    truth: np.ndarray,
    coverage: float,
    parts: Iterable[tuple[str, np.ndarray]],
    drawn: Resamples,
) -> dict[str, dict]:
    """{"all" or a part: {"n", "coverage", "least", "size", "empty"}} as in metrics.json.

    held   bool (n, C), the classes that each set holds; truth  int (n,), the true one
    parts  (name, bool (n,)) beside all of them; one without records is left out
    drawn  resamples of these n records
    """
    covered = held[np.arange(len(truth)), truth].astype(float)
    size = held.sum(axis=1)
    found = {}
    for name, rows in [("all", np.ones(len(truth), dtype=bool)), *parts]:
        n = int(rows.sum())
        if not n:
            continue
        weights = drawn.of(rows).weights()
        samples = np.concatenate([np.empty(0), *(_mean(covered[rows], one) for one in weights)])
        low, high = interval(samples)
        found[name] = {
            "n": n,
            "coverage": {"value": float(covered[rows].mean()), "low": low, "high": high},
            "least": least_coverage(coverage, n),
            "size": float(size[rows].mean()),
            "empty": float((size[rows] == 0).mean()),
        }
    return found


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float (n,), (r, n) -> (r,), NaN where nothing was drawn."""
    total = weights.sum(axis=1)
    return np.divide(weights @ values, total, out=np.full(len(total), np.nan), where=total > 0)
