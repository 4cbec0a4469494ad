"""Which columns may only raise, or only lower, a risk."""

import pytest
from numpy.testing import assert_array_equal

from multimodal.vitals import FeaturePlan, directions, read_constraints

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


@pytest.mark.parametrize("entry", ["lactate", "lactate=more", "=up", "death:=up", ""])
def test_what_is_no_constraint_is_refused(entry):
    with pytest.raises(ValueError, match="write CODE=up"):
        read_constraints([entry])
