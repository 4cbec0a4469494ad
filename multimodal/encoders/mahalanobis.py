"""How far an input lies from what was seen in training, in a space of features: one Gaussian, and the distance to it.

Lee et al., NeurIPS 2018 (arXiv 1807.03888), without their classes: targets here are several and partly unknown. The
covariance is shrunk (Ledoit & Wolf, J. Multivariate Analysis 88:365, 2004), so that few inputs with many features have
a distance too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf

LEAST = 1e-6  # of the mean variance: a feature that never varied in training may not make every input infinitely far


@dataclass(frozen=True)
class Mahalanobis:
    """mean: float (D,); whitening: float (D, D), so that (x - mean) @ whitening has the identity as covariance."""

    mean: np.ndarray
    whitening: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Mahalanobis:
        """features: float (n, D), finite, n >= 2, of the training inputs."""
        fitted = LedoitWolf().fit(features)
        variances, axes = np.linalg.eigh(fitted.covariance_)
        least = max(LEAST * variances.mean(), np.finfo(float).tiny)
        return cls(fitted.location_, axes / np.sqrt(np.maximum(variances, least)))

    def distance(self, features: np.ndarray) -> np.ndarray:
        """float (n, D) -> (n,): near 1 for an input like those of the training, whatever D is; NaN gives NaN."""
        return np.sqrt(np.mean(((features - self.mean) @ self.whitening) ** 2, axis=1))

    def arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """As named arrays, for a safetensors file."""
        return {f"{prefix}mean": self.mean, f"{prefix}whitening": np.ascontiguousarray(self.whitening)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str = "") -> Mahalanobis:
        return cls(arrays[f"{prefix}mean"], arrays[f"{prefix}whitening"])
