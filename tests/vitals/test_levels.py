"""The levels of a category that names none."""

from __future__ import annotations

from multimodal.records import MeasurementKind, measurement_table
from multimodal.vitals import learnt_additions, settle_levels

INF = float("inf")
OWN = {
    "smoking": MeasurementKind("smoking", "Smoking", "", "category", "1", -INF, INF),
    "stage": MeasurementKind("stage", "Stage", "", "category", "1", -INF, INF, {}, ("I", "II")),
}
TABLE = measurement_table().extended(OWN)


def _whole(rows):
    """(record, code, value) with no unit and no time."""
    return [(*row, "", 0.0) for row in rows]


def test_a_level_is_learnt_if_enough_records_have_it_in_any_case_and_number_format(batch_of):
    """Three records have `never`, one of them written otherwise; `3`, `3.0` and ` 3` are one level; twice in one record
    is once."""
    rows = [(0, "smoking", "never"), (1, "Smoking", "Never"), (2, "smoking", " never ")]
    rows += [(0, "smoking", "3"), (1, "smoking", "3.0"), (2, "smoking", " 3")]
    rows += [(0, "smoking", "once"), (0, "smoking", "once"), (0, "smoking", "once"), (1, "smoking", "")]
    batch = batch_of(_whole(rows), table=TABLE)
    settled, problems = settle_levels(batch, min_records=3)

    assert settled.table["smoking"].categories == ("3", "never")
    assert settled.table["stage"] == OWN["stage"]
    assert [str(problem) for problem in problems] == [
        "LEVELS_RARE: smoking: 1 of 3 levels are in fewer than 3 training records: they are not learnt"
    ]
    assert list(learnt_additions(settled.table)) == ["smoking", "stage"]


def test_in_many_records_a_level_needs_one_in_five_hundred(batch_of):
    rows = [(i, "smoking", "rare" if i < 5 else "common") for i in range(3000)]
    settled, _ = settle_levels(batch_of(_whole(rows), table=TABLE))

    assert settled.table["smoking"].categories == ("common",)


def test_what_is_all_free_text_is_left_out_and_nothing_else_is(batch_of):
    rows = [(i, "smoking", f"text {i}") for i in range(6)] + [(0, "heart_rate", "80"), (1, "stage", "I")]
    settled, problems = settle_levels(batch_of(_whole(rows), table=TABLE))

    assert settled.measurements["code"].tolist() == ["heart_rate", "stage"]
    assert [problem.where for problem in problems] == ["smoking"]
    assert {code: kind.categories for code, kind in learnt_additions(settled.table).items()}["smoking"] == ()


def test_a_table_whose_levels_are_all_known_is_left_as_it_is(batch_of):
    batch = batch_of(_whole([(0, "icu_type", "1")]))

    settled, problems = settle_levels(batch)
    assert settled is batch
    assert problems == []
