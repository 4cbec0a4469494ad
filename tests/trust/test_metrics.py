"""The figures: against scikit-learn, against hand-worked tables, and against resampling by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from multimodal.trust.bootstrap import draw, interval
from multimodal.trust.metrics import (
    METRICS,
    auprc,
    auroc,
    brier,
    ece,
    measure,
    measure_group,
    recalibration,
    sample,
    weighted_metrics,
)

# Few distinct probabilities, so that ties are common.
tied = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=60)


def arrays(pairs) -> tuple[np.ndarray, np.ndarray]:
    y, eighths = np.array(pairs, dtype=float).T
    return y, eighths / 8


@given(tied.filter(lambda pairs: len({y for y, _ in pairs}) == 2))
def test_the_ranking_figures_are_those_of_scikit_learn(pairs):
    y, p = arrays(pairs)

    assert auroc(y, p) == pytest.approx(reference.roc_auc_score(y, p))
    assert auprc(y, p) == pytest.approx(reference.average_precision_score(y, p))
    assert brier(y, p) == pytest.approx(reference.brier_score_loss(y, p))


@given(tied)
def test_the_figures_of_the_decision_are_those_of_scikit_learn(pairs):
    y, p = arrays(pairs)
    decision = (p >= 0.5).astype(float)

    m = measure(y, p, decision, np.arange(len(y)), threshold=0.5, resamples=0)

    tn, fp, fn, tp = reference.confusion_matrix(y, decision, labels=[0, 1]).ravel()
    assert m["confusion"] == {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    expected = {
        "sensitivity": reference.recall_score(y, decision, zero_division=np.nan),
        "specificity": reference.recall_score(y, decision, pos_label=0, zero_division=np.nan),
        "precision": reference.precision_score(y, decision, zero_division=np.nan),
        "f1": reference.f1_score(y, decision, zero_division=np.nan),
        "accuracy": reference.accuracy_score(y, decision),
    }
    for name, value in expected.items():
        assert m[name]["value"] == (None if np.isnan(value) else pytest.approx(value)), name


def test_the_calibration_error_is_that_of_a_table_worked_by_hand():
    """20 records, two a bin; only the lowest and the highest bin miss: |0.05 - 0.5| and |0.95 - 0.5|, each a tenth."""
    p = np.repeat([0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95], 2) + np.tile([-0.001, 0.001], 10)
    y = np.tile([0.0, 1.0], 10)

    expected = np.mean(np.abs(np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95]) - 0.5))
    assert ece(y, p) == pytest.approx(expected)


def test_without_ties_the_calibration_error_is_that_of_equal_slices():
    random = np.random.default_rng(0)
    p = random.random(200)
    y = (random.random(200) < p**2).astype(float)

    slices = np.array_split(np.argsort(p), 10)
    assert ece(y, p) == pytest.approx(sum(abs(p[rows].mean() - y[rows].mean()) * len(rows) for rows in slices) / 200)


@given(tied, st.randoms(use_true_random=False))
def test_the_order_of_the_records_plays_no_part(pairs, random):
    y, p = arrays(pairs)
    shuffled = list(pairs)
    random.shuffle(shuffled)

    again = arrays(shuffled)

    for figure in (auroc, auprc, brier, ece):
        assert_allclose(figure(*again), figure(y, p), rtol=1e-12)


@settings(deadline=None)
@given(tied, st.integers(0, 2**31))
def test_weight_2_is_the_record_twice(pairs, seed):
    y, p = arrays(pairs)
    decision = (p >= 0.5).astype(float)
    weights = np.random.default_rng(seed).integers(0, 4, size=(5, len(y))).astype(float)
    weights[:, 0] += 1

    weighted = weighted_metrics(y, p, decision, weights)

    for r, times in enumerate(weights.astype(int)):
        copied = weighted_metrics(*(np.repeat(a, times) for a in (y, p, decision)), np.ones((1, times.sum())))
        # Of a resample, slope and intercept are as near as its interval needs: see the test below.
        for name in set(METRICS) - {"calibration_slope", "calibration_intercept"}:
            assert_allclose(weighted[name][r], copied[name][0], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.fixture(scope="module")
def too_bold():
    """2,000 records whose log-odds are stretched by 1.5 and too low by 0.4."""
    random = np.random.default_rng(0)
    honest = random.normal(size=2000) - 1
    return (random.random(2000) < expit(honest)).astype(float), expit(1.5 * honest - 0.4)


def test_calibration_slope_and_intercept_are_those_of_logistic_regressions(too_bold):
    y, p = too_bold
    slope, intercept = (one[0] for one in recalibration(y, p, np.ones((1, 2000))))
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], y)

    assert slope == pytest.approx(reference.coef_[0, 0], rel=1e-5)
    # In the large: after the shift, as many are expected as there are.
    assert expit(logit(p) + intercept).sum() == pytest.approx(y.sum(), rel=1e-9)
    assert slope == pytest.approx(1 / 1.5, abs=0.1)
    assert intercept > 0.2


def test_slope_and_intercept_of_a_resample_are_those_of_its_records(too_bold):
    y, p = too_bold
    weights = np.random.default_rng(1).multinomial(2000, np.full(2000, 1 / 2000), size=20).astype(float)

    slopes, intercepts = recalibration(y, p, weights)

    for slope, intercept, times in zip(slopes, intercepts, weights.astype(int), strict=True):
        copied = recalibration(np.repeat(y, times), np.repeat(p, times), np.ones((1, 2000)))
        assert slope == pytest.approx(copied[0][0], abs=0.01)
        assert intercept == pytest.approx(copied[1][0], abs=0.01)


@pytest.mark.parametrize(
    ("y", "p"),
    [([0, 0, 0], [0.1, 0.2, 0.3]), ([0, 1, 1], [0.2, 0.2, 0.2]), ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])],
    ids=["one class", "all equal", "separated"],
)
def test_a_slope_that_no_data_can_tell_is_undefined(y, p):
    slope, _ = recalibration(np.array(y, dtype=float), np.array(p), np.ones((1, len(y))))

    assert np.isnan(slope[0])


def test_an_interval_is_that_of_patients_resampled_by_hand():
    """The same drawn patients, their records copied and scored by scikit-learn."""
    random = np.random.default_rng(3)
    patients = np.sort(random.integers(0, 40, size=90))
    y = (random.random(90) < 0.4).astype(float)
    p = np.clip(y * 0.2 + random.random(90), 0, 1)

    m = measure(y, p, (p > 0.6).astype(float), patients, threshold=0.6, resamples=200, random_state=5)

    ids = np.unique(patients)
    samples = []
    for drawn in np.random.default_rng(5).integers(len(ids), size=(200, len(ids))):
        rows = np.concatenate([np.flatnonzero(patients == ids[i]) for i in drawn])
        samples.append(reference.roc_auc_score(y[rows], p[rows]))
    assert_allclose([m["auroc"]["low"], m["auroc"]["high"]], np.percentile(samples, [2.5, 97.5]), rtol=1e-9)


def test_all_records_of_a_patient_are_drawn_together():
    patients = np.array(["b", "a", "b", "c"])

    (weights,) = draw(patients, resamples=50, random_state=1).weights()

    assert weights.shape == (50, 4)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(1) == 3).all()


def test_the_resamples_do_not_depend_on_the_chunks():
    drawn = draw(np.arange(30), resamples=20)
    (whole,) = drawn.weights()

    chunks = list(drawn.weights(chunk=90))

    assert [len(chunk) for chunk in chunks] == [3] * 6 + [2]
    assert (np.concatenate(chunks) == whole).all()


def test_a_part_of_the_records_has_the_same_resamples():
    drawn = draw(np.array(["b", "a", "b", "c"]), resamples=20)
    (whole,) = drawn.weights()

    (part,) = drawn.of(np.array([False, True, True, False])).weights()

    assert (part == whole[:, [1, 2]]).all()


def test_a_difference_is_taken_resample_by_resample():
    """The two figures go up and down together: each by far less than the interval of either would say."""
    random = np.random.default_rng(0)
    y = (random.random(300) < 0.4).astype(float)
    p = np.clip(0.3 * y + random.random(300), 0, 1)
    drawn = draw(np.arange(300), resamples=200)
    a, b = (sample(y, score, score > 0.5, drawn) for score in (p, np.clip(p + 0.02 * random.random(300), 0, 1)))

    difference = a.minus(b)["auroc"]

    by_hand = [
        reference.roc_auc_score(y, p, sample_weight=w) - b.samples["auroc"][i]
        for i, w in enumerate(next(drawn.weights()))
    ]
    assert difference["value"] == pytest.approx(a.values["auroc"] - b.values["auroc"])
    assert_allclose([difference["low"], difference["high"]], np.percentile(by_hand, [2.5, 97.5]), atol=1e-12)
    assert difference["high"] - difference["low"] < 0.02 < a.document()["auroc"]["high"] - a.document()["auroc"]["low"]


def test_an_interval_needs_half_of_the_resamples():
    assert interval(np.array([1.0, np.nan, np.nan])) == (None, None)
    assert interval(np.empty(0)) == (None, None)
    assert interval(np.array([1.0, 1.0, np.nan])) == (1.0, 1.0)


def test_one_class_has_no_auroc_but_the_rest():
    m = measure([0, 0, 0], [0.1, 0.2, 0.3], [0, 0, 1], ["a", "b", "c"], threshold=0.25, resamples=50)

    assert m["auroc"] == m["auprc"] == m["sensitivity"] == {"value": None, "low": None, "high": None}
    assert m["brier"]["value"] == pytest.approx((0.01 + 0.04 + 0.09) / 3)
    assert m["specificity"]["value"] == pytest.approx(2 / 3)
    assert m["precision"]["value"] == 0


def test_a_score_that_is_no_probability_has_no_calibration():
    m = measure([0, 1, 1], [2, 7, 5], [0, 1, 1], ["a", "b", "c"], threshold=5, is_probability=False, resamples=50)

    assert m["brier"]["value"] is None
    assert m["ece"]["value"] is None
    assert m["auroc"]["value"] == 1
    assert m["threshold"] == 5


def test_no_records_give_nulls_and_no_error():
    m = measure([], [], [], [], threshold=float("nan"))

    assert (m["n"], m["positives"], m["threshold"]) == (0, 0, None)
    assert all(m[name] == {"value": None, "low": None, "high": None} for name in METRICS)


def test_a_single_patient_has_no_interval():
    m = measure([0, 1], [0.1, 0.9], [0, 1], ["a", "a"], threshold=0.5)

    assert m["auroc"] == {"value": 1.0, "low": None, "high": None}


def test_a_group_counts_every_class_also_one_that_is_never_decided():
    truth = ["cold", "cold", "flu", "flu", "rare", "cold"]
    decided = ["cold", "flu", "flu", "flu", "cold", "cold"]

    m = measure_group(truth, decided, draw(np.arange(6), resamples=100), classes=["cold", "flu", "unseen", "rare"])

    assert m["n"] == 6
    assert m["confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert m["accuracy"]["value"] == pytest.approx(4 / 6)
    assert m["macro_f1"]["value"] == pytest.approx(reference.f1_score(truth, decided, average="macro"))
    assert 0 <= m["accuracy"]["low"] < m["accuracy"]["value"] < m["accuracy"]["high"] <= 1


def test_a_thousand_resamples_of_four_thousand_records_take_seconds():
    random = np.random.default_rng(0)
    y, p = (random.random(4000) < 0.3).astype(float), random.random(4000)
    start = time.process_time()

    m = measure(y, p, (p > 0.5).astype(float), np.arange(4000), threshold=0.5)

    assert time.process_time() - start < 10  # about 0.6 s where it was written; room for a loaded machine
    assert m["auroc"]["low"] < 0.5 < m["auroc"]["high"]
