"""When something tells a label too well, and that chance does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.contingency import association
from sklearn.metrics import roc_auc_score

from multimodal.leakage.features import CHANCE, _by_chance
from multimodal.leakage.sources import cramers_v
from multimodal.leakage.telling import ENOUGH, by_boosting, by_level, telling


def people(n: int) -> np.ndarray:
    return np.array([f"P{i}" for i in range(n)], dtype=object)


def test_the_figure_is_scikit_learns():
    random = np.random.default_rng(0)
    y = (np.arange(200) % 3 == 0).astype(float)
    score = y + random.normal(0, 1, 200)

    found = telling(score, y, np.arange(200), people(200), either=False)

    assert found is not None
    assert found.auroc == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert found.low < found.auroc < found.high


def test_a_low_score_tells_as_well_where_nothing_was_fitted():
    y = (np.arange(100) % 2).astype(float)
    rows = np.arange(100)

    assert telling(-y, y, rows, people(100), either=False) is None
    assert telling(-y, y, rows, people(100), either=True).severity == "leak"


def test_patients_count_and_not_records():
    """A hundred records of a few patients are a few patients."""
    y = (np.arange(200) % 2).astype(float)
    few = np.array([f"P{i % (2 * ENOUGH - 2)}" for i in range(200)], dtype=object)

    assert telling(y, y, np.arange(200), few, either=False) is None
    assert telling(y, y, np.arange(200), people(200), either=False) is not None


def test_chance_is_hardly_ever_a_finding():
    """400 scores that know nothing of 25 positives among 60: the lower end above 0.6 needs more than three standard
    deviations (0.076), 1 in 1,000 one-sided, so two directions give 0.8 expected; 6 or more by luck: under 10^-3."""
    random = np.random.default_rng(1)
    y = (np.arange(60) < 25).astype(float)

    told = [telling(random.normal(size=60), y, np.arange(60), people(60), either=True) for _ in range(400)]

    assert sum(one is not None and one.severity is not None for one in told) < 6


def test_what_is_fitted_is_judged_on_other_patients():
    """Each patient has a level and a number of its own: in its own records they would tell all, out of fold nothing."""
    patients = np.repeat(people(60), 3)
    y = np.repeat((np.arange(60) % 2).astype(float), 3)
    number = np.repeat(np.random.default_rng(2).normal(size=60), 3)

    assert roc_auc_score(y, by_level(patients, y, patients)) < 0.6
    assert roc_auc_score(y, by_boosting(number[:, None], y, patients)) < 0.7


def test_cramers_v_is_scipys():
    random = np.random.default_rng(3)
    levels, y = random.integers(0, 4, 300), random.integers(0, 2, 300)
    table = np.array([[((levels == level) & (y == label)).sum() for label in (0, 1)] for level in range(4)])

    assert cramers_v(levels.astype(str), y) == pytest.approx(association(table, method="cramer"), abs=1e-12)


def test_the_chance_that_any_of_thousands_of_columns_reaches_the_bar_is_as_stated():
    """The docstring's figure: 20 against 20, 5,000 columns, 0.6 %; and that it errs towards silence: of 10 against 10 a
    perfect order has chance 2 / C(20, 10) = 1.1e-5, and is given 1.6e-4."""
    y = (np.arange(40) < 20).astype(float)

    assert 5000 * _by_chance(0.95, y, people(40)) == pytest.approx(0.006, rel=0.1)
    assert _by_chance(1.0, y[10:30], people(20)) == pytest.approx(1.6e-4, rel=0.1)
    assert CHANCE == 0.01
