"""Feature columns: each against a plain computation, record by record."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import linregress

from multimodal.records import Batch, MeasurementKind, measurement_table
from multimodal.vitals import FeaturePlan, check, features, plan, present
from multimodal.vitals.plans import FLAG_SUMMARIES

PLAN = FeaturePlan(
    series=("heart_rate", "systolic_bp"),
    single=("height",),
    flags=("mechanical_ventilation",),
    categories={"icu_type": ("1", "2", "3", "4")},
    derived=("shock_index",),
    per_record=("egfr_ckd_epi",),
    split_hours=-24.0,
)


FEVER = (
    ("heart_rate", 110, "/min"),
    ("systolic_bp", 100, "mm[Hg]"),
    ("diastolic_bp", 60, "mm[Hg]"),
    ("temperature", 39, "Cel"),
)


def columns_of(batch, of=PLAN):
    """The features of a batch as {name: column}."""
    got = features(check(batch), batch, of)
    return {name: got.values[:, i].tolist() for i, name in enumerate(got.names)}


def test_the_columns_of_one_record_worked_by_hand(batch_of):
    """Heart rate 60, 90, 90 at -40, -30 and -10 h: slope and deviation by a pocket calculator."""
    rows = [(0, "heart_rate", v, "/min", h) for v, h in ((60, -40.0), (90, -30.0), (90, -10.0))]
    rows += [(0, "systolic_bp", 120, "mm[Hg]", -8.0), (0, "height", 180, "cm", 0.0), (0, "icu_type", 3, "1", 0.0)]
    rows += [(0, "mechanical_ventilation", v, "1", h) for v, h in ((0, -40.0), (1, -30.0), (1, -20.0), (0, -10.0))]

    got = columns_of(batch_of(rows, 1, age_years=[70], sex=["female"]))

    assert {name: got[name][0] for name in got if name.startswith("heart_rate")} == {
        "heart_rate.first": 60,
        "heart_rate.last": 90,
        "heart_rate.min": 60,
        "heart_rate.max": 90,
        "heart_rate.mean": 80,
        "heart_rate.std": pytest.approx(np.sqrt(300)),
        "heart_rate.slope": pytest.approx(400 / (1400 / 3)),
        "heart_rate.change": 30,
        "heart_rate.recent": pytest.approx((60 / 2**5 + 90 / 2 ** (20 / 6) + 90) / (1 / 2**5 + 1 / 2 ** (20 / 6) + 1)),
        "heart_rate.count": 3,
        "heart_rate.hours_since_first": 40,
        "heart_rate.hours_since_last": 10,
        "heart_rate.early_mean": 75,
        "heart_rate.early_min": 60,
        "heart_rate.early_max": 90,
        "heart_rate.late_mean": 90,
        "heart_rate.late_min": 90,
        "heart_rate.late_max": 90,
    }  # fmt: skip
    assert (got["age_years"], got["sex"], got["height.last"]) == ([70], [1], [180])
    assert (got["shock_index.last"], got["shock_index.count"]) == ([0.75], [1])
    assert [got[f"icu_type={level}"][0] for level in "1234"] == [0, 0, 1, 0]
    assert [got[f"mechanical_ventilation.{name}"][0] for name in FLAG_SUMMARIES] == [1, 0, 0.5, 4, 40]
    assert [np.isnan(got[f"systolic_bp.{name}"][0]) for name in ("std", "slope", "change", "early_max")] == [True] * 4


def test_what_was_not_measured_is_nan_and_its_count_is_zero(batch_of):
    got = columns_of(batch_of([], 1, sex=["other"]))
    counts = {name for name in got if name.endswith(".count")}

    assert len(counts) == 4
    assert all(got[name] == [0] for name in counts)
    assert all(np.isnan(got[name][0]) for name in set(got) - counts)


def test_sex_is_one_for_female_and_zero_for_male(batch_of):
    assert_array_equal(columns_of(batch_of([], 4, sex=["female", "male", "other", ""]))["sex"], [1, 0, np.nan, np.nan])


def test_values_at_the_same_time_are_averaged_first(batch_of):
    rows = [(0, "heart_rate", v, "/min", h) for v, h in ((80, -5.0), (100, -5.0), (60, -9.0))]

    got = columns_of(batch_of(rows))

    assert (got["heart_rate.last"], got["heart_rate.max"], got["heart_rate.count"]) == ([90], [90], [2])


def by_pandas(group: pd.DataFrame, split_hours: float) -> dict[str, float]:
    """The summaries of one record's values of one code, the plain way."""
    at = group.groupby("hours")["value"].mean()
    hours, value = at.index.to_numpy(), at.to_numpy()
    return {
        "first": value[0],
        "last": value[-1],
        "min": value.min(),
        "max": value.max(),
        "mean": value.mean(),
        "std": pd.Series(value).std(),
        "slope": linregress(hours, value).slope if len(value) > 1 else np.nan,
        "change": value[-1] - value[0] if len(value) > 1 else np.nan,
        "recent": np.average(value, weights=0.5 ** ((hours[-1] - hours) / 6)),
        "count": len(value),
        "hours_since_first": -hours[0],
        "hours_since_last": -hours[-1],
        **{f"early_{name}": at[hours <= split_hours].agg(name) for name in ("mean", "min", "max")},
        **{f"late_{name}": at[hours > split_hours].agg(name) for name in ("mean", "min", "max")},
    }


def test_the_features_of_real_records_are_those_of_a_plain_computation(composite):
    """Forty records of the composite cohort, all 630 columns of its series."""
    batch = composite.take(range(40))
    checked = check(batch)
    columns = plan(check(composite), len(composite))
    got = features(checked, batch, columns)
    frame = pd.DataFrame(got.values, columns=list(got.names))

    expected = pd.DataFrame(np.nan, index=range(40), columns=list(got.names))
    for code in columns.series:
        expected[f"{code}.count"] = 0.0
    for (record, code), group in checked.values.groupby(["record", "code"], observed=True):
        if code in columns.series:
            for name, value in by_pandas(group, columns.split_hours).items():
                expected.loc[record, f"{code}.{name}"] = value
    summaries = [f"{code}.{name}" for code in columns.series for name in columns.summaries]

    assert len(columns.series) == 35
    assert_allclose(frame[summaries], expected[summaries], rtol=1e-9, atol=1e-9)


def test_the_plan_of_the_composite_cohort(composite):
    """Height and cholesterol are measured once; ICU type is a category, ventilation a flag."""
    columns = plan(check(composite), len(composite))

    assert columns.single == ("cholesterol", "height")
    assert columns.flags == ("mechanical_ventilation",)
    assert columns.categories == {"icu_type": ("1", "2", "3", "4")}
    assert columns.split_hours == pytest.approx(-24, abs=0.5)
    assert columns.derived == (
        *("systolic", "diastolic", "mean_pressure", "pulse_pressure", "pulse_pressure_invasive", "shock_index"),
        *("pao2_fio2", "saturation_fio2"),
        *("bun_creatinine", "osmolality_derived", "ast_alt", "body_mass_index"),
    )
    assert columns.per_record == (
        *("news2", "qsofa", "sofa"),
        *("egfr_ckd_epi", "age_by_coma", "age_by_bun", "severe_coma_share", "urine_rate"),
    )
    # 35 series and 12 derived ones of 18 summaries; 2 single, 2 of urine, 5 of ventilation, 4 ICU types, 8, age, sex.
    assert len(columns.names) == len(set(columns.names)) == 47 * 18 + 23
    assert FeaturePlan.from_json(columns.to_json()) == columns


def test_a_code_that_few_records_have_gets_no_column(batch_of):
    rows = [(i, "heart_rate", 70 + i, "/min", 0.0) for i in range(5)] + [(i, "crp", 5, "mg/L", 0.0) for i in range(4)]
    checked = check(batch_of(rows, 8))

    columns = plan(checked, 8)

    assert columns == FeaturePlan(single=("heart_rate",))
    assert columns.names == ("age_years", "sex", "heart_rate.last")


def test_a_quantity_that_a_cohort_declares_itself_is_its_own(batch_of):
    """A cohort may call its own number as we call a derived one: then the number counts."""
    own = MeasurementKind("shock_index", "Shock index", "", "quantity", "1", 0, 5)
    rows = [(i, code, value, unit, 0.0) for i in range(9) for code, value, unit in FEVER]
    rows += [(i, "shock_index", 2.5, "1", 0.0) for i in range(9)]
    batch = batch_of(rows, table=measurement_table().extended({"shock_index": own}))

    columns = plan(check(batch), 9)

    assert "shock_index" in columns.single
    assert "shock_index" not in columns.single_derived
    assert columns_of(batch, columns)["shock_index.last"] == [2.5] * 9


def test_the_plan_of_single_measurements_has_what_can_be_derived_of_them(batch_of):
    rows = [(i, code, value, unit, 0.0) for i in range(9) for code, value, unit in FEVER]

    columns = plan(check(batch_of(rows)), 9)

    assert columns == FeaturePlan(
        single=("diastolic_bp", "heart_rate", "systolic_bp", "temperature"),
        single_derived=("systolic", "diastolic", "pulse_pressure", "shock_index"),
    )


def test_a_plan_without_any_measurement_has_age_and_sex(batch_of):
    batch = batch_of([], 3)
    checked = check(batch)

    assert features(checked, batch, plan(checked, 3)).names == ("age_years", "sex")


def test_a_level_that_training_did_not_have_is_none_of_the_levels(batch_of):
    """Not missing, so not NaN."""
    few = FeaturePlan(categories={"icu_type": ("1", "2")})

    got = columns_of(batch_of([(0, "icu_type", 4, "1", 0.0)], 2), few)

    assert_array_equal([got["icu_type=1"], got["icu_type=2"]], [[0, np.nan], [0, np.nan]])


@pytest.mark.parametrize("text", ["[]", "{}", '{"series": []}', "nonsense"])
def test_a_damaged_plan_is_refused(text):
    with pytest.raises(ValueError):
        FeaturePlan.from_json(text)


moments = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["heart_rate", "systolic_bp", "height", "icu_type", "mechanical_ventilation"]),
    st.sampled_from([1, 3, 60, 90, 120, 121.5]),
    st.just(""),
    st.sampled_from([0.0, -1.0, -1.5, -30.0, -40.0]),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(moments, max_size=25), data=st.data())
def test_neither_the_order_of_rows_nor_other_records_matter(batch_of, rows, data):
    """The features of record 0, shuffled and alone."""
    shuffled = batch_of(data.draw(st.permutations(rows)), 3)
    batch = batch_of(rows, 3)
    alone = batch.take([0])
    here = features(check(batch), batch, PLAN).values[0]

    assert_array_equal(here, features(check(shuffled), shuffled, PLAN).values[0])
    assert_array_equal(here, features(check(alone), alone, PLAN).values[0])


def test_a_million_rows_are_checked_and_summarised_column_wise(set_a):
    """Set A, 1.7 million rows: under 30 s even on a busy machine (about 3 s on a quiet one); a loop takes minutes."""
    begin = time.process_time()

    checked = check(set_a)
    got = features(checked, set_a, plan(checked, len(set_a)))

    assert time.process_time() - begin < 30
    assert len(set_a.measurements) > 1_700_000
    assert got.values.shape[0] == 4000
    # Three records have no series, but each has its ICU type.
    assert present(checked, 4000).all()
    assert isinstance(set_a, Batch)
