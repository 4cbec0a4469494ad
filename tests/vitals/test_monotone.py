"""Which columns may only raise, or only lower, a risk."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from multimodal.records import measurement_table
from multimodal.vitals import FeaturePlan, check_constraints, directions, mixed, read_constraints

PLAN = FeaturePlan(series=("gcs_total",), single=("lactate",), flags=("mechanical_ventilation",))


def signs(*entries, target="death"):
    return dict(zip(PLAN.names, directions(PLAN, read_constraints(entries), target).tolist(), strict=True))


def test_the_values_of_a_quantity_are_constrained_and_its_course_is_not():
    found = signs("gcs_total=down", "lactate=up", "age_years=up")

    assert {name for name, sign in found.items() if sign < 0} == {
        f"gcs_total.{summary}" for summary in ("first", "last", "min", "max", "mean", "recent")
    }
    assert {name for name, sign in found.items() if sign > 0} == {"lactate.last", "age_years"}


def test_a_constraint_may_hold_for_one_target_alone():
    assert signs("death:lactate=up")["lactate.last"] == 1
    assert signs("death:lactate=up", target="discharge")["lactate.last"] == 0


def test_without_constraints_nothing_is_constrained():
    assert_array_equal(list(signs().values()), 0)


def test_the_entry_of_a_target_counts_before_that_of_all():
    assert signs("death:lactate=up", "lactate=down")["lactate.last"] == 1
    assert signs("lactate=down", "death:lactate=up", target="discharge")["lactate.last"] == -1


def test_of_a_flag_all_that_says_how_much_of_it_there_was_is_constrained():
    found = signs("mechanical_ventilation=up")

    assert {name for name, sign in found.items() if sign} == {
        f"mechanical_ventilation.{summary}" for summary in ("any", "last", "share")
    }


def test_what_is_made_of_a_constrained_quantity_is_left_out_unless_it_is_constrained_itself():
    """A shock index of a faster pulse is higher, and so is NEWS2."""
    plan = FeaturePlan(series=("heart_rate",), derived=("shock_index", "pao2_fio2"), per_record=("news2", "sofa"))

    def left_out(*entries):
        marks = mixed(plan, read_constraints(entries), "death")
        return {name.rpartition(".")[0] or name for name in np.array(plan.names)[marks]}

    assert left_out("heart_rate=up") == {"shock_index", "news2"}
    assert left_out("heart_rate=up", "shock_index=up") == {"news2"}
    assert left_out() == set()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("lactat=up", "there is no quantity 'lactat'; did you mean 'lactate'"),
        ("icu_type=up", "there is no quantity 'icu_type'"),
        ("deth:lactate=up", "there is no target 'deth'; did you mean 'death'"),
    ],
)
def test_a_constraint_on_what_there_is_not_is_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        check_constraints(read_constraints([entry]), measurement_table(), ["death"])


def test_up_and_down_at_once_is_refused():
    with pytest.raises(ValueError, match="lactate cannot be up and down"):
        read_constraints(["lactate=up", "lactate=down"])


@pytest.mark.parametrize("entry", ["lactate", "lactate=more", "=up", "death:=up", ""])
def test_what_is_no_constraint_is_refused(entry):
    with pytest.raises(ValueError, match="write CODE=up"):
        read_constraints([entry])
