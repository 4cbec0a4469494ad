"""How well records are told apart within parts of a cohort, each of which was answered by another model."""

from __future__ import annotations

import numpy as np

from .bootstrap import interval
from .metrics import auroc


def auroc_within_parts(
    y: np.ndarray,
    score: np.ndarray,
    part: np.ndarray,
    patients: np.ndarray,
    *,
    resamples: int = 1000,
    random_state: int = 0,
) -> dict:
    """{"pairs", "auroc": {"value", "low", "high"}}: the share of pairs of a positive and a negative of the same part in
    which the positive has the higher score; ties count half.

    y  0 or 1 (n,); score  float (n,); part, patients  (n,), any sortable ids; the interval is of resampled patients
    An AUROC over all records also compares across parts, and so the answers of two models whose base rates differ: a
    part with few positives is answered by a model that was fitted on many. Forman & Scholz, SIGKDD Explorations
    12(1):49, 2010.
    """
    _, part = np.unique(part, return_inverse=True)

    def area(rows: np.ndarray) -> tuple[float, int]:
        total, pairs = 0.0, 0
        for one in range(part.max() + 1 if len(part) else 0):
            inside = rows[part[rows] == one]
            positives = int(y[inside].sum())
            if many := positives * (len(inside) - positives):
                total, pairs = total + many * auroc(y[inside], score[inside]), pairs + many
        return (total / pairs if pairs else float("nan")), pairs

    ids, patient_of = np.unique(patients, return_inverse=True)
    order = np.argsort(patient_of, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(patient_of, minlength=len(ids)))[:-1]) if len(ids) else []
    random = np.random.default_rng(random_state)
    samples = [
        area(np.concatenate([rows_of[i] for i in random.integers(len(ids), size=len(ids))]))[0]
        for _ in range(resamples if len(ids) > 1 else 0)
    ]
    value, pairs = area(np.arange(len(y)))
    low, high = interval(np.array(samples)) if pairs else (None, None)
    return {"pairs": pairs, "auroc": {"value": value if pairs else None, "low": low, "high": high}}
