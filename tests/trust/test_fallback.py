"""A bedside rule in the place of a model that abstains, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from multimodal.records import RULES
from multimodal.trust.fallback import FALLBACKS, check_fallback, fall_back

NAN = np.nan
DECISION = np.array([[1.0, 0.0], [NAN, NAN], [NAN, NAN], [NAN, NAN]])
ABSTAINED = np.array([False, True, True, True])
ALERT = np.array([0.0, 1.0, 0.0, NAN])


def test_the_rule_decides_the_risks_of_those_abstained_on_and_nothing_else():
    """Columns: a risk, a diagnosis. Record 0 was decided by the model, the rule of 3 cannot be computed."""
    decision, decided = fall_back(DECISION, ABSTAINED, ALERT, np.array([True, False]))

    assert_array_equal(decision, [[1, 0], [1, NAN], [0, NAN], [NAN, NAN]])
    assert_array_equal(decided, [False, True, True, False])


def test_without_a_risk_nothing_is_decided():
    decision, decided = fall_back(DECISION, ABSTAINED, ALERT, np.array([False, False]))

    assert_array_equal(decision, DECISION)
    assert not decided.any()


def test_a_fallback_is_none_or_a_rule():
    assert ("none", *RULES) == FALLBACKS
    assert [check_fallback(name) for name in FALLBACKS] == list(FALLBACKS)
    with pytest.raises(ValueError) as caught:
        check_fallback("new2")
    assert str(caught.value) == ("a fallback is one of none, news2, qsofa, shock_index, sofa; did you mean 'news2'?")
