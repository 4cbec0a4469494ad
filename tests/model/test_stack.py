"""What stands on the encoders' evidence, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from multimodal.model.stack import fit_stack
from multimodal.trust.metrics import ece
from multimodal.trust.site import SiteMap


def drawn(n, seed, informative=(1.5, 1.0), missing=0.2):
    """n records of one target: evidence that is the true log-ratio, over-confident by 2 as encoders are."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 1)) < 0.3).astype(float)
    d = np.array(informative)
    ratio = d * (rng.normal(size=(n, 2)) + d * (y - 0.5))
    evidence = {"image": 2 * ratio[:, [0], None], "notes": 2 * ratio[:, [1], None]}
    return evidence, rng.random((n, 2)) >= missing, y, ratio


@pytest.fixture(scope="module")
def fitted():
    evidence, present, y, _ = drawn(1500, 0)
    folds = np.arange(1500) % 3
    return fit_stack(evidence, present, y, folds, [(0,)], random_state=0, device="cpu")


def test_fresh_records_are_answered_as_well_as_by_the_truth_and_calibrated(fitted):
    evidence, present, y, ratio = drawn(20_000, 1)
    value = fitted.value(fitted.z(evidence), present)[-1]
    truth = (ratio * present).sum(axis=1)

    assert roc_auc_score(y, value) > roc_auc_score(y, truth) - 0.005
    assert ece(y[:, 0], expit(value[:, 0])) < 0.03


def test_what_an_absent_modality_says_changes_nothing(fitted):
    evidence, present, _, _ = drawn(200, 2)
    tampered = {name: np.where(present[:, m, None, None], one, 50.0) for m, (name, one) in enumerate(evidence.items())}

    assert_array_equal(fitted.value(fitted.z(tampered), present), fitted.value(fitted.z(evidence), present))


def test_a_useless_modality_does_not_pull_the_fused_answer_below_the_single_one():
    evidence, present, y, _ = drawn(900, 3, informative=(1.5, 0.0), missing=0.0)
    stack = fit_stack(evidence, present, y, np.arange(900) % 3, [(0,)], random_state=0, device="cpu")
    evidence, present, y, _ = drawn(20_000, 4, informative=(1.5, 0.0), missing=0.0)
    value = stack.value(stack.z(evidence), present)

    assert roc_auc_score(y, value[3]) > roc_auc_score(y, value[1]) - 0.005


def test_the_classes_of_a_group_start_from_their_shares():
    rng = np.random.default_rng(0)
    which = rng.choice(3, size=600, p=[0.5, 0.3, 0.2])
    y = np.eye(3)[which]
    evidence = {"notes": (2 * y + rng.normal(size=y.shape))[:, None, :]}
    present = np.ones((600, 1), bool)
    stack = fit_stack(evidence, present, y, np.arange(600) % 3, [(0, 1, 2)], random_state=0, device="cpu")

    assert_allclose(stack.probabilities(stack.base[None])[0], (y.sum(axis=0) + 1) / 603)
    assert_allclose(stack.probabilities(stack.value(stack.z(evidence), present)[-1]).sum(axis=1), 1)


def test_a_modality_that_knows_nothing_leaves_the_classes_at_their_shares():
    """Each class is answered against the others: the prior must not count twice."""
    rng = np.random.default_rng(0)
    y = np.eye(3)[rng.choice(3, size=3000, p=[0.7, 0.2, 0.1])]
    evidence = {"notes": rng.normal(size=(3000, 1, 3)), "vitals": rng.normal(size=(3000, 1, 3))}
    stack = fit_stack(
        evidence, np.ones((3000, 2), bool), y, np.arange(3000) % 3, [(0, 1, 2)], random_state=0, device="cpu"
    )
    value = stack.value(stack.z(evidence), np.ones((3000, 2), bool))

    for one in value:
        assert_allclose(stack.probabilities(one).mean(axis=0), y.mean(axis=0), atol=0.02)


def test_what_another_site_needed_is_taken_back_before_prediction_sets(fitted):
    """So that a recalibration changes no set, of a target by itself and of the classes of a group."""
    evidence, present, _, _ = drawn(300, 5)
    site = SiteMap(np.array([0.7]), np.array([1.6]))
    moved = replace(fitted, site=site)
    before, after = (one.probabilities(one.value(one.z(evidence), present)[-1]) for one in (fitted, moved))

    assert np.abs(after - before).max() > 0.05
    assert_allclose(moved.before_site(after), before, atol=1e-9)

    pair = replace(
        fitted, base=np.log([0.3, 0.7]), units=((0, 1),), site=SiteMap(np.array([0.4, -0.2]), np.full(2, 1.6))
    )
    value = np.random.default_rng(0).normal(size=(50, 2))
    there = pair.probabilities(pair.site.value(value, pair.base))

    assert_allclose(pair.before_site(there), pair.probabilities(value), atol=1e-9)
