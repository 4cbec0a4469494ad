"""How large a calibration error chance alone makes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from multimodal.trust.expected import expected_ece
from multimodal.trust.metrics import ece


def test_with_one_probability_the_error_is_that_of_a_binomial():
    """All records share a bin, and the error is |k / n - p|: its exact quantile, within the noise of 20,000 draws."""
    n, p = 50, 0.3
    k = np.arange(n + 1)
    errors, chances = np.abs(k / n - p), binom.pmf(k, n, p)
    order = np.argsort(errors)
    exact = errors[order][np.searchsorted(chances[order].cumsum(), 0.95)]

    assert expected_ece(np.full(n, p), draws=20_000) == pytest.approx(exact, abs=1e-9)


def test_a_calibrated_model_exceeds_it_in_5_of_100_samples():
    """400 samples: 20 expected, and luck alone leaves 5 to 38 with a chance below 1 in 1,000."""
    random = np.random.default_rng(0)
    p = random.random(200)
    limit = expected_ece(p)

    beyond = sum(ece(random.random(200) < p, p) > limit for _ in range(400))

    assert 5 <= beyond <= 38


def test_it_falls_with_the_number_of_records_and_is_the_same_for_the_same_seed():
    p = np.tile([0.1, 0.3, 0.5], 100)

    assert expected_ece(np.tile(p, 16)) == pytest.approx(expected_ece(p) / 4, rel=0.15)
    assert expected_ece(p, random_state=7) == expected_ece(p, random_state=7)


def test_without_records_nothing_is_expected():
    assert expected_ece(np.empty(0)) is None
