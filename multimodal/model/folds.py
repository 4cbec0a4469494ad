"""Who stays together, and the folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from ..records import CohortError


def join_groups(patient_ids: Sequence[str], fingerprints: Iterable[Sequence[tuple[int, str]]]) -> np.ndarray:
    """int (n,): records of one patient share a group, and so do records that hold the same note or image file.

    fingerprints  per modality: (record, digest of an item)
    """
    n = len(patient_ids)
    nodes: dict[tuple[int, str], int] = {}
    edges = [(row, nodes.setdefault((-1, patient), n + len(nodes))) for row, patient in enumerate(patient_ids)]
    for modality, pairs in enumerate(fingerprints):
        edges += [(row, nodes.setdefault((modality, digest), n + len(nodes))) for row, digest in pairs]
    a, b = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    size = n + len(nodes)
    _, component = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    return np.unique(component[:n], return_inverse=True)[1]


def make_folds(y: np.ndarray, groups: np.ndarray, folds: int, *, random_state: int) -> np.ndarray:
    """int (n,): the fold of each record; no group is split; stratified by the rarest target that is known positive.

    y: float (n, T), NaN unknown. Raises CohortError if there are fewer groups than folds.
    """
    if len(np.unique(groups)) < folds:
        message = f"its records are of {len(np.unique(groups))} unrelated patients, fewer than the {folds} folds."
        raise CohortError("COHORT_FORM", message)
    rarest_first = np.argsort(np.nansum(y, axis=0), kind="stable")
    stratum = np.zeros(len(y), dtype=np.int64)
    for t in rarest_first[::-1]:
        stratum[y[:, t] == 1] = t + 1
    out = np.zeros(len(y), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
    for fold, (_, held_out) in enumerate(splitter.split(y, stratum, groups)):
        out[held_out] = fold
    return out
