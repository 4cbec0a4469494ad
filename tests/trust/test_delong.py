"""DeLong's covariance and test: a published example, and the definition in n m steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from multimodal.trust.delong import UNKNOWN, areas, compare_areas, placements

# 43 of the 49 patients of DeLong, DeLong and Clarke-Pearson, Biometrics 44:837, 1988: albumin, total protein, K-G
# score, and whether surgery helped; as SAS/STAT prints them in "Comparing Receiver Operating Characteristic Curves"
# (chapter The LOGISTIC Procedure). The event is 0, and lower albumin and protein and a higher score speak for it.
PUBLISHED = """
3.0 5.8 10 0   3.2 6.3  5 1   3.9 6.8  3 1   2.8 4.8  6 0   3.2 5.8  3 1   0.9 4.0  5 0   2.5 5.7  8 0   1.6 5.6  5 1
3.8 5.7  5 1   3.7 6.7  6 1   3.2 5.4  4 1   3.8 6.6  6 1   4.1 6.6  5 1   3.6 5.7  5 1   4.3 7.0  4 1   3.6 6.7  4 0
2.3 4.4  6 1   4.2 7.6  4 0   4.0 6.6  6 0   3.5 5.8  6 1   3.8 6.8  7 1   3.0 4.7  8 0   4.5 7.4  5 1   3.7 7.4  5 1
3.1 6.6  6 1   4.1 8.2  6 1   4.3 7.0  5 1   4.3 6.5  4 1   3.2 5.1  5 1   2.6 4.7  6 1   3.3 6.8  6 0   1.7 4.0  7 0
3.7 6.1  5 1   3.3 6.3  7 1   4.2 7.7  6 1   3.5 6.2  5 1   2.9 5.7  9 0   2.1 4.8  7 1   2.8 6.2  8 0   4.0 7.0  7 1
3.3 5.7  6 1   3.7 6.9  5 1   3.6 6.6  5 1
"""


@pytest.fixture
def published() -> tuple[np.ndarray, np.ndarray]:
    """y (43,), 12 events; the scores (3, 43): albumin, K-G score, total protein."""
    albumin, protein, score, indicator = np.array(PUBLISHED.split(), dtype=float).reshape(-1, 4).T
    return 1 - indicator, np.stack([-albumin, score, -protein])


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


def test_the_areas_and_their_errors_are_those_of_the_published_example(published):
    """SAS/STAT, table "ROC Association Statistics": area, standard error."""
    area, covariance = areas(*published, np.arange(43))

    assert_allclose(area, [0.7366, 0.7258, 0.6478], atol=5e-5)
    assert_allclose(np.sqrt(np.diag(covariance)), [0.0927, 0.1028, 0.1000], atol=5e-5)


def test_the_comparisons_are_those_of_the_published_example(published):
    """SAS/STAT, table "ROC Contrast Estimation and Testing Results by Row": estimate, 95 % limits, p; and the joint
    test of all three, chi-square 2.5340 with 2 degrees of freedom."""
    y, (albumin, score, protein) = published
    area, covariance = areas(y, np.stack([albumin, score, protein]), np.arange(43))
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    away = contrast @ area

    first, second = (list(compare_areas(y, one, score, np.arange(43)).values()) for one in (albumin, protein))

    assert_allclose(first, [0.0108, -0.1761, 0.1976, 0.9102], atol=5e-5)
    assert_allclose(second, [-0.0780, -0.2830, 0.1271, 0.4561], atol=5e-5)
    assert_allclose(away @ np.linalg.solve(contrast @ covariance @ contrast.T, away), 2.5340, atol=5e-5)


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
