"""The maps from log-odds to calibrated ones, and which of them is chosen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from multimodal.trust.calibration import (
    Calibrator,
    calibrator_arrays,
    calibrators_of,
    check_calibration,
    choose_calibrator,
    fit_calibrator,
    unchanged,
)

BASE = np.array([-1.0])
LIMIT = np.array([9.0])


def drawn(n, distort, seed=0):
    """n records of one target: distorted log-odds (n, 1), and labels drawn from the honest ones."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(n, 1)) * 1.5 - 1
    return distort(honest), (rng.random((n, 1)) < expit(honest)).astype(float)


def folds_of(n):
    return np.arange(n) % 3


@pytest.mark.parametrize("true", [0.7, 1.0, 2.0])
def test_temperature_finds_the_factor_by_which_log_odds_were_stretched(true):
    stretched, y = drawn(20_000, lambda honest: BASE + (honest - BASE) * true)

    assert_allclose(1 / fit_calibrator("temperature", stretched, BASE, y).slope, true, rtol=0.05)


def test_temperature_leaves_the_base_rate_where_it_is():
    found = fit_calibrator("temperature", *drawn(500, lambda honest: honest * 2)[:1], BASE, drawn(500, np.array)[1])

    assert_array_equal(found(BASE[None], BASE), BASE[None])


def test_temperature_of_an_exclusive_group():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, 3))
    y = (rng.random((20_000, 1)) > softmax(honest, axis=1).cumsum(axis=1)).sum(axis=1)

    assert_allclose(fit_calibrator("temperature", honest * 2, np.zeros(3), np.eye(3)[y]).slope, 0.5, rtol=0.05)


def test_platt_is_the_logistic_regression_of_scikit_learn():
    """With so many records what draws to slope 1 and shift 0 weighs next to nothing."""
    distorted, y = drawn(50_000, lambda honest: 1.6 * honest + 0.8)
    found = fit_calibrator("platt", distorted, BASE, y)
    reference = LogisticRegression(C=np.inf).fit(distorted - BASE, y[:, 0])

    assert_allclose(found.slope, reference.coef_[0, 0], rtol=2e-3)
    assert_allclose(BASE + found.shift, reference.intercept_, atol=5e-3)


def test_platt_of_a_group_shifts_its_classes():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(40_000, 3))
    y = (rng.random((40_000, 1)) > softmax(honest, axis=1).cumsum(axis=1)).sum(axis=1)
    found = fit_calibrator("platt", honest * 2 + [1.0, 0, -1], np.zeros(3), np.eye(3)[y])

    assert_allclose(found.slope, 0.5, rtol=0.05)
    assert_allclose(found.shift - found.shift.mean(), [-0.5, 0, 0.5], atol=0.05)


def test_isotonic_is_that_of_scikit_learn():
    logits, y = drawn(800, lambda honest: honest**3)
    fresh = np.linspace(-20, 20, 301)[:, None]
    found = fit_calibrator("isotonic", logits, BASE, y)
    reference = IsotonicRegression(out_of_bounds="clip").fit(logits[:, 0], y[:, 0])

    assert_allclose(expit(found(fresh, BASE))[:, 0], reference.predict(fresh[:, 0]), atol=1e-12)


@pytest.mark.parametrize(
    ("distort", "kind"),
    [
        (lambda honest: BASE + (honest - BASE) * 2, "temperature"),
        (lambda honest: honest * 2 + 2, "platt"),
        (lambda honest: np.where(honest > 0, honest / 8, honest * 8), "isotonic"),
    ],
)
def test_the_simplest_map_that_mends_the_distortion_is_chosen(distort, kind):
    logits, y = drawn(6000, distort)

    assert choose_calibrator("auto", logits, BASE, y, folds_of(6000), LIMIT).kind == kind


def test_a_kind_that_is_asked_for_is_taken():
    logits, y = drawn(600, lambda honest: honest)

    for kind in ("temperature", "platt", "isotonic"):
        assert choose_calibrator(kind, logits, BASE, y, folds_of(600), LIMIT).kind == kind


def test_few_records_get_no_curve():
    logits, y = drawn(60, lambda honest: np.where(honest > 0, honest / 8, honest * 8))

    assert choose_calibrator("auto", logits, BASE, y, folds_of(60), LIMIT).kind in ("temperature", "platt")


def test_nothing_to_fit_changes_nothing():
    found = choose_calibrator("auto", np.zeros((0, 1)), BASE, np.zeros((0, 1)), np.zeros(0), LIMIT)

    assert_array_equal(found(np.array([[0.7]]), BASE), [[0.7]])


def test_a_map_is_the_same_after_it_was_kept_as_arrays():
    logits, y = drawn(300, lambda honest: honest)
    kept = [fit_calibrator(kind, logits, BASE, y) for kind in ("temperature", "platt", "isotonic")] + [unchanged(3)]
    again = calibrators_of(calibrator_arrays(kept), [(0,), (1,), (2,), (3, 4, 5)])

    for before, after in zip(kept[:3], again, strict=False):
        assert_array_equal(after(logits, BASE), before(logits, BASE))
    assert again[3].shift.tolist() == [0, 0, 0]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="a calibration is one of auto, temperature, platt, isotonic"):
        check_calibration("beta")


def test_an_isotonic_curve_that_reaches_0_is_held_by_the_limit_of_the_stack():
    steps = Calibrator("isotonic", 1.0, np.zeros(1), np.array([[-1.0, 1.0], [0.0, 1.0]]))

    assert steps(np.array([[-2.0], [0.0], [2.0]]), BASE).tolist() == [[-np.inf], [logit(0.5)], [np.inf]]
