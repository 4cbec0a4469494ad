"""The distance of an input from those of the training."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from multimodal.encoders.mahalanobis import Mahalanobis

SEEN = np.random.default_rng(0).normal(size=(300, 4)) @ np.array(
    [[2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 3, 0], [0, 0, 1, 1]]
)


def test_the_distance_is_that_of_scipy_under_the_shrunk_covariance_per_feature():
    fresh = np.random.default_rng(1).normal(size=(20, 4)) * 5
    fitted = LedoitWolf().fit(SEEN)
    expected = [mahalanobis(row, fitted.location_, fitted.precision_) / 2 for row in fresh]

    assert_allclose(Mahalanobis.of(SEEN).distance(fresh), expected, rtol=1e-8)


def test_it_is_near_one_for_what_was_seen_and_nan_for_what_is_absent():
    space = Mahalanobis.of(SEEN)

    assert 0.9 < np.mean(space.distance(SEEN)) < 1.1
    assert np.isnan(space.distance(np.full((1, 4), np.nan))).all()


def test_a_feature_that_never_varied_gives_finite_distances():
    constant = np.hstack([SEEN, np.full((300, 1), 7.0)])
    distance = Mahalanobis.of(constant).distance(np.array([[0, 0, 0, 0, 7.0], [0, 0, 0, 0, 8.0]]))

    assert np.isfinite(distance).all()
    assert distance[1] > distance[0]


def test_it_is_the_same_after_it_was_kept_as_arrays():
    space = Mahalanobis.of(SEEN)
    again = Mahalanobis.from_arrays(space.arrays("image."), "image.")

    assert_allclose(again.distance(SEEN), space.distance(SEEN), rtol=0)
