"""How common a record's measurements are: which were taken, and the last value of each beside the others.

Three measures, each larger where a record is stranger:
  measured  the Mahalanobis distance of what was measured at all and how often, from the training's habits: a pulse
            alone, where thirty quantities are usual
  values    the same of the values, as normal scores under one Gaussian (a Gaussian copula), of those that are there:
            extremes, and combinations that do not go together
  oddest    the largest deviation of one value from what all others let expect, in its standard deviations: a swapped
            unit, a diastolic pressure next to the systolic
What is missing is integrated out, so that it costs nothing where the training has such gaps too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.covariance import ledoit_wolf_shrinkage

from ..vitals import common_codes, latest
from ..vitals.knots import KNOTS, Knots
from .inputs import VitalsInputs

PRIOR_PAIRS = 20  # a correlation is believed as if so many more records had shown none
LEAST_VARIANCE = 0.05  # of a combination of normal scores: one that never varied may not make all others infinitely far
CELLS = 4_000_000  # of all matrices that are inverted at a time


class VitalsDensity:
    """Learned by `fit`: quantities_ and others_, the codes with values and those that count as measured alone; knots_
    of each quantity and correlation_ (Q, Q) of their normal scores; mean_ and precision_ of what is measured, with the
    logarithm of the number of values last."""

    def fit(self, inputs: VitalsInputs) -> VitalsDensity:
        """inputs: of at least two records, all with a measurement."""
        kinds = common_codes(inputs.checked, len(inputs))
        self.quantities_ = tuple(code for code, kind in kinds.items() if kind == "quantity")
        self.others_ = tuple(code for code, kind in kinds.items() if kind != "quantity")
        values, measured = self._columns(inputs)
        self.knots_ = [Knots.of(column) for column in values.T]
        self.correlation_ = _correlation(self._scores(values))
        self.mean_, self.precision_ = _habits(measured)
        return self

    def novelty(self, inputs: VitalsInputs) -> dict[str, np.ndarray]:
        """{measure: float (n,)}; NaN where a record has no measurement."""
        values, measured = self._columns(inputs)
        apart = measured - self.mean_
        habits = np.sqrt(((apart @ self.precision_) * apart).mean(axis=1))
        whole, oddest = self._apart(self._scores(values))
        found = {"measured": habits, "values": whole, "oddest": oddest}
        return {name: np.where(inputs.present, one, np.nan) for name, one in found.items()}

    def _columns(self, inputs: VitalsInputs) -> tuple[np.ndarray, np.ndarray]:
        """The last values float (n, Q), age last, NaN where missing; and what is measured, (n, Q + others + 1)."""
        last, totals = latest(inputs.checked, len(inputs), (*self.quantities_, *self.others_))
        there = ~np.isnan(np.column_stack([last, inputs.batch.age_years]))
        values = np.column_stack([last[:, : len(self.quantities_)], inputs.batch.age_years])
        return values, np.column_stack([there, np.log1p(totals)])

    def _scores(self, values: np.ndarray) -> np.ndarray:
        return np.stack([knots.extended(column) for knots, column in zip(self.knots_, values.T)], axis=1)

    def _apart(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float (n,) each: the root mean square Mahalanobis distance of the scores that are there, near 1 for a record
        like those of the training; and the largest deviation of one from its expectation given the others. 0 without
        any."""
        n, size = scores.shape
        there = ~np.isnan(scores)
        filled = np.where(there, scores, 0.0)
        whole, oddest = np.zeros(n), np.zeros(n)
        for rows in _parts(n, size):
            both = there[rows, :, None] & there[rows, None, :]
            # What is missing is cut loose from the rest, with a score of 0: it adds nothing to any sum.
            precision = np.linalg.inv(np.where(both, self.correlation_, np.eye(size)))
            pulled = (precision @ filled[rows, :, None])[:, :, 0]
            of_each = pulled / np.sqrt(np.diagonal(precision, axis1=1, axis2=2))
            count = np.maximum(there[rows].sum(axis=1), 1)
            whole[rows] = np.sqrt((filled[rows] * pulled).sum(axis=1) / count)
            oddest[rows] = np.abs(of_each).max(axis=1)
        return whole, oddest

    def save(self, folder: Path) -> None:
        codes = {"quantities": self.quantities_, "others": self.others_}
        (folder / "codes.json").write_text(json.dumps(codes, indent=1), encoding="utf-8")
        value, score = np.full((2, len(self.knots_), KNOTS), np.nan)
        for place, knots in enumerate(self.knots_):
            value[place, : len(knots.value)], score[place, : len(knots.value)] = knots.value, knots.score
        arrays = {"value": value, "score": score, "correlation": self.correlation_}
        arrays |= {"mean": self.mean_, "precision": self.precision_}
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, folder / "density.safetensors")

    @classmethod
    def load(cls, folder: Path) -> VitalsDensity:
        density = cls()
        codes = json.loads((folder / "codes.json").read_text(encoding="utf-8"))
        density.quantities_, density.others_ = tuple(codes["quantities"]), tuple(codes["others"])
        arrays = load_file(folder / "density.safetensors")
        known = ([row[~np.isnan(row)].tolist() for row in arrays[name]] for name in ("value", "score"))
        density.knots_ = [Knots(tuple(value), tuple(score)) for value, score in zip(*known)]
        density.correlation_, density.mean_ = arrays["correlation"], arrays["mean"]
        density.precision_ = arrays["precision"]
        return density


def _correlation(scores: np.ndarray) -> np.ndarray:
    """float (Q, Q): of normal scores (n, Q), each pair by the records that have both, shrunk, positive definite."""
    there = ~np.isnan(scores)
    filled = np.where(there, scores, 0.0)
    pairs = there.T.astype(float) @ there
    found = (filled.T @ filled) / (pairs + PRIOR_PAIRS)
    np.fill_diagonal(found, 1.0)
    variances, axes = np.linalg.eigh(found)
    found = (axes * np.maximum(variances, LEAST_VARIANCE)) @ axes.T
    scale = np.sqrt(np.diag(found))
    return found / scale[:, None] / scale


def _habits(measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (P,) and the inverse covariance (P, P) of what is measured, (n, P), the count of values last.

    The correlations are shrunk (Ledoit & Wolf, J. Multivariate Analysis 88:365, 2004). What all or no training records
    have varies as if one more had been otherwise.
    """
    n = len(measured)
    mean = measured.mean(axis=0)
    apart = measured - mean
    deviation = np.sqrt((apart**2).mean(axis=0))
    standard = apart / np.where(deviation > 0, deviation, 1.0)
    shrinkage = ledoit_wolf_shrinkage(standard, assume_centered=True)
    correlation = (1 - shrinkage) * (standard.T @ standard) / n
    np.fill_diagonal(correlation, 1.0)
    share = (measured[:, :-1].sum(axis=0) + 1) / (n + 2)
    scale = np.append(np.sqrt(share * (1 - share)), max(deviation[-1], 1 / np.sqrt(n)))
    return mean, np.linalg.inv(correlation) / scale[:, None] / scale


def _parts(n: int, size: int) -> Iterator[slice]:
    rows = max(1, CELLS // max(size, 1) ** 2)
    return (slice(start, start + rows) for start in range(0, n, rows))
