"""The penalty of the linear models."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from multimodal.encoders.penalty import chosen


def pick(x, y, groups):
    return chosen((0.001, 1.0, 100.0), lambda c: LogisticRegression(C=c), x, y, groups, 0)


def test_noise_wants_the_strongest_and_a_clear_signal_the_weakest():
    rng = np.random.default_rng(0)
    y = (np.arange(200) % 2).astype(float)

    assert pick(rng.normal(size=(200, 30)), y, np.arange(200)) == 0.001
    assert pick(y[:, None] + rng.normal(scale=0.05, size=(200, 1)), y, np.arange(200)) == 100.0


@pytest.mark.parametrize(
    ("y", "groups"), [([1, 0, 0, 0, 0], [0, 1, 2, 3, 4]), ([1, 1, 0, 0], [0, 0, 0, 0]), ([1, 0], [0, 1])]
)
def test_too_few_records_or_groups_for_folds_get_the_strongest(y, groups):
    assert pick(np.arange(float(len(y)))[:, None], np.array(y, float), np.array(groups)) == 0.001
