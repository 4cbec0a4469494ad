"""The threshold that a rule picks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.metrics import f1_score, precision_score, recall_score, roc_curve

from multimodal.trust.thresholds import choose_threshold


@pytest.fixture
def ranked():
    rng = np.random.default_rng(3)
    y = (rng.random(500) < 0.2).astype(float)
    return y, expit(rng.normal(size=500) + 1.5 * y - 1).round(2)


def test_youden_against_scikit_learn(ranked):
    y, probs = ranked
    false_rate, true_rate, cuts = roc_curve(y, probs, drop_intermediate=False)
    best = (true_rate - false_rate).max()
    decided = probs >= choose_threshold("youden", y, probs)

    assert_allclose(recall_score(y, decided) + recall_score(1 - y, ~decided) - 1, best)
    assert choose_threshold("youden", y, probs) in cuts


def test_f1_and_min_sens_ppv_are_the_best_of_all_thresholds(ranked):
    y, probs = ranked
    cuts = np.unique(probs)
    f1 = f1_score(y, probs >= choose_threshold("f1", y, probs))
    decided = probs >= choose_threshold("min_sens_ppv", y, probs)
    event_1 = min(recall_score(y, decided), precision_score(y, decided))

    assert f1 == max(f1_score(y, probs >= cut) for cut in cuts)
    assert event_1 == max(min(recall_score(y, probs >= cut), precision_score(y, probs >= cut)) for cut in cuts)


def test_sensitivity_is_reached_and_not_one_step_more(ranked):
    y, probs = ranked
    cut = choose_threshold("sensitivity:0.9", y, probs)

    assert recall_score(y, probs >= cut) >= 0.9
    assert recall_score(y, probs > cut) < 0.9


def test_a_cost_ratio_needs_no_data(ranked):
    assert choose_threshold("cost:4", *ranked) == 0.2


@pytest.mark.parametrize("rule", ["best", "sensitivity:1.5", "sensitivity:", "cost:0", "cost:nan", "youden:1"])
def test_a_rule_that_is_none_is_named(rule, ranked):
    with pytest.raises(ValueError, match=rf"'{rule}' is none of youden, f1, min_sens_ppv, sensitivity:S with S in"):
        choose_threshold(rule, *ranked)
