"""Bootstrap over patients: how far a figure would move with other patients from the same place.

A resample draws as many patients as there are, with replacement, and takes all records of each; as weights it is
how often each record was drawn. So nothing is copied, and a metric under weights equals the metric of the copies.
What it does not tell: how the figure would move at another hospital, or with another training run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 500_000  # weights held at once (resamples x records): small enough for the processor's cache to help


def patient_weights(
    patients: np.ndarray, *, resamples: int, random_state: int = 0, chunk: int = CHUNK
) -> Iterator[np.ndarray]:
    """The weights of `resamples` resamples, in chunks of at most `chunk` weights (and at least one resample).

    patients  (n,) any sortable ids, one a record
    Yields    float (r, n), whole numbers >= 0; r adds up to `resamples`. The same patients and random_state give the
              same resamples, whatever is measured on them, and however they are chunked.
    """
    ids, patient_of = np.unique(patients, return_inverse=True)
    random = np.random.default_rng(random_state)
    rows = max(1, chunk // max(len(patients), 1))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = random.integers(len(ids), size=(count, len(ids))) + len(ids) * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * len(ids)).reshape(count, len(ids))
        yield times.astype(float)[:, patient_of]


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
