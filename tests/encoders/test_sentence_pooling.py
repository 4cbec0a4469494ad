"""The linear model of bags, against its formula computed plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp

from multimodal.encoders.sentence_pooling import Bags, PooledRegression


def bags_of(items: list[list[int]], x: np.ndarray) -> Bags:
    bag = np.repeat(np.arange(len(items)), [len(one) for one in items])
    item = np.array([i for one in items for i in one], dtype=np.int64)
    return Bags(sparse.csr_matrix(x), item, bag, np.zeros((len(item), 1)), len(items))


def model_of(features: int, seed: int) -> PooledRegression:
    rng = np.random.default_rng(seed)
    model = PooledRegression(3.0)
    model.coef_, model.floor_, model.intercept_ = rng.normal(size=(features + 1, 2)), rng.normal(size=2), 0.3
    return model


@given(
    items=st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=5),
    seed=st.integers(0, 10),
)
def test_the_log_odds_are_those_of_the_formula(items, seed):
    x = np.random.default_rng(seed).normal(size=(5, 3))
    model = model_of(3, seed)

    found = model.decision_function(bags_of(items, x))

    for one, value in zip(items, found, strict=True):
        scores = x[one] @ model.coef_[:3] + model.floor_
        for_it, against = (logsumexp([0.0, *scores[:, side]]) for side in (0, 1))
        assert value == pytest.approx(for_it - against + 0.3)


def test_an_empty_bag_says_the_intercept():
    assert_allclose(model_of(3, 0).decision_function(bags_of([[], [1]], np.eye(3)))[0], 0.3)


def test_the_order_of_items_and_bags_is_irrelevant():
    x, model = np.random.default_rng(0).normal(size=(5, 3)), model_of(3, 1)
    bags = bags_of([[0, 1, 2], [3], [4, 4]], x)

    assert_allclose(model.decision_function(bags_of([[2, 0, 1]], x)), model.decision_function(bags)[:1])
    assert_array_equal(model.decision_function(bags[np.array([2, 0])]), model.decision_function(bags)[[2, 0]])


@pytest.mark.parametrize("sign", [1, -1])
def test_one_item_that_speaks_for_it_or_against_it_decides(sign):
    """Feature 0 in any item means yes (or no, as an abnormal finding does for "normal"); the others mean nothing."""
    rng = np.random.default_rng(0)
    x = np.eye(6)
    y = (np.arange(200) % 2).astype(float)
    items = [[*rng.integers(1, 6, 4), *([0] if (label == 1) == (sign == 1) else [])] for label in y]
    model = PooledRegression(3.0).fit(bags_of(items, x), y)

    many = [*rng.integers(1, 6, 30)]
    found = sign * model.decision_function(bags_of([many, [*many, 0]], x))
    assert found[1] > 0 > found[0]


def test_it_is_fitted_to_the_least_penalised_loss():
    """No small step in any direction lowers it."""
    rng = np.random.default_rng(0)
    x, items = rng.normal(size=(20, 4)), [rng.integers(0, 20, 3).tolist() for _ in range(60)]
    y = np.array([float(x[one, 0].max() > 0.8) for one in items])
    bags, strength = bags_of(items, x), 2.0
    model = PooledRegression(strength).fit(bags, y)

    def loss() -> float:
        z = model.decision_function(bags)
        away = model.floor_ + 3.0
        return strength * (np.logaddexp(0, z) - y * z).sum() + ((model.coef_**2).sum() + away @ away) / 2

    least = loss()
    for array in (model.coef_, model.floor_):
        for place in np.ndindex(array.shape):
            for step in (0.05, -0.05):
                array[place] += step
                assert loss() > least
                array[place] -= step


def test_bags_are_taken_by_number_and_by_mask():
    bags = bags_of([[0], [1, 2], [], [3]], np.eye(4))

    taken = bags[np.array([3, 1])]
    masked = bags[np.array([False, True, True, False])]

    assert (taken.item.tolist(), taken.bag.tolist(), len(taken)) == ([3, 1, 2], [0, 1, 1], 2)
    assert (masked.item.tolist(), masked.bag.tolist(), len(masked)) == ([1, 2], [0, 0], 2)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_alone_teaches_its_smoothed_base_rate(label):
    model = PooledRegression(3.0).fit(bags_of([[0], [1, 2], [3]], np.eye(4)), np.full(3, label))

    expected = np.log(4.0) if label else -np.log(4.0)  # (3 + 1) / (0 + 1)
    assert_allclose(model.decision_function(bags_of([[0], [], [1, 1, 2]], np.eye(4))), expected)
