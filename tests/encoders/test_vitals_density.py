"""How common measurements are: a record like those of the training is, one with a lone pulse or a swapped unit not."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.encoders.inputs import READERS
from multimodal.encoders.vitals_density import VitalsDensity
from multimodal.records import Batch

N = 400
UNITS = {
    "heart_rate": "/min",
    "systolic_bp": "mm[Hg]",
    "diastolic_bp": "mm[Hg]",
    "temperature": "Cel",
    "glucose": "mg/dL",
}
OFTEN = 0.7
"""The share of records that have a glucose; all else every record has."""


def read(records, ages=60.0):
    """records: {code: value} each, read by the real reader."""
    rows = [
        (row, code, str(value), UNITS[code], 0.0, "") for row, one in enumerate(records) for code, value in one.items()
    ]
    ids = np.array([f"r{row}" for row in range(len(records))], dtype=object)
    columns = ["record", "code", "value", "unit", "hours", "where"]
    sexes = np.full(len(records), "female", dtype=object)
    batch = Batch(
        ids, ids, np.broadcast_to(ages, len(records)).astype(float), sexes, pd.DataFrame(rows, columns=columns)
    )
    return READERS["vitals"](batch, {"convert_suspect": False}, workers=1)


def patients(seed, n=N):
    """Pressures that go together, and everything else by itself."""
    rng = np.random.default_rng(seed)
    systolic = rng.normal(125, 18, n)
    found = []
    for pressure in systolic:
        one = {"systolic_bp": round(pressure, 1), "diastolic_bp": round(0.6 * pressure + rng.normal(0, 4), 1)}
        one |= {"heart_rate": round(rng.normal(80, 12)), "temperature": round(rng.normal(37, 0.5), 1)}
        found.append(one | ({"glucose": round(rng.normal(120, 25))} if rng.random() < OFTEN else {}))
    return found


@pytest.fixture(scope="module")
def density():
    return VitalsDensity().fit(read(patients(0), np.random.default_rng(1).uniform(30, 80, N)))


@pytest.fixture(scope="module")
def limits(density):
    """What 2 % of other patients exceed."""
    found = density.novelty(read(patients(2, 1000), np.random.default_rng(3).uniform(30, 80, 1000)))
    return {measure: np.quantile(values, 0.98) for measure, values in found.items()}


ORDINARY = {"systolic_bp": 120, "diastolic_bp": 72, "heart_rate": 80, "temperature": 37.0, "glucose": 110}


def strange(density, limits, record, age=60.0):
    """The measures by which a record is beyond the limit."""
    found = density.novelty(read([record], age))
    return {measure for measure, values in found.items() if values[0] > 1.0001 * limits[measure]}


def test_an_ordinary_record_is_common_with_and_without_what_the_training_often_lacks(density, limits):
    without = {code: value for code, value in ORDINARY.items() if code != "glucose"}

    assert strange(density, limits, ORDINARY) == set()
    assert strange(density, limits, without) == set()


def test_a_lone_pulse_is_strange_by_what_was_measured(density, limits):
    assert strange(density, limits, {"heart_rate": 80}) == {"measured"}


def test_a_diastolic_pressure_next_to_the_systolic_is_strange_though_each_is_usual(density, limits):
    assert "oddest" in strange(density, limits, ORDINARY | {"systolic_bp": 95, "diastolic_bp": 92})
    assert strange(density, limits, ORDINARY | {"systolic_bp": 95, "diastolic_bp": 58}) == set()
    assert strange(density, limits, ORDINARY | {"systolic_bp": 155, "diastolic_bp": 92}) == set()


def test_a_value_far_outside_the_training_is_strange_and_the_farther_the_more(density, limits):
    """A glucose of 800 that is plausible, in patients of whom none had above 220."""
    assert "oddest" in strange(density, limits, ORDINARY | {"glucose": 800})
    far, farther = density.novelty(read([ORDINARY | {"glucose": value} for value in (400, 800)]))["oddest"]
    assert farther > far


def test_a_record_of_extremes_in_all_is_strange(density, limits):
    extreme = {"systolic_bp": 165, "diastolic_bp": 60, "heart_rate": 52, "temperature": 38.1, "glucose": 180}

    assert "values" in strange(density, limits, extreme)


def test_a_child_among_adults_is_strange(density, limits):
    assert "oddest" in strange(density, limits, ORDINARY, age=1.0)


def test_without_a_measurement_there_is_no_novelty(density):
    found = density.novelty(read([{}, ORDINARY]))

    for values in found.values():
        assert_array_equal(np.isnan(values), [True, False])
        assert values[1] > 0


def test_the_distance_is_the_mahalanobis_distance_of_what_is_there(density):
    """Of two scores with correlation r it is the root of (a^2 - 2 r a b + b^2) / (2 (1 - r^2)); the deviation of a from
    what b lets expect (a - r b) / sqrt(1 - r^2)."""
    place = [density.quantities_.index(code) for code in ("systolic_bp", "diastolic_bp")]
    r = density.correlation_[tuple(place)]
    scores = np.full((1, len(density.quantities_) + 1), np.nan)
    scores[0, place] = a, b = 1.5, -0.5
    whole, oddest = density._apart(scores)

    assert r > 0.8
    assert_allclose(whole, np.sqrt((a * a - 2 * r * a * b + b * b) / (2 * (1 - r * r))))
    assert_allclose(oddest, abs(a - r * b) / np.sqrt(1 - r * r))


def test_neighbours_do_not_matter_and_saved_and_loaded_is_the_same_to_the_bit(density, tmp_path):
    inputs = read(patients(4, 30))
    density.save(tmp_path)
    found, again = density.novelty(inputs), VitalsDensity.load(tmp_path).novelty(inputs)

    for measure, values in found.items():
        assert_array_equal(again[measure], values)
        assert_allclose(density.novelty(inputs.take(np.array([7])))[measure][0], values[7], rtol=1e-12)


def test_the_same_records_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        VitalsDensity().fit(read(patients(0))).save(tmp_path / name)

    for file in ("codes.json", "density.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
