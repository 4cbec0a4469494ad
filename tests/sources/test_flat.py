"""A flat file: one row a record, one column per code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from multimodal.records import CohortError, MeasurementKind
from multimodal.sources import Cohort
from multimodal.vitals import check

HEADER = "record_id,patient_id,age_years,sex,split,heart_rate,temperature [degF],note,image,label.pneumonia\n"
ROWS = 'A,P1,64,female,test,80,98.6,"clear, dry",a.png,1\nB,,,,,,,,,\n,P3,50,,,70,,,,0\nD,P4,,,,1,2,x,y,1,surplus\n'


def test_columns_become_measurements_notes_images_and_labels(tmp_path):
    (tmp_path / "ward.csv").write_text(HEADER + ROWS)
    cohort = Cohort.open(tmp_path / "ward.csv")
    batch = cohort.batch()

    assert cohort.record_ids.tolist() == ["A", "B", "line:4", "D"]
    assert cohort.patient_ids.tolist() == ["P1", "B", "P3", "D"]
    assert cohort.splits.tolist() == ["test", "", "", ""]
    np.testing.assert_array_equal(batch.age_years, [64, np.nan, 50, np.nan])
    assert batch.measurements.drop(columns="hours").to_numpy().tolist() == [
        [0, "heart_rate", "80", "/min", "ward.csv row 2 column heart_rate"],
        [0, "temperature", "98.6", "degF", "ward.csv row 2 column temperature [degF]"],
        [2, "heart_rate", "70", "/min", "ward.csv row 4 column heart_rate"],
    ]
    assert [(note.record, note.text, note.where) for note in batch.notes] == [(0, "clear, dry", "ward.csv row 2")]
    assert [image.path for image in batch.images] == [tmp_path / "a.png"]
    assert [(record, problem.code) for record, problem in batch.problems] == [(2, "BAD_VALUE"), (3, "BAD_VALUE")]
    np.testing.assert_array_equal(cohort.labels(), [[1], [np.nan], [0], [np.nan]])
    assert [str(problem) for problem in cohort.problems] == [
        "PATIENT_ASSUMED: ward.csv: 2 records have no patient_id: the record_id is taken"
    ]


def test_the_same_table_as_parquet_gives_the_same_records(tmp_path):
    frame = pd.DataFrame({"record_id": ["A", "B"], "patient_id": ["P", "Q"], "8867-4": [80, 81], "note": ["x", None]})
    frame.to_parquet(tmp_path / "ward.parquet")
    frame.to_csv(tmp_path / "ward.csv", index=False)
    parquet, text = (Cohort.open(tmp_path / name).batch() for name in ("ward.parquet", "ward.csv"))

    pd.testing.assert_frame_equal(
        parquet.measurements.drop(columns="where"), text.measurements.drop(columns="where"), check_dtype=False
    )
    assert parquet.measurements["code"].tolist() == ["8867-4", "8867-4"]  # LOINC: vitals resolves it
    assert [note.text for note in parquet.notes] == ["x"]


def test_a_toml_file_beside_names_targets_attributes_and_what_to_ignore(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,patient_id,ward,bed,grip,label.frail\nA,P,3,1,20,1\n")
    (tmp_path / "ward.toml").write_text(
        'schema = 1\nname = "Ward 3"\nattributes = ["ward"]\nignore = ["bed"]\n'
        '[targets.frail]\nkind = "risk"\n[measurements.grip]\nunit = "kg"\n'
    )
    cohort = Cohort.open(tmp_path / "ward.csv")

    assert (cohort.name, cohort.targets["frail"].kind, cohort.attribute("ward")[0]) == ("Ward 3", "risk", "3")
    assert cohort.batch().measurements["code"].tolist() == ["grip"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("record_id,hart_rate,label.x", "UNKNOWN_COLUMN: ward.csv: 'hart_rate'; did you mean 'heart_rate'?"),
        ("recordid,heart_rate", "UNKNOWN_COLUMN: ward.csv: 'recordid'; did you mean 'record_id'?"),
        ("heart_rate,note", "COHORT_FORM: ward.csv lacks the column record_id."),
        ("MRN7,Smith,64", "COHORT_FORM: ward.csv: its first row names no column that the form has: is the header miss"),
        ("record_id,note,note", "COHORT_FORM: ward.csv: column 'note' stands twice."),
    ],
)
def test_columns_that_mean_nothing_are_refused(tmp_path, header, message):
    (tmp_path / "ward.csv").write_text(header + "\n")
    with pytest.raises(CohortError) as error:
        Cohort.open(tmp_path / "ward.csv")

    assert str(error.value).startswith(message)


def test_a_label_that_no_target_can_have_does_not_stop_scoring(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,patient_id,note,label.COVID-19\nA,P,cough,1\n")
    cohort = Cohort.open(tmp_path / "ward.csv")

    assert repr(cohort) == "Cohort('ward', 1 records of 1 patients)"
    assert [note.text for note in cohort.batch().notes] == ["cough"]
    for asked in (lambda: cohort.targets, cohort.labels, cohort.label_problems):
        with pytest.raises(CohortError) as error:
            asked()
        assert str(error.value) == (
            "COHORT_FORM: ward.csv: the column 'label.COVID-19' names no target: a target's name is a small letter, "
            "then small letters, digits and _ ([a-z][a-z0-9_]*). "
            "`multimodal new DIR` writes an empty cohort that shows the form."
        )


def test_a_label_without_a_target_in_the_toml_file_does_not_stop_scoring(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,patient_id,note,label.fral\nA,P,cough,1\n")
    (tmp_path / "ward.toml").write_text("schema = 1\n[targets.frail]\n")
    cohort = Cohort.open(tmp_path / "ward.csv")

    assert [note.text for note in cohort.batch().notes] == ["cough"]
    with pytest.raises(CohortError, match=r"UNKNOWN_COLUMN: ward.csv: 'label.fral'; did you mean 'label.frail'\?"):
        cohort.labels()


def test_an_attribute_may_be_called_as_a_field(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,patient_id,sex,#where,note\nA,P,female,bed 3,cough\n")
    (tmp_path / "ward.toml").write_text('schema = 1\nattributes = ["sex", "#where", "note", "record_id"]\n')
    cohort = Cohort.open(tmp_path / "ward.csv")
    batch = cohort.batch()

    assert (batch.sex.tolist(), batch.notes[0].text, batch.notes[0].where) == (["female"], "cough", "ward.csv row 2")
    assert [cohort.attribute(name)[0] for name in cohort.attributes] == ["female", "bed 3", "cough", "A"]


def test_extra_columns_may_be_ignored_and_an_empty_file_is_no_records(tmp_path):
    (tmp_path / "ward.tsv").write_text("record_id\tphone\nA\t555\n")
    (tmp_path / "none.csv").touch()
    (tmp_path / "ward.xlsx").touch()

    assert len(Cohort.open(tmp_path / "ward.tsv", ignore=["phone"])) == 1
    assert len(Cohort.open(tmp_path / "none.csv").batch()) == 0
    with pytest.raises(CohortError, match=r"COHORT_FORM: 'ward.xlsx' is none of a folder, .jsonl, .csv"):
        Cohort.open(tmp_path / "ward.xlsx")


PLAIN = """
schema = 1
[measurements.dyspnoea]
kind = "flag"
[measurements."chest pain"]
kind = "category"
categories = ["typical", "atypical", "none"]
[measurements.crp_hs]
unit = "mg/l"
units = {"mg/dL" = 10}
low = 0
high = 500
censored = true
[measurements.grip]
unit = "kg"
low = 0
"""


@pytest.mark.parametrize(
    ("column", "cell", "value", "code"),
    [
        ("dyspnoea", " Yes ", 1, None),
        ("Dyspnoea", "absent", 0, None),
        ("dyspnoea", "2", None, "IMPLAUSIBLE"),
        ("dyspnoea", "n/a", None, "IMPLAUSIBLE"),
        ("dyspnoea", "   ", None, None),
        ("chest pain", "TYPICAL", 0, None),
        ("chest pain", "typcal", None, "IMPLAUSIBLE"),
        ("crp_hs", "12,5", 12.5, "DECIMAL_COMMA"),
        ("crp_hs", "<0.3", 0.3, "CENSORED"),
        ("crp_hs", "999", None, "IMPLAUSIBLE"),
        ("crp_hs", "-1", None, "IMPLAUSIBLE"),
        ("crp_hs", "n/a", None, "NOT_A_NUMBER"),
        ("crp_hs", "7 mg", None, "NOT_A_NUMBER"),
        ("crp_hs [mg/dl]", "1.5", 15, None),
        ("crp_hs [g/L]", "1.5", None, "UNKNOWN_UNIT"),
        ("grip", "-9", None, "IMPLAUSIBLE"),
        ("grip", "1e30", None, "IMPLAUSIBLE"),
        ("grip", "<5", None, "NOT_A_NUMBER"),
    ],
)
def test_the_dirt_of_a_plain_table_has_its_codes(tmp_path, column, cell, value, code):
    """A cohort's own measurement is read as any other; its unit is the declared one, so none is assumed."""
    (tmp_path / "plain.csv").write_text(f'record_id,patient_id,{column}\nA,P,"{cell}"\n')
    (tmp_path / "plain.toml").write_text(PLAIN)
    checked = check(Cohort.open(tmp_path / "plain.csv").batch())

    assert checked.values["value"].tolist() == ([] if value is None else [value])
    assert [problem.code for _, problem in checked.problems] == ([] if code is None else [code])


def test_a_misspelt_level_names_the_near_one(tmp_path):
    (tmp_path / "plain.csv").write_text("record_id,patient_id,chest pain\nA,P,typcal\n")
    (tmp_path / "plain.toml").write_text(PLAIN)
    [(_, problem)] = check(Cohort.open(tmp_path / "plain.csv").batch()).problems

    assert str(problem) == (
        "IMPLAUSIBLE: plain.csv row 2 column chest pain: chest pain 'typcal' is none of typical, atypical, none; "
        "did you mean 'typical'?"
    )


def test_a_column_that_nothing_declares_is_refused_with_the_place_to_declare_it(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,grip\nA,20\n")
    kind = MeasurementKind("grip", "Grip", "", "quantity", "kg", 0.0, 90.0)
    with pytest.raises(CohortError) as error:
        Cohort.open(tmp_path / "ward.csv")

    assert (
        "UNKNOWN_COLUMN: ward.csv: 'grip'. A measurement of your own is declared in ward.toml, as [measurements.NAME]"
        in (str(error.value))
    )
    assert Cohort.open(tmp_path / "ward.csv", known={"grip": kind}).batch().measurements["value"].tolist() == ["20"]


def test_a_column_may_be_a_measurement_and_an_attribute(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,grip\nA,20\n")
    (tmp_path / "ward.toml").write_text('schema = 1\nattributes = ["grip"]\n[measurements.grip]\nunit = "kg"\n')
    cohort = Cohort.open(tmp_path / "ward.csv")

    assert cohort.attribute("grip").tolist() == ["20"]
    assert cohort.batch().measurements[["code", "value", "unit"]].to_numpy().tolist() == [["grip", "20", "kg"]]


def test_a_code_may_have_two_columns_and_each_cell_says_where_it_stood(tmp_path):
    (tmp_path / "ward.csv").write_text("record_id,heart_rate,8867-4,heart_rate [bpm],sodium\nA,80,,82,140\nB,,70,,\n")

    assert Cohort.open(tmp_path / "ward.csv").batch().measurements.drop(columns="hours").to_numpy().tolist() == [
        [0, "heart_rate", "80", "/min", "ward.csv row 2 column heart_rate"],
        [0, "heart_rate", "82", "bpm", "ward.csv row 2 column heart_rate [bpm]"],
        [0, "sodium", "140", "meq/L", "ward.csv row 2 column sodium"],
        [1, "8867-4", "70", "/min", "ward.csv row 3 column 8867-4"],
    ]
