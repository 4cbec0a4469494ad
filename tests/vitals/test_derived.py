"""Quantities derived from several measurements: worked by hand, and against a plain as-of join."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.vitals import check
from multimodal.vitals.derived import (
    DERIVED,
    age_by_bun,
    age_by_coma,
    derived_groups,
    egfr,
    severe_coma_share,
    urine_rate,
)


def series(batch, name):
    """[(record, hours, value)] of one derived series."""
    groups = derived_groups(check(batch), (name,))
    record = groups.spread(groups.record)
    return list(zip(record.tolist(), groups.hours.tolist(), np.round(groups.value, 6).tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("shock_index", {"heart_rate": (120, "/min"), "systolic_bp": (80, "mm[Hg]")}, 1.5),
        ("pulse_pressure", {"systolic_bp": (120, "mm[Hg]"), "diastolic_bp": (70, "mm[Hg]")}, 50),
        ("pulse_pressure_invasive", {"systolic_bp_invasive": (90, ""), "diastolic_bp_invasive": (40, "")}, 50),
        ("pao2_fio2", {"pao2": (80, "mm[Hg]"), "fio2": (40, "%")}, 200),
        ("saturation_fio2", {"oxygen_saturation": (95, "%"), "fio2": (0.5, "1")}, 190),
        ("bun_creatinine", {"bun": (30, "mg/dL"), "creatinine": (1.5, "mg/dL")}, 20),
        ("anion_gap_derived", {"sodium": (140, "meq/L"), "chloride": (100, "meq/L"), "bicarbonate": (24, "meq/L")}, 16),
        ("osmolality_derived", {"sodium": (140, "meq/L"), "glucose": (90, "mg/dL"), "bun": (14, "mg/dL")}, 290),
        ("ast_alt", {"ast": (80, "U/L"), "alt": (40, "U/L")}, 2),
        ("neutrophils_lymphocytes", {"neutrophils": (9, "10*3/uL"), "lymphocytes": (1.5, "10*3/uL")}, 6),
        ("body_mass_index", {"weight": (81, "kg"), "height": (180, "cm")}, 25),
        ("mean_pressure", {"mean_bp": (65, "mm[Hg]")}, 65),
    ],
)
def test_each_quantity_worked_by_hand(batch_of, name, values, expected):
    rows = [(0, code, value, unit, -3.0) for code, (value, unit) in values.items()]

    assert series(batch_of(rows), name) == [(0, -3.0, pytest.approx(expected))]


def test_the_invasive_pressure_counts_where_both_are_measured(batch_of):
    rows = [
        (0, "systolic_bp", 120, "", -2.0),
        (0, "systolic_bp_invasive", 100, "", -2.0),
        (0, "systolic_bp", 130, "", -1.0),
    ]

    assert series(batch_of(rows), "systolic") == [(0, -2.0, 100), (0, -1.0, 130)]


def test_the_last_value_of_an_input_holds_for_some_hours_and_for_its_own_record(batch_of):
    """A pulse every hour, one pressure: four hours later it is too old."""
    rows = [(0, "heart_rate", 100, "", -float(h)) for h in (8, 6, 5, 4, 3, 2)] + [(0, "systolic_bp", 50, "", -7.0)]
    rows += [(1, "heart_rate", 100, "", -6.0)]

    assert series(batch_of(rows), "shock_index") == [(0, hours, 2) for hours in (-7.0, -6.0, -5.0, -4.0, -3.0)]


def test_a_division_by_zero_gives_no_value(batch_of):
    rows = [(0, "neutrophils", 5, "10*3/uL", 0.0), (0, "lymphocytes", 0, "10*3/uL", 0.0)]

    assert series(batch_of(rows), "neutrophils_lymphocytes") == []


def test_the_series_of_real_patients_are_those_of_pandas_as_of_join(composite):
    """PaO2 / FiO2 of the composite cohort at every moment of either, each from its last value of 12 hours."""
    checked = check(composite)
    long = checked.values.groupby(["record", "code", "hours"], observed=True)["value"].mean().reset_index()
    pao2, fio2 = (long[long["code"] == code].sort_values("hours") for code in ("pao2", "fio2"))
    grid = pd.concat([pao2, fio2])[["record", "hours"]].drop_duplicates().sort_values("hours")
    for name, one in (("pao2", pao2), ("fio2", fio2)):
        one = one[["record", "hours", "value"]].rename(columns={"value": name})
        grid = pd.merge_asof(grid, one, on="hours", by="record", tolerance=12 + 1e-6)
    expected = grid.dropna().sort_values(["record", "hours"])

    groups = derived_groups(checked, ("pao2_fio2",))

    assert len(expected) > 1000
    assert_array_equal(groups.spread(groups.record), expected["record"])
    assert_allclose(groups.value, expected["pao2"] / expected["fio2"])


def test_no_measurements_derive_nothing(batch_of):
    groups = derived_groups(check(batch_of([], 2)), tuple(DERIVED))

    assert len(groups.record) == len(groups.value) == 0


def test_the_filtration_rate_is_that_of_the_published_equation_for_adults(batch_of):
    """CKD-EPI 2021 (kidney.org's calculator): creatinine 1.0 mg/dL at 50 years gives 92 for a man, 69 for a woman."""
    rows = [(i, "creatinine", 1.0, "mg/dL", 0.0) for i in range(5)] + [(5, "heart_rate", 80, "/min", 0.0)]
    ages, sexes = [50, 50, 50, np.nan, 12, 50], ["male", "female", "", "male", "male", "male"]
    batch = batch_of(rows, 6, age_years=ages, sex=sexes)

    assert_array_equal(np.round(egfr(check(batch), batch)), [92, 69, np.nan, np.nan, np.nan, np.nan])


def test_urine_is_counted_over_the_last_day(batch_of):
    """70 kg. 1,680 mL in the last day are 1 mL/kg/h, and what stands at its beginning is of the day before; where the
    charting is younger, what came after its first value counts over the hours since; a single void tells no rate."""
    weights = [(i, "weight", 70, "kg", -40.0) for i in range(5)]
    urine = [(0, "urine_output", 5000, "mL", -24.0), *((0, "urine_output", 840, "mL", h) for h in (-20.0, -1.0))]
    urine += [(1, "urine_output", 300, "mL", -12.0), (1, "urine_output", 840, "mL", -2.0)]
    urine += [(2, "urine_output", 500, "mL", -30.0), (3, "urine_output", 500, "mL", -1.0)]
    batch = batch_of(weights + urine, 5)

    assert_allclose(urine_rate(check(batch), batch), [1, 1, np.nan, np.nan, np.nan])


def test_age_multiplies_coma_and_urea_and_severe_coma_is_a_share(batch_of):
    """80 years, coma scales 15, 8 and 5, BUN 40 mg/dL."""
    rows = [(0, "gcs_total", value, "", hours) for value, hours in ((15, -9.0), (8, -5.0), (5, -1.0))]
    rows += [(0, "bun", 40, "mg/dL", -1.0), (1, "heart_rate", 80, "/min", 0.0)]
    batch = batch_of(rows, 2, age_years=[80, 70])
    checked = check(batch)

    assert_array_equal(age_by_coma(checked, batch), [800, np.nan])
    assert_array_equal(age_by_bun(checked, batch), [3200, np.nan])
    assert_allclose(severe_coma_share(checked, batch), [2 / 3, np.nan])
