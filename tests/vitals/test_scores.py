"""Bedside scores, worked by hand from the published charts and tables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from multimodal.records import RULES, measurement_table
from multimodal.vitals import check, news2, qsofa, rule_scores, shock_index, sofa

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


# SOFA

HEALTHY = {"platelets": 200, "bilirubin_total": 0.8, "mean_bp": 85, "gcs_total": 15, "creatinine": 0.9}
GAS = {"pao2": 90, "fio2": 0.21}  # 429 mm[Hg]


@pytest.mark.parametrize(
    ("code", "points"),
    [
        ("platelets", {150: 0, 149: 1, 100: 1, 99: 2, 50: 2, 49: 3, 20: 3, 19: 4}),
        ("bilirubin_total", {1.1: 0, 1.2: 1, 1.9: 1, 2.0: 2, 5.9: 2, 6.0: 3, 11.9: 3, 12.0: 4, 12.1: 4}),
        ("mean_bp", {70: 0, 69: 1, 40: 1}),
        ("mean_bp_invasive", {70: 0, 69: 1}),
        ("dopamine", {0: 0, 1: 2, 5: 2, 5.1: 3, 15: 3, 15.1: 4}),
        ("dobutamine", {0: 0, 1: 2, 30: 2}),
        ("epinephrine", {0: 0, 0.01: 3, 0.1: 3, 0.11: 4}),
        ("norepinephrine", {0: 0, 0.01: 3, 0.1: 3, 0.11: 4}),
        ("gcs_total", {15: 0, 14: 1, 13: 1, 12: 2, 10: 2, 9: 3, 6: 3, 5: 4, 3: 4}),
        ("creatinine", {1.1: 0, 1.2: 1, 1.9: 1, 2.0: 2, 3.4: 2, 3.5: 3, 4.9: 3, 5.0: 4, 5.1: 4}),
    ],
)
def test_sofa_gives_each_component_the_points_of_the_table(score, code, points):
    """Both ends of every row: Vincent et al. 1996, table 3."""
    assert {value: score(sofa, {**HEALTHY, code: value}) for value in points} == points


@pytest.mark.parametrize(
    ("pao2", "ventilated", "points"),
    [(200, 0, 0), (199, 0, 1), (150, 0, 1), (149, 0, 2), (99, 0, 2), (49, 0, 2),
     (150, 1, 1), (149, 1, 2), (100, 1, 2), (99, 1, 3), (50, 1, 3), (49, 1, 4)],
)  # fmt: skip
def test_sofa_respiration_is_the_ratio_of_oxygen_and_needs_ventilation_for_3_and_4(score, pao2, ventilated, points):
    """At a FiO2 of 0.5 the table's 400, 300, 200 and 100 mm[Hg] are a PaO2 of 200, 150, 100 and 50."""
    values = {**HEALTHY, "pao2": pao2, "fio2": 0.5, "mechanical_ventilation": ventilated}

    assert score(sofa, values) == points


@pytest.fixture
def over_time(batch_of):
    """The SOFA of one record whose other components are 0, with values (code, value, hours)."""

    def of(*values, beside=HEALTHY):
        rows = [(0, code, value, "", hours) for code, value, hours in values]
        rows += [(0, code, value, "", -1.0) for code, value in beside.items()]
        batch = batch_of(rows, 1)
        return sofa(check(batch), batch)[0]

    return of


def test_each_oxygen_pressure_counts_with_the_fio2_and_the_ventilation_of_its_time(over_time):
    """80 / 0.4 = 200 while not ventilated, then 90 / 0.5 = 180 while ventilated: 2 and 3 points, the worse counts."""
    first = [("fio2", 0.4, -20.0), ("pao2", 80, -20.0)]
    then = [("fio2", 0.5, -10.0), ("mechanical_ventilation", 1, -10.0), ("pao2", 90, -9.0)]

    assert over_time(*first) == 2
    assert over_time(*first, *then) == 3
    assert over_time(("pao2", 40, -20.0), *then) == 3  # a gas before any FiO2 is left out
    assert over_time(*first, ("mechanical_ventilation", 1, -10.0)) == 2  # it began after the gas


def test_sofa_takes_the_worst_values_of_the_last_24_hours(over_time):
    worse = {"platelets": 10, "bilirubin_total": 13, "mean_bp": 50, "gcs_total": 3, "creatinine": 6}

    assert over_time(*((code, value, -24.0) for code, value in worse.items())) == 4 + 4 + 1 + 4 + 4
    assert over_time(*((code, value, -24.1) for code, value in worse.items())) == 0


@pytest.mark.parametrize(
    ("first", "hourly_ml", "points"),
    [(-24, 21, 0), (-24, 20, 3), (-24, 9, 3), (-24, 8, 4), (-30, 8, 4), (-23, 5, 0), (-2, 0, 0)],
)
def test_urine_is_the_sum_of_a_day_that_was_charted_whole(over_time, first, hourly_ml, points):
    """After -24 hours there are 24 values: 504, 480, 216 and 192 mL. A day charted in part says nothing."""
    urine = [("urine_output", hourly_ml, float(hour)) for hour in range(first, 1)]

    assert over_time(*urine) == points


def test_the_worse_of_creatinine_and_urine_counts(over_time):
    urine = [("urine_output", 10, float(hour)) for hour in range(-24, 1)]  # 250 mL: 3 points

    assert over_time(*urine, ("creatinine", 2.0, -1.5)) == 3
    assert over_time(*urine, ("creatinine", 5.5, -1.5)) == 4


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ({"platelets": 90, "bilirubin_total": 3, "gcs_total": 14}, 2 + 2 + 1),
        ({"platelets": 90, "bilirubin_total": 3}, np.nan),
        ({"platelets": 90, "bilirubin_total": 3, "norepinephrine": 0}, np.nan),  # no dose tells no pressure
        ({"platelets": 90, "bilirubin_total": 3, "norepinephrine": 0.2}, 2 + 2 + 4),
        ({"platelets": 90, "bilirubin_total": 3, "pao2": 60}, np.nan),  # without a FiO2 there is no ratio
        ({"platelets": 90, "bilirubin_total": 3, **GAS}, 2 + 2 + 0),
        ({"mean_bp": 75, "mean_bp_invasive": 60, "gcs_total": 15, "creatinine": 1}, 1),  # the lower pressure
        ({"platelets": 10, "bilirubin_total": 13, "norepinephrine": 1, "gcs_total": 3, "creatinine": 6,
          "pao2": 60, "fio2": 0.8, "mechanical_ventilation": 1}, 24),
        ({}, np.nan),
    ],
)  # fmt: skip
def test_sofa_is_a_lower_bound_and_needs_three_of_six_components(score, values, points):
    assert_array_equal(score(sofa, values), points)


# All rules


def test_the_table_of_rules_names_measurements_that_there_are():
    assert {code for rule in RULES.values() for codes in rule.inputs.values() for code in codes} <= set(
        measurement_table()
    )


def test_every_rule_is_scored_in_the_order_of_the_table_and_alerts_from_its_published_threshold(batch_of):
    """Record 0: NEWS2 5 = pulse 135 (3) + 105 mm[Hg] (1) + 38.5 Cel (1); 135 / 105 = 1.29; record 1 has nothing."""
    values = {**WELL, "heart_rate": 135, "systolic_bp": 105, "temperature": 38.5}
    batch = batch_of([(0, code, value, UNITS.get(code, ""), -1.0) for code, value in values.items()], 2)

    found = rule_scores(check(batch), 2)

    assert list(RULES) == ["news2", "qsofa", "shock_index", "sofa"]
    assert_array_equal(found.value, [[5, 0, 135 / 105, np.nan], [np.nan] * 4])
    assert_array_equal(found.alert, [[1, 0, 1, np.nan], [np.nan] * 4])
    assert not found.missing.any()


@pytest.mark.parametrize(
    ("rule", "lacking", "named"),
    [
        ("news2", ("consciousness_acvpu", "supplemental_oxygen"), ["oxygen", "consciousness"]),
        ("news2", ("respiratory_rate",), ["respiratory rate"]),
        ("news2", ("heart_rate",), []),  # there is no score
        ("qsofa", ("respiratory_rate",), ["respiratory rate"]),
        ("qsofa", ("respiratory_rate", "systolic_bp"), []),
        ("shock_index", ("temperature",), []),
    ],
)
def test_the_inputs_that_were_missing_and_counted_as_normal_are_named(batch_of, rule, lacking, named):
    values = {code: value for code, value in WELL.items() if code not in lacking}
    batch = batch_of([(0, code, value, UNITS.get(code, ""), -1.0) for code, value in values.items()], 1)

    missing = rule_scores(check(batch), 1).missing[0, list(RULES).index(rule)]

    assert [name for name, lacks in zip(RULES[rule].inputs, missing, strict=False) if lacks] == named


def test_a_record_has_the_same_scores_alone_and_among_others(batch_of):
    """SOFA of record 1 does not take the oxygen or the doses of its neighbours."""
    rows = [(r, code, v, "", -1.0) for r in range(3) for code, v in HEALTHY.items()]
    rows += [(0, "fio2", 1.0, "", -2.0), (1, "pao2", 60, "", -1.0), (2, "norepinephrine", 1, "", -1.0)]
    rows += [(2, "urine_output", 1, "", hour) for hour in (-30.0, -1.0)]
    batch = batch_of(rows, 3)

    found = rule_scores(check(batch), 3)

    assert found.value[:, 3].tolist() == [0, 0, 8]
    assert found.missing[:, 3, :6].tolist() == [[True] + [False] * 5] * 3


@pytest.mark.parametrize(
    ("values", "points"),
    [
        # The coma scale is later than the letter, and the other way round.
        ([("consciousness_acvpu", "A", -40.0), ("gcs_total", 6, 0.0)], 3),
        ([("consciousness_acvpu", "U", 0.0), ("gcs_total", 15, -40.0)], 3),
        ([("consciousness_acvpu", "A", 0.0), ("gcs_total", 6, -40.0)], 0),
        # Off the ventilator, and off oxygen, since then; on it, since then.
        ([("supplemental_oxygen", 0, 0.0), ("mechanical_ventilation", 1, -40.0)], 0),
        ([("fio2", 0.21, 0.0), ("oxygen_flow", 4, -47.0)], 0),
        ([("fio2", 0.21, -47.0), ("oxygen_flow", 4, -1.0)], 2),
        ([("fio2", 0.21, -1.0), ("oxygen_flow", 4, -1.0)], 2),
    ],
)
def test_of_several_measurements_of_one_input_the_latest_counts(batch_of, values, points):
    well = {code: value for code, value in WELL.items() if code not in ("consciousness_acvpu", "supplemental_oxygen")}
    rows = [(0, code, value, UNITS.get(code, ""), -1.0) for code, value in well.items()]
    batch = batch_of(rows + [(0, code, value, "", hours) for code, value, hours in values], 1)

    assert news2(check(batch), batch)[0] == points


def test_what_stands_at_the_beginning_of_the_day_is_urine_of_the_day_before(batch_of):
    """1,500 mL 24 hours ago and 20 mL since: 4 points, with platelets and coma scale normal."""
    rows = [(0, "urine_output", 1500, "mL", -24.0), (0, "urine_output", 20, "mL", -1.0)]
    rows += [(0, "platelets", 200, "10*3/uL", -1.0), (0, "gcs_total", 15, "", -1.0)]
    batch = batch_of(rows, 1)

    assert sofa(check(batch), batch)[0] == 4
