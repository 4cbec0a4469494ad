"""multimodal import openi: expectations from the data's README and the issue."""

from __future__ import annotations

from pathlib import Path

import pytest

from multimodal.records import CohortError, UsageError
from multimodal.sources.importers import import_source

HEADER = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"


@pytest.fixture(scope="module")
def cohort(shared):
    return import_source("openi", shared / "data" / "openi-reports")


def small(folder: Path, rows: str) -> Path:
    """A folder of the same make with other reports."""
    folder.mkdir()
    (folder / "indiana_reports.csv").write_text(HEADER + rows)
    return folder


def test_the_labels_have_the_prevalence_that_the_readme_gives(cohort):
    labels = cohort.tables["labels"].drop(columns="record_id")

    assert labels.sum().to_dict() == {
        "normal": 1042,
        "opacity": 431,
        "cardiomegaly": 267,
        "effusion": 114,
        "atelectasis": 245,
        "calcinosis": 390,
    }
    assert labels.isna().sum().unique().tolist() == [74]  # MeSH "No Indexing"


def test_every_report_is_a_record_and_376_have_no_findings(cohort):
    assert len(cohort.tables["patients"]) == 2955
    assert len(cohort.tables["notes"]) == 2955 - 376
    assert "records whose findings are empty, without a note: 376" in cohort.account
    assert any(line.startswith("images that upstream names but that are not here: 5,742 (") for line in cohort.account)


def test_impressions_can_be_asked_for(shared):
    cohort = import_source("openi", shared / "data" / "openi-reports", sections="findings,impression")

    assert len(cohort.tables["notes"]) == 2955 - 15  # README: both empty


def test_only_the_named_sections_reach_the_note(tmp_path):
    path = small(tmp_path / "other", "7,Opacity/lung,Opacity,v,why,before,Seen.,Meant.\n8,normal,normal,v,,,,Fine.\n")

    plain = import_source("openi", path)
    more = import_source("openi", path, sections="impression, findings")

    assert plain.tables["notes"][["record_id", "text"]].values.tolist() == [["7", "Seen."]]
    assert more.tables["notes"]["text"].tolist() == ["Meant.\n\nSeen.", "Fine."]
    assert plain.tables["labels"][["normal", "opacity"]].values.tolist() == [[0, 1], [1, 0]]


def test_images_that_are_there_are_copied(tmp_path):
    path = small(tmp_path / "other", "7,normal,normal,v,,,Clear.,\n")
    (path / "indiana_projections.csv").write_text(
        "uid,filename,projection\n7,7_a.png,Frontal\n7,7_b.png,Lateral\n9,9.png,\n"
    )
    (path / "images" / "images_normalized").mkdir(parents=True)
    (path / "images" / "images_normalized" / "7_a.png").write_bytes(b"image")

    cohort = import_source("openi", path)

    assert cohort.tables["images"].values.tolist() == [["7", "images/7_a.png", "radiograph", "Frontal", ""]]
    assert cohort.files == {"images/7_a.png": path / "images" / "images_normalized" / "7_a.png"}
    assert "images that upstream names but that are not here: 1 ('7_b.png')" in cohort.account
    assert "images of reports that are not here: 1 ('9')" in cohort.account


def test_what_cannot_be_is_refused_with_a_sentence(tmp_path):
    path = small(tmp_path / "other", "7,normal,,,,,,\n7,normal,,,,,,\n")

    with pytest.raises(UsageError) as section:
        import_source("openi", path, sections="finding")
    with pytest.raises(CohortError, match=r"^DUPLICATE_RECORD: indiana_reports\.csv holds '7' more than once\."):
        import_source("openi", path)
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: upstream's file indiana_reports\.csv is not in"):
        import_source("openi", tmp_path)

    assert str(section.value) == (
        "a report has no section 'finding'; did you mean 'findings'? "
        "It has findings, impression, indication, comparison."
    )
