"""The blend of one modality's encoders."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from multimodal.fusion.blend import fit_blend


@pytest.fixture
def evidence():
    """2,000 records: y, and the log-odds of a good, a copied and a useless encoder, the good one over-confident."""
    rng = np.random.default_rng(0)
    y = (rng.random(2000) < 0.3).astype(float)
    good = 3 * (rng.normal(size=2000) + 1.5 * (y - 0.5))
    useless = rng.normal(size=2000)
    return y[:, None], np.stack([good, useless], axis=1)[:, :, None]


def test_one_encoder_is_platt_scaling(evidence):
    """Against scikit-learn's unpenalised logistic regression, up to the small pull towards a slope of 1."""
    y, log_odds = evidence
    ours = fit_blend(log_odds[:, :1], np.ones(2000, bool), y)
    platt = LogisticRegression(C=np.inf).fit(log_odds[:, 0], y[:, 0])

    assert_allclose(ours.weights[0, 0], platt.coef_[0, 0], atol=0.01)
    assert_allclose(ours.intercept[0], platt.intercept_[0], atol=0.01)


def test_a_useless_encoder_gets_hardly_any_weight_and_none_is_negative(evidence):
    y, log_odds = evidence
    weights = fit_blend(log_odds, np.ones(2000, bool), y).weights[:, 0]

    assert weights[0] > 0.3
    assert 0 <= weights[1] < 0.1


def test_probabilities_keep_their_distance_from_0_and_1(evidence):
    """n labels support no probability outside [1 / (n + 2), 1 - 1 / (n + 2)]."""
    y, log_odds = evidence
    calibrated = fit_blend(log_odds, np.ones(2000, bool), y).calibrated(np.full((1, 2, 1), 1e6))

    assert expit(calibrated[0, 0]) <= 1 - 1 / 2002 + 1e-12


def test_what_absent_records_hold_changes_nothing(evidence):
    y, log_odds = evidence
    present = np.arange(2000) % 3 > 0
    other = np.where(present[:, None, None], log_odds, 99.0)

    assert_allclose(fit_blend(log_odds, present, y).weights, fit_blend(other, present, y).weights)


def test_a_target_with_one_class_keeps_the_plain_mean(evidence):
    _, log_odds = evidence
    found = fit_blend(log_odds, np.ones(2000, bool), np.zeros((2000, 1)))

    assert found.weights[:, 0].tolist() == [0.5, 0.5]
