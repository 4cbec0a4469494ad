"""How the coverage of prediction sets is counted."""

import numpy as np
import pytest

from multimodal.trust.bootstrap import draw
from multimodal.trust.coverage import least_coverage, measure_sets


def test_what_the_sets_hold_is_counted_as_in_a_table_worked_by_hand():
    """Five records: sets {0}, {1}, {0, 1}, {}, {1}; true labels 0, 0, 1, 1, 1: three are covered."""
    held = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 1]], dtype=bool)
    truth = np.array([0, 0, 1, 1, 1])
    parts = [("label 0", truth == 0), ("label 1", truth == 1), ("image", np.zeros(5, dtype=bool))]

    found = measure_sets(held, truth, 0.9, parts, draw(np.arange(5), resamples=0))

    assert list(found) == ["all", "label 0", "label 1"]
    assert found["all"]["coverage"] == {"value": 3 / 5, "low": None, "high": None}
    assert (found["all"]["n"], found["all"]["size"], found["all"]["empty"]) == (5, 1.0, 0.2)
    assert found["label 0"]["coverage"]["value"] == 1 / 2
    assert found["label 1"]["coverage"]["value"] == 2 / 3


@pytest.mark.parametrize(("n", "least"), [(100, 0.9 - 2 * 0.03), (900, 0.9 - 0.02), (10_000, 0.9 - 0.02)])
def test_the_least_is_two_standard_errors_or_two_percent_below(n, least):
    """The standard error of a share of 0.9 of 100 is sqrt(0.9 x 0.1 / 100) = 0.03."""
    assert least_coverage(0.9, n) == pytest.approx(least)


def test_the_interval_is_of_patients():
    covered = np.tile([True, False], 50)
    held = np.stack([covered, np.zeros(100, dtype=bool)], axis=1)

    low, high = (
        measure_sets(held, np.zeros(100, dtype=int), 0.9, [], draw(np.arange(100), resamples=2000))["all"]["coverage"][
            key
        ]
        for key in ("low", "high")
    )

    # Of 100 independent records: 0.5 +- 1.96 x 0.05.
    assert (low, high) == (pytest.approx(0.402, abs=0.015), pytest.approx(0.598, abs=0.015))
