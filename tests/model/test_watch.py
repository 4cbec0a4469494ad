"""Patients who are scored again: the same answers as from the beginning, at the price of what is new."""

from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal import ClinicalModel, Cohort
from multimodal.records import Measurement


@pytest.fixture(scope="module")
def model(tiny_model):
    return ClinicalModel.load(tiny_model[0], device="cpu")


@pytest.fixture(scope="module")
def cohort(tiny_model):
    return Cohort.open(tiny_model[1])


@pytest.fixture(scope="module")
def whole(model, cohort):
    """A record that has all modalities."""
    return cohort[int(np.flatnonzero(model.predict(cohort).present.all(axis=1))[0])]


def later(record, code="heart_rate", value=165.0, unit="/min"):
    return record.model_copy(
        update={"measurements": (*record.measurements, Measurement(code=code, value=value, unit=unit))}
    )


def scored(model, cohort, *records):
    return Cohort.from_records(records, root=cohort.root, targets=model.targets)


def test_the_first_time_the_answers_are_those_of_the_model(model, cohort):
    watch = model.watch()
    found, expected = watch.predict(cohort), model.predict(cohort)

    assert_allclose(found.probability, expected.probability, atol=1e-5)
    assert_array_equal(found.present, expected.present)
    assert found.problems == expected.problems
    assert found.provenance == expected.provenance
    assert watch.changes_ == []


def test_newer_measurements_cost_the_vitals_alone_and_give_the_answer_from_scratch(model, cohort, whole):
    """With the other encoders taken away there is still an answer."""
    bare = copy(model)
    bare.encoders_ = dict(model.encoders_)
    watch = bare.watch()
    watch.predict(scored(model, cohort, whole))
    bare.encoders_ |= {"image": {}, "notes": {}}

    found = watch.predict(scored(model, cohort, later(whole)))

    expected = model.predict(scored(model, cohort, later(whole)))
    assert_allclose(found.probability, expected.probability, atol=1e-5)
    assert_allclose(found.contribution, expected.contribution, atol=1e-4)
    assert found[0].scores == expected[0].scores
    assert watch.changes_[0].read_again == ("vitals",)


def test_it_says_what_changed(model, cohort, whole):
    watch = model.watch()
    before = watch.predict(scored(model, cohort, whole))[0]
    after = watch.predict(scored(model, cohort, later(whole)))[0]

    (change,) = watch.changes_
    assert change.record_id == whole.record_id
    assert {code: value.after for code, value in change.values.items()}["heart_rate"] > 100
    for name, target in change.targets.items():
        old, new = before.targets[name], after.targets[name]
        assert (target.before, target.after) == (old.probability, new.probability)
        assert (target.decision_before, target.decision) == (old.decision, new.decision)
        for modality in ("image", "notes", "vitals"):
            moved = new.contributions[modality] - old.contributions[modality]
            assert target.contributions.get(modality, 0.0) == pytest.approx(moved, abs=1e-12)


def test_a_measurement_that_was_not_there_has_no_value_before(model, cohort, whole):
    watch = model.watch()
    watch.predict(scored(model, cohort, whole))
    watch.predict(scored(model, cohort, later(whole, "ferritin", 400.0, "ng/mL")))

    change = watch.changes_[0].values["ferritin"]
    assert (change.before, change.after) == (None, 400.0)


def test_nothing_new_changes_nothing(model, cohort, whole):
    watch = model.watch()
    first = watch.predict(scored(model, cohort, whole))
    second = watch.predict(scored(model, cohort, whole))

    assert_array_equal(first.probability, second.probability)
    (change,) = watch.changes_
    assert (change.read_again, change.values) == ((), {})
    assert all(not target.contributions for target in change.targets.values())


def test_another_text_is_read_again_and_so_is_another_picture(model, cohort, whole):
    note = whole.notes[0].model_copy(update={"text": "No fever. Lungs clear.", "path": None})
    watch = model.watch()
    watch.predict(scored(model, cohort, whole))
    watch.predict(scored(model, cohort, whole.model_copy(update={"notes": (note, *whole.notes[1:])})))
    assert watch.changes_[0].read_again == ("notes",)

    watch.predict(scored(model, cohort, whole.model_copy(update={"images": ()})))
    change = watch.changes_[0]
    assert change.read_again == ("image", "notes")


def test_a_patient_who_was_not_seen_before_has_no_change(model, cohort, whole):
    watch = model.watch()
    watch.predict(scored(model, cohort, whole))
    other = whole.model_copy(update={"record_id": "another", "patient_id": "another"})
    watch.predict(scored(model, cohort, later(whole), other))

    assert [change.record_id for change in watch.changes_] == [whole.record_id]
