"""Shapley values and sets as bits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.fusion.subsets import all_sets, set_index, shapley

values = arrays(np.float64, (8, 3, 2), elements=st.floats(-8, 8))


def test_sets_are_the_bits_of_their_index():
    assert_array_equal(all_sets(2), [[False, False], [True, False], [False, True], [True, True]])
    assert_array_equal(set_index(all_sets(3)), np.arange(8))


def test_shapley_values_of_the_glove_game():
    """Two own a left glove, one a right glove; a pair is worth 1. Values 1/6, 1/6, 2/3: Shapley & Shubik 1969."""
    worth = np.array([0, 0, 0, 0, 0, 1, 1, 1.0])  # bits: left, left, right

    assert_allclose(shapley(worth[:, None, None])[0, :, 0], [1 / 6, 1 / 6, 2 / 3])


@given(values)
@settings(max_examples=50)
def test_contributions_sum_to_the_whole(value):
    assert_allclose(shapley(value).sum(axis=1), value[-1] - value[0], atol=1e-9)


@given(values)
@settings(max_examples=50)
def test_a_modality_that_changes_nothing_contributes_exactly_nothing(value):
    without_last = np.concatenate([value[:4], value[:4]])

    assert_array_equal(shapley(without_last)[:, 2], 0)
