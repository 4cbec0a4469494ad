"""multimodal import physionet2012: expectations from the data's README and codes.csv."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import pytest

from multimodal.records import CohortError, measurement_table
from multimodal.sources.importers import import_source
from multimodal.sources.importers.physionet2012 import PARAMETERS

HEADER = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n"
FIRST = "Time,Parameter,Value\n00:00,RecordID,200001\n00:00,Age,90\n00:00,Gender,1\n00:00,Height,-1\n"
SECOND = "Time,Parameter,Value\n00:00,RecordID,200002\n00:00,Age,-1\n00:00,Gender,-1\n"


@pytest.fixture(scope="module")
def cohort(shared):
    return import_source("physionet2012", shared / "data" / "physionet2012")


def outcomes(folder: Path, text: str = "200001,-1,4,5,-1,1\n200002,6,1,5,-1,0\n") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Outcomes-b.txt").write_text(HEADER + text)
    return folder


def archive(folder: Path, members: dict[str, str | None]) -> Path:
    """set-b.tar.gz; a member whose content is None is a link to /etc/passwd."""
    with tarfile.open(folder / "set-b.tar.gz", "w:gz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            if text is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(member)
            else:
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return folder


def test_set_a_has_4000_stays_and_554_deaths(cohort):
    assert len(cohort.tables["patients"]) == 4000
    assert cohort.tables["labels"]["in_hospital_death"].sum() == 554
    assert cohort.tables["labels"]["in_hospital_death"].notna().all()


def test_every_row_but_record_id_age_and_gender_is_a_measurement(cohort):
    rows = cohort.tables["measurements"]

    assert len(rows) == 1_757_980 - 3 * 4000
    assert rows["time"].between(-48, 0).all()
    assert ((rows["code"] == "height") & (rows["value"] == "-1")).sum() == 1894
    assert "records without any value after the first minute: 3" in cohort.account
    assert (cohort.tables["patients"]["sex"] == "").sum() == 3
    assert (cohort.tables["patients"]["age_years"] == "90").sum() == 164
    assert (cohort.tables["patients"]["saps_i"] == "").sum() == 190


def test_the_parameters_are_those_of_codes_csv_and_the_measurement_table_has_them(shared):
    with (shared / "data" / "physionet2012" / "codes.csv").open(newline="") as lines:
        expected = {row["parameter"]: (row["code"], row["unit"]) for row in csv.DictReader(lines)}
    kinds = measurement_table()

    assert expected == PARAMETERS
    for code, unit in PARAMETERS.values():
        assert unit == kinds[code].unit or unit in kinds[code].units


def test_an_archive_and_a_folder_of_the_same_files_give_the_same_cohort(tmp_path):
    first = FIRST + "00:30,HR,80\n47:15,HR,91.5\n"
    members = {"set-b/200001.txt": first, "set-b/200002.txt": SECOND}
    packed = archive(outcomes(tmp_path / "packed"), members)
    unpacked = outcomes(tmp_path / "unpacked")
    (unpacked / "set-b").mkdir()
    for name, text in members.items():
        (unpacked / name).write_text(text)

    cohorts = [
        import_source("physionet2012", path) for path in (packed, packed / "set-b.tar.gz", unpacked, unpacked / "set-b")
    ]

    for cohort in cohorts:
        assert cohort.tables["patients"].values.tolist() == [
            ["200001", "200001", "90", "male", "", "", "", "4"],
            ["200002", "200002", "", "", "", "", "6", "1"],
        ]
        assert cohort.tables["measurements"].values.tolist() == [
            ["200001", "height", "-1", "cm", -48.0],
            ["200001", "heart_rate", "80", "/min", -47.5],
            ["200001", "heart_rate", "91.5", "/min", -0.75],
        ]
        assert cohort.tables["labels"].values.tolist() == [["200001", 1], ["200002", 0]]


def test_nothing_but_records_is_read_from_an_archive_and_nothing_is_written(tmp_path):
    path = archive(
        outcomes(tmp_path / "other"),
        {
            "../200003.txt": FIRST,
            "/set-b/200004.txt": FIRST,
            "set-b/._200001.txt": "junk",
            "set-b/200005.txt": None,
            "set-b/200001.txt": FIRST,
            "set-b/200002.txt": SECOND,
        },
    )
    before = sorted(tmp_path.rglob("*"))

    cohort = import_source("physionet2012", path)

    assert cohort.tables["patients"]["record_id"].tolist() == ["200001", "200002"]
    assert "set-b.tar.gz: files other than set-?/NNNNNN.txt ignored: 4" in cohort.account
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_line_costs_that_line_only(tmp_path):
    dirt = "12:00,HR\n#,1,\nnoon,HR,70\n01:00,HR,71,extra\n01:00,HR,71,a,b,c,d\n\n,,\n02:00,Fame,3\n03:00,HR,72"
    path = archive(outcomes(tmp_path / "other"), {"set-b/200001.txt": FIRST + dirt, "set-b/200002.txt": SECOND})

    cohort = import_source("physionet2012", path)

    assert cohort.tables["measurements"].values.tolist() == [
        ["200001", "height", "-1", "cm", -48.0],
        ["200001", "heart_rate", "", "/min", -36.0],
        ["200001", "Fame", "3", "", -46.0],
        ["200001", "heart_rate", "72", "/min", -45.0],
    ]
    assert "lines that are not Time,Parameter,Value refused: 5" in cohort.account
    assert "parameters that the challenge does not have, kept and refused when read: 'Fame'" in cohort.account


def test_no_record_is_dropped_where_file_or_outcome_is_lacking(tmp_path):
    path = outcomes(tmp_path / "other", "200002,6,1,5,-1,0\n")
    archive(path, {"set-b/200001.txt": FIRST})

    cohort = import_source("physionet2012", path)

    labels = cohort.tables["labels"].set_index("record_id")["in_hospital_death"]
    assert labels.index.tolist() == ["200002", "200001"]
    assert labels.isna().tolist() == [False, True]
    assert "records with an outcome but no file, kept without values: 1 ('200002')" in cohort.account
    assert "records without an outcome, label unknown: 1 ('200001')" in cohort.account


def test_missing_or_damaged_files_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: neither set-\?\.tar\.gz nor a folder set-\? is in"):
        import_source("physionet2012", tmp_path)
    archive(tmp_path, {"set-b/200001.txt": FIRST})
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: upstream's file Outcomes-b\.txt is not in"):
        import_source("physionet2012", tmp_path)
    outcomes(tmp_path)
    whole = (tmp_path / "set-b.tar.gz").read_bytes()
    (tmp_path / "set-b.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CohortError, match=r"^COHORT_FORM: set-b\.tar\.gz is damaged or no tar\.gz archive\."):
        import_source("physionet2012", tmp_path)
    archive(tmp_path, {"set-b/200001.txt": "Hour;Name;Value\n"})
    with pytest.raises(CohortError, match=r"^COHORT_FORM: 200001\.txt does not begin with Time,Parameter,Value\."):
        import_source("physionet2012", tmp_path)
