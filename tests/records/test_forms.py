"""The forms at the border refuse everything that is wrong at once, say what was meant, and never show a note."""

from __future__ import annotations

import pytest

from multimodal import ImageRef, Measurement, Note, PatientRecord, Prediction, Target
from multimodal.records import RecordError
from multimodal.records.forms import TargetPrediction

SECRET = "Mrs Hidden coughs"


def refusal(make) -> str:
    with pytest.raises(RecordError) as caught:
        make()
    return str(caught.value)


def test_all_problems_of_a_record_are_reported_at_once():
    broken = {
        "record_id": "A-017",
        "patient_id": "",
        "age_year": 64,
        "age_years": 140,
        "sex": "f",
        "images": [{"path": "a.png", "kinds": "ct"}],
        "notes": [{"text": SECRET, "path": "note.txt"}, {"txt": SECRET, "path": "note.txt"}],
        "measurements": [{"code": "heart_rate", "value": None}, {"code": "heart_rate", "value": 80, "units": "/min"}],
        "labels": {"sepsis": 2},
    }

    assert refusal(lambda: PatientRecord.model_validate(broken)).splitlines() == [
        "BAD_VALUE: patient_id: string should have at least 1 character",
        "BAD_VALUE: age_years: input should be less than or equal to 120",
        "BAD_VALUE: sex: input should be 'female', 'male' or 'other'",
        "UNKNOWN_FIELD: images[0].kinds: there is no such field; did you mean 'kind'?",
        "BAD_VALUE: notes[0]: value error, give either text or path",
        "UNKNOWN_FIELD: notes[1].txt: there is no such field; did you mean 'text'?",
        "BAD_VALUE: measurements[0].value.float: input should be a valid number",
        "BAD_VALUE: measurements[0].value.str: input should be a valid string",
        "UNKNOWN_FIELD: measurements[1].units: there is no such field; did you mean 'unit'?",
        "BAD_VALUE: labels.sepsis: input should be 0 or 1",
        "UNKNOWN_FIELD: age_year: there is no such field; did you mean 'age_years'?",
    ]


def test_a_form_made_by_name_and_one_validated_say_the_same():
    by_name = refusal(lambda: Measurement(code="heart_rate", value=80, units="/min"))
    validated = refusal(lambda: Measurement.model_validate({"code": "heart_rate", "value": 80, "units": "/min"}))

    assert by_name == validated == "UNKNOWN_FIELD: units: there is no such field; did you mean 'unit'?"


def test_no_suggestion_is_made_where_no_field_is_near():
    assert refusal(lambda: ImageRef(path="a.png", zzz=1)) == "UNKNOWN_FIELD: zzz: there is no such field"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_age_that_is_no_finite_number_is_refused(value):
    message = refusal(lambda: PatientRecord(record_id="r", patient_id="p", age_years=value))

    assert message == "BAD_VALUE: age_years: input should be a finite number"


@pytest.mark.parametrize("name", ["Sepsis", "2nd", "heart failure", ""])
def test_a_target_name_is_lower_case_and_a_word(name):
    message = refusal(lambda: Target(name=name))

    assert message == "BAD_VALUE: name: string should match pattern '^[a-z][a-z0-9_]*$'"


def test_neither_repr_nor_message_shows_the_text_of_a_note():
    note = Note(text=SECRET, kind="nursing")
    record = PatientRecord(record_id="r", patient_id="p", notes=[note])

    assert repr(note) == str(note) == "Note(kind='nursing', 17 characters)"
    assert repr(record) == str(record) == "PatientRecord('r', 0 images, 1 notes, 0 measurements)"
    assert SECRET not in refusal(lambda: Note(text=SECRET, path="x"))
    assert SECRET not in refusal(lambda: PatientRecord(record_id="r", patient_id="p", notes=[{"text": [SECRET]}]))


def test_forms_are_frozen():
    record = PatientRecord(record_id="r", patient_id="p")

    with pytest.raises(ValueError, match="frozen"):
        record.record_id = "other"
    assert record.record_id == "r"


def test_a_record_comes_back_from_json_as_it_was():
    record = PatientRecord(
        record_id="r",
        patient_id="p",
        age_years=0,
        images=[ImageRef(path="images/a.dcm", view="PA", time=-2)],
        notes=[Note(text="Fever.")],
        measurements=[Measurement(code="8867-4", value="<5", time="2024-02-29T12:00:00")],
        labels={"sepsis": None},
    )

    assert PatientRecord.model_validate_json(record.model_dump_json()) == record


def test_a_prediction_without_input_has_null_probability_and_decision():
    answer = TargetPrediction(baseline=-1.5)
    prediction = Prediction(record_id="r", model_id="m", targets={"sepsis": answer}, abstained="NO_INPUT")

    assert prediction.model_dump()["targets"]["sepsis"] == {
        "probability": None,
        "decision": None,
        "threshold": None,
        "prediction_set": None,
        "contributions": {},
        "baseline": -1.5,
    }
