"""Times are hours relative to the prediction, however they are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.records.times import relative_hours

NOON = "2024-03-10T12:00:00"


@pytest.mark.parametrize(
    ("time", "prediction", "hours"),
    [
        ("", "", 0.0),
        ("", NOON, 0.0),
        ("-46.717", "", -46.717),
        ("-1e1", NOON, -10.0),
        ("0", "", 0.0),
        ("2024-03-10T11:30:00", NOON, -0.5),
        ("2024-03-10", NOON, -12.0),
        ("20240310", NOON, -12.0),
        ("20240310", "20240311", -24.0),
        ("-20240310", NOON, -20240310.0),
        ("2024-03-10T12:00:00+01:00", "2024-03-10T12:00:00Z", -1.0),
        # Two days over the change to summer time in Berlin, which lasts 47 hours.
        ("2024-03-30T12:00:00+01:00", "2024-04-01T12:00:00+02:00", -47.0),
    ],
)
def test_a_time_is_hours_before_the_prediction(time, prediction, hours):
    found, refused = relative_hours([time], np.array([0]), [prediction])

    assert refused == {}
    assert found[0] == hours


@pytest.mark.parametrize(
    ("time", "prediction", "code", "message"),
    [
        ("yesterday", NOON, "BAD_VALUE", "time 'yesterday' is neither ISO 8601 nor a number of hours"),
        ("nan", NOON, "BAD_VALUE", "time 'nan' is neither ISO 8601 nor a number of hours"),
        ("inf", NOON, "BAD_VALUE", "time 'inf' is neither ISO 8601 nor a number of hours"),
        (NOON, "", "BAD_VALUE", "a timestamp, but the record has no prediction_time"),
        ("20240310", "", "BAD_VALUE", "a timestamp, but the record has no prediction_time"),
        ("20241310", NOON, "BAD_VALUE", "time '20241310' is neither ISO 8601 nor a number of hours"),
        ("20240311", NOON, "FUTURE_INPUT", "12 hours after the prediction time"),
        (NOON + "Z", NOON, "BAD_VALUE", "of this time and prediction_time, only one has an offset"),
        ("0.5", "", "FUTURE_INPUT", "0.5 hours after the prediction time"),
        ("2024-03-10T13:00", NOON, "FUTURE_INPUT", "1 hours after the prediction time"),
    ],
)
def test_a_time_that_cannot_be_placed_is_refused(time, prediction, code, message):
    found, refused = relative_hours([time], np.array([0]), [prediction])

    assert np.isnan(found[0])
    assert refused[0].problem == (code, "", message)


@given(st.lists(st.tuples(st.sampled_from(["", "-3", "x", NOON, NOON + "Z", "4"]), st.integers(0, 1)), min_size=1))
def test_each_time_is_read_by_itself(items):
    """A column gives what its cells give one at a time."""
    times, records = [time for time, _ in items], np.array([record for _, record in items])
    hours, refused = relative_hours(times, records, [NOON, ""])

    for i, (time, record) in enumerate(items):
        alone, alone_refused = relative_hours([time], np.array([record]), [NOON, ""])
        np.testing.assert_array_equal(hours[i], alone[0])
        assert (i in refused) == (0 in alone_refused)
