"""The curves: against scikit-learn, a table worked by hand, published examples, and what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, logit
from sklearn.metrics import det_curve, precision_recall_curve, roc_curve

from multimodal.trust.bootstrap import draw
from multimodal.trust.curves import (
    calibration_bins,
    calibration_curve,
    curves,
    net_benefit,
    net_benefits,
    precision_recall_points,
    roc_points,
)
from multimodal.trust.tabulate import Answers, Scored

few_scores = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=60)
both_classes = few_scores.filter(lambda pairs: len({y for y, _ in pairs}) == 2)


@pytest.fixture
def scored() -> Scored:
    """Records 0-5; 3 has no input, 4 no label."""

    def answers(*probability: float) -> Answers:
        column = np.array(probability)[:, None]
        return Answers(column, (column >= 0.5).astype(float), np.array([0.5]))

    return Scored(
        targets=("pneumonia",),
        modalities=("image",),
        labels=np.array([1, 0, 1, 1, np.nan, 0])[:, None],
        patients=np.array(["a", "a", "b", "c", "d", "e"], dtype=object),
        present=np.array([1, 1, 1, 0, 1, 1], dtype=bool)[:, None],
        abstained=np.zeros(6, dtype=bool),
        fused=answers(0.9, 0.2, 0.3, 0.4, 0.7, 0.6),
        single={"image": answers(0.8, 0.1, 0.3, 0.4, 0.6, 0.4)},
    )


def test_the_curves_are_those_of_fused_and_of_each_modality(scored):
    drawn = curves(scored, resamples=20)["pneumonia"]

    assert list(drawn["roc"]) == ["fused", "image"]
    assert drawn["roc"]["fused"] == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    assert list(drawn["precision_recall"]) == list(drawn["net_benefit"]["ways"]) == ["fused", "image"]
    assert [b["n"] for b in drawn["calibration"]] == [1, 1, 1, 1]


def test_one_class_has_no_roc_curve(scored):
    scored.labels[:] = 1

    drawn = curves(scored, resamples=20)["pneumonia"]

    assert drawn["roc"] == drawn["precision_recall"] == {}


def test_a_roc_curve_has_one_point_a_distinct_score_and_at_most_200():
    y = np.array([1.0, 0, 1, 0])
    assert roc_points(y, np.array([0.5, 0.5, 0.9, 0.1])) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])

    random = np.random.default_rng(0)
    alarms, hits = roc_points((random.random(5000) < 0.5).astype(float), random.random(5000))

    assert len(alarms) == len(hits) == 200
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_bar_of_the_calibration_plot_is_wilsons_interval(hits, n, low, high):
    """The examples of Newcombe, Statistics in Medicine 17:857, 1998, table I, method 3."""
    (bar,) = calibration_bins((np.arange(n) < hits).astype(float), np.full(n, 0.3))

    assert (bar["n"], bar["mean"], bar["observed"]) == (n, pytest.approx(0.3), pytest.approx(hits / n))
    assert (bar["low"], bar["high"]) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_the_bins_of_the_calibration_plot_hold_equal_counts():
    random = np.random.default_rng(0)

    bins = calibration_bins((random.random(200) < 0.5).astype(float), random.random(200))

    assert [b["n"] for b in bins] == [20] * 10
    assert [b["mean"] for b in bins] == sorted(b["mean"] for b in bins)


@given(both_classes)
def test_the_points_are_those_of_scikit_learn(pairs):
    y, score = np.array(pairs, dtype=float).T
    false_rate, true_rate, _ = roc_curve(y, score, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(y, score)

    assert_allclose(roc_points(y, score), [false_rate, true_rate])
    # Scikit-learn begins at the lowest score, and ends at a point (0, 1) that no threshold reaches.
    assert_allclose(precision_recall_points(y, score), [recall[-2::-1], precision[-2::-1]])


@given(both_classes)
def test_the_errors_at_each_threshold_are_those_of_scikit_learn(pairs):
    y, score = np.array(pairs, dtype=float).T
    alarms, hits = np.array(roc_points(y, score))
    false_positive, false_negative, _ = det_curve(y, score)

    ours = set(zip(alarms.round(9), (1 - hits).round(9)))
    assert set(zip(false_positive.round(9), false_negative.round(9))) <= ours


# Ten records, three of them positive: probabilities 0.9 0.8 0.6 0.5 0.4 0.3 0.3 0.2 0.1 0.1, the first, third and sixth
# positive. By hand, from Vickers and Elkin 2006: tp / 10 - fp / 10 * pt / (1 - pt).
WORKED = [
    # pt, tp, fp, net benefit, treat all: 0.3 - 0.7 * pt / (1 - pt)
    (0.05, 3, 7, 0.3 - 0.7 / 19, 0.3 - 0.7 / 19),
    (0.20, 3, 5, 0.3 - 0.5 / 4, 0.3 - 0.7 / 4),
    (0.25, 3, 4, 0.3 - 0.4 / 3, 0.3 - 0.7 / 3),
    (0.50, 2, 2, 0.2 - 0.2, 0.3 - 0.7),
    (0.75, 1, 1, 0.1 - 0.1 * 3, 0.3 - 0.7 * 3),
    (0.95, 0, 0, 0.0, 0.3 - 0.7 * 19),
]


@pytest.mark.parametrize(("threshold", "tp", "fp", "model", "everybody"), WORKED)
def test_the_net_benefit_is_that_of_a_table_worked_by_hand(threshold, tp, fp, model, everybody):
    p = np.array([0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1, 0.1])
    y = np.array([1.0, 0, 1, 0, 0, 1, 0, 0, 0, 0])

    assert (y[p >= threshold].sum(), (1 - y[p >= threshold]).sum()) == (tp, fp)
    assert net_benefit(y, p, np.array([threshold])) == pytest.approx([model])
    assert net_benefit(y, np.ones(10), np.array([threshold])) == pytest.approx([everybody])


def test_the_decision_curve_ends_where_one_record_in_a_hundred_is_treated():
    random = np.random.default_rng(0)
    p = 0.4 * random.random(500)
    y = (random.random(500) < p).astype(float)

    found = net_benefits(y, {"fused": p, "image": p / 2}, draw(np.arange(500), resamples=50))

    assert found["threshold"][-1] == pytest.approx(np.quantile(p, 0.99))
    assert list(found["ways"]) == ["fused", "image"]
    assert all(low <= value <= high for low, value, high in zip(found["low"], found["ways"]["fused"], found["high"]))
    assert found["all"][-1] < 0 < found["ways"]["fused"][0]


def test_the_band_of_the_decision_curve_is_that_of_patients_resampled_by_hand():
    random = np.random.default_rng(1)
    p, y = random.random(60), (random.random(60) < 0.5).astype(float)
    drawn = draw(np.arange(60) // 2, resamples=40)
    found = net_benefits(y, {"fused": p}, drawn)

    by_hand = []
    for weights in next(drawn.weights()).astype(int):
        rows = np.repeat(np.arange(60), weights)
        by_hand.append(net_benefit(y[rows], p[rows], np.array(found["threshold"])))
    assert_allclose([found["low"], found["high"]], np.quantile(by_hand, [0.025, 0.975], axis=0), atol=1e-12)


def test_a_calibrated_model_lies_on_the_diagonal_and_a_bold_one_does_not():
    """20,000 records: the share at a place is known to about 0.01."""
    random = np.random.default_rng(0)
    true = expit(random.normal(-1, 1.5, 20_000))
    y = (random.random(20_000) < true).astype(float)
    drawn = draw(np.arange(20_000), resamples=20)

    honest = calibration_curve(y, true, drawn)
    bold = calibration_curve(y, expit(2 * logit(true)), drawn)

    assert_allclose(honest["observed"], honest["mean"], atol=0.03)
    assert np.abs(np.subtract(bold["observed"], bold["mean"])).max() > 0.1
    assert honest["mean"] == sorted(honest["mean"])


def test_the_band_of_the_calibration_curve_covers_it_and_needs_resamples():
    random = np.random.default_rng(0)
    p = random.random(300)
    y = (random.random(300) < p).astype(float)

    found = calibration_curve(y, p, draw(np.arange(300), resamples=200))
    without = calibration_curve(y, p, draw(np.arange(300), resamples=0))

    assert all(low <= value <= high for low, value, high in zip(found["low"], found["observed"], found["high"]))
    assert without == found | {"low": [], "high": []}


def test_a_single_probability_has_no_calibration_curve():
    assert calibration_curve(np.array([0.0, 1]), np.array([0.3, 0.3]), draw(np.arange(2), resamples=5)) == {}


def test_no_records_have_no_curve():
    nobody = draw(np.arange(0), resamples=5)

    assert calibration_curve(np.empty(0), np.empty(0), nobody) == net_benefits(np.empty(0), {}, nobody) == {}
