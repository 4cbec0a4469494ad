"""What the audit finds in public collections, where it is known what there is to find (data/*/README.md)."""

from __future__ import annotations

import pandas as pd
import pytest

from multimodal import Cohort, audit
from multimodal.records import Target
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source
from multimodal.sources.importers.own_words import COVID_WORDS
from multimodal.sources.tables import CohortTables


@pytest.fixture(scope="module")
def imported(shared, tmp_path_factory) -> dict[str, Cohort]:
    made = {}
    for name in ("covid-chestxray", "hannover"):
        folder = tmp_path_factory.mktemp("imported") / name
        write_cohort(folder, import_source(name, shared / "data" / name))
        made[name] = Cohort.open(folder)
    return made


@pytest.fixture(scope="module")
def as_upstream(shared, tmp_path_factory) -> Cohort:
    """covid-chestxray's table as it is: a record a row, upstream's patients, notes in which nothing is masked."""
    folder = shared / "data" / "covid-chestxray"
    rows = pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)
    rows["record_id"] = [f"row{number}" for number in range(1, len(rows) + 1)]
    there = rows[[bool(name) and (folder / "images" / name).is_file() for name in rows["filename"]]]
    patients = rows[["record_id"]].assign(
        patient_id=rows["patientid"],
        age_years=rows["age"].where(rows["age"].str.isdigit(), ""),
        sex=rows["sex"].map({"M": "male", "F": "female"}).fillna(""),
        site=rows["url"].str.extract(r"^\w+://(?:www\.)?([^/:?#]+)")[0].fillna(""),
    )
    finding = rows["finding"].str.casefold()
    covid = finding.str.contains("covid-19", regex=False).astype("Int64").mask(finding == "todo")
    tables = {
        "patients": patients,
        "images": there[["record_id"]].assign(path="images/" + there["filename"]),
        "notes": rows.loc[rows["clinical_notes"] != "", ["record_id"]].assign(text=rows["clinical_notes"]),
        "labels": rows[["record_id"]].assign(covid19=covid),
    }
    files = {f"images/{name}": folder / "images" / name for name in there["filename"]}
    target = Target(name="covid19", kind="diagnosis", words=COVID_WORDS)
    out = tmp_path_factory.mktemp("upstream") / "cohort"
    write_cohort(
        out, CohortTables("upstream", "", {"covid19": target}, tables, attributes=("site",), files=files), link=False
    )
    return Cohort.open(out)


def found_in(cohort: Cohort, **options) -> dict[str, list]:
    by_code: dict[str, list] = {}
    for finding in audit(cohort, **options).findings:
        by_code.setdefault(finding.code, []).append(finding)
    return by_code


def test_covid_chestxray_as_upstream_has_it(as_upstream):
    """The two patients who were entered twice (285 = 339, 287 = 340), the notes that name the disease, the sites."""
    found = found_in(as_upstream)

    (twice,) = found["LEAK_TWICE"]
    assert twice.records == tuple((f"row{row}", f"row{row + 102}") for row in range(552, 557))
    (words,) = found["LEAK_WORDS"]
    assert words.figures["share_positive"] > 5 * words.figures["share_negative"]
    assert "LEAK_SOURCE" in found


def test_the_pictures_that_hannover_and_covid_chestxray_share(imported):
    """82 of hannover's pictures are in covid-chestxray too, under other sizes and crops (both README files), in 79
    pairs of records; the 74 pairs found are all among them, the others were straightened or cropped by hand. Our
    importer has merged the patients entered twice and masked the words; that they stood there is still told."""
    covid, hannover = imported["covid-chestxray"], imported["hannover"]
    known = shared_records(covid, hannover)
    found = audit(covid, against=hannover)
    across = next(one for one in found.findings if one.code == "LEAK_IMAGE" and one.severity == "leak")

    assert len(known) == 79
    assert across.count == 2 * 74
    assert set(across.records) <= known
    assert {"LEAK_WORDS", "LEAK_SOURCE"} <= {one.code for one in found.findings}


def shared_records(covid: Cohort, hannover: Cohort) -> set[tuple[str, str]]:
    """Records that hold files of the same stem, hannover's image_id."""
    stems = [
        pd.DataFrame([(batch.record_ids[one.record], one.path.stem) for one in batch.images], columns=[name, "stem"])
        for name, batch in (("covid", covid.batch()), ("hannover", hannover.batch()))
    ]
    both = stems[0].merge(stems[1], on="stem")
    return set(zip(both["covid"], both["hannover"], strict=True))


def test_the_sharpness_of_composite_that_its_readme_tells_of(shared):
    """JPEG bytes tell pneumonia with 0.78 on JPEGs alone; the reports, each used once, have five twins."""
    found = found_in(Cohort.open(shared / "data" / "composite"))

    (files,) = found["LEAK_FILE"]
    assert (files.target, files.severity) == ("pneumonia", "caution")
    assert 0.70 < files.figures["auroc"] < 0.80
    assert "bytes" in files.what
    assert set(found) == {"LEAK_FILE", "LEAK_NOTE"}
