"""Groups and folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from multimodal.model.folds import join_groups, make_folds
from multimodal.records import CohortError


def test_patients_and_identical_items_are_joined_along_a_chain():
    """a and b share a patient, b and c a note, d and e an image; f stands alone."""
    patients = ["P1", "P1", "P2", "P3", "P4", "P5"]
    notes = [(1, "same"), (2, "same"), (3, "other")]
    images = [(3, "picture"), (4, "picture"), (5, "same")]

    assert_array_equal(join_groups(patients, [notes, images]), [0, 0, 0, 1, 1, 2])


@given(groups=st.lists(st.integers(0, 40), min_size=60, max_size=120), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_no_group_is_split_and_every_record_has_one_fold(groups, seed):
    groups = np.array([*groups, 100, 101, 102])
    y = (np.arange(len(groups)) % 3 == 0).astype(float)[:, None]
    folds = make_folds(y, groups, 3, random_state=seed)

    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert set(folds) <= {0, 1, 2}


def test_fewer_groups_than_folds_cannot_be_cross_fitted():
    with pytest.raises(CohortError, match="its records are of 2 unrelated patients, fewer than the 3 folds"):
        make_folds(np.zeros((9, 1)), np.arange(9) % 2, 3, random_state=0)


def test_folds_are_stratified_by_the_rarest_known_label():
    y = np.zeros((300, 2))
    y[:150, 0], y[:30, 1] = 1, 1
    y[290:] = np.nan
    folds = make_folds(y, np.arange(300), 3, random_state=0)

    assert [int(np.nansum(y[folds == fold, 1])) for fold in range(3)] == [10, 10, 10]
