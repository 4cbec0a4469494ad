"""Prediction sets: the labels that cannot be ruled out at a stated coverage, whatever the model is worth.

Split conformal prediction (Vovk et al., Algorithmic Learning in a Random World, 2005) on out-of-fold probabilities,
Mondrian over the class, so that a rare class is covered too, and over the set of modalities that a record has. A label
is in the set unless its nonconformity is larger than that of all but a share of the training records with that label
and that set. Of a target by itself the nonconformity of a label is 1 - its probability; of a class of an exclusive
group the probability of all classes at least as probable, with a penalty for rank (APS: Romano et al., NeurIPS 2020;
RAPS: Angelopoulos et al., ICLR 2021; not randomised, so that the same record has the same set).

Where few training records have a class and exactly a set, those that have more join them, shown with just that set;
where these are few too, all records of the class. A class with too few records for the coverage is never ruled out.

What it does not do: the coverage holds for patients like those of the training. The training records were answered by
models of other folds, not by the model in use, so it is approximate, and measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MANY = 200  # records of one class and exactly one set, from which they calibrate alone: the coverage then moves by 2 %
FEW = 50  # records of one class that have at least the set, below which all of the class stand in
PENALTIES = (0.0, 0.01, 0.05, 0.2)
FREE_RANK = 1  # classes that a set may hold without a penalty


@dataclass(frozen=True)
class Conformal:
    """The calibration scores of every unit (a target, or the classes of a group), class and set of modalities.

    units    tuples of target indexes; penalty  float (U,), RAPS' of each group, 0 for a target by itself
    scores   {(unit, class, set): float (k,), rising}; classes of a target by itself are 0 and 1
    """

    units: tuple[tuple[int, ...], ...]
    penalty: np.ndarray
    scores: Mapping[tuple[int, int, int], np.ndarray] = field(repr=False)

    def sets(self, probability: np.ndarray, held: np.ndarray, coverage: float) -> np.ndarray:
        """bool (n, T, 2): whether label 0 and label 1 of each target cannot be ruled out.

        probability  float (n, T); NaN gives the empty set;  held  int (n,), the set of modalities, as bits
        Of a class of a group, 1 stays while the class is in the group's set, 0 unless it is all of it.
        """
        out = np.zeros((*probability.shape, 2), dtype=bool)
        for u, unit in enumerate(self.units):
            columns = list(unit)
            found = nonconformity(probability[:, columns], self.penalty[u])
            inside = np.zeros(found.shape, dtype=bool)
            for code in np.unique(held):
                rows = held == code
                cuts = [self._cut((u, c, int(code)), coverage) for c in range(found.shape[1])]
                # A hair more: the same probability by another route of sums is the same.
                inside[rows] = found[rows] <= np.array(cuts) + 1e-12
            if len(columns) == 1:
                out[:, columns[0]] = inside
            else:
                others = inside.sum(axis=1)[:, None] - inside
                out[:, columns, 1] = inside
                out[:, columns, 0] = others > 0
        return out

    def _cut(self, key: tuple[int, int, int], coverage: float) -> float:
        """The largest nonconformity still inside: the ceil((k + 1) coverage)-th of k, infinite beyond the k-th."""
        scores = self.scores.get(key, np.zeros(0))
        place = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
        return float(scores[place - 1]) if place <= len(scores) else np.inf

    def arrays(self) -> dict[str, np.ndarray]:
        """As named arrays, for a safetensors file."""
        keys = sorted(self.scores)
        parts = [self.scores[key] for key in keys]
        return {
            "conformal.penalty": self.penalty,
            "conformal.keys": np.array(keys, dtype=np.int64).reshape(-1, 3),
            "conformal.counts": np.array([len(part) for part in parts], dtype=np.int64),
            "conformal.scores": np.concatenate([*parts, np.zeros(0)]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], units: Sequence[Sequence[int]]) -> Conformal:
        ends = np.cumsum(arrays["conformal.counts"])[:-1]
        parts = np.split(arrays["conformal.scores"], ends)
        keys = [tuple(key) for key in arrays["conformal.keys"].tolist()]
        scores = dict(zip(keys, parts, strict=False))
        return cls(tuple(tuple(unit) for unit in units), arrays["conformal.penalty"], scores)


def nonconformity(probability: np.ndarray, penalty: float = 0.0) -> np.ndarray:
    """How strange each class would be.

    probability  float (n, 1) of a target by itself, or (n, C) of the classes of a group
    Returns      float (n, 2), of labels 0 and 1, or (n, C); NaN where the probability is
    """
    if probability.shape[1] == 1:
        return np.hstack([probability, 1 - probability])
    order = np.argsort(-probability, axis=1, kind="stable")
    ranked = np.take_along_axis(probability, order, axis=1)
    summed = np.cumsum(ranked, axis=1) + penalty * np.maximum(np.arange(1, ranked.shape[1] + 1) - FREE_RANK, 0)
    out = np.empty_like(summed)
    np.put_along_axis(out, order, summed, axis=1)
    return out


def fit_conformal(
    probability: np.ndarray,
    present: np.ndarray,
    y: np.ndarray,
    units: Sequence[Sequence[int]],
    *,
    coverage: float,
) -> Conformal:
    """probability  float (2 ** M, n, T), out of fold, with only each set of modalities shown; present  bool (n, M);
    y  float (n, T), NaN unknown; coverage  the one at which a group's penalty is chosen: that of the smallest sets."""
    units = tuple(tuple(unit) for unit in units)
    penalty = np.array([_penalty(probability, present, y, unit, coverage) for unit in units])
    scores: dict[tuple[int, int, int], np.ndarray] = {}
    for u, unit in enumerate(units):
        scores |= {(u, c, s): found for (c, s), found in _scores(probability, present, y, unit, penalty[u]).items()}
    return Conformal(units, penalty, scores)


def _scores(
    probability: np.ndarray, present: np.ndarray, y: np.ndarray, unit: Sequence[int], penalty: float
) -> dict[tuple[int, int], np.ndarray]:
    """{(class, set): rising calibration scores} of one unit."""
    columns = list(unit)
    truth = _classes(y[:, columns])
    held = present @ (1 << np.arange(present.shape[1]))
    found = {}
    shown = {s: nonconformity(probability[s][:, columns], penalty) for s in range(1, len(probability))}
    own = np.full((len(held), shown[1].shape[1]), np.nan)
    for s, strange in shown.items():
        own[held == s] = strange[held == s]
    for c in range(own.shape[1]):
        of_class = truth == c
        for s, strange in shown.items():
            exactly, at_least = of_class & (held == s), of_class & (held & s == s)
            if exactly.sum() >= MANY:
                part = strange[exactly, c]
            elif at_least.sum() >= FEW:
                part = strange[at_least, c]
            else:
                part = own[of_class & (held > 0), c]
            found[c, s] = np.sort(part[~np.isnan(part)])
    return found


def _classes(y: np.ndarray) -> np.ndarray:
    """int (n,): the class of each record, -1 where it is unknown or none of the group's."""
    if y.shape[1] == 1:
        return np.where(np.isnan(y[:, 0]), -1, np.nan_to_num(y[:, 0])).astype(np.int64)
    known = np.nansum(y, axis=1) == 1
    return np.where(known, np.nan_to_num(y).argmax(axis=1), -1)


def _penalty(
    probability: np.ndarray, present: np.ndarray, y: np.ndarray, unit: Sequence[int], coverage: float
) -> float:
    """Of a group the penalty with which sets are smallest: every second record is calibrated on, the others counted."""
    if len(unit) == 1:
        return 0.0
    columns, held = list(unit), present @ (1 << np.arange(present.shape[1]))
    first = np.arange(len(y)) % 2 == 0
    counted = ~first & (held > 0)
    shown = np.take_along_axis(probability, held[None, :, None], axis=0)[0]
    sizes = []
    for penalty in PENALTIES:
        scores = _scores(probability[:, first], present[first], y[first], unit, penalty)
        half = Conformal((tuple(unit),), np.array([penalty]), {(0, c, s): part for (c, s), part in scores.items()})
        sizes.append(half.sets(shown[counted], held[counted], coverage)[:, columns, 1].sum(axis=1).mean())
    return PENALTIES[int(np.argmin(sizes))]
