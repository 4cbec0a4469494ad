"""How strange a record is: what the gates set limits on, as plain functions of novelty, evidence and presence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

import numpy as np

from .limits import joint_limits

Novelty = Mapping[str, Mapping[str, np.ndarray]]
"""{modality: {"ENCODER.measure": float (n,)}}, positive, larger is stranger; NaN where absent."""
DIGITS = 6  # many records may share a novelty, as those do that miss the same; rounding must not rank them
LEAST = 1e-12  # novelty is positive; a measure that is 0 must not make a logarithm of nothing


@dataclass(frozen=True)
class InputLimits:
    """Of one modality.

    limits    {measure: limit}; a measure without one is left out
    usual     the median of the training's ratios, see `ratios`; greatest  the largest of them
    records   how many training records it was found on
    """

    limits: Mapping[str, float]
    usual: float
    greatest: float
    records: int

    @classmethod
    def of(cls, novelty: Mapping[str, np.ndarray], rate: float) -> InputLimits | None:
        """novelty: {measure: float (n,)}, out of fold, NaN where absent. None where no measure gets a limit."""
        values = np.stack(list(novelty.values()), axis=1)
        found = dict(zip(novelty, joint_limits(values, rate).tolist(), strict=True))
        limits = {name: max(limit, LEAST) for name, limit in found.items() if isfinite(limit)}
        if not limits:
            return None
        ratio = largest(cls(limits, 1.0, 1.0, 0).ratios(novelty, len(values)))
        known = ratio[~np.isnan(ratio)]
        records = int((~np.isnan(values)).any(axis=1).sum())
        return cls(limits, float(np.median(known)), float(known.max()), records)

    def ratios(self, novelty: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """float (n, measures): novelty / limit; NaN where there is no such novelty."""
        nothing = np.full(n, np.nan)
        return np.stack([novelty.get(name, nothing) / limit for name, limit in self.limits.items()], axis=1)

    def unusual(self, novelty: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """float (n,), >= 0: the logarithm of the largest ratio, on a scale with 0 at the training's median and 1 at the
        limit; NaN where there is no novelty."""
        ratio = largest(self.ratios(novelty, n))
        usual = np.log(np.clip(self.usual, LEAST, 0.99))
        with np.errstate(divide="ignore"):
            return np.maximum(1 - np.log(ratio) / usual, 0.0)


def largest(ratios: np.ndarray) -> np.ndarray:
    """float (n, K) -> (n,): the largest of each row; NaN where it has none."""
    found = np.where(np.isnan(ratios), -np.inf, ratios).max(axis=1, initial=-np.inf)
    return np.where(np.isneginf(found), np.nan, found)


def of_present(novelty: Novelty, modalities: Sequence[str], present: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """The novelty to DIGITS digits, with NaN where the modality is absent, whatever stood there.

    present: bool (n, M)
    """
    return {
        modality: {
            name: _to_digits(np.where(present[:, m], values, np.nan))
            for name, values in novelty.get(modality, {}).items()
        }
        for m, modality in enumerate(modalities)
    }


def _to_digits(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values) & (values > 0)
    unit = 10.0 ** (np.floor(np.log10(np.where(known, values, 1.0))) + 1 - DIGITS)
    return np.where(known, np.round(np.where(known, values, 0.0) / unit) * unit, values)


def together(limits: Mapping[str, InputLimits], novelty: Novelty, n: int) -> np.ndarray:
    """float (n, number of modalities + 1): the mean unusualness of a record's modalities, in the column of their
    number; NaN elsewhere, and where they are fewer than two."""
    found = np.stack([one.unusual(novelty.get(name, {}), n) for name, one in limits.items()] or [np.full(n, np.nan)])
    known = ~np.isnan(found)
    count = known.sum(axis=0)
    out = np.full((n, len(found) + 1), np.nan)
    rows = np.flatnonzero(count >= 2)
    out[rows, count[rows]] = np.where(known, found, 0.0).sum(axis=0)[rows] / count[rows]
    return out


def spread(z: np.ndarray, present: np.ndarray) -> np.ndarray:
    """float (2, M, T): the root mean square of what each modality says for each target, and against it; inf where it
    never does. z: float (n, M, T), calibrated log-odds minus the base; present: bool (n, M)"""
    sides = np.stack([np.where(present[:, :, None], side, 0.0).clip(0) for side in (z, -z)])
    times = (sides > 0).sum(axis=1)
    squares = np.nansum(sides**2, axis=1)
    return np.sqrt(np.divide(squares, times, out=np.full(times.shape, np.inf), where=times > 0))


def contradiction(z: np.ndarray, present: np.ndarray, usually: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    """The pairs of modalities, and float (n, pairs, T): how strongly both speak for opposite sides of a target, each in
    units of what it usually says; 0 where they do not, NaN where one is absent. usually: see `spread`"""
    pairs = list(combinations(range(z.shape[1]), 2))
    out = np.full((len(z), len(pairs), z.shape[2]), np.nan)
    z = np.where(present[:, :, None], z, np.nan)
    speaks_for, speaks_against = z.clip(0) / usually[0], (-z).clip(0) / usually[1]
    for place, (first, second) in enumerate(pairs):
        both = present[:, first] & present[:, second]
        one_way = np.minimum(speaks_for[both, first], speaks_against[both, second])
        other_way = np.minimum(speaks_against[both, first], speaks_for[both, second])
        out[both, place] = np.maximum(one_way, other_way)
    return pairs, out
