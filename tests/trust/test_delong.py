"""DeLong's covariance and test: a published example, and the definition in n m steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from multimodal.trust.delong import UNKNOWN, areas, compare_areas, placements

# The order of two blood values in 113 patients after a subarachnoid haemorrhage, 41 with a poor outcome and then 72
# with a good one (Turck et al., Intensive Care Medicine 36:107, 2010; the data `aSAH` of the R package pROC). Equal
# numbers are equal values. Recovered from the placements that the tests of pROC expect, all that AUROC sees of them
# (github.com/xrobin/pROC, tests/testthat/helper-deLongPlacementsCpp-expected.R).
NDKA = """
37 24 28 35 3 9 18 43 47 43 43 14 32 39 5 7 30 1 51 39 16 18 22 30 41 26 39 7 49 34 3 12 39 3 11 43 20 32 45 18
35 0 8 6 17 4 34 4 38 29 38 36 46 10 4 23 4 4 50 25 13 13 38 2 6 4 12 27 6 33 44 6 4 23 10 6 27 42 40 15 21 48 4
36 13 17 17 33 2 36 23 10 17 38 17 21 6 13 17 42 8 23 26 44 19 23 10 42 15 31 40 4 29
"""
S100B = """
8 5 11 7 25 30 28 2 19 4 2 23 21 27 30 15 30 30 30 2 30 17 0 4 13 30 15 30 3 15 8 5 6 13 30 9 30 18 30 30 25 8 9
5 1 26 12 5 5 1 3 1 4 6 2 12 2 6 8 12 1 11 9 20 4 29 26 11 2 24 26 6 3 4 3 1 8 5 9 10 1 1 4 1 4 3 11 4 3 19 6 16
2 5 18 2 1 14 22 5 10 3 9 5 2 1 12 10 26 12 10 29 27
"""


@pytest.fixture
def published() -> tuple[np.ndarray, np.ndarray]:
    """y (113,); the scores (2, 113): ndka, s100b."""
    return np.repeat([1, 0], [41, 72]), np.array([NDKA.split(), S100B.split()], dtype=float)


def by_definition(y, scores, patients) -> np.ndarray:
    """Obuchowski 1997, each pair of a case and a control looked at, each patient in turn."""
    cases, controls = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    m, n, k = len(cases), len(controls), len(scores)
    won = np.array([[[(s[i] > s[j]) + (s[i] == s[j]) / 2 for j in controls] for i in cases] for s in scores])
    area = won.mean(axis=(1, 2))
    v10, v01 = won.mean(axis=2), won.mean(axis=1)
    ids = np.unique(patients)
    having = [sum((patients[rows] == one).any() for one in ids) for rows in (cases, controls)]
    s10, s01, s11 = np.zeros((3, k, k))
    for one in ids:
        of_cases, of_controls = patients[cases] == one, patients[controls] == one
        a = v10[:, of_cases].sum(axis=1) - of_cases.sum() * area
        b = v01[:, of_controls].sum(axis=1) - of_controls.sum() * area
        s10 += np.outer(a, a) * having[0] / ((having[0] - 1) * m)
        s01 += np.outer(b, b) * having[1] / ((having[1] - 1) * n)
        s11 += np.outer(a, b) * len(ids) / (len(ids) - 1)
    return s10 / m + s01 / n + (s11 + s11.T) / (m * n)


def test_the_areas_and_their_covariance_are_those_of_the_published_example(published):
    """pROC, tests/testthat: theta of the placements, and cov(r.ndka, r.s100b) of test-cov.R."""
    area, covariance = areas(*published, np.arange(113))

    assert_allclose(area, [0.611957994579946, 0.731368563685637], rtol=1e-12)
    assert covariance[0, 1] == pytest.approx(-0.000756164938056579)


def test_the_comparison_is_that_of_the_published_example(published):
    """pROC, tests/testthat/test-roc.test.R, roc.test(r.ndka, r.s100b): Z = -1.39077002573558."""
    y, (ndka, s100b) = published

    found = compare_areas(y, ndka, s100b, np.arange(113))

    assert found["p"] == pytest.approx(0.164295175223054)
    assert (found["low"], found["high"]) == pytest.approx((-0.2876917446341914, 0.0488706064228094))
    assert found["value"] / ((found["high"] - found["low"]) / 2 / 1.959963984540054) == pytest.approx(-1.39077002573558)


records = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 5), st.integers(0, 9)), min_size=6, max_size=40
)


def both_classes_in_two_patients(drawn) -> bool:
    return all(len({patient for y, _, _, patient in drawn if y == wanted}) > 1 for wanted in (0, 1))


@given(records.filter(both_classes_in_two_patients), st.booleans())
def test_the_covariance_is_that_of_the_definition_with_ties_and_shared_patients(drawn, alone):
    y, a, b, patients = np.array(drawn, dtype=float).T
    if alone:
        patients = np.arange(len(y))
        y[:4] = 0, 0, 1, 1

    area, covariance = areas(y, np.stack([a, b]), patients)

    assert_allclose(area, [roc_auc_score(y, a), roc_auc_score(y, b)])
    assert_allclose(covariance, by_definition(y, [a, b], patients), atol=1e-12)


def test_the_interval_covers_the_true_difference_of_clustered_records_in_9_of_10_samples():
    """Records of a patient are alike, so independence would be assumed wrongly: it covers 70 %. 400 samples are sure to
    1.1 %, so that luck takes 95 % below 90 % with a chance of 1 in 100,000."""
    rng = np.random.default_rng(1)
    covered = {"patients": 0, "records": 0}
    patients = np.repeat(np.arange(60), 4)
    for _ in range(400):
        y = np.repeat(rng.integers(0, 2, 60), 4)
        shared = np.repeat(rng.normal(size=(2, 60)), 4, axis=1)
        a, b = 0.8 * y + shared + 0.5 * rng.normal(size=(2, 240))
        for name, whose in (("patients", patients), ("records", np.arange(240))):
            found = compare_areas(y, a, b, whose)
            covered[name] += found["low"] <= 0 <= found["high"]

    assert covered["patients"] / 400 > 0.90
    assert covered["records"] / 400 < 0.80


def test_a_score_against_itself_differs_by_nothing():
    y, score = np.array([0, 1, 0, 1, 1]), np.array([1, 2, 3, 4, 5])

    assert compare_areas(y, score, score, np.arange(5)) == {"value": 0.0, "low": None, "high": None, "p": 1.0}


def test_without_a_variance_there_is_neither_interval_nor_p():
    """A perfect order against a constant: both areas have variance 0, which says nothing of other samples."""
    y = np.array([0, 0, 1, 1])

    found = compare_areas(y, np.array([1, 2, 3, 4]), np.zeros(4), np.arange(4))

    assert found == {"value": 0.5, "low": None, "high": None, "p": None}


@pytest.mark.parametrize(("y", "known"), [([0, 0, 0], False), ([0, 0, 1], True)], ids=["one class", "one case"])
def test_too_few_records_of_a_class_give_no_test(y, known):
    found = compare_areas(np.array(y), np.array([1, 3, 2]), np.array([3, 2, 1]), np.arange(3))

    assert found == (UNKNOWN | {"value": 0.5} if known else UNKNOWN)


def test_a_placement_is_the_share_of_the_other_class_on_the_right_side():
    """Cases 4 and 2, controls 3, 2, 1: 4 is above all three; 2 above one and level with one."""
    found = placements(np.array([1, 1, 0, 0, 0]), np.array([[4.0, 2, 3, 2, 1]]))

    assert_allclose(found, [[1, 1.5 / 3, 1 / 2, 1.5 / 2, 1]])
