"""multimodal import mts-dialog, and what all importers share: expectations from the data's README and the issue."""

from __future__ import annotations

import pytest

from multimodal.records import CohortError, UsageError
from multimodal.sources.importers import IMPORTERS, import_source


@pytest.fixture(scope="module")
def cohort(shared):
    return import_source("mts-dialog", shared / "data" / "mts-dialog")


def test_each_file_is_a_split_of_its_own(cohort):
    assert cohort.tables["patients"]["split"].value_counts().to_dict() == {
        "train": 1201,
        "test1": 200,
        "validation": 100,
    }
    assert cohort.tables["patients"]["record_id"].is_unique
    assert "TrainingSet-0" in set(cohort.tables["patients"]["record_id"])


def test_the_twenty_section_kinds_are_one_exclusive_group(cohort):
    labels = cohort.tables["labels"].set_index("record_id")
    train = labels[labels.index.str.startswith("TrainingSet-")]

    assert {target.group for target in cohort.targets.values()} == {"section"}
    assert len(cohort.targets) == 20
    assert (labels.sum(axis=1) == 1).all()
    assert train["fam_sochx"].sum() == 351
    assert train["genhx"].sum() == 282
    assert train["other_history"].sum() == 2
    assert cohort.targets["fam_sochx"].description == "section FAM/SOCHX"


def test_the_dialogue_is_no_input(cohort):
    text = "\n".join(cohort.tables["notes"]["text"])

    assert len(cohort.tables["notes"]) == 1501
    assert "Doctor:" not in text


def test_a_file_of_other_rows_is_read_and_one_without_its_column_refused(tmp_path):
    file = tmp_path / "MTS-Dialog-TestSet-2-New.csv"
    file.write_text(
        'ID,section_header,section_text,dialogue\r\n5,FAM/SOCHX,None.,"Doctor: a\r\nPatient: b"\r\n6,,,x\r\n'
    )

    cohort = import_source("mts-dialog", tmp_path)

    assert cohort.tables["patients"][["record_id", "split"]].values.tolist() == [
        ["TestSet-2-New-5", "test2"],
        ["TestSet-2-New-6", "test2"],
    ]
    assert cohort.tables["notes"]["text"].tolist() == ["None."]
    assert cohort.tables["labels"]["fam_sochx"].isna().tolist() == [False, True]
    assert "records without a section header, label unknown: 1" in cohort.account
    file.write_text("ID,section_text\n")
    with pytest.raises(
        CohortError, match=r"^COHORT_FORM: .* lacks upstream's column section_header; did you mean 'section_text'\?"
    ):
        import_source("mts-dialog", tmp_path)
    file.unlink()
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: no file MTS-Dialog-\*\.csv is in"):
        import_source("mts-dialog", tmp_path)


def test_an_unknown_source_or_option_is_refused_with_what_there_is(tmp_path):
    with pytest.raises(UsageError) as source:
        import_source("physionet", tmp_path)
    with pytest.raises(UsageError) as option:
        import_source("hannover", tmp_path, purpose="outcome")

    assert str(source.value) == "no importer is called 'physionet'; did you mean 'physionet2012'?"
    assert str(option.value) == "hannover has no option 'purpose'; it takes no options."
    assert list(IMPORTERS) == ["covid-chestxray", "hannover", "physionet2012", "openi", "mts-dialog", "image-folder"]
