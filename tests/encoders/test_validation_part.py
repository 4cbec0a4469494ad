"""Which records decide when a training ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.encoders.validation_part import validation_part
from multimodal.records import UsageError


@given(
    groups=st.lists(st.integers(0, 9), min_size=2, max_size=40).filter(lambda groups: len(set(groups)) > 1),
    share=st.floats(0.01, 0.5),
    seed=st.integers(0, 9),
)
def test_whole_groups_are_held_out_at_least_one_and_never_all(groups, share, seed):
    groups = np.array(groups)
    rows = np.arange(len(groups))
    learnt, held = validation_part(rows, groups, share, seed)

    assert sorted([*learnt, *held]) == rows.tolist()
    assert not set(groups[learnt]) & set(groups[held])
    assert len(learnt) > 0
    assert len(held) > 0


def test_one_patient_cannot_be_divided():
    with pytest.raises(UsageError) as caught:
        validation_part(np.arange(3), np.zeros(3), 0.1, 0)

    assert str(caught.value) == (
        "image.validation holds patients out; the records with a label and an image are of one only"
    )


def test_without_a_share_all_are_learnt_from():
    learnt, held = validation_part(np.array([1, 3]), np.zeros(4), 0.0, 0)

    assert learnt.tolist() == [1, 3]
    assert not len(held)
