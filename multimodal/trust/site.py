"""Another site: its own intercept and temperature on top of a fitted model, and nothing else.

value' = b + shift + (value - b) / temperature, where b is the log-odds of the base rate of the training. Order and
contributions stay as they were, up to the scale; what changes is how likely each answer is. This is updating by
intercept and slope: Cox, Biometrika 45:562, 1958; Janssen et al., J Clin Epidemiol 61:76, 2008; Van Calster et al.,
BMC Medicine 17:230, 2019.

It does not help where the model ranks the patients of the site wrongly: the temperature then only grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp, softmax

from .calibration import binary_loss, exclusive_loss

SHRINKAGE = 5.0  # log T ~ Normal(0, 0.32): few patients leave T at 1
RANGE = (0.1, 10.0)
NUDGE = 1e-9  # relative; far above the rounding of a logit there and back, far below what a decision hangs on


@dataclass(frozen=True)
class SiteMap:
    """shift float (T,), log-odds; temperature float (T,), above 0, the same within an exclusive group."""

    shift: np.ndarray
    temperature: np.ndarray

    @classmethod
    def identity(cls, targets: int) -> SiteMap:
        return cls(np.zeros(targets), np.ones(targets))

    def value(self, value: np.ndarray, base: np.ndarray) -> np.ndarray:
        """float (..., T): the log-odds at the site; base float (T,) is mapped to base + shift. To the bit the same
        where the map changes nothing."""
        return np.where(self._same, value, base + self.shift + (value - base) / self.temperature)

    def inverse(self, value: np.ndarray, base: np.ndarray) -> np.ndarray:
        """float (..., T): the log-odds before the map."""
        return np.where(self._same, value, base + (value - base - self.shift) * self.temperature)

    def then(self, other: SiteMap) -> SiteMap:
        """One map for both in turn, `other` being fitted on what this one gives, around its base."""
        return SiteMap(self.shift + other.shift, self.temperature * other.temperature)

    def threshold(self, threshold: np.ndarray, base: np.ndarray) -> np.ndarray:
        """float (T,): the probabilities at which the same records as before are decided 1; NaN stays NaN."""
        with np.errstate(divide="ignore"):
            moved = expit(self.value(logit(threshold), base))
        # A record that lay exactly on the threshold stays on its side of it.
        return np.where(self._same, threshold, moved * (1 - NUDGE))

    @property
    def _same(self) -> np.ndarray:
        return (self.shift == 0) & (self.temperature == 1)

    def with_unit(self, unit: Sequence[int], shift: np.ndarray, temperature: float) -> SiteMap:
        """With another map of one target, or of the classes of one group; shift float (C,)."""
        shifts, temperatures = self.shift.copy(), self.temperature.copy()
        shifts[list(unit)], temperatures[list(unit)] = shift, temperature
        return replace(self, shift=shifts, temperature=temperatures)


def fit_site(
    value: np.ndarray, base: np.ndarray, y: np.ndarray, *, slope: bool = True, shrinkage: float = SHRINKAGE
) -> tuple[np.ndarray, float]:
    """Shift (C,) and temperature of one target (C = 1) or of the classes of an exclusive group, on labelled records.

    value  float (n, C), log-odds as the model gives them; base  float (C,); y  float (n, C): 0 or 1, in a group one 1
    a row, and each class at least once; slope  False: the temperature stays 1
    Maximum likelihood, with the penalty `shrinkage` * (log T)². In a group base + shift are log shares.
    """
    away, grouped = value - base, y.shape[1] > 1
    loss_of = exclusive_loss if grouped else binary_loss

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        shift, log_t = parameters[:-1], parameters[-1] if slope else 0.0
        scaled = away / np.exp(log_t)
        logits = base + shift + scaled
        residual = (softmax(logits, axis=1) if grouped else expit(logits)) - y
        by_log_t = 2 * shrinkage * log_t - (residual * scaled).sum() if slope else 0.0
        total = loss_of(logits, y).sum() + shrinkage * log_t**2
        return float(total) / len(y), np.append(residual.sum(axis=0), by_log_t) / len(y)

    bounds = [(None, None)] * len(base) + [tuple(np.log(RANGE))]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}
    found = minimize(loss, np.zeros(len(base) + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    shift = found[:-1]
    if grouped:
        shift = shift - logsumexp(base + shift)
    return shift, float(np.exp(found[-1])) if slope else 1.0
