"""Another site's intercept and temperature, where the truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression

from multimodal.trust.site import SiteMap, fit_site

BASE = np.array([-1.0])
SHIFT, SLOPE = 0.8, 0.6  # the other site: more are ill, and the model's log-odds are too extreme there


def other_site(n, seed=0):
    """Log-odds (n, 1) as a model gives them, and labels (n, 1) of a site where BASE + SHIFT + SLOPE * away holds."""
    rng = np.random.default_rng(seed)
    away = rng.normal(size=(n, 1)) * 1.5
    return BASE + away, (rng.random((n, 1)) < expit(BASE + SHIFT + SLOPE * away)).astype(float)


def test_the_fit_is_that_of_an_unpenalised_logistic_regression():
    """And near the truth; scikit-learn's slope is 1 / temperature, its intercept base + shift."""
    value, y = other_site(50_000)
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(value - BASE, y[:, 0])

    shift, temperature = fit_site(value, BASE, y)

    assert_allclose([shift[0], 1 / temperature], [plain.intercept_[0] - BASE[0], plain.coef_[0, 0]], rtol=2e-3)
    assert_allclose([shift[0], 1 / temperature], [SHIFT, SLOPE], atol=0.04)


def test_without_the_penalty_it_is_so_with_few_patients_too():
    value, y = other_site(200)
    plain = LogisticRegression(C=np.inf, tol=1e-12).fit(value - BASE, y[:, 0])

    shift, temperature = fit_site(value, BASE, y, shrinkage=0)

    assert_allclose([shift[0], 1 / temperature], [plain.intercept_[0] - BASE[0], plain.coef_[0, 0]], rtol=1e-4)


def test_few_patients_draw_the_temperature_to_one():
    value, y = other_site(40)

    free, drawn = (fit_site(value, BASE, y, shrinkage=shrinkage)[1] for shrinkage in (0.0, 5.0))

    assert abs(np.log(drawn)) < abs(np.log(free))


def test_an_intercept_alone_makes_the_mean_probability_the_prevalence():
    """The score equation of the intercept: the expected count is the observed one."""
    value, y = other_site(300)

    shift, temperature = fit_site(value, BASE, y, slope=False)

    assert temperature == 1
    assert_allclose(expit(value + shift).mean(), y.mean(), atol=1e-6)


def test_the_classes_of_a_group_are_fitted_together():
    """Against scikit-learn's multinomial regression on the truth's own log-odds: shares and a common temperature."""
    rng = np.random.default_rng(0)
    base = np.log([0.5, 0.3, 0.2])
    away = rng.normal(size=(60_000, 3)) * 1.2
    at_site = np.log([0.2, 0.3, 0.5])
    drawn = rng.random((60_000, 1)) > softmax(at_site + away / 2, axis=1).cumsum(axis=1)
    y = np.eye(3)[drawn.sum(axis=1)]

    shift, temperature = fit_site(base + away, base, y)

    assert_allclose(temperature, 2, rtol=0.05)
    assert_allclose(base + shift, at_site, atol=0.05)
    assert_allclose(np.exp(base + shift).sum(), 1)
    mapped = softmax(SiteMap(shift, np.full(3, temperature)).value(base + away, base), axis=1)
    assert_allclose(mapped.mean(axis=0), y.mean(axis=0), atol=1e-4)


values = arrays(float, (20, 2), elements=st.floats(-8, 8))
shifts = arrays(float, 2, elements=st.floats(-3, 3))
temperatures = arrays(float, 2, elements=st.floats(0.2, 5))


@given(values, shifts, temperatures, arrays(float, 2, elements=st.floats(0.01, 0.99)))
def test_a_threshold_is_carried_so_that_the_same_records_are_decided(value, shift, temperature, threshold):
    base, site = np.array([-1.0, 0.3]), SiteMap(shift, temperature)
    value[0] = logit(threshold)  # just on it
    before = expit(value)
    clear = np.abs(before / threshold - 1) > 1e-6
    clear[0] = True

    after = expit(site.value(value, base)) >= site.threshold(threshold, base)

    assert_array_equal(after[1:][clear[1:]], (before >= threshold)[1:][clear[1:]])
    assert after[0].all()


@given(values, shifts, temperatures, shifts, temperatures)
def test_two_maps_in_turn_are_one(value, shift, temperature, later_shift, later_temperature):
    base = np.array([-1.0, 0.3])
    first, second = SiteMap(shift, temperature), SiteMap(later_shift, later_temperature)
    after_first = first.value(base, base)

    both = second.value(first.value(value, base), after_first)

    assert_allclose(first.then(second).value(value, base), both, atol=1e-9)


def test_no_map_changes_no_bit():
    value, base = np.random.default_rng(0).normal(size=(50, 3)), np.array([0.1, -2.3, 1.7])
    site = SiteMap.identity(3)

    assert_array_equal(site.value(value, base), value)
    assert_array_equal(site.threshold(np.array([0.3, np.nan, 0.9]), base), [0.3, np.nan, 0.9])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_at_an_end_stays_there(threshold):
    moved = SiteMap(np.array([1.0]), np.array([2.0])).threshold(np.array([threshold]), BASE)

    assert_allclose(moved, threshold, atol=1e-8)
