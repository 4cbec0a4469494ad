"""Bootstrap over patients: how far a figure would move with other patients from the same place.

A resample draws as many patients as there are, with replacement, and takes all records of each; as weights it is
how often each record was drawn. So nothing is copied, and a metric under weights equals the metric of the copies.
What it does not tell: how the figure would move at another hospital, or with another training run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CHUNK = 64_000  # weights held at once (resamples x records): they and what is made of them fit into the cache


@dataclass(frozen=True)
class Resamples:
    """Drawn once for a cohort and used for every figure of it, so that any two figures can be compared pair by pair.

    times       uint8 (r, P), how often each resample drew each patient
    patient_of  int (n,), whose record each is
    """

    times: np.ndarray
    patient_of: np.ndarray

    def of(self, rows: np.ndarray) -> Resamples:
        """The same resamples, of the records at `rows` alone (indexes or a mask)."""
        return Resamples(self.times, self.patient_of[rows])

    def weights(self, chunk: int = CHUNK) -> Iterator[np.ndarray]:
        """float (r, n), in chunks of at most `chunk` weights and at least one resample; nothing for fewer than two
        patients, of whom nothing can be said."""
        if len(np.unique(self.patient_of)) > 1:
            rows = max(1, chunk // len(self.patient_of))
            for start in range(0, len(self.times), rows):
                yield self.times[start : start + rows][:, self.patient_of].astype(float)


def draw(patients: np.ndarray, *, resamples: int, random_state: int = 0) -> Resamples:
    """`resamples` times as many patients as there are, with replacement.

    patients  (n,) any sortable ids, one a record. The same patients and random_state give the same resamples.
    """
    ids, patient_of = np.unique(patients, return_inverse=True)
    random = np.random.default_rng(random_state)
    times = np.empty((resamples, len(ids)), dtype=np.uint8)  # 255 draws of one patient do not happen
    rows = max(1, CHUNK // max(len(ids), 1))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = random.integers(len(ids), size=(count, len(ids))) + len(ids) * np.arange(count)[:, None]
        times[start : start + count] = np.bincount(drawn.ravel(), minlength=count * len(ids)).reshape(count, len(ids))
    return Resamples(times, patient_of)


def interval(samples: np.ndarray, *, level: float = 0.95) -> tuple[float | None, float | None]:
    """The percentile interval of one metric over the resamples.

    samples  float (resamples,), NaN where the metric is undefined; those are left out
    Returns  (low, high); (None, None) where fewer than half of the resamples are defined, or there are none.
    """
    defined = samples[~np.isnan(samples)]
    if not len(defined) or 2 * len(defined) < len(samples):
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
