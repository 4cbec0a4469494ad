"""A linear model of bags: some item speaks for it, or some item against it.

    z = b + log(1 + sum_i exp(u . x_i + a)) - log(1 + sum_i exp(v . x_i + c))

over the items i of a bag: the smooth maximum of what speaks for the target, less that of what speaks against it. The
1 is what a bag says that holds nothing, so that ordinary items, however many, add little. A target such as "normal",
which every abnormal item refutes, is learnt by v alone.
Multiple instances under log-sum-exp: Ramon & De Raedt, ICML workshop 2000; Ray & Craven, ICML 2005.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

FLOOR = -3.0  # a and c are drawn to it: an item that nothing is known of adds a twentieth of the 1
ITERATIONS = 40


@dataclass(frozen=True)
class Bags:
    """Bags of items.

    x      float (distinct items, F), sparse
    item   int (k,), index into x; bag  int (k,), ascending: the k items of all bags
    beside float (k, G), what is particular to an item in its bag; n  the number of bags, some of which may be empty
    """

    x: sparse.csr_matrix
    item: np.ndarray
    bag: np.ndarray
    beside: np.ndarray
    n: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, rows: np.ndarray) -> Bags:
        """The bags at `rows`, int or bool, renumbered in that order."""
        rows = np.arange(self.n)[rows]
        place = np.full(self.n, -1)
        place[rows] = np.arange(len(rows))
        bag = place[self.bag]
        kept = np.flatnonzero(bag >= 0)
        kept = kept[np.argsort(bag[kept], kind="stable")]
        return replace(self, item=self.item[kept], bag=bag[kept], beside=self.beside[kept], n=len(rows))


class PooledRegression:
    """See above; penalised by the squares of u and v against `inverse_penalty` times the log-loss."""

    def __init__(self, inverse_penalty: float):
        self.inverse_penalty = inverse_penalty

    def fit(self, bags: Bags, y: np.ndarray) -> PooledRegression:
        """y: 0 or 1, (n,); with one class alone only its smoothed base rate is learnt.

        Learned: coef_ (F + G, 2), of u and v; floor_ (2,); intercept_."""
        # Sums over a distinct item's places are sums over the item: the matrix holds each once.
        transposed, beside = bags.x.T.tocsr(), bags.beside
        features, strength = bags.x.shape[1] + beside.shape[1], self.inverse_penalty
        gather = sparse.csr_matrix(
            (np.ones(len(bags.item)), (bags.item, np.arange(len(bags.item)))), (bags.x.shape[0], len(bags.item))
        )

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            coef, floor = parameters[: 2 * features].reshape(features, 2), parameters[-3:-1]
            away = floor - FLOOR
            pooled, share = _pooled(_scores(bags, coef) + floor, bags)
            z = pooled[:, 0] - pooled[:, 1] + parameters[-1]
            error = expit(z) - y
            moved = error[bags.bag][:, None] * share * np.array([1.0, -1.0])
            value = strength * (np.logaddexp(0, z).sum() - y @ z) + 0.5 * (parameters[:-3] @ parameters[:-3])
            of_items = np.concatenate([transposed @ (gather @ moved), beside.T @ moved])
            gradient = strength * of_items + coef
            of_floor = strength * moved.sum(axis=0) + away
            return value + 0.5 * away @ away, np.concatenate([gradient.ravel(), of_floor, [strength * error.sum()]])

        start = np.zeros(2 * features + 3)
        start[-3:-1] = FLOOR
        start[-1] = np.log((y.sum() + 1) / (len(y) - y.sum() + 1))
        found = start
        if len(np.unique(y)) == 2:
            options = {"maxiter": ITERATIONS, "maxcor": 5}
            found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
        self.coef_ = found[: 2 * features].reshape(features, 2)
        self.floor_, self.intercept_ = found[-3:-1], float(found[-1])
        return self

    def decision_function(self, bags: Bags) -> np.ndarray:
        """float (n,): log-odds."""
        pooled, _ = _pooled(_scores(bags, self.coef_) + self.floor_, bags)
        return pooled[:, 0] - pooled[:, 1] + self.intercept_


def _scores(bags: Bags, coef: np.ndarray) -> np.ndarray:
    """float (k, 2)."""
    own = bags.x.shape[1]
    return (bags.x @ coef[:own])[bags.item] + bags.beside @ coef[own:]


def _pooled(scores: np.ndarray, bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + sum exp) over the items of each bag, (n, 2), and the share that each item has in it, (k, 2)."""
    highest = np.zeros((bags.n, 2))
    total = np.zeros((bags.n, 2))
    if len(bags.bag):
        starts = np.flatnonzero(np.diff(bags.bag, prepend=-1))
        held = bags.bag[starts]
        highest[held] = np.maximum(np.maximum.reduceat(scores, starts), 0.0)
        exponents = np.exp(scores - highest[bags.bag])
        total[held] = np.add.reduceat(exponents, starts)
    else:
        exponents = np.zeros((0, 2))
    total += np.exp(-highest)
    return highest + np.log(total), exponents / total[bags.bag]
