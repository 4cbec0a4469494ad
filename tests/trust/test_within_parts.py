"""The AUROC of pairs of the same part."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from multimodal.trust.within_parts import auroc_within_parts


def test_one_part_is_the_plain_auroc():
    random = np.random.default_rng(0)
    y, score = (random.random(200) < 0.3).astype(float), random.random(200).round(1)

    found = auroc_within_parts(y, score, np.zeros(200), np.arange(200), resamples=0)

    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(y, score))
    assert found["pairs"] == y.sum() * (1 - y).sum()


def test_only_pairs_of_the_same_part_count():
    """By hand. Part a: positive 0.4, negatives 0.3 and 0.4: 1 + 0.5 of 2 pairs. Part b: positives 0.9 and 0.8, negative
    0.7: 2 of 2. Together 3.5 of 4; the positive of a lies below the negative of b, which does not count."""
    y = np.array([1, 0, 0, 1, 1, 0.0])
    score = np.array([0.4, 0.3, 0.4, 0.9, 0.8, 0.7])

    found = auroc_within_parts(y, score, np.array(list("aaabbb")), np.arange(6), resamples=0)

    assert found == {"pairs": 4, "auroc": {"value": 3.5 / 4, "low": None, "high": None}}


def test_answers_that_know_the_part_alone_are_worth_nothing_within():
    """Each part answered with the base rate of the others: below 0.5 over all records, 0.5 within."""
    part = np.repeat([0, 1], 100)
    y = np.r_[np.arange(100) < 80, np.arange(100) < 20].astype(float)
    score = np.where(part == 0, 0.2, 0.8)

    found = auroc_within_parts(y, score, part, np.arange(200), resamples=50)["auroc"]

    assert roc_auc_score(y, score) < 0.3
    assert (found["value"], found["low"], found["high"]) == (0.5, 0.5, 0.5)


def test_an_interval_is_of_resampled_patients():
    random = np.random.default_rng(1)
    y = (random.random(120) < 0.5).astype(float)
    score, part = y * 0.3 + random.random(120), np.repeat([0, 1], 60)

    found, again = (auroc_within_parts(y, score, part, np.arange(120) // 2, resamples=100) for _ in range(2))

    assert found == again
    assert found["auroc"]["low"] < found["auroc"]["value"] < found["auroc"]["high"]


def test_without_a_pair_there_is_no_figure():
    none = {"pairs": 0, "auroc": {"value": None, "low": None, "high": None}}

    assert auroc_within_parts(np.array([1.0, 0.0]), np.array([0.2, 0.1]), np.array([0, 1]), np.arange(2)) == none
    assert auroc_within_parts(np.empty(0), np.empty(0), np.empty(0), np.empty(0)) == none
