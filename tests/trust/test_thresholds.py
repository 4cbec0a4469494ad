"""The rules by which a probability becomes a decision."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.metrics import f1_score, precision_score, recall_score, roc_curve

from multimodal.trust.thresholds import check_targets, choose_threshold, named_probability, rule_of


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


def test_specificity_is_reached_and_not_one_step_less(ranked):
    """The most sensitive threshold of those specific enough, as scikit-learn counts them."""
    y, probs = ranked
    cut = choose_threshold("specificity:0.9", y, probs)
    next_lower = np.unique(probs)[np.unique(probs) < cut].max()

    assert recall_score(1 - y, probs < cut) >= 0.9
    assert recall_score(1 - y, probs < next_lower) < 0.9


def test_a_specificity_that_no_cut_reaches_decides_nobody():
    y, probs = np.array([0.0, 1.0]), np.array([0.9, 0.4])

    assert (probs < choose_threshold("specificity:1", y, probs)).all()


# 10 records, P = 0.2, so a false alarm costs a quarter of a hit. Net benefit x 10 by hand, per threshold:
# 0.9: 1 - 0 = 1; 0.6: 1 - 1/4 = 0.75; 0.5: 2 - 1/4 = 1.75; 0.3: 2 - 3/4 = 1.25 (a tie of two false alarms);
# 0.2: 3 - 3/4 = 2.25 (the largest); 0.1: 3 - 7/4 = 1.25 (four more false alarms).
WORKED = [(0.9, 1), (0.6, 0), (0.5, 1), (0.3, 0), (0.3, 0), (0.2, 1), (0.1, 0), (0.1, 0), (0.1, 0), (0.1, 0)]


@pytest.mark.parametrize(("exchange", "cut"), [(0.2, 0.2), (0.5, 0.9), (0.95, 0.9)])
def test_net_benefit_is_that_of_a_table_worked_by_hand(exchange, cut):
    """At P = 0.5 a false alarm costs a hit: 1, 0, 1, -1, 0, -4, of which the highest threshold with 1 is taken."""
    probs, y = np.array(WORKED, dtype=float).T

    assert choose_threshold(f"net_benefit:{exchange}", y, probs) == cut


def test_net_benefit_of_calibrated_probabilities_is_the_cost_ratio():
    """For a calibrated model the best threshold is the threshold probability itself (Vickers & Elkin, 2006)."""
    rng = np.random.default_rng(0)
    probs = rng.random(200_000)
    y = (rng.random(200_000) < probs).astype(float)

    assert_allclose(choose_threshold("net_benefit:0.2", y, probs), choose_threshold("cost:4", y, probs), atol=0.02)


def test_where_every_alarm_does_harm_nobody_is_alarmed():
    y, probs = np.array([0.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.7, 0.1])

    assert (probs < choose_threshold("net_benefit:0.5", y, probs)).all()


@pytest.mark.parametrize(
    ("rule", "named"), [("cost:4", 0.2), ("net_benefit:0.3", 0.3), ("youden", None), ("sensitivity:0.9", None)]
)
def test_some_rules_name_a_probability_themselves(rule, named):
    assert named_probability(rule) == named


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["deth=f1"], "there is no target 'deth'; did you mean 'death'?"),
        (["home=f1"], "home is a class of an exclusive group: the most probable is decided, by no rule"),
    ],
)
def test_a_rule_of_a_target_that_has_none_is_refused(entries, message):
    with pytest.raises(ValueError) as caught:
        check_targets(entries, ["death", "home", "ward"], ["home", "ward"])

    assert str(caught.value) == message


def test_each_target_has_its_own_rule_or_the_general_one():
    entries = ["death=sensitivity:0.9"]

    assert [rule_of(entries, name) for name in ("death", "flu")] == ["sensitivity:0.9", "youden"]
    assert rule_of([*entries, "f1"], "flu") == "f1"


@pytest.mark.parametrize(
    "rule",
    ["best", "sensitivity:1.5", "sensitivity:", "specificity:0", "cost:0", "cost:nan", "youden:1", "net_benefit:1"],
)
def test_a_rule_that_is_none_is_named(rule, ranked):
    with pytest.raises(ValueError, match=rf"'{rule}' is none of youden, f1, min_sens_ppv, sensitivity:S with S in"):
        choose_threshold(rule, *ranked)
