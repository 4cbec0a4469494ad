"""The late-fusion head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.metrics import log_loss

from multimodal.fusion.head import VARIANTS, fit_head

BASE = np.array([-0.8, 0.3])


@pytest.fixture(scope="module")
def known_truth():
    return drawn(1)


def drawn(seed):
    """3,000 records of two targets and three modalities whose z are true log-odds given y; a third is missing."""
    rng = np.random.default_rng(seed)
    y = (rng.random((3000, 2)) < expit(BASE)).astype(float)
    d = np.array([1.5, 1.0, 0.5])
    evidence = rng.normal(size=(3000, 3, 2)) + d[None, :, None] * (y[:, None] - 0.5)
    return evidence * d[None, :, None], rng.random((3000, 3)) < 0.7, y


@pytest.fixture(scope="module")
def head(known_truth):
    z, present, y = known_truth
    return fit_head(z, present, y, BASE, random_state=0, device="cpu")


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_modality_gives_exactly_the_base_rate_and_one_exactly_its_own_log_odds(head, known_truth, variant):
    z = known_truth[0][:50]
    nothing = np.zeros((50, 3), bool)
    image = np.repeat([[True, False, False]], 50, axis=0)

    assert_array_equal(head.logits(z, nothing, variant), np.repeat(BASE[None], 50, axis=0))
    assert_allclose(head.logits(z, image, variant), BASE + z[:, 0], atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@given(filler=st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=25)
def test_what_an_absent_modality_holds_cannot_change_the_score(head, known_truth, variant, filler):
    z, present = known_truth[0][:40], known_truth[1][:40]
    tampered = np.where(present[:, :, None], z, filler)

    assert_array_equal(head.logits(tampered, present, variant), head.logits(z, present, variant))


def test_where_the_sum_is_the_truth_the_learnt_head_stays_close_to_it(head):
    """Naive Bayes is exact here: the slopes must stay near 1, and on fresh records the learnt variants lose nothing."""
    z, present, y = drawn(5)
    losses = [log_loss(y.ravel(), expit(head.logits(z, present, variant)).ravel()) for variant in VARIANTS]

    assert_allclose(head.slope, 1, atol=0.25)
    assert_allclose(losses, losses[0], atol=0.005)


def test_an_interaction_is_learnt_by_the_gate_alone():
    """y is the exclusive or of two modalities: no sum can tell, the gate can."""
    rng = np.random.default_rng(2)
    z = rng.choice([-2.0, 2.0], size=(2000, 2, 1))
    y = (z[:, 0] * z[:, 1] < 0).astype(float)
    present = np.ones((2000, 2), bool)
    head = fit_head(z, present, y, np.zeros(1), random_state=0, device="cpu")
    found = {name: log_loss(y[:, 0], expit(head.logits(z, present, name))[:, 0]) for name in VARIANTS}

    assert found["additive"] > 0.65
    assert found["gated"] < 0.5


def test_unknown_labels_carry_no_loss(known_truth):
    z, present, y = known_truth
    known = np.where(np.arange(3000)[:, None] < 1500, y, np.nan)
    ours = fit_head(z, present, known, BASE, random_state=0, device="cpu")
    half = fit_head(z[:1500], present[:1500], y[:1500], BASE, random_state=0, device="cpu")

    assert_allclose(ours.slope, half.slope, atol=1e-3)


def test_a_single_modality_needs_no_head():
    head = fit_head(
        np.ones((30, 1, 1)), np.ones((30, 1), bool), np.ones((30, 1)), np.zeros(1), random_state=0, device="cpu"
    )

    assert (head.slope.tolist(), head.shift.tolist(), head.gate) == ([[1.0]], [[0.0]], {})
