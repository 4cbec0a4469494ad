"""Nine leaks, each planted alone in a clean synthetic cohort: just its code is found, with the right records."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from multimodal import Cohort, audit
from multimodal.leakage import Finding
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import synthesize
from multimodal.sources.tables import CohortTables

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def clean() -> CohortTables:
    """120 synthetic patients, in the splits a and b by turns, with a site that knows nothing."""
    made = synthesize(120, 0)
    patients = made.tables["patients"]
    turn = pd.factorize(patients["patient_id"])[0]
    patients = patients.assign(split=np.where(turn % 2, "b", "a"), site=np.where(turn % 3, "north", "south"))
    return replace(made, tables={**made.tables, "patients": patients}, attributes=(*made.attributes, "site"))


@pytest.fixture
def audited(clean, tmp_path) -> Callable[..., list[Finding]]:
    """audited(plant, images=False): the findings in the clean cohort after plant(tables, files) has changed it."""

    def run(plant: Callable[[Tables, dict[str, Path | bytes]], None], *, images: bool = False, **changes):
        tables, files = {name: table.copy() for name, table in clean.tables.items()}, dict(clean.files)
        if not images:
            tables["images"] = tables["images"].iloc[:0]
            files = {}
        plant(tables, files)
        write_cohort(tmp_path / "cohort", replace(clean, tables=tables, files=files, **changes))
        return list(audit(Cohort.open(tmp_path / "cohort")).findings)

    return run


def nothing(tables: Tables, files: dict) -> None:
    pass


def label(tables: Tables, target: str = "pneumonia") -> pd.Series:
    """The known labels, by record_id."""
    return tables["labels"].set_index("record_id")[target].dropna().astype(int)


def as_jpeg(content: bytes, *, quality: int, scale: float = 1.0) -> bytes:
    """A picture file of 8 or 16 bit as JPEG, smaller by `scale`."""
    picture, copy = PIL.Image.open(io.BytesIO(content)), io.BytesIO()
    levels = np.asarray(picture, dtype=float) * (1 if picture.mode == "L" else 255 / 65_535)
    size = tuple(round(scale * side) for side in picture.size)
    PIL.Image.fromarray(levels.astype(np.uint8)).resize(size).save(copy, "JPEG", quality=quality)
    return copy.getvalue()


def make_different(tables: Tables, one: str, other: str) -> None:
    """Two people who cannot be the same."""
    for record, sex in ((one, "male"), (other, "female")):
        tables["patients"].loc[tables["patients"]["record_id"] == record, "sex"] = sex


def named(finding: Finding) -> set[str]:
    return {record for group in finding.records for record in group}


def test_the_clean_cohort_has_no_finding(audited):
    """Its notes name the targets, its images are alike, its vitals tell the labels as far as they should."""
    assert audited(nothing, images=True) == []


def test_a_patient_on_both_sides_of_the_split(audited):
    def plant(tables, files):
        tables["patients"].loc[tables["patients"]["record_id"].isin(["S0001", "S0002"]), "patient_id"] = "S0001"

    (found,) = audited(plant)

    assert (found.code, found.severity, found.count) == ("LEAK_PATIENT", "leak", 2)
    assert found.records == (("S0001", "S0002"),)


def test_a_patient_entered_twice_under_two_ids(audited):
    """The same sex, an age that differs by half a year, and the same measurements."""

    def plant(tables, files):
        people, values = tables["patients"].set_index("record_id"), tables["measurements"]
        first = values["record_id"].iloc[-1]
        copied = values[values["record_id"] == first].assign(record_id="S0001")
        tables["measurements"] = pd.concat([values[values["record_id"] != "S0001"], copied])
        people.loc[[first, "S0001"], "sex"] = "female"
        people.loc[[first, "S0001"], "age_years"] = ["61.0", "61.5"]
        people.loc["S0001", "prediction_time"] = people.loc[first, "prediction_time"]
        tables["patients"] = people.reset_index()
        records.update({"S0001", first})

    records: set[str] = set()
    (found,) = audited(plant)

    assert (found.code, found.severity, found.count) == ("LEAK_TWICE", "leak", 2)
    assert named(found) == records


def test_a_picture_on_both_sides_of_the_split(audited):
    """A copy, smaller and saved as a poor JPEG under another name."""

    def plant(tables, files):
        images = tables["images"]
        source = next(path for path in images["path"] if path.endswith(".png") and len(files.get(path, b"")) > 5_000)
        copy = as_jpeg(files[source], quality=50, scale=2 / 3)
        files |= {"images/one.png": files[source], "images/other.jpg": copy}
        others = images[~images["record_id"].isin(["S0001", "S0002"]) & (images["path"] != source)]
        mine = pd.DataFrame({"record_id": ["S0001", "S0002"], "path": ["images/one.png", "images/other.jpg"]})
        tables["images"] = pd.concat([mine, others])
        make_different(tables, "S0001", "S0002")

    (found,) = audited(plant, images=True)

    assert (found.code, found.severity, found.count) == ("LEAK_IMAGE", "leak", 2)
    assert found.records == (("S0001", "S0002"),)


@pytest.mark.parametrize("changed", [False, True])
def test_a_note_on_both_sides_of_the_split(audited, changed):
    """Word for word but for case and blanks, or with three words more."""

    def plant(tables, files):
        notes = tables["notes"][~tables["notes"]["record_id"].isin(["S0001", "S0002"])]
        text = tables["notes"]["text"].iloc[-1]
        copy = f"{text} Seen by Dr Who." if changed else f"  {text.upper()}"
        both = pd.DataFrame({"record_id": ["S0001", "S0002"], "text": [text, copy]})
        tables["notes"] = pd.concat([both, notes.iloc[:-1]])
        make_different(tables, "S0001", "S0002")

    (found,) = audited(plant)

    assert (found.code, found.severity, found.count) == ("LEAK_NOTE", "leak", 2)
    assert found.records == (("S0001", "S0002"),)


def test_inputs_after_the_prediction(audited):
    """A later value is refused when it is read; that a twentieth of the records has one is a finding all the same."""
    records = [f"S{number:04}" for number in range(1, 12)]

    def plant(tables, files):
        later = pd.DataFrame({"record_id": records, "code": "lactate", "value": "2.0", "unit": "mmol/L", "time": "5"})
        tables["measurements"] = pd.concat([tables["measurements"], later])

    (found,) = audited(plant)

    assert (found.code, found.severity) == ("LEAK_FUTURE", "caution")
    assert named(found) <= set(records)


def test_the_words_of_a_target_in_its_notes(audited):
    """The diagnosis is added to the notes of two thirds of those who have it."""
    told: list[str] = []

    def plant(tables, files):
        positive = label(tables).loc[lambda known: known == 1].index
        told.extend(positive[np.arange(len(positive)) % 3 > 0])
        notes = tables["notes"]
        here = notes["record_id"].isin(told) & (notes["text"] != "-- / --")
        notes.loc[here, "text"] += " Impression: pneumonia."

    (found,) = audited(plant)

    assert (found.code, found.severity, found.target) == ("LEAK_WORDS", "caution", "pneumonia")
    assert found.figures["share_positive"] > found.figures["share_negative"] + 0.3


def test_a_single_measurement_that_is_the_label(audited):
    """Procalcitonin that was ordered after the diagnosis, and so separates the classes."""

    def plant(tables, files):
        known = label(tables)
        value = (0.1 + 5 * known + np.linspace(0, 1, len(known))).map("{:.2f}".format)
        rows = pd.DataFrame({"record_id": known.index, "code": "crp", "value": value * 1, "unit": "mg/L", "time": "-1"})
        tables["measurements"] = pd.concat([tables["measurements"], rows])

    (found,) = audited(plant)

    assert (found.code, found.severity, found.target) == ("LEAK_FEATURE", "leak", "pneumonia")
    assert "crp.last" in found.what
    assert found.figures["auroc"] == 1


def test_a_single_word_that_is_the_label(audited):
    """No word of the target: the ward to which all who have it, and nobody else, were sent."""

    def plant(tables, files):
        known, notes = label(tables), tables["notes"]
        here = notes["record_id"].map(known)
        notes.loc[here == 1, "text"] += " Transferred to the blue ward."
        notes.loc[here == 0, "text"] += " Transferred to the green ward."

    (found,) = audited(plant)

    assert (found.code, found.severity, found.target) == ("LEAK_FEATURE", "leak", "pneumonia")


def test_a_record_order_that_is_sorted_by_the_label(audited):
    def plant(tables, files):
        key = tables["patients"]["record_id"].map(label(tables)).fillna(0)
        tables["patients"] = tables["patients"].iloc[np.argsort(key, kind="stable")]

    (found,) = audited(plant)

    assert (found.code, found.severity, found.target) == ("LEAK_IDENTIFIER", "caution", "pneumonia")


def test_names_among_the_attributes(audited):
    def plant(tables, files):
        tables["patients"]["site"] = [f"Name of {patient[::-1]}" for patient in tables["patients"]["patient_id"]]

    (found,) = audited(plant)

    assert (found.code, found.severity) == ("LEAK_IDENTIFIER", "caution")
    assert found.what == "the attribute site has a value of its own for 120 of 120 patients, as names have"


def test_the_patients_number_in_the_notes(audited):
    def plant(tables, files):
        notes = tables["notes"]
        notes.loc[notes.index[5:7], "text"] += " MRN " + notes["record_id"] + "."
        records.update(notes["record_id"].iloc[5:7])

    records: set[str] = set()
    (found,) = audited(plant)

    assert (found.code, found.severity, found.count) == ("LEAK_IDENTIFIER", "caution", 2)
    assert named(found) == records


def test_a_site_that_has_mostly_one_class(audited):
    def plant(tables, files):
        known = tables["patients"]["record_id"].map(label(tables))
        sure = np.arange(len(known)) % 4 > 0
        tables["patients"]["site"] = np.where(sure & (known == 1), "clinic", "practice")

    (found,) = audited(plant)

    assert (found.code, found.severity, found.target) == ("LEAK_SOURCE", "caution", "pneumonia")
    assert found.what.startswith("pneumonia: the attribute site alone tells the label, AUROC 0.")
    assert found.figures["cramers_v"] > 0.7


def test_files_that_were_compressed_by_class(audited):
    """The same pictures; those of the sick come as JPEG of another quality."""

    def plant(tables, files):
        known = label(tables)
        for record, path in tables["images"][["record_id", "path"]].itertuples(index=False):
            if record in known and path.endswith((".png", ".jpg")) and len(files.get(path, b"")) > 5_000:
                files[path] = as_jpeg(files[path], quality=60 if known[record] else 80)

    (found,) = audited(plant, images=True)

    assert (found.code, found.severity, found.target) == ("LEAK_FILE", "caution", "pneumonia")
    assert "jpeg_step" in found.what
