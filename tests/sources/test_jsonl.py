"""JSONL: one PatientRecord a line; a bad line costs its record, a bad item costs that item."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from multimodal.records import CohortError, Measurement, PatientRecord
from multimodal.sources import Cohort

FORM = "`multimodal new DIR` writes an empty cohort that shows the form."
HOUR_BEFORE = {"code": "spo2", "value": 97, "time": "2024-03-09T23:00"}


@pytest.fixture
def opened(tmp_path):
    """opened(line, …) is the cohort of those lines: text, bytes, or an object to be written as JSON."""

    def write(*lines, toml=None, encoding="utf-8"):
        path = tmp_path / "cohort.jsonl"
        texts = [line if isinstance(line, (str, bytes)) else json.dumps(line) for line in lines]
        path.write_bytes(b"\n".join(text if isinstance(text, bytes) else text.encode(encoding) for text in texts))
        if toml is not None:
            path.with_suffix(".toml").write_text(toml)
        return Cohort.open(path)

    return write


def problems_of(cohort):
    return [(record, str(problem)) for record, problem in cohort.batch().problems]


def same_batch(one, other):
    for name in ("record_ids", "patient_ids", "age_years", "sex"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    pd.testing.assert_frame_equal(one.measurements.drop(columns="where"), other.measurements.drop(columns="where"))
    items = [(n.record, n.text, n.kind, n.hours) for n in one.notes], [(n.record, n.path, n.kind) for n in one.images]
    assert items == (
        [(n.record, n.text, n.kind, n.hours) for n in other.notes],
        [(n.record, n.path, n.kind) for n in other.images],
    )


def test_the_composite_cohort_is_the_same_as_records_and_as_jsonl(shared, tmp_path):
    """Folder, PatientRecords and JSONL are three ways to write one cohort; a twentieth of it is enough to see."""
    folder = Cohort.open(shared / "data" / "composite").take(range(0, 720, 20))
    records = list(folder)
    listed = Cohort.from_records(records, targets=folder.targets, root=folder.root)
    path = tmp_path / "cohort.jsonl"
    path.write_text("\n".join(record.model_dump_json() for record in records))
    (tmp_path / "images").symlink_to(folder.root / "images")
    lines = Cohort.open(path)

    same_batch(folder.batch(), listed.batch())
    np.testing.assert_array_equal(folder.labels(), listed.labels())
    np.testing.assert_array_equal(folder.labels(), lines.labels(list(folder.targets)))
    # A folder of images that lies elsewhere leads out of the cohort: they are refused, all else is the same.
    assert {problem.code for _, problem in lines.batch().problems} == {"PATH_OUTSIDE"}
    pd.testing.assert_frame_equal(
        lines.batch().measurements.drop(columns="where"), folder.batch().measurements.drop(columns="where")
    )
    assert folder[3] == records[3] == listed[3]


def test_a_record_is_read_with_all_its_parts(opened, tmp_path):
    (tmp_path / "note.txt").write_text("clear lungs")
    cohort = opened(
        {
            "record_id": "A",
            "patient_id": "P",
            "age_years": 64,
            "sex": "female",
            "prediction_time": "2024-01-02T00:00:00",
            "split": "test",
            "attributes": {"ward": "3"},
            "images": [{"path": "a.png", "kind": "radiograph", "time": -1}],
            "notes": [{"path": "note.txt", "time": "2024-01-01T12:00:00"}],
            "measurements": [{"code": "icu_type", "value": 3}, {"code": "spo2", "value": 0.1, "unit": "1"}],
            "labels": {"pneumonia": 1, "effusion": None},
        }
    )
    batch = cohort.batch()

    assert batch.problems == []
    assert (batch.age_years[0], batch.sex[0], cohort.splits[0], cohort.attribute("ward")[0]) == (
        64,
        "female",
        "test",
        "3",
    )
    assert batch.measurements[["value", "where"]].to_numpy().tolist() == [
        ["3", "measurements[0]"],
        ["0.1", "measurements[1]"],
    ]
    assert (batch.notes[0].text, batch.notes[0].hours, batch.images[0].path) == ("clear lungs", -12, tmp_path / "a.png")
    np.testing.assert_array_equal(cohort.labels(), [[1, np.nan]])
    assert cohort.targets["pneumonia"].kind == "diagnosis"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "BAD_LINE: line 2: no JSON: expecting value at column 1"),
        ('{"record_id": "B", "pat', "BAD_LINE: line 2: no JSON: unterminated string at column 20"),
        ("[1]", "BAD_LINE: line 2: a list, not an object"),
        ('{"record_id": "B", "notes": ' + "[" * 64 + "]" * 64 + "}", "BAD_LINE: line 2: nested over 64 levels"),
        ("[" * 100_000, "BAD_LINE: line 2: nested over 64 levels"),
        ('{"age_years": ' + "9" * 5000 + "}", "BAD_LINE: line 2: a number of too many digits"),
        ('{"record_id": "' + "x" * (16 << 20) + '"}', "BAD_LINE: line 2: a line of more than 16 MiB"),
        (
            b'{"record_id": "\xe9\x81"}',
            "BAD_ENCODING: line 2: it is not UTF-8, and has bytes that no Windows-1252 text",
        ),
        ('{"patient_id": "P"}', "BAD_VALUE: record_id: no record_id"),
        ('{"record_id": 7, "patient_id": "P"}', "BAD_VALUE: record_id: a number is no id: it must be text"),
    ],
)
def test_a_line_that_cannot_be_read_is_answered_by_its_number(opened, line, problem):
    """The lines before and after it are read as if it were not there."""
    good = [{"record_id": name, "patient_id": name, "notes": [{"text": name}]} for name in "AC"]
    cohort = opened(good[0], line, good[1])

    assert cohort.record_ids.tolist() == ["A", "line:2", "C"]
    (record, message), *more = problems_of(cohort)
    assert (record, more) == (1, [])
    assert message.startswith(problem)
    assert [(note.record, note.text) for note in cohort.batch().notes] == [(0, "A"), (2, "C")]
    assert cohort[1] == PatientRecord(record_id="line:2", patient_id=cohort.patient_ids[1])


@pytest.mark.parametrize(
    ("patient_id", "what"),
    [
        (1234567, "a number"),
        (True, "true or false"),
        ("", "an empty text"),
        (["MRN 1234567"], "a list"),
        ({"mrn": "1234567"}, "an object"),
    ],
)
def test_an_identifier_that_is_no_text_is_not_shown(opened, patient_id, what):
    cohort = opened({"record_id": "A", "patient_id": patient_id})

    assert problems_of(cohort) == [(0, f"BAD_VALUE: patient_id: {what} is no id: it must be text")]
    assert cohort.patient_ids.tolist() == ["A"]


def test_an_attribute_may_be_called_as_a_field_and_stays_apart_from_it(opened):
    """`#where`, `#record` and `#surplus` are columns of our own in the raw tables."""
    names = ["sex", "age_years", "prediction_time", "#where", "#record", "#surplus", "@sex", "record_id"]
    record = {"record_id": "A", "patient_id": "P", "age_years": 64, "sex": "female", "prediction_time": "2024-03-10"}
    record |= {"attributes": {name: f"attribute {name}" for name in names}, "measurements": [HOUR_BEFORE]}
    lines = opened(record)

    for cohort in (lines, Cohort.from_records([PatientRecord(**record)])):
        batch = cohort.batch()
        assert (batch.problems, batch.age_years.tolist(), batch.sex.tolist()) == ([], [64.0], ["female"])
        assert batch.measurements[["hours", "where"]].to_numpy().tolist() == [[-1.0, "measurements[0]"]]
        assert [cohort.attribute(name)[0] for name in names] == [f"attribute {name}" for name in names]
        assert cohort[0].attributes == record["attributes"]


def test_names_of_labels_that_no_target_can_have_are_refused_when_targets_are_asked_for(opened):
    record = {"record_id": "A", "patient_id": "P", "notes": [{"text": "cough"}], "labels": {"COVID-19": 1}}
    rule = "a target's name is a small letter, then small letters, digits and _ ([a-z][a-z0-9_]*)."
    cohorts = {"cohort.jsonl: the label": opened(record), "the label": Cohort.from_records([PatientRecord(**record)])}

    for place, cohort in cohorts.items():
        assert repr(cohort) == f"Cohort({cohort.name!r}, 1 records of 1 patients)"
        assert [note.text for note in cohort.batch().notes] == ["cough"]
        for asked in (lambda cohort: cohort.targets, lambda cohort: cohort.labels()):
            with pytest.raises(CohortError) as error:
                asked(cohort)
            assert str(error.value) == f"COHORT_FORM: {place} 'COVID-19' names no target: {rule} {FORM}"


def test_a_bad_item_costs_that_item_only(opened):
    cohort = opened(
        {
            "record_id": "A",
            "patient_id": "P",
            "age_years": 300,
            "sex": "f",
            "attributes": {"ward": 3, "bed": "1"},
            "notes": [{"text": 5}, {"text": "kept"}, {}],
            "images": [{"path": "../x.png"}],
            "measurements": [{"code": "spo2"}, {"code": "spo2", "value": [1]}, {"code": "spo2", "value": "97"}, 4],
        }
    )

    assert [message for _, message in problems_of(cohort)] == [
        "BAD_VALUE: age_years: input should be less than or equal to 120",
        "BAD_VALUE: sex: input should be 'female', 'male' or 'other'",
        "BAD_VALUE: attributes.ward: input should be a valid string",
        "BAD_VALUE: notes[0].text: input should be a valid string",
        "BAD_VALUE: notes[2]: value error, give either text or path",
        "BAD_VALUE: measurements[0].value: field required",
        "BAD_VALUE: measurements[1].value: input should be a valid number",
        "BAD_VALUE: measurements[3]: input should be a valid dictionary or instance of Measurement",
        "PATH_OUTSIDE: images[0]: '../x.png' leads upwards",
    ]
    batch = cohort.batch()
    assert [(note.text, note.where) for note in batch.notes] == [("kept", "notes[1]")]
    assert batch.measurements[["value", "where"]].to_numpy().tolist() == [["97", "measurements[2]"]]
    assert cohort.attribute("bed")[0] == "1"


def test_an_unknown_field_costs_the_record(opened):
    cohort = opened({"record_id": "A", "patient_id": "P", "note": [], "measurements": [{"code": "x", "vale": 1}]})

    assert [message for _, message in problems_of(cohort)][-1] == (
        "UNKNOWN_FIELD: note: there is no such field; did you mean 'notes'?"
    )
    message = "UNKNOWN_FIELD: measurements[0].vale: there is no such field; did you mean 'value'?"
    assert message in [found for _, found in problems_of(cohort)]
    assert len(cohort.batch().measurements) == 0


def test_odd_numbers_and_characters_are_left_to_their_rooms(opened):
    """NaN goes to vitals, which says NOT_A_NUMBER; half a surrogate pair is no character."""
    cohort = opened(
        '{"record_id": "A", "patient_id": "A", "measurements": [{"code": "spo2", "value": NaN}],'
        ' "notes": [{"text": "x\\ud800y \\ud83d\\ude00"}]}'
    )

    assert cohort.batch().measurements["value"].tolist() == ["NaN"]
    assert cohort.batch().notes[0].text == "x\ufffdy 😀"


def test_labels_are_read_apart_from_the_records(opened):
    cohort = opened(
        {"record_id": "A", "patient_id": "A", "labels": {"flu": 2, "cold": True}},
        {"record_id": "B", "patient_id": "B", "labels": {"flu": 1, "flue": 0}},
        {"record_id": "C", "patient_id": "C", "labels": [1]},
        toml="schema = 1\n[targets.flu]\n[targets.cold]\n",
    )

    assert problems_of(cohort) == []
    np.testing.assert_array_equal(cohort.labels(["flu"])[:, 0], [np.nan, 1, np.nan])
    assert [(record, str(problem)) for record, problem in cohort.label_problems()] == [
        (0, "BAD_VALUE: labels: label flu is '2', not 0, 1 or empty"),
        (0, "BAD_VALUE: labels: label cold is 'true', not 0, 1 or empty"),
        (1, "UNKNOWN_FIELD: labels: there is no target 'flue'; did you mean 'flu'?"),
        (2, "BAD_VALUE: labels: must be an object of names and 0, 1 or null"),
    ]


def test_utf16_crlf_and_blank_lines_are_read(opened):
    text = '{"record_id": "Ä", "patient_id": "P"}\r\n\r\n{"record_id": "B"}\r\n'
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        cohort = opened(text.encode(encoding))

        assert cohort.record_ids.tolist() == ["Ä", "B"]
        assert problems_of(cohort) == []
        assert [str(p) for p in cohort.problems] == [
            "PATIENT_ASSUMED: cohort.jsonl: 1 record has no patient_id: the record_id is taken"
        ]


def test_an_empty_file_is_no_records_and_a_record_twice_is_refused(opened):
    assert len(opened("")) == 0
    with pytest.raises(CohortError, match=r"DUPLICATE_RECORD: cohort.jsonl: 1 record_id stand twice: 'A'"):
        opened({"record_id": "A"}, {"record_id": "A"})


def test_records_may_come_from_a_generator():
    cohort = Cohort.from_records(PatientRecord(record_id=name, patient_id=name, labels={"x": 1}) for name in "ABC")

    assert (cohort.record_ids.tolist(), len(cohort.batch())) == (["A", "B", "C"], 3)
    np.testing.assert_array_equal(cohort.labels(), [[1], [1], [1]])


def test_records_made_in_python_are_a_cohort():
    records = [
        PatientRecord(
            record_id="A", patient_id="P", measurements=[Measurement(code="spo2", value=97)], labels={"x": 1}
        ),
        PatientRecord(record_id="B", patient_id="P"),
    ]
    cohort = Cohort.from_records(records)

    assert cohort.batch().measurements["value"].tolist() == ["97"]
    np.testing.assert_array_equal(cohort.labels(), [[1], [np.nan]])
    assert list(cohort.take([1, 0]))[1].record_id == "A"
    with pytest.raises(CohortError, match="DUPLICATE_RECORD"):
        Cohort.from_records(records + records)
