"""Bedside scores, worked by hand from the published charts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from multimodal.vitals import check, news2, qsofa, shock_index

UNITS = {
    "respiratory_rate": "/min",
    "oxygen_saturation": "%",
    "arterial_oxygen_saturation": "%",
    "systolic_bp": "mm[Hg]",
    "systolic_bp_invasive": "mm[Hg]",
    "heart_rate": "/min",
    "temperature": "Cel",
}
WELL = {
    "respiratory_rate": 16,
    "oxygen_saturation": 97,
    "systolic_bp": 120,
    "heart_rate": 70,
    "temperature": 37.0,
    "consciousness_acvpu": "A",
    "supplemental_oxygen": 0,
}


@pytest.fixture
def score(batch_of):
    def of(which, values):
        rows = [(0, code, value, UNITS.get(code, ""), -1.0) for code, value in values.items() if value is not None]
        batch = batch_of(rows, 1)
        return which(check(batch), batch)[0]

    return of


@pytest.mark.parametrize(
    ("code", "points"),
    [
        ("respiratory_rate", {8: 3, 9: 1, 11: 1, 12: 0, 20: 0, 21: 2, 24: 2, 25: 3, 40: 3}),
        ("oxygen_saturation", {91: 3, 92: 2, 93: 2, 94: 1, 95: 1, 96: 0, 100: 0}),
        ("supplemental_oxygen", {0: 0, 1: 2}),
        ("systolic_bp", {90: 3, 91: 2, 100: 2, 101: 1, 110: 1, 111: 0, 219: 0, 220: 3}),
        ("heart_rate", {40: 3, 41: 1, 50: 1, 51: 0, 90: 0, 91: 1, 110: 1, 111: 2, 130: 2, 131: 3}),
        ("consciousness_acvpu", {"A": 0, "C": 3, "V": 3, "P": 3, "U": 3}),
        ("temperature", {35.0: 3, 35.1: 1, 36.0: 1, 36.1: 0, 38.0: 0, 38.1: 1, 39.0: 1, 39.1: 2}),
    ],
)
def test_news2_gives_each_parameter_the_points_of_the_chart(score, code, points):
    """Both ends of every band: Royal College of Physicians 2017, chart 1 (SpO2 scale 1)."""
    assert {value: score(news2, {**WELL, code: value}) for value in points} == points


@pytest.mark.parametrize(
    ("values", "points"),
    [
        (WELL, 0),
        # 22 /min 2, 93 % 2, oxygen 2, 105 mm[Hg] 1, 115 /min 2, alert 0, 38.5 Cel 1
        ({"respiratory_rate": 22, "oxygen_saturation": 93, "supplemental_oxygen": 1, "systolic_bp": 105,
          "heart_rate": 115, "consciousness_acvpu": "A", "temperature": 38.5}, 10),
        # the worst of everything: 3 + 3 + 2 + 3 + 3 + 3 + 3
        ({"respiratory_rate": 30, "oxygen_saturation": 80, "supplemental_oxygen": 1, "systolic_bp": 70,
          "heart_rate": 150, "consciousness_acvpu": "U", "temperature": 34.0}, 20),
        ({**WELL, "consciousness_acvpu": None, "gcs_total": 14}, 3),
        ({**WELL, "consciousness_acvpu": None, "gcs_total": 15}, 0),
        ({**WELL, "gcs_total": 14}, 0),  # the ACVPU letter counts before the coma scale
        ({**WELL, "supplemental_oxygen": None, "fio2": 0.4}, 2),
        ({**WELL, "supplemental_oxygen": None, "fio2": 0.21}, 0),
        ({**WELL, "supplemental_oxygen": None, "mechanical_ventilation": 1}, 2),
        ({**WELL, "oxygen_saturation": None, "arterial_oxygen_saturation": 93}, 2),
        ({**WELL, "systolic_bp": None, "systolic_bp_invasive": 95}, 2),
        ({**WELL, "respiratory_rate": None}, 0),
        ({**WELL, "respiratory_rate": 20.5}, 2),  # charted as 21
    ],
)  # fmt: skip
def test_news2_of_a_patient(score, values, points):
    assert score(news2, values) == points


@pytest.mark.parametrize(
    "lacking",
    [("systolic_bp",), ("heart_rate",), ("temperature",), ("respiratory_rate", "oxygen_saturation")],
)
def test_news2_is_unknown_without_pressure_pulse_temperature_or_breathing(score, lacking):
    assert np.isnan(score(news2, WELL | dict.fromkeys(lacking)))


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ({"respiratory_rate": 22, "systolic_bp": 100, "gcs_total": 14}, 3),
        ({"respiratory_rate": 21, "systolic_bp": 101, "gcs_total": 15}, 0),
        ({"respiratory_rate": 30, "systolic_bp": 120}, 1),
        ({"systolic_bp": 90, "consciousness_acvpu": "V"}, 2),
        ({"systolic_bp": 90}, np.nan),
        ({}, np.nan),
    ],
)
def test_qsofa_counts_breathing_pressure_and_consciousness(score, values, points):
    """Singer et al. 2016, box 4; two of the three must be known."""
    assert_array_equal(score(qsofa, values), points)


def test_scores_use_the_last_value(batch_of):
    """The latest of both kinds of pressure, and the latest pulse."""
    rows = [(0, "heart_rate", v, "/min", h) for v, h in ((60, 0.0), (150, -3.0))]
    rows += [(0, "systolic_bp", 80, "mm[Hg]", -2.0), (0, "systolic_bp_invasive", 120, "mm[Hg]", -1.0)]
    batch = batch_of(rows, 2)

    assert_array_equal(shock_index(check(batch), batch), [0.5, np.nan])
