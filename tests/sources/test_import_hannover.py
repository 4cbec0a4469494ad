"""multimodal import hannover: expectations from the data's README, the issue, and csv.DictReader."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from multimodal.records import CohortError, measurement_table
from multimodal.sources.importers import import_source
from multimodal.sources.importers.hannover import COLUMNS


@pytest.fixture(scope="module")
def cohort(shared):
    return import_source("hannover", shared / "data" / "hannover")


def small(folder: Path, *rows: dict, columns=COLUMNS) -> Path:
    """A folder of the same make with other patients, and no images."""
    folder.mkdir()
    with (folder / "data.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, columns, restval="")
        writer.writeheader()
        writer.writerows({"modality": "CR", "projection": "ap", **row} for row in rows)
    return folder


def test_the_243_images_of_71_patients_are_one_record_a_patient_and_day(cohort, shared):
    with (shared / "data" / "hannover" / "data.csv").open(newline="") as lines:
        days = {(row["patient_id"], row["admission_offset"]) for row in csv.DictReader(lines)}

    assert len(cohort.tables["patients"]) == len(days)
    assert cohort.tables["patients"]["patient_id"].nunique() == 71
    assert len(cohort.files) == len(cohort.tables["images"]) == 243


def test_25_patients_are_admitted_to_an_icu_42_are_not_and_five_die(cohort):
    labels = cohort.tables["labels"].merge(cohort.tables["patients"], on="record_id")
    patients = lambda target, value: labels.loc[labels[target] == value, "patient_id"].nunique()  # noqa: E731

    assert patients("icu_admission", 1) == 25
    assert patients("icu_admission", 0) == 42
    assert patients("death", 1) == 5
    assert patients("death", 0) == 66


def test_codes_and_units_are_those_of_the_measurement_table(cohort):
    kinds = measurement_table()
    pairs = cohort.tables["measurements"][["code", "unit"]].drop_duplicates()

    assert len(pairs) == 8
    for code, unit in pairs.itertuples(index=False):
        assert unit == kinds[code].unit or unit in kinds[code].units


def test_offsets_become_hours_and_labels_know_what_was_before(tmp_path):
    path = small(
        tmp_path / "other",
        {"patient_id": "p", "image_id": "i1", "admission_offset": "-4", "icu_admission_offset": "0.0",
         "crp_offset": "-1.0", "crp_val": "7.0", "ldh_offset": "2.0", "ldh_val": "300.0", "sex": "w"},
        {"patient_id": "p", "image_id": "i2", "admission_offset": "-4", "icu_admission_offset": "0.0",
         "crp_offset": "-1.0", "crp_val": "7.0", "ldh_offset": "2.0", "ldh_val": "300.0", "sex": "w"},
        {"patient_id": "p", "image_id": "i3", "admission_offset": "-5", "icu_admission_offset": "-1.0",
         "d-dimer_offset": "0.0", "d-dimer_val": "inf", "death_offset": "3.0"},
        {"patient_id": "q", "image_id": "i4", "admission_offset": "0", "po2_val": "80.0"},
    )  # fmt: skip

    cohort = import_source("hannover", path)

    assert cohort.tables["patients"][["record_id", "sex"]].values.tolist() == [
        ["p_day4", "female"],
        ["p_day5", ""],
        ["q_day0", ""],
    ]
    assert cohort.tables["measurements"].values.tolist() == [
        ["p_day4", "crp", "7.0", "mg/L", -24.0],
        ["p_day4", "ldh", "300.0", "U/L", 48.0],
        ["p_day5", "d_dimer", "inf", "mg/L", 0.0],
    ]
    labels = cohort.tables["labels"].astype(object).where(cohort.tables["labels"].notna(), None)
    assert labels.values.tolist() == [["p_day4", 1, 0], ["p_day5", None, 1], ["q_day0", 0, 0]]
    assert "laboratory values after the image, refused as FUTURE_INPUT when read: 1" in cohort.account
    assert "laboratory values without an offset refused, they may be later: 1" in cohort.account
    assert (
        "values beyond a detection limit that is not given (inf, -inf), kept as they stand and refused as "
        "NOT_A_NUMBER when read: d_dimer 1"
    ) in cohort.account
    assert (
        "images that upstream names but that are not here: 4 ('i1.png', 'i2.png', 'i3.png', 'i4.png')"
    ) in cohort.account


def test_a_folder_without_data_and_a_table_without_a_column_are_refused(tmp_path):
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: 'nowhere' does not exist\."):
        import_source("hannover", tmp_path / "nowhere")
    path = small(tmp_path / "other", columns=[name for name in COLUMNS if name != "death_offset"])
    with pytest.raises(CohortError, match=r"^COHORT_FORM: data\.csv lacks upstream's column death_offset"):
        import_source("hannover", path)
