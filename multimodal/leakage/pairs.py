"""Pairs of items that are equal, the records that hold them, and what hangs together by them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def equal_pairs(keys: np.ndarray) -> np.ndarray:
    """int (m, 2): each item and the next one with the same key, so that equal items hang together."""
    codes = np.unique(keys.astype(str), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def record_pairs(pairs: np.ndarray, record: np.ndarray) -> np.ndarray:
    """int (m, 2): the pairs of items as pairs of different records, the lower first, each once."""
    found = np.sort(record[pairs], axis=1)
    found = found[found[:, 0] != found[:, 1]]
    return np.unique(found, axis=0).reshape(-1, 2)


def groups_of(pairs: np.ndarray, n: int) -> np.ndarray:
    """int (n,): items that hang together by pairs, int (m, 2), share a number."""
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]
