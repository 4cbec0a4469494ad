"""Checked measurements to series on a grid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from multimodal.records import Batch
from multimodal.vitals import check
from multimodal.vitals.series import MAX_STEPS, Knots, Series, SeriesPlan


def batch_of(rows, n, ages=None):
    """rows: (record, code, value, unit, hours)."""
    columns = ["record", "code", "value", "unit", "hours"]
    table = pd.DataFrame(rows, columns=columns).assign(where="").sort_values("record", kind="stable")
    ids = np.array([f"r{row}" for row in range(n)], dtype=object)
    return Batch(ids, ids, np.full(n, 50.0) if ages is None else ages, np.full(n, "female", dtype=object), table)


def hourly(n):
    """n records with a heart rate of 60 + i, 70 + i and 80 + i, two, one and no hours before the prediction."""
    return batch_of(
        [(i, "heart_rate", value + i, "/min", hour) for i in range(n) for value, hour in ((60, -2), (70, -1), (80, 0))],
        n,
    )


@pytest.fixture(scope="module")
def plan():
    """Heart rate alone, five steps an hour apart, the score of a rate its tenth above 60."""
    batch = hourly(10)
    learnt = SeriesPlan.of(check(batch), batch)
    return replace(learnt, steps=5, start_hours=-4.0, knots=(Knots((60.0, 100.0), (0.0, 4.0)),))


def test_a_record_worked_by_hand(plan):
    """Steps at -4, -3, -2, -1 and 0 hours; a time belongs to the nearest one, and means are of scores."""
    batch = batch_of(
        [
            (0, "heart_rate", 80, "/min", -2.9),
            (0, "heart_rate", 100, "/min", -3.4),
            (0, "heart_rate", 70, "/min", -0.6),
        ],
        2,
    )
    found = Series.of(check(batch), batch, plan).steps(np.array([0, 1]))

    assert_allclose(found.value[:, :, 0], [[0, 3, 3, 1, 1], [0, 0, 0, 0, 0]])
    assert_array_equal(found.mask[:, :, 0], [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]])
    assert_array_equal(found.delta[:, :, 0], [[0, 1, 1, 2, 1], [0, 1, 2, 3, 4]])


def test_times_outside_the_grid_count_for_its_nearest_end(plan):
    batch = batch_of([(0, "heart_rate", 80, "/min", -90.0)], 1)

    assert Series.of(check(batch), batch, plan).steps(np.array([0])).mask[0, :, 0].tolist() == [1, 0, 0, 0, 0]


def test_the_grid_has_the_step_at_which_the_training_records_were_measured():
    batch = hourly(10)
    found = SeriesPlan.of(check(batch), batch)

    assert (found.steps, found.start_hours, found.step_hours) == (3, -2.0, 1.0)


def test_the_grid_is_coarser_where_steps_would_be_too_many():
    rows = [(i, "heart_rate", 80, "/min", -hour / 10) for i in range(5) for hour in range(100)]
    batch = batch_of(rows, 5)
    found = SeriesPlan.of(check(batch), batch)

    assert found.steps == MAX_STEPS
    assert_allclose(found.start_hours + (MAX_STEPS - 1) * found.step_hours, -0.1, atol=0.11)


def test_one_moment_a_record_is_one_step_whenever_it_was():
    batch = batch_of([(i, "heart_rate", 80, "/min", -float(i)) for i in range(10)], 10)

    assert SeriesPlan.of(check(batch), batch).steps == 1


def test_the_plan_is_read_as_it_was_written(plan):
    assert SeriesPlan.from_json(plan.to_json()) == plan


def test_a_score_is_the_normal_quantile_of_the_rank():
    """Of 101 values each is a quantile; 30 stands at the 30 % point."""
    knots = Knots.of(np.arange(101.0))

    assert_allclose(knots.scores(np.array([30.0, 50.0])), norm.ppf([0.3, 0.5]), atol=1e-9)
    assert_array_equal(knots.scores(np.array([-1e9, 1e9])), knots.scores(np.array([0.0, 100.0])))


def test_a_value_that_most_have_gets_the_score_of_its_middle_rank():
    """Half of the scores of a coma scale are 15, which are the ranks from 50 to 100 %."""
    scores = Knots.of(np.append(np.full(100, 15.0), np.linspace(3, 14, 100)))

    assert_allclose(scores.scores(np.array([15.0])), norm.ppf(0.75), atol=0.02)


def test_a_missing_age_is_told_from_an_average_one(plan):
    batch = batch_of([(0, "heart_rate", 80, "/min", 0.0)], 2, np.array([np.nan, 50.0]))
    found = Series.of(check(batch), batch, plan).static

    assert plan.static.names == ("age_years", "sex")
    assert_allclose(found[:, [0, 2]], [[0, 1], [0, 0]], atol=1e-6)


def test_the_arrays_are_those_of_the_records_asked_for_in_that_order():
    batch = hourly(10)
    checked = check(batch)
    series = Series.of(checked, batch, SeriesPlan.of(checked, batch))
    rows = np.array([7, 2, 5])
    whole, some = series.steps(np.arange(10)), series.steps(rows)

    for name in ("value", "mask", "delta", "static"):
        assert_array_equal(getattr(some, name), getattr(whole, name)[rows])
