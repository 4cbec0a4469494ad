"""Columns for linear models: normal scores, squares, and what is missing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import QuantileTransformer

from multimodal.encoders.normal_scores import NormalScores


@pytest.fixture
def columns():
    """Three columns of 500 values, skewed, the first two missing together; and one that is empty."""
    x = np.random.default_rng(0).lognormal(size=(500, 4))
    x[::5, :2] = np.nan
    x[:, 3] = np.nan
    return x


def test_the_scores_are_those_of_scikit_learn(columns):
    """Between the outermost ranks, where ours end at those of half a rank."""
    fitted = QuantileTransformer(n_quantiles=100, output_distribution="normal", subsample=None).fit(columns[:, :3])
    fresh = np.random.default_rng(1).lognormal(size=(200, 4))

    found = NormalScores().fit(columns).transform(fresh)[:, :3]

    assert_allclose(found, fitted.transform(fresh[:, :3]).clip(-2.58, 2.58), atol=0.12)


def test_squares_follow_and_columns_missing_together_are_told_once(columns):
    found = NormalScores().fit(columns).transform(columns)
    scores, squares, missing = found[:, :4], found[:, 4:8], found[:, 8:]

    assert_allclose(squares[1:5, :3], 0.5 * (scores[1:5, :3] ** 2 - 1))
    assert_array_equal(missing, np.isnan(columns[:, :1]))
    assert_array_equal(scores[::5, :2], 0)
    assert_array_equal(squares[::5, :2], 0)


def test_values_that_many_records_share_have_one_score_in_the_middle_of_their_ranks():
    """Of 0, 0, 0 and 1 to 9: the zeros are the lowest third."""
    x = np.array([0, 0, 0, *range(1, 10)], dtype=float)[:, None]

    scores = NormalScores().fit(np.repeat(x, 30, axis=0)).transform(x)[:, 0]

    assert len(set(scores[:3])) == 1
    assert -1.6 < scores[0] < -0.9
    assert_array_equal(np.argsort(scores[2:]), np.arange(10))


def test_a_column_that_was_empty_is_not_read_and_a_constant_one_says_nothing(columns):
    columns[:, 2] = 7.0

    found = NormalScores().fit(columns).transform(np.array([[1.0, 1.0, 7.0, 1.0]] * 3))

    assert_allclose(found[:, [2, 3, 7]], 0, atol=1e-12)
    assert len(set(found[:, 6])) == 1


def test_saved_and_loaded_it_is_the_same(columns, tmp_path):
    fitted = NormalScores().fit(columns)
    fitted.save(tmp_path / "scores.safetensors")

    assert_array_equal(NormalScores.load(tmp_path / "scores.safetensors").transform(columns), fitted.transform(columns))
