"""Limits that stop at most a stated share of records like those of the training, in expectation, whatever they hold.

Order statistics, as in split-conformal prediction (Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World,
2005), for several measures at once.
"""

from __future__ import annotations

from math import floor, inf

import numpy as np

ROUNDING = 1e-9


def joint_limits(values: np.ndarray, rate: float) -> np.ndarray:
    """float (K,): of each measure the limit that a stopped record exceeds; inf where the records are too few to say.

    values  float (n, K), larger is stranger; NaN where a record does not have the measure
    rate    in (0, 1): however n + 1 records are, at most this share of them exceeds a limit that was found on the
            other n of them

    The measures share one level, the highest that keeps to this. The rank of a record in a measure is 1 + the number of
    others that are at least as strange; its level the least of rank / (records with the measure + 1). One record more
    lowers no level of the others, so that besides itself it lets at most as many through as were below the limit
    before. That it counts, too, is allowed for where records have several measures; where each has one, it takes the
    place of another, but for ties.
    """
    there = ~np.isnan(values)
    having, counts = there.any(axis=1), there.sum(axis=0)
    n, several = int(having.sum()), bool((there.sum(axis=1) > 1).any())
    budget = floor(rate * (n + 1) + ROUNDING) - several
    limits = np.full(values.shape[1], inf)
    if n == 0 or budget < 0:
        return limits
    ordered = [np.sort(column[~np.isnan(column)]) for column in values.T]
    level = np.full(values.shape, inf)
    for k, known in enumerate(ordered):
        rank = counts[k] - np.searchsorted(known, values[there[:, k], k])
        level[there[:, k], k] = rank / (counts[k] + 1)
    lowest = level.min(axis=1, initial=inf)
    passing = np.append(np.sort(lowest[having]), 1.0)[budget]  # the lowest level that has to pass
    for k, known in enumerate(ordered):
        rank = int(np.ceil(passing * (counts[k] + 1) - ROUNDING)) - 1
        if not several:
            rank = min(rank, budget - int((lowest[~there[:, k]] < passing).sum()))
        if rank > 0:
            limits[k] = known[-rank]
    return limits
