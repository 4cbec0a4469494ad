"""Subgroups: who is in which, what is suppressed, and a difference that is checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from multimodal.trust.bootstrap import draw
from multimodal.trust.metrics import sample
from multimodal.trust.subgroups import COMPARED, Parting, by_age, by_value, comparisons, crossed, measure_subgroups


def groups(parting: Parting) -> list[str]:
    return [parting.names[i] for i in parting.of]


def test_an_age_is_in_the_band_that_it_has_reached():
    ages = [0, 17.99, 18, 39.9, 40, 64.9, 65, 79.9, 80, 104, np.nan]

    bands = by_age(np.array(ages))

    named = ["<18", "<18", "18-39", "18-39", "40-64", "40-64", "65-79", "65-79", "80+", "80+", "unknown"]
    assert groups(bands) == named
    assert bands.names == ("<18", "18-39", "40-64", "65-79", "80+", "unknown")


def test_groups_stand_in_the_order_that_is_given_and_the_unknown_last():
    assert by_value(["male", "", "other", "female"], ("female", "male", "other")).names == (
        "female",
        "male",
        "other",
        "unknown",
    )
    assert by_value(["west", "east"]).names == ("east", "west")


def test_two_columns_are_crossed():
    both = crossed({"sex": by_value(["f", "m", "f"]), "age": by_age(np.array([30.0, 30, 90]))})

    assert list(both) == ["sex", "age", "sex x age"]
    assert groups(both["sex x age"]) == ["f, 18-39", "m, 18-39", "f, 80+"]


@pytest.fixture
def cohort():
    """300 records of 150 patients; groups a (160), b (100), c (25, of which 2 positive), d (10), e (5)."""
    random = np.random.default_rng(0)
    y = (np.arange(300) % 3 == 0).astype(float)
    of = np.repeat([0, 1, 2, 3, 4], [160, 100, 25, 10, 5])
    y[260:285] = np.arange(25) < 2
    p = np.clip(0.4 * y + 0.6 * random.random(300), 0, 1)
    drawn = draw(np.arange(300) // 2, resamples=100)

    def figures(rows):
        return sample(y[rows], p[rows], p[rows] > 0.5, drawn.of(rows), threshold=0.5)

    return y, p, Parting(("a", "b", "c", "d", "e"), of), figures, drawn


def test_small_groups_have_no_figures_and_the_smallest_no_counts(cohort):
    _, _, parting, figures, _ = cohort

    found = measure_subgroups({"site": parting}, np.ones(300, dtype=bool), figures, np.sum)["site"]

    assert [group["suppressed"] for group in found.values()] == [False, False, True, True, True]
    assert [group["n"] for group in found.values()] == [160, 100, 25, 10, None]
    assert (found["c"]["positives"], found["d"]["positives"], found["e"]["positives"]) == (2, 4, None)
    assert all(found[name]["fused"] is found[name]["difference"] is None for name in "cde")
    assert [group["ece_expected"] for group in found.values()] == [160, 100, None, None, None]


def test_a_group_is_compared_with_everybody_else_resample_by_resample(cohort):
    y, p, parting, figures, drawn = cohort

    found = measure_subgroups({"site": parting}, np.ones(300, dtype=bool), figures, np.sum)["site"]["b"]

    inside = parting.of == 1
    by_hand = [
        roc_auc_score(y[inside], p[inside], sample_weight=w[inside])
        - roc_auc_score(y[~inside], p[~inside], sample_weight=w[~inside])
        for w in next(drawn.weights())
    ]
    difference = found["difference"]["auroc"]
    assert list(found["difference"]) == list(COMPARED)
    assert difference["value"] == pytest.approx(
        roc_auc_score(y[inside], p[inside]) - roc_auc_score(y[~inside], p[~inside])
    )
    assert_allclose([difference["low"], difference["high"]], np.percentile(by_hand, [2.5, 97.5]))


def test_only_the_records_that_count_are_in_a_group(cohort):
    _, _, parting, figures, _ = cohort

    found = measure_subgroups({"site": parting}, np.arange(300) < 100, figures, np.sum)["site"]

    assert list(found) == ["a"]
    assert (found["a"]["n"], found["a"]["difference"]) == (100, None)


def test_the_comparisons_are_counted_over_the_targets(cohort):
    _, _, parting, figures, _ = cohort
    found = measure_subgroups({"site": parting}, np.ones(300, dtype=bool), figures, np.sum)

    assert comparisons({"one": {"subgroups": found}, "two": {"subgroups": found}, "three": {"subgroups": {}}}) == 4
