"""covid-chestxray-dataset (ieee8023): radiographs and CT slices from publications, with clinical notes.

Upstream's files: metadata.csv and the folders that its column `folder` names (images/).
Rows are images. A record is one patient on one day (`offset`, days since symptoms or admission); without an offset
it is one image. Patients who share an image file were entered twice, and are one patient.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...records import Target, UsageError, did_you_mean, shown
from ..tables import CohortTables
from .assembly import (
    YES_NO,
    all_values_a_record,
    gather_images,
    named_file,
    one_label_a_record,
    one_value_a_record,
    summary,
)
from .own_words import COVID_WORDS, MASK, masked
from .upstream import named, read_upstream, upstream_file

COLUMNS = [
    "patientid", "offset", "sex", "age", "finding", "survival", "intubated", "intubation_present", "went_icu",
    "in_icu", "needed_supplemental_O2", "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count",
    "lymphocyte_count", "view", "modality", "location", "folder", "filename", "url", "license", "clinical_notes",
]  # fmt: skip
ATTRIBUTES = ("source", "license", "location", "modality", "view", "offset")
KINDS = {"X-ray": "radiograph", "CT": "ct"}
SEX = {"M": "male", "F": "female"}
VALUES = {  # column: (code, unit), units as upstream's SCHEMA gives them
    "temperature": ("temperature", "Cel"),
    "leukocyte_count": ("wbc", "10*3/uL"),
    "neutrophil_count": ("neutrophils", "10*3/uL"),
    "lymphocyte_count": ("lymphocytes", "10*3/uL"),
}
TARGETS = {
    "diagnosis": (
        Target(
            name="covid19",
            kind="diagnosis",
            description="upstream's finding contains COVID-19; unknown where it is todo",
            words=COVID_WORDS,
        ),
    ),
    "outcome": (
        Target(name="went_icu", kind="risk", description="later in an ICU; unknown where the patient already was"),
        Target(name="death", kind="risk", description="did not survive the illness"),
        Target(name="intubated", kind="risk", description="later intubated; unknown where the patient already was"),
        Target(name="needed_supplemental_o2", kind="risk", description="needed supplemental oxygen at any point"),
    ),
}
OUTCOMES = {  # target: (column, column that says it has happened already)
    "went_icu": ("went_icu", "in_icu"),
    "death": ("survival", None),
    "intubated": ("intubated", "intubation_present"),
    "needed_supplemental_o2": ("needed_supplemental_O2", None),
}
PROVENANCE = """\
covid-chestxray-dataset (J. P. Cohen, P. Morrison, L. Dao, 2020, arXiv:2003.11597),
github.com/ieee8023/covid-chestxray-dataset.
Licence: each image has its own (attribute `license`, often NonCommercial, some NoDerivatives, for many none is
stated); metadata.csv CC BY-NC-SA 4.0.
One record a patient and day (offset); without an offset one an image. Patients who share an image file are one
patient.
pO2_saturation above 100 is pao2 in mm[Hg], from 70 to 100 oxygen_saturation in %, below 70 ambiguous and left out.
Sick and well come from different publications and hospitals: what a model learns here is the collection as well as
the disease.
The images hold burned-in text and arrows. Rows of source github.com from Hannover are also in the source
`hannover`."""
WITH_NOTES = f"""
Notes tell the whole course, after the image too. The disease's own words are masked by {MASK}; what else gives it
away is not:
names of tests and their results (RT-PCR, swab), places and travel (Wuhan), the treatment, other diagnoses by name
(SARS, Legionella).
The mark itself stands mostly in notes of COVID-19: a model of words must not see it as a word."""
WITHOUT_NOTES = "\nNotes are left out: they tell the whole course, and so the outcome."


def import_covid_chestxray(path: Path, *, purpose: str = "diagnosis") -> CohortTables:
    """The collection as a cohort for `purpose`: "diagnosis" (covid19, with masked notes) or "outcome" (no notes).

    Times are hours relative to the record's day: everything upstream gives is of that day.
    Raises UsageError for another purpose, CohortError where metadata.csv or a column of it is missing.
    """
    if purpose not in TARGETS:
        raise UsageError(f"--for is diagnosis or outcome, not {shown(purpose)}{did_you_mean(purpose, TARGETS)}")
    account: list[str] = []
    rows = read_upstream(upstream_file(path, "metadata.csv"), COLUMNS, account)
    folder = path.parent if path.is_file() else path
    rows, notices = _with_records(rows)
    account += notices
    tables = {}
    tables["patients"], notices = _patients(rows)
    account += notices
    tables["images"], files, notices = _images(rows, folder)
    account += notices
    tables["measurements"], notices = _measurements(rows)
    account += notices
    if purpose == "diagnosis":
        tables["notes"], notices = _notes(rows)
        account += notices
    labels, notices = _diagnosis(rows) if purpose == "diagnosis" else _outcomes(rows)
    account += notices
    tables["labels"] = labels.rename_axis("record_id").reset_index()
    targets = TARGETS[purpose]
    return CohortTables(
        name="covid-chestxray",
        provenance=PROVENANCE + (WITH_NOTES if purpose == "diagnosis" else WITHOUT_NOTES),
        targets={target.name: target for target in targets},
        tables=tables,
        attributes=ATTRIBUTES,
        files=files,
        account=summary(tables, targets, files) + account,
    )


def _with_records(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with patient_id, day (float, NaN without an offset) and record_id, and the account."""
    number = pd.Series(range(1, len(rows) + 1), index=rows.index).astype(str)
    patients = rows["patientid"].where(rows["patientid"] != "", "row" + number)
    same = _entered_twice(patients, rows["filename"])
    rows = rows.assign(patient_id=patients.map(same).astype(object), day=pd.to_numeric(rows["offset"], errors="coerce"))
    image = rows["filename"].where(rows["filename"] != "", "row" + number)
    moment = image.where(rows["day"].isna(), rows["day"].map(lambda day: f"day{day:g}"))
    rows["record_id"] = rows["patient_id"] + "_" + moment
    account = [f"rows of metadata.csv: {len(rows):,}, records without an offset, one an image: "
               f"{rows.loc[rows['day'].isna(), 'record_id'].nunique():,}"]  # fmt: skip
    twice = [f"{other} = {first}" for other, first in same.items() if other != first]
    if twice:
        account.append(f"patients entered twice (they share an image file), now one: {named(twice)}")
    return rows, account


def _entered_twice(patients: pd.Series, filenames: pd.Series) -> dict[str, str]:
    """{patient: the first entered of the patients that share image files with it, directly or through others}."""
    first = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while first[patient] != patient:
            patient = first[patient]
        return patient

    order = {patient: place for place, patient in enumerate(first)}
    for _, sharing in patients[filenames != ""].groupby(filenames[filenames != ""], sort=False):
        roots = sorted({root(patient) for patient in sharing}, key=order.__getitem__)
        for other in roots[1:]:
            first[other] = roots[0]
    return {patient: root(patient) for patient in first}


def _patients(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    ids = rows["record_id"]
    account = []
    sex, sexes_differ = one_value_a_record(ids, rows["sex"].map(SEX).fillna(""))
    age, ages_differ = one_value_a_record(ids, rows["age"].replace("?", ""))
    for what, differ in (("sex", sexes_differ), ("age", ages_differ)):
        if differ:
            account.append(f"records whose rows differ in {what}, left unknown: {differ:,}")
    two_sexes = rows[rows["sex"].isin(SEX)].groupby("patient_id")["sex"].nunique() > 1
    if two_sexes.any():
        account.append(f"patients with two sexes on different days, kept as given: {int(two_sexes.sum()):,}")
    attributes = rows.assign(source=rows["url"].str.extract(r"^\w+://(?:www\.)?([^/:?#]+)")[0].fillna(""))
    patients = pd.DataFrame({"patient_id": rows.groupby("record_id", sort=False)["patient_id"].first()})
    patients = patients.assign(age_years=age, sex=sex, prediction_time="", split="")
    for name in ATTRIBUTES:
        patients[name] = all_values_a_record(ids, attributes[name])
    return patients.rename_axis("record_id").reset_index(), account


def _images(rows: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, dict[str, Path], list[str]]:
    volume = (rows["folder"] == "volumes") | rows["filename"].str.lower().str.endswith((".nii", ".nii.gz"))
    images = pd.DataFrame(
        {
            "record_id": rows["record_id"],
            "name": rows["filename"],
            "kind": rows["modality"].map(KINDS).fillna("other"),
            "view": rows["view"].replace("?", ""),
        }
    )
    folders = dict(zip(rows["filename"], rows["folder"].replace("", "images")))
    table, files, account = gather_images(images[~volume], lambda name: named_file(folder, f"{folders[name]}/{name}"))
    if volume.any():
        account.append(f"CT volumes (NIfTI) refused, only flat images are read here: {int(volume.sum()):,}")
    return table, files, account


def _measurements(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    account, parts = [], []
    for column, (code, unit) in VALUES.items():
        values = rows[column]
        given = ~values.isin(["", "?"])
        parts.append(rows[given][["record_id"]].assign(code=code, value=values[given], unit=unit))
    pressure = rows["pO2_saturation"]
    number = pd.to_numeric(pressure, errors="coerce")
    for chosen, code, unit in (
        (number > 100, "pao2", "mm[Hg]"),
        ((number >= 70) & (number <= 100), "oxygen_saturation", "%"),
    ):
        parts.append(rows[chosen][["record_id"]].assign(code=code, value=pressure[chosen], unit=unit))
    unknown = {name: int((rows[name] == "?").sum()) for name in (*VALUES, "pO2_saturation")}
    if any(unknown.values()):
        each = ", ".join(f"{name} {count}" for name, count in unknown.items() if count)
        account.append(f"values given as ?, upstream's unknown, left out: {each}")
    if ambiguous := int((number < 70).sum()):
        account.append(f"pO2_saturation below 70 refused, it may be % or mm[Hg]: {ambiguous:,} rows")
    if wrong := int((number.isna() & ~pressure.isin(["", "?"])).sum()):
        account.append(f"pO2_saturation refused, no number: {wrong:,} rows")
    table = pd.concat(parts).drop_duplicates().sort_index(kind="stable").assign(time="0")
    return table.reset_index(drop=True), account


def _notes(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    notes = rows.loc[rows["clinical_notes"] != "", ["record_id", "clinical_notes"]].drop_duplicates()
    text, held = masked(notes["clinical_notes"], COVID_WORDS)
    table = notes[["record_id"]].assign(kind="history", time="", text=text, path="").drop_duplicates()
    return table.reset_index(drop=True), [f"notes in which the disease's own words were masked: {held:,}"]


def _diagnosis(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    finding = rows["finding"].str.casefold()
    unlabelled = finding.isin(["todo", "", "?", "unknown"])
    covid = finding.str.contains("covid-19", regex=False).astype("float64").mask(unlabelled)
    return _labels(rows, {"covid19": covid})


def _outcomes(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    values, account = {}, []
    for target, (column, present) in OUTCOMES.items():
        known = rows[column].map(YES_NO)
        if target == "death":
            known = 1 - known  # upstream's column is `survival`
        if present:
            already = _already(rows, rows[present] == "Y")
            account.append(
                f"label {target} unknown because it has happened by that day ({present}): "
                f"{rows.loc[already & known.notna(), 'record_id'].nunique():,} records"
            )
            known = known.mask(already)
        values[target] = known
    labels, clashes = _labels(rows, values)
    return labels, account + clashes


def _already(rows: pd.DataFrame, present: pd.Series) -> pd.Series:
    """Rows of a record in which `present` holds, or held on an earlier day of the patient."""
    since = rows["day"].where(present).groupby(rows["patient_id"]).transform("min")
    return present.groupby(rows["record_id"]).transform("any") | (rows["day"] >= since)


def _labels(rows: pd.DataFrame, values: dict[str, pd.Series]) -> tuple[pd.DataFrame, list[str]]:
    labels, account = {}, []
    for target, known in values.items():
        labels[target], clashes = one_label_a_record(rows["record_id"], known)
        if clashes:
            account.append(f"label {target} unknown because rows of one record contradict: {clashes:,} records")
    return pd.DataFrame(labels), account
