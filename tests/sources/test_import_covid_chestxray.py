"""multimodal import covid-chestxray: expectations from the data's README, the issue, and csv.DictReader."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.records import CohortError, UsageError, measurement_table
from multimodal.sources.importers import import_source
from multimodal.sources.importers.covid_chestxray import COLUMNS
from multimodal.sources.importers.own_words import COVID_WORDS, masked


@pytest.fixture(scope="module")
def folder(shared) -> Path:
    return shared / "data" / "covid-chestxray"


@pytest.fixture(scope="module")
def upstream(folder) -> list[dict]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def diagnosis(folder):
    return import_source("covid-chestxray", folder)


@pytest.fixture(scope="module")
def outcome(folder):
    return import_source("covid-chestxray", folder, purpose="outcome")


def labels_by_image(cohort, target: str) -> dict[str, object]:
    """{image name: its record's label, None where unknown}"""
    joined = cohort.tables["images"].merge(cohort.tables["labels"], on="record_id")
    return {
        path.removeprefix("images/"): None if pd.isna(label) else int(label)
        for path, label in zip(joined["path"], joined[target])
    }


def small(folder: Path, *rows: dict) -> Path:
    """A folder of the same make with other patients."""
    (folder / "images").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, [*COLUMNS, "date", "doi", "other_notes", ""], restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({"folder": "images", "modality": "X-ray", **row})
            if row.get("filename"):
                (folder / "images" / row["filename"]).write_bytes(b"image")
    return folder


def test_every_patient_and_day_is_one_record_and_every_image_without_a_day_too(diagnosis, upstream):
    same = {"339": "285", "340": "287"}  # README: one patient entered twice
    day_or_image = lambda row: row["filename"] if row["offset"] in ("", "?") else row["offset"]  # noqa: E731
    expected = {(same.get(row["patientid"], row["patientid"]), day_or_image(row)) for row in upstream}

    patients = diagnosis.tables["patients"]
    assert len(patients) == len(expected)
    assert patients["record_id"].is_unique
    assert patients["patient_id"].nunique() == 378
    assert "patients entered twice (they share an image file), now one: '339 = 285', '340 = 287'" in diagnosis.account


def test_the_715_images_here_are_copied_once_and_the_lacking_and_the_volumes_are_counted(diagnosis, folder):
    images = diagnosis.tables["images"]

    assert len(diagnosis.files) == 715
    assert set(images["path"]) == set(diagnosis.files)
    assert all(file.is_file() for file in diagnosis.files.values())
    assert set(images["kind"]) == {"radiograph", "ct"}
    assert any(line.startswith("images that upstream names but that are not here: 10 (") for line in diagnosis.account)
    assert "CT volumes (NIfTI) refused, only flat images are read here: 21" in diagnosis.account


def test_covid19_is_what_upstream_found_and_unknown_where_it_is_todo(diagnosis, upstream):
    labels = labels_by_image(diagnosis, "covid19")

    here = [row for row in upstream if row["filename"] in labels]
    assert len(here) == 720  # README: rows with an image here
    for row in here:
        expected = {"COVID-19": 1, "COVID-19, ARDS": 1, "todo": None}.get(row["finding"], 0)
        assert labels[row["filename"]] == expected


def test_no_note_names_the_disease_and_other_words_stay(diagnosis):
    text = " ".join(diagnosis.tables["notes"]["text"])

    assert not re.search(r"covid|coronavirus|sars.?cov|\bncov", text, re.IGNORECASE)
    assert "peribroncovascular" in text
    assert "coronary" in text
    assert "SARS" in text  # another disease's name
    assert diagnosis.targets["covid19"].words == COVID_WORDS


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("COVID-19, covid 19 and CoViD19", "___, ___ and ___"),
        ("classiccovid-19", "classic___"),
        ("SARS-CoV-2-RNA, SARS CoV2; not SARS", "___-RNA, ___; not SARS"),
        ("2019-nCoV (novel coronavirus)", "___ (___)"),
        ("coronary, coronal, peribroncovascular, recovered", "coronary, coronal, peribroncovascular, recovered"),
        ("corona test", "___ test"),
        ("COVID–19", "___"),
    ],
)
def test_the_own_words_are_masked_in_every_spelling(note, expected):
    assert masked(pd.Series([note]), COVID_WORDS)[0].tolist() == [expected]


@given(before=st.text(), word=st.sampled_from(COVID_WORDS), after=st.text(), upper=st.booleans())
def test_masking_finds_every_word_in_any_text_and_leaves_nothing_to_mask(before, word, after, upper):
    note = f"{before} {word.upper() if upper else word} {after}"

    once, held = masked(pd.Series([note]), COVID_WORDS)
    twice, left = masked(once, COVID_WORDS)

    assert held == 1
    assert (left, twice[0]) == (0, once[0])


def test_for_outcome_the_notes_are_left_out(outcome, diagnosis):
    assert "notes" not in outcome.tables
    assert list(outcome.targets) == ["went_icu", "death", "intubated", "needed_supplemental_o2"]
    assert list(diagnosis.targets) == ["covid19"]


def test_an_outcome_that_has_happened_already_is_unknown_and_the_rest_is_as_upstream_says(outcome, upstream):
    day = lambda row: float(row["offset"]) if re.fullmatch(r"-?\d+", row["offset"]) else None  # noqa: E731
    yes_no = {"Y": 1, "N": 0}
    for target, column, present in (
        ("went_icu", "went_icu", "in_icu"),
        ("intubated", "intubated", "intubation_present"),
    ):
        labels = labels_by_image(outcome, target)
        for row in (row for row in upstream if row["filename"] in labels):
            days = [
                day(other) for other in upstream if other["patientid"] == row["patientid"] and other[present] == "Y"
            ]
            already = row[present] == "Y" or any(
                known is not None and day(row) is not None and known <= day(row) for known in days
            )
            assert labels[row["filename"]] == (None if already else yes_no.get(row[column])), row["filename"]
    death = labels_by_image(outcome, "death")
    for row in (row for row in upstream if row["filename"] in death):
        assert death[row["filename"]] == {"Y": 0, "N": 1}.get(row["survival"])


def test_oxygen_is_split_by_its_value_and_the_ambiguous_is_refused(diagnosis, upstream):
    values = [float(row["pO2_saturation"]) for row in upstream if row["pO2_saturation"] not in ("", "?")]
    table = diagnosis.tables["measurements"]
    pressure = table[table["code"] == "pao2"]
    saturation = table[table["code"] == "oxygen_saturation"]

    assert sorted({float(value) for value in pressure["value"]}) == sorted({v for v in values if v > 100})
    assert sorted({float(value) for value in saturation["value"]}) == sorted({v for v in values if 70 <= v <= 100})
    assert set(pressure["unit"]) == {"mm[Hg]"}
    ambiguous = sum(value < 70 for value in values)
    assert f"pO2_saturation below 70 refused, it may be % or mm[Hg]: {ambiguous} rows" in diagnosis.account


def test_a_fahrenheit_temperature_and_an_impossible_count_stay_raw(diagnosis):
    table = diagnosis.tables["measurements"]

    assert "95" in set(table.loc[table["code"] == "temperature", "value"])
    assert "131" in set(table.loc[table["code"] == "lymphocytes", "value"])
    assert "?" not in set(table["value"])


def test_codes_and_units_are_those_of_the_measurement_table(diagnosis):
    kinds = measurement_table()
    for code, unit in diagnosis.tables["measurements"][["code", "unit"]].drop_duplicates().itertuples(index=False):
        assert unit == kinds[code].unit or unit in kinds[code].units


def test_rows_that_share_a_file_make_one_patient_and_contradictions_are_unknown(tmp_path):
    path = small(
        tmp_path / "other",
        {"patientid": "a", "offset": "1", "filename": "x.png", "finding": "COVID-19", "went_icu": "Y", "sex": "M"},
        {"patientid": "b", "offset": "1", "filename": "x.png", "finding": "COVID-19", "went_icu": "N", "sex": "F"},
        {"patientid": "b", "offset": "?", "filename": "X.PNG", "finding": "todo", "clinical_notes": "No COVID-19."},
    )

    cohort = import_source("covid-chestxray", path, purpose="outcome")

    assert cohort.tables["patients"]["record_id"].tolist() == ["a_day1", "a_X.PNG"]
    assert cohort.tables["patients"]["patient_id"].tolist() == ["a", "a"]
    assert cohort.tables["patients"]["sex"].tolist() == ["", ""]
    assert cohort.tables["images"]["path"].tolist() == ["images/x.png", "images/X-2.PNG"]
    assert cohort.tables["labels"]["went_icu"].isna().all()
    assert "label went_icu unknown because rows of one record contradict: 1 records" in cohort.account


def test_a_patient_who_was_in_the_icu_on_an_earlier_day_has_no_label_later(tmp_path):
    row = {"patientid": "7", "finding": "COVID-19", "went_icu": "Y"}
    path = small(
        tmp_path / "other",
        row | {"offset": "0", "filename": "0.png", "in_icu": "N"},
        row | {"offset": "2", "filename": "2.png", "in_icu": "Y"},
        row | {"offset": "10", "filename": "10.png", "in_icu": "N"},
    )

    labels = labels_by_image(import_source("covid-chestxray", path, purpose="outcome"), "went_icu")

    assert labels == {"0.png": 1, "2.png": None, "10.png": None}


def test_a_file_name_that_leads_outside_is_not_followed(tmp_path):
    path = small(tmp_path / "other", {"patientid": "1", "finding": "todo"})
    (tmp_path / "secret.png").write_bytes(b"secret")
    text = (path / "metadata.csv").read_text()
    header = text.splitlines()[0].split(",")
    row = {"patientid": "1", "finding": "todo", "folder": "images", "filename": "../../secret.png"}
    (path / "metadata.csv").write_text(",".join(header) + "\n" + ",".join(row.get(name, "") for name in header) + "\n")

    cohort = import_source("covid-chestxray", path)

    assert not cohort.files
    assert len(cohort.tables["patients"]) == 1
    assert "images that upstream names but that are not here: 1 ('../../secret.png')" in cohort.account


def test_another_purpose_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(UsageError) as refused:
        import_source("covid-chestxray", tmp_path, purpose="outcomes")

    assert str(refused.value) == "--for is diagnosis or outcome, not 'outcomes'; did you mean 'outcome'?"


def test_a_folder_without_metadata_and_a_table_without_a_column_are_refused(tmp_path):
    with pytest.raises(CohortError) as absent:
        import_source("covid-chestxray", tmp_path)
    path = small(tmp_path / "other")
    text = (path / "metadata.csv").read_text()
    (path / "metadata.csv").write_text(text.replace("patientid", "patient_id"))
    with pytest.raises(CohortError) as lacking:
        import_source("covid-chestxray", path)

    assert absent.value.code == "COHORT_NOT_FOUND"
    assert f"upstream's file metadata.csv is not in '{tmp_path.name}'." in str(absent.value)
    assert lacking.value.code == "COHORT_FORM"
    assert "metadata.csv lacks upstream's column patientid; did you mean 'patient_id'?" in str(lacking.value)
