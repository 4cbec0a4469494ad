"""How strongly a linear model is drawn to 0: chosen on inner folds, none of which splits a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

FOLDS = 3


def chosen(
    inverse_penalties: Sequence[float],
    build: Callable[[float], Any],
    x: Any,
    y: np.ndarray,
    groups: np.ndarray,
    random_state: int,
) -> float:
    """The inverse penalty with the least log-loss over inner folds; the strongest penalty where there are too few
    records of a class, or groups, for two folds. From the strongest on, until the loss no longer falls: the weaker ones
    take longest.

    build(inverse_penalty) gives an unfitted classifier with predict_proba; x: (n, F); y: 0 or 1, (n,); groups: (n,)
    """
    folds = min(FOLDS, len(np.unique(groups)), int(min(y.sum(), len(y) - y.sum())))
    if folds < 2:
        return min(inverse_penalties)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
    parts = [part for part in splitter.split(x, y, groups) if len(np.unique(y[part[0]])) == 2 and len(part[1])]
    if not parts:
        return min(inverse_penalties)

    def loss(inverse_penalty: float) -> float:
        total = 0.0
        for inside, outside in parts:
            probs = build(inverse_penalty).fit(x[inside], y[inside]).predict_proba(x[outside])[:, 1]
            total += log_loss(y[outside], probs, labels=[0, 1]) * len(outside)
        return total

    best, least = min(inverse_penalties), np.inf
    for inverse_penalty in sorted(inverse_penalties):
        found = loss(inverse_penalty)
        if found >= least:
            break
        best, least = inverse_penalty, found
    return best
