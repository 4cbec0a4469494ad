"""From the log-odds of a fusion to calibrated ones, per target or exclusive group, by one of three maps.

temperature  base + (logits - base) / T, which keeps the base rate (Guo et al., ICML 2017)
platt        base + slope (logits - base) + shift, a shift for each class of a group (Platt, Advances in Large Margin
             Classifiers, 1999; of a group: Alexandari et al., ICML 2020)
isotonic     any rising curve (Zadrozny & Elkan, KDD 2002); not for a group

Which one is chosen by cross-validated log-loss: the simplest, unless a richer one is better by more than one standard
error. What it does not do: it knows nothing of patients unlike those of the training, for whom `multimodal calibrate`
and the gates are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, logsumexp
from sklearn.isotonic import IsotonicRegression

KINDS = ("temperature", "platt", "isotonic")
AUTO = "auto"
CHOICES = (AUTO, *KINDS)
RANGE = (0.5, 3.0)  # of a temperature, and of 1 / slope
SHRINKAGE = 5.0
FEWEST_FOR_ISOTONIC = 200  # a curve through fewer records follows their noise


@dataclass(frozen=True)
class Calibrator:
    """The map of one unit of C columns: a target by itself, or the classes of an exclusive group.

    slope  > 0; shift  float (C,); knots  float (2, k), log-odds and calibrated probability of an isotonic curve, which
    then stands in for slope and shift; k is 0 for the other kinds
    """

    kind: str
    slope: float
    shift: np.ndarray
    knots: np.ndarray

    def __call__(self, logits: np.ndarray, base: np.ndarray) -> np.ndarray:
        """logits: float (n, C); base: float (C,) -> float (n, C), which an isotonic curve may make infinite."""
        if self.kind == "isotonic":
            with np.errstate(divide="ignore"):
                return logit(np.interp(logits, *self.knots))
        return base + self.slope * (logits - base) + self.shift

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """As named arrays, for a safetensors file."""
        kind = np.array(KINDS.index(self.kind))
        return {f"{prefix}{name}": np.asarray(array) for name, array in {**vars(self), "kind": kind}.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> Calibrator:
        kind, slope, shift, knots = (arrays[f"{prefix}{name}"] for name in ("kind", "slope", "shift", "knots"))
        return cls(KINDS[int(kind.item())], float(slope.item()), shift, knots)


def check_calibration(name: str) -> str:
    """`name`, if it is one of CHOICES. Raises ValueError, which lists them."""
    if name not in CHOICES:
        raise ValueError(f"a calibration is one of {', '.join(CHOICES)}")
    return name


def unchanged(columns: int) -> Calibrator:
    """The map that changes nothing."""
    return Calibrator("temperature", 1.0, np.zeros(columns), np.zeros((2, 0)))


def fit_calibrator(kind: str, logits: np.ndarray, base: np.ndarray, y: np.ndarray) -> Calibrator:
    """The map of a kind with the least log-loss, a slope drawn to 1 and a shift to 0.

    logits  float (n, C), out of fold; base  float (C,); y  float (n, C): 0 or 1, of a group one 1 a row
    """
    columns = logits.shape[1]
    if not len(logits):
        return unchanged(columns)
    if kind == "isotonic":
        curve = IsotonicRegression(y_min=0, y_max=1).fit(logits[:, 0], y[:, 0])
        knots = np.stack([curve.X_thresholds_, curve.y_thresholds_]).astype(float)
        return Calibrator(kind, 1.0, np.zeros(1), knots)
    shifts = columns if kind == "platt" else 0

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = np.exp(parameters[0]), parameters[1:] if shifts else np.zeros(columns)
        moved = logits - base
        scaled = base + slope * moved + shift
        error = (expit(scaled) if columns == 1 else np.exp(log_softmax(scaled, axis=1))) - y
        value = _loss(scaled, y).sum() + SHRINKAGE * (parameters**2).sum()
        gradient = np.append((error * slope * moved).sum(), error.sum(axis=0)[:shifts])
        return value, gradient + 2 * SHRINKAGE * parameters

    limits = [tuple(np.sort(-np.log(RANGE)))] + [(None, None)] * shifts
    found = minimize(loss, np.zeros(1 + shifts), jac=True, method="L-BFGS-B", bounds=limits).x
    shift = found[1:] if shifts else np.zeros(columns)
    return Calibrator(kind, float(np.exp(found[0])), shift, np.zeros((2, 0)))


def choose_calibrator(
    rule: str, logits: np.ndarray, base: np.ndarray, y: np.ndarray, folds: np.ndarray, limit: np.ndarray
) -> Calibrator:
    """The map of one unit, fitted on all of its records.

    rule   a kind, or auto: the kind with the least log-loss on folds that it was not fitted on, a richer one only if it
           is better by more than a standard error
    folds  int (n,), no patient in two; limit  float (C,), the largest log-odds that the labels support
    """
    kinds = KINDS if logits.shape[1] == 1 and len(logits) >= FEWEST_FOR_ISOTONIC else KINDS[:2]
    if rule != AUTO:
        # A group, or too few records, has no curve: the next simpler kind.
        return fit_calibrator(rule if rule in kinds else kinds[-1], logits, base, y)
    if len(np.unique(folds)) < 2:
        return fit_calibrator(KINDS[0], logits, base, y)
    best, best_loss = KINDS[0], _held_out_loss(KINDS[0], logits, base, y, folds, limit)
    for kind in kinds[1:]:
        losses = _held_out_loss(kind, logits, base, y, folds, limit)
        gain = best_loss - losses
        if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
            best, best_loss = kind, losses
    return fit_calibrator(best, logits, base, y)


def _held_out_loss(
    kind: str, logits: np.ndarray, base: np.ndarray, y: np.ndarray, folds: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """float (n,): the log-loss of each record under the map of the other folds."""
    out = np.empty(len(logits))
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        found = fit_calibrator(kind, logits[inside], base, y[inside])
        out[outside] = _loss(found(logits[outside], base).clip(-limit, limit), y[outside])
    return out


def _loss(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    return binary_loss(logits, y) if logits.shape[1] == 1 else exclusive_loss(logits, y)


def binary_loss(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-loss of each record, summed over the columns; (n, C) -> (n,)."""
    return (np.logaddexp(0, logits) - y * logits).sum(axis=1)


def exclusive_loss(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-loss of the softmax; y has one 1 a row; (n, C) -> (n,)."""
    return logsumexp(logits, axis=1) - (y * logits).sum(axis=1)


def calibrators_of(arrays: Mapping[str, np.ndarray], units: Sequence[Sequence[int]]) -> tuple[Calibrator, ...]:
    """One a unit, as `calibrator_arrays` kept them."""
    return tuple(Calibrator.from_arrays(arrays, f"calibration.{u}.") for u in range(len(units)))


def calibrator_arrays(calibrators: Sequence[Calibrator]) -> dict[str, np.ndarray]:
    return {name: array for u, one in enumerate(calibrators) for name, array in one.arrays(f"calibration.{u}.").items()}
