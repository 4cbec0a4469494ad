"""A cohort folder is read column by column; bad input gets what INPUTS.md says."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pandas as pd
import pytest

from multimodal.records import CohortError, MeasurementKind
from multimodal.sources import Cohort

from .conftest import PATIENTS, TOML


def codes_of(cohort: Cohort) -> list[tuple[int, str, str]]:
    return [(record, problem.code, problem.where) for record, problem in cohort.batch().problems]


def refusal(folder, **options) -> CohortError:
    with pytest.raises(CohortError) as error:
        Cohort.open(folder, **options)
    return error.value


def test_the_composite_cohort_is_read_whole(shared):
    """Counts by `wc -l` and `zcat | wc -l` of its files; the first rows as they stand there."""
    cohort = Cohort.open(shared / "data" / "composite")
    batch = cohort.batch()

    assert (len(cohort), len(batch.measurements), len(batch.notes), len(batch.images)) == (720, 277_167, 651, 647)
    assert (cohort.name, list(cohort.targets)) == ("composite-1", ["pneumonia", "in_hospital_death"])
    assert (batch.problems, cohort.problems, cohort.label_problems()) == ([], [], [])
    first = batch.measurements.iloc[0]
    assert (first.record, first.code, first.value, first.unit, first.hours) == (0, "height", "-1", "cm", -48.0)
    assert f"{first['where']}" == "measurements.csv.gz row 2"
    assert batch.images[0].path == (shared / "data/composite/images/C01-0000.jpg").resolve()
    labels = cohort.labels()
    assert round(float(np.mean(labels[:, 0] == 1)), 3) == 0.276  # its README: 27.6 %
    assert cohort.labels(["in_hospital_death"]).shape == (720, 1)


def test_batches_are_the_batch_cut_in_pieces(shared):
    cohort = Cohort.open(shared / "data" / "composite")
    whole = cohort.batch()

    ids = np.concatenate([batch.record_ids for batch in cohort.batches(100, start=20)])
    assert ids.tolist() == cohort.record_ids[20:].tolist()
    for number, batch in zip(range(3), cohort.batches(100)):
        same = whole.take(range(100 * number, 100 * number + 100))
        pd.testing.assert_frame_equal(batch.measurements, same.measurements)
        assert list(batch.notes) == same.notes
        assert list(batch.images) == same.images


def test_a_split_keeps_patients_together_and_is_the_same_each_time(cohort_folder):
    rows = "".join(f"R{i},P{i % 10}\n" for i in range(40))
    cohort = Cohort.open(cohort_folder(patients="record_id,patient_id\n" + rows))
    train, test = cohort.split(test=0.3, seed=1)

    assert set(train.patient_ids).isdisjoint(test.patient_ids)
    assert (len(train), len(test)) == (28, 12)
    assert cohort.split(test=0.3, seed=1)[1].record_ids.tolist() == test.record_ids.tolist()
    assert cohort.split(test=0.3, seed=2)[1].record_ids.tolist() != test.record_ids.tolist()


@pytest.mark.parametrize(
    "notes",
    [
        pytest.param('record_id,text\nB,"two\nlines, é"\n'.encode(), id="UTF-8, quoted newline"),
        pytest.param('\ufeffrecord_id,text\r\nB,"two\nlines, é"\r\n'.encode(), id="byte order mark, CRLF"),
        pytest.param('record_id,text\nB,"two\nlines, é"\n'.encode("utf-16"), id="UTF-16"),
        pytest.param('record_id;text\nB ;"two\nlines, é"\n'.encode(), id="semicolons, trailing space"),
        pytest.param('record_id\ttext\nB\t"two\nlines, é"\n'.encode(), id="tabs"),
        pytest.param('record_id,text,\n\nB,"two\nlines, é",\n'.encode(), id="trailing delimiters, blank line"),
        pytest.param('record_id,text\nB,"two\nlines, é"\n'.encode("cp1252"), id="Windows-1252"),
    ],
)
def test_a_table_is_read_however_it_was_exported(cohort_folder, notes, request):
    cohort = Cohort.open(cohort_folder(notes=notes))

    assert [(note.record, note.text) for note in cohort.batch().notes] == [(1, "two\nlines, é")]
    guessed = "Windows-1252" in request.node.name
    assert [problem.code for problem in cohort.problems] == (["ENCODING_GUESSED"] if guessed else [])


def test_tables_may_be_parquet_or_gzip(cohort_folder, tmp_path):
    folder = cohort_folder()
    frame = pd.DataFrame({"record_id": ["B", "A"], "code": ["spo2", "heart_rate"], "value": [96.5, 80.0]})
    frame.to_parquet(folder / "measurements.parquet")
    pd.DataFrame({"record_id": ["A", "B"], "pneumonia": [1.0, None]}).to_parquet(folder / "labels.parquet")
    (folder / "notes.csv.gz").write_bytes(gzip.compress(b"record_id,text\nA,clear\n"))
    cohort = Cohort.open(folder)
    batch = cohort.batch()

    assert batch.measurements["code"].tolist() == ["heart_rate", "spo2"]
    assert batch.measurements["value"].astype(float).tolist() == [80.0, 96.5]
    assert batch.measurements["where"].tolist() == ["measurements.parquet row 2", "measurements.parquet row 1"]
    assert batch.notes[0].text == "clear"
    np.testing.assert_array_equal(cohort.labels(), [[1, np.nan], [np.nan, np.nan]])


def test_cells_are_taken_as_they_stand(cohort_folder):
    """`NA`, leading zeros, exponents and formulas are data; a missing unit is ""; an empty value is left to vitals."""
    measurements = "record_id,code,value\n" + "".join(f"A,heart_rate,{v}\n" for v in ("NA", "080", "1e2", "=1+1", ""))
    batch = Cohort.open(cohort_folder(measurements=measurements)).batch()

    assert batch.measurements["value"].tolist() == ["NA", "080", "1e2", "=1+1", ""]
    assert set(batch.measurements["unit"]) == {""}


def test_an_empty_file_is_no_records(cohort_folder):
    for patients in ("", "record_id,patient_id\n"):
        cohort = Cohort.open(cohort_folder(patients=patients, notes="", labels=""))

        assert len(cohort) == len(cohort.batch()) == 0
        assert cohort.labels().shape == (0, 2)
        assert list(cohort.batches()) == list(cohort) == []


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"patients": "record_id,patient_id\nA,1\nB,2\nA,3\nB,4\nC,5\n"},
            "DUPLICATE_RECORD: patients.csv: 2 record_id stand twice: 'A', 'B'. Give each record an id of its own.",
        ),
        (
            {"measurements": "record_id,code,valeu\n"},
            "UNKNOWN_COLUMN: measurements.csv: 'valeu'; did you mean 'value'? "
            "Correct its name, or list it under `attributes` or `ignore` in cohort.toml.",
        ),
        (
            {"measurements": "record_id,code\n"},
            "COHORT_FORM: measurements.csv lacks the column value. "
            "`multimodal new DIR` writes an empty cohort that shows the form.",
        ),
        ({"notes": "record_id,kind\n"}, "COHORT_FORM: notes.csv has neither the column text nor path."),
        ({"notes": 'record_id,text\nA,"open\n'}, "COHORT_FORM: notes.csv row 2 cannot be read"),
        ({"notes": b"record_id,text\nA,\xe9\x00\n"}, "BAD_ENCODING: notes.csv: it is not UTF-8, and has bytes"),
        ({"patients.parquet": b"PAR1"}, "COHORT_FORM: patients.csv and patients.parquet are the same table."),
        ({"measurments": "record_id\n"}, "COHORT_FORM: 'measurments.csv' is no table of a cohort; did you mean 'meas"),
        ({"notes.csv.gz": b"\x1f\x8b\x08"}, "COHORT_FORM: notes.csv.gz cannot be read (EOFError)."),
        ({"notes.parquet": b"PAR1PAR1"}, "COHORT_FORM: notes.parquet cannot be read (ArrowInvalid)."),
        (
            {"toml": "schema = 2"},
            "COHORT_FORM: cohort.toml is of schema 2, this version reads up to 1",
        ),
        ({"toml": "schema = 1\nignor = []"}, "COHORT_FORM: cohort.toml: unknown key 'ignor'; did you mean 'ignore'?"),
        ({"toml": "name = 'x'"}, "COHORT_FORM: cohort.toml: `schema` must be 1, not 'None'."),
        ({"toml": "schema = = 1"}, "COHORT_FORM: cohort.toml cannot be read: Invalid value (at line 1, column 10)."),
        (
            {"toml": 'schema = 1\n[targets.x]\nkind = "risky"'},
            "COHORT_FORM: cohort.toml: [targets.x] kind: input should be 'diagnosis' or 'risk'.",
        ),
        (
            {"toml": 'schema = 1\n[measurements.x]\nunti = "m"'},
            "COHORT_FORM: cohort.toml: [measurements.x] unknown key 'unti'; did you mean 'unit'?",
        ),
        *(
            (
                {"toml": f'schema = 1\n[measurements."{name}"]\nunit = "Hz"'},
                f"COHORT_FORM: cohort.toml: [measurements.{name}] heart_rate is in the measurement table already "
                "(Heart rate, /min): use it, or choose another name. "
                "`multimodal new DIR` writes an empty cohort that shows the form.",
            )
            for name in ("heart_rate", "Heart_Rate", "8867-4")
        ),
        (
            {"patients": "MRN7,Smith,64,female\nMRN8,Jones,65,male\n"},
            "COHORT_FORM: patients.csv: its first row names no column that the form has: is the header missing? "
            "`multimodal new DIR` writes an empty cohort that shows the form.",
        ),
    ],
)
def test_a_cohort_that_breaks_the_form_is_refused_as_a_whole(cohort_folder, tables, message):
    assert str(refusal(cohort_folder(**tables))).startswith(message)


def test_what_is_not_there_is_not_found(tmp_path):
    assert refusal(tmp_path / "nowhere").code == "COHORT_NOT_FOUND"
    assert refusal(tmp_path).code == "COHORT_FORM"


def test_extra_columns_are_kept_as_attributes_or_left_out(cohort_folder):
    folder = cohort_folder(
        toml='schema = 1\nattributes = ["ward"]\nignore = ["phone"]',
        patients="record_id,patient_id,ward,phone,bed\nA,P1,3 West,555,1\nB,P2,,,\n",
    )

    assert refusal(folder).code == "UNKNOWN_COLUMN"
    assert Cohort.open(folder, ignore=["bed"]).attribute("ward").tolist() == ["3 West", ""]


def test_an_attribute_may_be_called_as_a_field_or_as_a_column_of_ours(cohort_folder):
    names = ["sex", "patient_id", "#where", "#record"]
    folder = cohort_folder(
        toml=f"schema = 1\nattributes = {names}",
        patients="record_id,patient_id,sex,#where,#record\nA,P1,female,here,7\nB,P2,femal,there,8\n",
    )
    cohort = Cohort.open(folder)

    assert cohort.batch().sex.tolist() == ["female", ""]
    assert codes_of(cohort) == [(1, "BAD_VALUE", "patients.csv row 3 sex")]
    assert [cohort.attribute(name).tolist() for name in names] == [
        ["female", "femal"],
        ["P1", "P2"],
        ["here", "there"],
        ["7", "8"],
    ]


def test_a_cohorts_own_measurements_join_the_table(cohort_folder):
    toml = TOML + '[measurements.grip]\nkind = "quantity"\nunit = "kg"\nlow = 1\nhigh = 90\n'
    table = Cohort.open(cohort_folder(toml=toml)).table

    assert (table["grip"].unit, table["grip"].high, table["grip"].display) == ("kg", 90.0, "grip")
    assert "heart_rate" in table


def test_a_declared_measurement_takes_units_in_common_spelling_levels_and_a_range(cohort_folder):
    toml = """
[measurements."chest pain"]
kind = "category"
categories = ["typical", "atypical", 3]
[measurements.cuff]
unit = "mmHg"
units = {kpa = 7.5, "degrees F" = [0.5, -10]}
high = 300
censored = true
"""
    table = Cohort.open(cohort_folder(toml=TOML + toml)).table

    assert table[table.resolve("Chest Pain")].categories == ("typical", "atypical", "3")
    assert (table["cuff"].unit, table["cuff"].low, table["cuff"].high) == ("mm[Hg]", float("-inf"), 300.0)
    assert table["cuff"].units == {"kPa": (7.5, 0.0), "[degF]": (0.5, -10.0)}
    assert table["cuff"].censored


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ('"note"]', "[measurements] 'note' cannot be a code: a flat file has a column of this name."),
        ('"label.x"]', "[measurements] 'label.x' cannot be a code: `label.` begins the column of a target."),
        ('" x"]', "[measurements] ' x' cannot be a code: it begins or ends with a blank."),
        ('"x [mg]"]', "[measurements] 'x [mg]' cannot be a code: it holds '['."),
        ('""]', "[measurements] '' cannot be a code: it is empty."),
        (
            "Grip]\n[measurements.grip]",
            "[measurements] 'grip' cannot be a code: 'Grip' is declared too, and codes are the",
        ),
        (
            "mean.radius]",
            "[measurements.mean] unknown table 'radius': a name with a dot is quoted, [measurements.\"mean.ra",
        ),
        ('x]\nkind = "text"', "[measurements.x] `kind` must be one of quantity, category, flag, not 'text'."),
        ('x]\ncategories = ["a", "b"]', "[measurements.x] `categories` is for a category, and the kind is quantity."),
        ('x]\nkind = "flag"\nlow = 0', "[measurements.x] `low` is for a quantity, and the kind is flag."),
        (
            'x]\nkind = "category"\ncategories = ["a", "A"]',
            "[measurements.x] `categories` must be at least two levels, d",
        ),
        (
            'x]\nkind = "category"\ncategories = [true, false]',
            "[measurements.x] `categories` must be a list of texts or",
        ),
        (
            'x]\nkind = "category"\ncategories = "a"',
            "[measurements.x] `categories` must be a list of texts or numbers, n",
        ),
        ("x]\nlow = 2\nhigh = 1", "[measurements.x] `low` must not be above `high`."),
        ("x]\nlow = true", "[measurements.x] `low` must be a number, not 'True'."),
        ("x]\nunit = 5", "[measurements.x] `unit` must be a text, not '5'."),
        ('x]\nunits = "mg"', "[measurements.x] `units` must be a table of units, not 'mg'."),
        ("x]\nunits = {g = 0}", "[measurements.x] `units` 'g': the factor must not be 0, and both finite."),
        (
            "x]\nunits = {g = [1, 2, 3]}",
            "[measurements.x] `units` 'g' must be a factor or [factor, offset], not '[1, 2,",
        ),
        ('x]\nunit = "mmHg"\nunits = {"mm[Hg]" = 1}', "[measurements.x] `units` 'mm[Hg]' is there already."),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(cohort_folder, declaration, message):
    assert str(refusal(cohort_folder(toml=f"schema = 1\n[measurements.{declaration}"))).startswith(
        f"COHORT_FORM: cohort.toml: {message}"
    )


def test_a_value_without_a_unit_is_in_the_unit_that_the_cohort_declares(cohort_folder):
    toml = TOML + '[measurements.grip]\nunit = "kg"\n[measurements.ratio]\n[measurements.pain]\nkind = "flag"\n'
    rows = "record_id,code,value,unit\nA,Grip,20,\nA,grip,2000,g\nA,ratio,1,\nA,pain,yes,\nA,heart_rate,80,\n"
    frame = Cohort.open(cohort_folder(toml=toml, measurements=rows)).batch().measurements

    assert frame["unit"].tolist() == ["kg", "g", "1", "", ""]


def test_what_a_model_knows_need_not_be_declared_again_and_a_declaration_wins(cohort_folder):
    known = {code: MeasurementKind(code, code, "", "quantity", "kg", 0.0, 9.0) for code in ("grip", "lift")}
    folder = cohort_folder(toml=TOML + '[measurements.grip]\nunit = "kg"\nhigh = 90\n')
    table = Cohort.open(folder, known=known).table

    assert (table["grip"].high, table["lift"].high) == (90.0, 9.0)


def test_rows_of_nobody_are_counted_and_the_first_ten_named(cohort_folder):
    notes = "record_id,text\nB,mine\n" + "".join(f"X{i},lost\n" for i in range(12))
    cohort = Cohort.open(cohort_folder(notes=notes))

    named = ", ".join(f"'X{i}'" for i in range(10))
    assert [str(problem) for problem in cohort.problems] == [
        f"ORPHAN_ROW: notes.csv: 12 rows name records that the cohort lacks: {named}"
    ]
    assert [note.record for note in cohort.batch().notes] == [1]


def test_a_bad_cell_costs_that_item_only(cohort_folder):
    cohort = Cohort.open(
        cohort_folder(
            patients=(
                "record_id,patient_id,age_years,sex,prediction_time\n"
                "A,P1,old,femal,2024-01-02T00:00\nB,P2,121,male,soon\nC,,60,,\n,P4,,,\n"
            ),
            measurements=(
                "record_id,code,value,unit,time\nA,heart_rate,80,/min,-1\nA,heart_rate,81,/min,1\n"
                "A,heart_rate,82,/min,2024-01-01T23:00\nB,heart_rate,83,/min,2024-01-01T23:00\nA,,84,,\n"
                "B,heart_rate,85,/min,,surplus\nA,heart_rate\n"
            ),
            notes="record_id,kind,time,text\nA,discharg,,x\nA,,3,x\nA,nursing,,kept\n",
        )
    )
    batch = cohort.batch()

    assert codes_of(cohort) == [
        (0, "BAD_VALUE", "patients.csv row 2 age_years"),
        (0, "BAD_VALUE", "patients.csv row 2 sex"),
        (0, "FUTURE_INPUT", "measurements.csv row 3"),
        (0, "BAD_VALUE", "measurements.csv row 6"),
        (0, "BAD_VALUE", "notes.csv row 2"),
        (0, "FUTURE_INPUT", "notes.csv row 3"),
        (1, "BAD_VALUE", "measurements.csv row 7"),
        (1, "BAD_VALUE", "patients.csv row 3 age_years"),
        (1, "BAD_VALUE", "patients.csv row 3 prediction_time"),
        (1, "BAD_VALUE", "measurements.csv row 5"),
        (3, "BAD_VALUE", "patients.csv row 5"),
    ]
    assert batch.record_ids.tolist() == ["A", "B", "C", "line:5"]
    assert batch.patient_ids.tolist() == ["P1", "P2", "C", "P4"]
    np.testing.assert_array_equal(batch.age_years, [np.nan, np.nan, 60, np.nan])
    assert batch.sex.tolist() == ["", "male", "", ""]
    assert batch.measurements["value"].tolist() == ["80", "82", ""]
    assert batch.measurements["hours"].tolist() == [-1.0, -1.0, 0.0]
    assert [note.text for note in batch.notes] == ["kept"]
    assert [problem.code for problem in cohort.problems] == ["PATIENT_ASSUMED"]
    assert cohort[0].sex is None
    assert cohort[0].notes[0].text == "kept"


def test_only_files_inside_the_cohort_are_read(cohort_folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = cohort_folder()
    (folder / "inside.txt").write_bytes(b"caf\xe9")
    (folder / "empty.txt").touch()
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "link.txt").symlink_to("inside.txt")
    os.mkfifo(folder / "pipe")
    with (folder / "endless.txt").open("wb") as file:
        file.truncate(1 << 30)
    paths = ["inside.txt", "link.txt", "/etc/hostname", "../secret.txt", "a/../../secret.txt", "out.txt", "pipe"]
    paths += ["C:\\x.txt", "absent.txt", "empty.txt", "endless.txt", ""]
    cohort_folder(
        notes="record_id,path\n" + "".join(f"A,{path}\n" for path in paths),
        images="record_id,path\n" + "".join(f"A,{path}\n" for path in paths),
    )
    cohort = Cohort.open(folder)
    batch = cohort.batch()

    notes = {where: code for _, code, where in codes_of(cohort) if where.startswith("notes")}
    outside = dict.fromkeys([f"notes.csv row {row}" for row in range(4, 10)], "PATH_OUTSIDE")
    assert notes == outside | {
        "notes.csv row 2": "ENCODING_GUESSED",
        "notes.csv row 3": "ENCODING_GUESSED",
        "notes.csv row 10": "FILE_MISSING",
        "notes.csv row 11": "FILE_EMPTY",
        "notes.csv row 12": "NOTE_TOO_LONG",
    }
    assert [note.text for note in batch.notes] == ["café", "café", ""]
    images = [(code, where) for _, code, where in codes_of(cohort) if where.startswith("images")]
    assert images == [("PATH_OUTSIDE", f"images.csv row {row}") for row in range(4, 10)] + [
        ("BAD_VALUE", "images.csv row 13")
    ]
    assert [image.path.name for image in batch.images] == [
        "inside.txt",
        "link.txt",
        "absent.txt",
        "empty.txt",
        "endless.txt",
    ]


def test_labels_are_checked_when_they_are_read_and_not_before(cohort_folder):
    toml = 'schema = 1\n[targets.flu]\ngroup = "virus"\n[targets.cold]\ngroup = "virus"\n[targets.death]\n'
    labels = "record_id,flu,cold,death\nA,1,1,2\nB,0,1,\nB,0,,1\nB,1,,\nZ,1,0,0\n"
    cohort = Cohort.open(cohort_folder(toml=toml, labels=labels))
    cohort.batch()

    assert cohort.problems == []
    np.testing.assert_array_equal(cohort.labels(), [[np.nan, np.nan, np.nan], [np.nan, 1, 1]])
    assert [(record, str(problem)) for record, problem in cohort.label_problems()] == [
        (0, "BAD_VALUE: labels.csv row 2: label death is '2', not 0, 1 or empty"),
        (0, "BAD_VALUE: labels of group virus: flu and cold are 1, but the group's classes are exclusive"),
        (1, "BAD_VALUE: labels.csv row 5: label flu contradicts an earlier row of this record"),
    ]
    assert [problem.code for problem in cohort.problems] == ["ORPHAN_ROW"]
    np.testing.assert_array_equal(cohort.take([1]).labels(["death"]), [[1]])


def test_one_class_of_a_group_that_is_1_says_that_the_empty_ones_are_0(cohort_folder):
    """A group is often labelled by its positives alone; what was refused, and a row without any 1, stay unknown."""
    toml = "schema = 1\n[targets.death]\n"
    toml += "".join(f'[targets.{name}]\ngroup = "virus"\n' for name in ("flu", "cold", "covid"))
    rows = {"A": ",1,,", "B": ",,,", "C": ",,1,1", "D": ",1,2,", "E": ",0,,", "F": ",,1,0"}
    labels = "record_id,death,flu,cold,covid\n" + "".join(f"{name},{row}\n" for name, row in rows.items())
    labels += "G,,1,,\nG,,,0,\nH,,1,,\nH,,0,1,\n"
    patients = "record_id,patient_id\n" + "".join(f"{name},{name}\n" for name in "ABCDEFGH")
    cohort = Cohort.open(cohort_folder(toml=toml, patients=patients, labels=labels))

    x = np.nan
    np.testing.assert_array_equal(
        cohort.labels(),
        [
            [x, 1, 0, 0],
            [x, x, x, x],
            [x, x, x, x],  # two classes
            [x, 1, x, 0],  # a cell that is no label
            [x, 0, x, x],
            [x, 0, 1, 0],
            [x, 1, 0, 0],  # over two rows
            [x, x, 1, 0],  # flu contradicts itself
        ],
    )
    assert [(record, str(problem)) for record, problem in cohort.label_problems()] == [
        (2, "BAD_VALUE: labels of group virus: cold and covid are 1, but the group's classes are exclusive"),
        (3, "BAD_VALUE: labels.csv row 5: label cold is '2', not 0, 1 or empty"),
        (7, "BAD_VALUE: labels.csv row 11: label flu contradicts an earlier row of this record"),
    ]


def test_a_damaged_labels_table_does_not_stop_scoring(cohort_folder):
    cohort = Cohort.open(cohort_folder(labels="record_id,pneumona\nA,1\n"))

    assert len(cohort.batch()) == 2
    with pytest.raises(CohortError, match=r"UNKNOWN_COLUMN: labels.csv: 'pneumona'; did you mean 'pneumonia'\?"):
        cohort.labels()


def test_the_fingerprint_tells_inputs_apart_and_not_labels(cohort_folder):
    first = Cohort.open(cohort_folder(labels="record_id,pneumonia\nA,1\n"))
    marks = [first.fingerprint()]
    cohort_folder(labels="record_id,pneumonia\nA,0\n")
    marks.append(Cohort.open(cohort_folder()).fingerprint())
    marks.append(Cohort.open(cohort_folder(patients=PATIENTS.replace("64", "65"))).fingerprint())

    assert marks[0] == marks[1] != marks[2]
    assert first.take([0]).fingerprint() != marks[0]


@pytest.mark.parametrize("changed", ["a.txt", "a.png", "series/1.dcm", "series/2.dcm"])
def test_the_fingerprint_tells_a_changed_note_file_or_image(cohort_folder, changed):
    folder = cohort_folder(
        notes="record_id,path\nA,a.txt\nB,/etc/hostname\n", images="record_id,path\nA,a.png\nB,series\nB,absent.png\n"
    )
    (folder / "series").mkdir()
    for name in ("a.txt", "a.png", "series/1.dcm"):
        (folder / name).write_text("content")
    before = Cohort.open(folder).fingerprint()
    assert Cohort.open(folder).fingerprint() == before

    (folder / changed).write_text("other content")

    assert Cohort.open(folder).fingerprint() != before
