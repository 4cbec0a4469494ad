"""What a measurement gets: the section "Measurements" of INPUTS.md, message by message."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal.records import MeasurementKind, measurement_table
from multimodal.vitals import check, present

NAN, INF = float("nan"), float("inf")
SUSPECT = "give the unit in the column `unit`, or pass --convert-suspect."


def found(checked):
    """(code, value, hours) of what was kept and the problems as text."""
    rows = checked.values
    kept = list(zip(rows["code"].astype(str), rows["value"].round(9), rows["hours"]))
    return kept, [str(problem) for _, problem in checked.problems]


@pytest.mark.parametrize(
    ("code", "value", "unit", "kept", "problem"),
    [
        ("heart_rate", 80, "/min", 80, None),
        ("8867-4", "80", "bpm", 80, None),
        ("Heart_Rate", " 80 ", "/min", 80, None),
        ("temperature", 98.6, "[degF]", 37, None),
        ("temperature", 310.15, "K", 37, None),
        ("heart_rat", 80, "/min", None, "UNKNOWN_CODE: ROW: 'heart_rat' is no code of the measurement table and no "
         "LOINC code of it; did you mean 'heart_rate'?"),
        ("zzz", 80, "/min", None, "UNKNOWN_CODE: ROW: 'zzz' is no code of the measurement table and no LOINC code "
         "of it"),
        ("", 80, "", None, "UNKNOWN_CODE: ROW: '' is no code of the measurement table and no LOINC code of it"),
        ("creatinine", 1, "stone", None, "UNKNOWN_UNIT: ROW: creatinine in 'stone' has no conversion: "
         "give mg/dL, umol/L"),
        ("temperature", 37.2, "", 37.2, "UNIT_ASSUMED: ROW: temperature 37.2 has no unit: Cel is taken"),
        ("temperature", 37.2, None, 37.2, "UNIT_ASSUMED: ROW: temperature 37.2 has no unit: Cel is taken"),
        ("temperature", 37.2, NAN, 37.2, "UNIT_ASSUMED: ROW: temperature 37.2 has no unit: Cel is taken"),
        ("gcs_total", 15, "", 15, None),
        ("ph_arterial", 7.4, "", 7.4, None),
        ("heart_rate", 0, "/min", None, "IMPLAUSIBLE: ROW: heart_rate 0 is outside 10-300 /min"),
        ("temperature", 0, "Cel", None, "IMPLAUSIBLE: ROW: temperature 0 is outside 25-45 Cel"),
        ("height", -1, "cm", None, "IMPLAUSIBLE: ROW: height -1 is outside 20-280 cm"),
        ("oxygen_saturation", 170, "%", None, "IMPLAUSIBLE: ROW: oxygen_saturation 170 is outside 20-100 %"),
        ("ph_arterial", 735, "[pH]", None, "IMPLAUSIBLE: ROW: ph_arterial 735 is outside 6.3-8 [pH]"),
        ("base_excess", 99, "mmol/L", None, "IMPLAUSIBLE: ROW: base_excess 99 is outside -40 to 40 mmol/L"),
        ("temperature", 60, "[degF]", None, "IMPLAUSIBLE: ROW: temperature 60 [degF] is outside 25-45 Cel"),
        ("heart_rate", -9, "/min", None, "IMPLAUSIBLE: ROW: heart_rate -9 is outside 10-300 /min"),
        ("heart_rate", 9999, "/min", None, "IMPLAUSIBLE: ROW: heart_rate 9999 is outside 10-300 /min"),
        ("temperature", 98.6, "", None, "UNIT_SUSPECT: ROW: temperature 98.6 is outside 25-45 Cel. "
         f"It is plausible in [degF]: {SUSPECT}"),
        ("temperature", "98.60", "Cel", None, "UNIT_SUSPECT: ROW: temperature 98.6 is outside 25-45 Cel. "
         f"It is plausible in [degF]: {SUSPECT}"),
        ("temperature", 37, "[degF]", None, "UNIT_SUSPECT: ROW: temperature 37 [degF] is outside 25-45 Cel. "
         f"It is plausible in Cel: {SUSPECT}"),
        ("creatinine", 88, "mg/dL", None, "UNIT_SUSPECT: ROW: creatinine 88 is outside 0.1-40 mg/dL. "
         f"It is plausible in umol/L: {SUSPECT}"),
        ("oxygen_saturation", 0.97, "%", None, "UNIT_SUSPECT: ROW: oxygen_saturation 0.97 is outside 20-100 %. "
         f"It is plausible in 1 (a fraction): {SUSPECT}"),
        ("pao2", 7.47, "mm[Hg]", None, "UNIT_SUSPECT: ROW: pao2 7.47 is outside 15-750 mm[Hg]. "
         f"It is plausible in kPa: {SUSPECT}"),
        ("fio2", 0.4, "1", 0.4, None),
        ("fio2", 40, "%", 0.4, None),
        ("fio2", 40, "1", 0.4, "PERCENT_READ: ROW: fio2 40 is above 1 and read as percent"),
        ("fio2", 40, "", 0.4, "PERCENT_READ: ROW: fio2 40 is above 1 and read as percent"),
        ("fio2", 1.5, "1", None, "IMPLAUSIBLE: ROW: fio2 1.5 is outside 0.2-1 1"),
        ("fio2", 140, "1", None, "IMPLAUSIBLE: ROW: fio2 140 is outside 0.2-1 1"),
        ("heart_rate", "", "/min", None, "NOT_A_NUMBER: ROW: heart_rate has no value"),
        ("heart_rate", None, "/min", None, "NOT_A_NUMBER: ROW: heart_rate has no value"),
        ("heart_rate", NAN, "/min", None, "NOT_A_NUMBER: ROW: heart_rate has no value"),
        ("heart_rate", "NaN", "/min", None, "NOT_A_NUMBER: ROW: heart_rate 'NaN' is no number"),
        ("heart_rate", INF, "/min", None, "NOT_A_NUMBER: ROW: heart_rate 'inf' is no number"),
        ("crp", 1.79e307, "", None, "IMPLAUSIBLE: ROW: crp 1.79e+307 is outside 0-1000 mg/L"),
        ("crp", "-inf", "mg/L", None, "NOT_A_NUMBER: ROW: crp '-inf' is no number"),
        ("heart_rate", "12O", "/min", None, "NOT_A_NUMBER: ROW: heart_rate '12O' is no number"),
        ("heart_rate", "1_00", "/min", None, "NOT_A_NUMBER: ROW: heart_rate '1_00' is no number"),
        ("heart_rate", "８０", "/min", None, r"NOT_A_NUMBER: ROW: heart_rate '\uff18\uff10' is no number"),
        ("heart_rate", "=80", "/min", None, "NOT_A_NUMBER: ROW: heart_rate '=80' is no number"),
        ("heart_rate", ".", "/min", None, "NOT_A_NUMBER: ROW: heart_rate '.' is no number"),
        ("heart_rate", 10**400, "/min", None, "NOT_A_NUMBER: ROW: heart_rate "
         "'1000000000000000000000000000000000000...' is no number"),
        ("temperature", "36,6", "Cel", 36.6, "DECIMAL_COMMA: ROW: temperature '36,6' is read as 36.6"),
        ("ph_arterial", "7,412", "[pH]", 7.412, "DECIMAL_COMMA: ROW: ph_arterial '7,412' is read as 7.412"),
        ("ferritin", "1,234", "ug/L", None, "NOT_A_NUMBER: ROW: ferritin '1,234' has a comma that may part decimals "
         "or thousands"),
        ("temperature", "98,6", "Cel", None, "UNIT_SUSPECT: ROW: temperature '98,6' is outside 25-45 Cel. "
         f"It is plausible in [degF]: {SUSPECT}"),
        ("crp", "<5", "mg/L", 5, "CENSORED: ROW: crp '<5' is read as 5"),
        ("d_dimer", "> 35", "mg/L", 35, "CENSORED: ROW: d_dimer '> 35' is read as 35"),
        ("crp", ">=0.5", "mg/dL", 5, "CENSORED: ROW: crp '>=0.5' is read as 0.5"),
        ("heart_rate", "<50", "/min", None, "NOT_A_NUMBER: ROW: heart_rate '<50' is a limit, which this code does not "
         "take"),
        ("icu_type", "3", "1", 2, None),
        ("icu_type", 3.0, "", 2, None),
        ("icu_type", 7, "1", None, "IMPLAUSIBLE: ROW: icu_type '7' is none of 1, 2, 3, 4"),
        ("icu_type", "", "1", None, "NOT_A_NUMBER: ROW: icu_type has no value"),
        ("icu_type", "Mr John Smith, tel 555-1234", "1", None, "IMPLAUSIBLE: ROW: icu_type a text of 27 characters is "
         "none of 1, 2, 3, 4"),
        ("icu_type", 3, "kg", None, "UNKNOWN_UNIT: ROW: icu_type in 'kg' has no conversion: give 1"),
        ("consciousness_acvpu", "v", "", 2, None),
        ("mechanical_ventilation", 1, "1", 1, None),
        ("supplemental_oxygen", "yes", "", 1, None),
        ("supplemental_oxygen", False, "", 0, None),
        ("supplemental_oxygen", 2, "", None, "IMPLAUSIBLE: ROW: supplemental_oxygen '2' is none of 0, 1"),
    ],
)  # fmt: skip
def test_one_measurement(batch_of, code, value, unit, kept, problem):
    """The value that is kept, in the table's unit, and the one problem."""
    checked = check(batch_of([(0, code, value, unit, -1.0)]))

    assert checked.values["value"].tolist() == ([] if kept is None else [pytest.approx(kept, rel=1e-12)])
    assert [str(p) for _, p in checked.problems] == (
        [] if problem is None else [problem.replace("ROW", "measurements.csv row 2")]
    )


@pytest.mark.parametrize(
    ("code", "value", "unit", "converted", "problem"),
    [
        ("temperature", 98.6, "", 37.0, "temperature 98.6 is outside 25-45 Cel. It is read in [degF], as asked for."),
        ("creatinine", 88, "mg/dL", 0.99547, "creatinine 88 is outside 0.1-40 mg/dL. It is read in umol/L, as asked "
         "for."),
    ],
)  # fmt: skip
def test_a_suspect_unit_is_converted_when_asked_for(batch_of, code, value, unit, converted, problem):
    checked = check(batch_of([(0, code, value, unit, 0.0)]), convert_suspect=True)

    assert checked.values["value"].tolist() == [pytest.approx(converted, rel=1e-4)]
    assert [str(p) for _, p in checked.problems] == [f"UNIT_CONVERTED: measurements.csv row 2: {problem}"]


def test_a_value_that_is_plausible_in_two_other_units_is_not_suspect(batch_of):
    """700 kg is implausible; 700 g and 700 lb are both weights of people."""
    checked = check(batch_of([(0, "weight", 700, "kg", 0.0)]), convert_suspect=True)

    assert found(checked) == ([], ["IMPLAUSIBLE: measurements.csv row 2: weight 700 is outside 0.3-650 kg"])


def test_a_diastolic_above_the_systolic_of_its_time_costs_the_pair(batch_of):
    """The pair at -2 h and nothing else; the invasive pressures are another pair."""
    rows = [(0, "systolic_bp", 80, "mm[Hg]", -2.0), (0, "diastolic_bp", 120, "mm[Hg]", -2.0)]
    rows += [(0, "systolic_bp", 120, "mm[Hg]", -1.0), (0, "diastolic_bp", 80, "mm[Hg]", -1.0)]
    rows += [(0, "diastolic_bp_invasive", 130, "mm[Hg]", -2.0)]

    assert found(check(batch_of(rows))) == (
        [("diastolic_bp", 80, -1.0), ("diastolic_bp_invasive", 130, -2.0), ("systolic_bp", 120, -1.0)],
        [
            "INCONSISTENT: measurements.csv row 3: diastolic_bp 120 is above systolic_bp 80 at the same time: "
            "both are refused"
        ],
    )


def test_equal_duplicates_merge_and_unequal_ones_are_both_kept(batch_of):
    """Equal in the table's unit, whatever unit they were given in."""
    rows = [(0, "temperature", 37.0, "Cel", -1.0), (0, "temperature", 98.6, "[degF]", -1.0)]
    rows += [(0, "heart_rate", 90, "/min", -1.0), (0, "heart_rate", 80, "/min", -1.0)]
    rows += [(0, "heart_rate", 80, "/min", 0.0)]
    rows += [(0, "consciousness_acvpu", "A", "", -1.0), (0, "consciousness_acvpu", "P", "", -1.0)]

    assert found(check(batch_of(rows))) == (
        [
            ("consciousness_acvpu", 0, -1.0),
            ("consciousness_acvpu", 3, -1.0),
            ("heart_rate", 80, -1.0),
            ("heart_rate", 90, -1.0),
            ("heart_rate", 80, 0.0),
            ("temperature", 37, -1.0),
        ],
        [
            "DUPLICATE_MEASUREMENT: measurements.csv row 4: heart_rate is 80 and 90 at the same time: both are kept",
            "DUPLICATE_MEASUREMENT: measurements.csv row 8: consciousness_acvpu is A and P at the same time: "
            "both are kept",
        ],
    )


def test_a_record_has_one_problem_per_reason_and_code_whatever_the_number_of_values(batch_of):
    """300 temperatures without a unit and two in odd units: three problems, each with its count and first place."""
    rows = [(0, "temperature", 36 + i / 100, "", float(-i)) for i in range(300)]
    rows += [(0, "temperature", 1, "Cel", -301.0), (0, "temperature", 20, "[degF]", -302.0)]
    rows += [(0, "zzz", 1, "", 0.0), (0, "zzz", 2, "", 0.0), (1, "temperature", 37, "", 0.0)]

    _, problems = found(check(batch_of(rows)))

    assert problems == [
        "UNIT_ASSUMED: measurements.csv row 2: temperature 36 has no unit (and 299 more): Cel is taken",
        "IMPLAUSIBLE: measurements.csv row 302: temperature 1 is outside 25-45 Cel (and 1 more)",
        "UNKNOWN_CODE: measurements.csv row 304: 'zzz' is no code of the measurement table and no LOINC code of it "
        "(and 1 more)",
        "UNIT_ASSUMED: measurements.csv row 306: temperature 37 has no unit: Cel is taken",
    ]


def test_a_problem_knows_for_how_many_values_it_stands(batch_of):
    rows = [(0, "heart_rate", value, "/min", float(-i)) for i, value in enumerate([0, 900, 999, 80])]
    rows += [(0, "temperature", 0, "Cel", 0.0), (1, "heart_rate", 0, "/min", 0.0)]

    problems = check(batch_of(rows)).problems

    assert [(record, str(problem), problem.times) for record, problem in problems] == [
        (0, "IMPLAUSIBLE: measurements.csv row 2: heart_rate 0 is outside 10-300 /min (and 2 more)", 3),
        (0, "IMPLAUSIBLE: measurements.csv row 6: temperature 0 is outside 25-45 Cel", 1),
        (1, "IMPLAUSIBLE: measurements.csv row 7: heart_rate 0 is outside 10-300 /min", 1),
    ]


def test_a_cohorts_own_measurements_are_checked_like_the_tables(batch_of):
    """A category that names no levels takes those that occur."""
    own = {
        "triage": MeasurementKind("triage", "Triage", "", "category", "1", 0, 1),
        "pain": MeasurementKind("pain", "Pain", "", "quantity", "{score}", 0, 10),
    }
    table = measurement_table().extended(own)
    rows = [(0, "triage", "red", "", 0.0), (1, "triage", "green", "", 0.0), (1, "pain", 11, "", 0.0)]

    checked = check(batch_of(rows, table=table))

    assert checked.values["value"].tolist() == [1, 0]
    assert checked.levels == {"triage": ("green", "red")}
    assert [str(p) for _, p in checked.problems] == [
        "IMPLAUSIBLE: measurements.csv row 4: pain 11 is outside 0-10 {score}"
    ]


def test_no_measurements_at_all_are_no_problem(batch_of):
    checked = check(batch_of([], 3))

    assert len(checked.values) == 0
    assert checked.problems == []
    assert present(checked, 3).tolist() == [False, False, False]


def test_present_means_at_least_one_usable_measurement(batch_of):
    """Age and sex alone are none, nor is a refused value."""
    rows = [(1, "heart_rate", 0, "/min", 0.0), (2, "heart_rate", 60, "/min", 0.0)]
    checked = check(batch_of(rows, 3, age_years=[70, 70, 70], sex=["female"] * 3))

    assert present(checked, 3).tolist() == [False, False, True]


values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0, -1, 37, 98.6, 80, 120, 60, "36,6", "<5", ">100", "12O", "", None, "1,234", True, "A"]),
    st.sampled_from(["\ud800", "\x00", "1e999", 10**400]),
    st.text(max_size=5),
)
codes = st.sampled_from(
    ["temperature", "heart_rate", "systolic_bp", "diastolic_bp", "fio2", "crp", "icu_type", "consciousness_acvpu",
     "supplemental_oxygen", "8867-4", "nonsense", ""]
)  # fmt: skip
units = st.sampled_from(["", "Cel", "[degF]", "mmHg", "/min", "%", "1", "mg/L", "furlong", None])
measurements = st.tuples(st.integers(0, 2), codes, values, units, st.sampled_from([0.0, -1.0, -1.5, -30.0]))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measurements, max_size=25), data=st.data())
def test_the_order_of_rows_does_not_matter(batch_of, rows, data):
    shuffled = data.draw(st.permutations(rows))

    here, there = check(batch_of(rows, 3)), check(batch_of(shuffled, 3))

    pd.testing.assert_frame_equal(here.values, there.values, check_exact=False, rtol=1e-9)
    assert sorted((r, p.code) for r, p in here.problems) == sorted((r, p.code) for r, p in there.problems)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measurements, max_size=25))
def test_other_records_do_not_matter(batch_of, rows):
    """Record 0 alone gives the same values and the same problems as among others."""
    among, alone = batch_of(rows, 3), batch_of([row for row in rows if row[0] == 0], 1)
    checked = check(among)
    alone_checked = check(among.take([0]))

    assert len(alone_checked.values) == len(check(alone).values)
    pd.testing.assert_frame_equal(checked.values.query("record == 0").reset_index(drop=True), alone_checked.values)
    assert [item for item in checked.problems if item[0] == 0] == alone_checked.problems


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measurements, max_size=25))
def test_each_kept_value_lies_in_the_plausible_range(batch_of, rows):
    checked = check(batch_of(rows, 3))
    table = measurement_table()

    for code, value in zip(checked.values["code"], checked.values["value"]):
        low, high = table[code].low, table[code].high
        rounding = 1e-9 * max(abs(low), abs(high), 1)
        assert low - rounding <= value <= high + rounding
    order = checked.values[["record", "code", "hours", "value"]]
    assert order.equals(order.sort_values(["record", "code", "hours", "value"]))


def test_the_known_dirt_of_physionet_2012_is_refused(set_a):
    """Counts of shared/data/physionet2012/README.md, "Known dirt": values refused, by code and value."""
    raw, kept = set_a.measurements, check(set_a).values
    key = ["record", "code", "value", "hours"]
    numbers = kept.assign(code=kept["code"].astype(str))
    numbers.loc[numbers["code"] == "icu_type", "value"] += 1  # the index of the levels 1, 2, 3, 4
    refused = raw.merge(numbers[key], on=key, how="left", indicator=True).query("_merge == 'left_only'")
    count = refused.groupby(["code", "value"]).size()

    assert count["height", -1] == 1894
    assert count["weight", -1] == 326
    assert count["weight", 0] == 184
    assert count["temperature", 0] == 39
    assert count["systolic_bp_invasive", 0] == 685
    assert count["diastolic_bp_invasive", 0] == 681
    assert count["mean_bp_invasive", 0] == 31
    assert (count["systolic_bp", 0], count["diastolic_bp", 0], count["mean_bp", 0]) == (174, 103, 44)
    assert count["heart_rate"].to_dict() == {0: 11, 3.5: 1, 7.6: 1}
    assert count["respiratory_rate"].to_dict() == {0: 59, 91: 1, 98: 2}
    assert count["ph_arterial"].sum() == 11
    assert count["potassium"].sum() == 4
    assert count["pao2"].to_dict() == {0: 1, 7.47: 1}
    assert count["paco2"].to_dict() == {0.3: 1}
    assert count["height"].sum() == 1894 + 16
    clean = {"gcs_total", "glucose", "sodium", "wbc", "platelets", "creatinine", "fio2", "urine_output", "icu_type"}
    assert clean.isdisjoint(count.index.get_level_values("code"))


def test_the_composite_cohorts_measurements_are_checked_within_their_range(composite):
    """Nothing is lost but what lies outside; no row is a duplicate of equal value there."""
    table, raw = measurement_table(), composite.measurements
    low, high = (raw["code"].map({c: getattr(k, end) for c, k in table.items()}) for end in ("low", "high"))
    inside = ((raw["value"] >= low) & (raw["value"] <= high)) | (raw["code"] == "icu_type")

    checked = check(composite)

    assert len(checked.values) == inside.sum() == 276530
    assert {problem.code for _, problem in checked.problems} == {
        "IMPLAUSIBLE",
        "UNIT_SUSPECT",
        "DUPLICATE_MEASUREMENT",
    }
    assert np.all(np.diff(checked.values["record"]) >= 0)


@pytest.mark.parametrize("other", [0.0, 10**200, "x"])
def test_true_is_no_number_whatever_else_the_column_holds(batch_of, other):
    checked = check(batch_of([(0, "temperature", True, "Cel", 0.0), (1, "temperature", other, "Cel", 0.0)], 2))

    assert [str(problem) for record, problem in checked.problems if record == 0] == [
        "NOT_A_NUMBER: measurements.csv row 2: temperature 'True' is no number"
    ]
