"""COVID-19 Image Repository of Hannover Medical School: radiographs with laboratory values and outcomes.

Upstream's files: data.csv and png/IMAGE_ID.png. Rows are images; all offsets are days from the image.
A record is one patient on one day (`admission_offset`): its images share laboratory values and outcomes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ...records import Target
from ..tables import CohortTables
from .assembly import all_values_a_record, gather_images, named_file, one_label_a_record, one_value_a_record, summary
from .upstream import read_upstream, upstream_file

LABORATORY = {  # upstream's name: (code, unit), units as upstream's readme gives them
    "crp": ("crp", "mg/L"),
    "d-dimer": ("d_dimer", "mg/L"),
    "factor_xii": ("factor_xiii", "%"),  # the readme says factor XIII
    "ldh": ("ldh", "U/L"),
    "lymphocytes": ("lymphocytes", "10*3/uL"),
    "neutrophils": ("neutrophils", "10*3/uL"),
    "pco2": ("paco2", "mm[Hg]"),
    "po2": ("pao2", "mm[Hg]"),
}
BODY = {"size": ("height", "cm"), "weight": ("weight", "kg")}
COLUMNS = [
    "patient_id", "image_id", "sex", "age", "size", "weight", "admission_offset", "icu_admission_offset",
    "death_offset", "modality", "projection",
    *(f"{name}_{part}" for name in LABORATORY for part in ("offset", "val")),
]  # fmt: skip
ATTRIBUTES = ("modality", "projection", "admission_offset")
KINDS = {"CR": "radiograph", "DX": "radiograph", "": "radiograph", "CT": "ct", "MR": "mr"}
SEX = {"m": "male", "f": "female", "w": "female"}
TARGETS = (
    Target(
        name="icu_admission",
        kind="risk",
        description="admitted to an ICU on the day of the image or later; unknown where admitted before",
    ),
    Target(name="death", kind="risk", description="died after the image"),
)
PROVENANCE = """\
COVID-19 Image Repository, Hannover Medical School (H. Winther et al.),
github.com/ml-workgroup/covid-19-image-repository, DOI 10.6084/m9.figshare.12275009.
Licence: CC BY 3.0. Every patient has COVID-19: there is no diagnosis to learn.
One record a patient and day; the prediction is made at the image. Offsets are whole days: an ICU admission on the day
of the image counts as after it, though it may have been hours before, and a laboratory value of that day may be hours
after it. A value of a later day is FUTURE_INPUT.
Laboratory values are rounded to intervals by upstream; inf and -inf are beyond a detection limit that is not given,
and are refused when read. po2 and pco2 are taken as arterial. The column factor_xii is factor XIII, as upstream's
readme says.
Most of these images are also in covid-chestxray: do not train on one and test on the other."""


def import_hannover(path: Path) -> CohortTables:
    """The collection as a cohort with the targets icu_admission and death.

    Times are hours relative to the image: an offset of d days is 24 d.
    Raises CohortError where data.csv or a column of it is missing.
    """
    account: list[str] = []
    rows = read_upstream(upstream_file(path, "data.csv"), COLUMNS, account)
    folder = path.parent if path.is_file() else path
    account.append(f"rows of data.csv, one an image: {len(rows):,}")
    day = pd.to_numeric(rows["admission_offset"], errors="coerce")
    moment = rows["image_id"].where(day.isna(), day.map(lambda offset: f"day{-offset:g}"))
    rows["record_id"] = rows["patient_id"].astype(object) + "_" + moment

    tables = {}
    tables["patients"], notices = _patients(rows)
    account += notices
    images = pd.DataFrame(
        {
            "record_id": rows["record_id"],
            "name": (rows["image_id"] + ".png").where(rows["image_id"] != "", ""),
            "kind": rows["modality"].map(KINDS).fillna("other"),
            "view": rows["projection"].str.upper(),
        }
    )
    tables["images"], files, notices = gather_images(images, lambda name: named_file(folder, f"png/{name}"))
    account += notices
    tables["measurements"], notices = _measurements(rows)
    account += notices
    tables["labels"], notices = _labels(rows)
    account += notices
    return CohortTables(
        name="hannover",
        provenance=PROVENANCE,
        targets={target.name: target for target in TARGETS},
        tables=tables,
        attributes=ATTRIBUTES,
        files=files,
        account=summary(tables, TARGETS, files) + account,
    )


def _patients(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    ids, account = rows["record_id"], []
    sex, sexes_differ = one_value_a_record(ids, rows["sex"].str.lower().map(SEX).fillna(""))
    age, ages_differ = one_value_a_record(ids, rows["age"])
    for what, differ in (("sex", sexes_differ), ("age", ages_differ)):
        if differ:
            account.append(f"records whose rows differ in {what}, left unknown: {differ:,}")
    patients = pd.DataFrame({"patient_id": rows.groupby("record_id", sort=False)["patient_id"].first()})
    patients = patients.assign(age_years=age, sex=sex, prediction_time="", split="")
    for name in ATTRIBUTES:
        patients[name] = all_values_a_record(ids, rows[name])
    return patients.rename_axis("record_id").reset_index(), account


def _measurements(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Values of a day are the same in all its images' rows: equal rows are merged."""
    parts = []
    for name, (code, unit) in LABORATORY.items():
        hours = 24 * pd.to_numeric(rows[f"{name}_offset"], errors="coerce")
        parts.append(rows[["record_id"]].assign(code=code, value=rows[f"{name}_val"], unit=unit, time=hours))
    for name, (code, unit) in BODY.items():
        parts.append(rows[["record_id"]].assign(code=code, value=rows[name], unit=unit, time=0.0))
    table = pd.concat(parts)
    table = table[table["value"] != ""].drop_duplicates().sort_index(kind="stable")
    account = []
    undated = ~np.isfinite(table["time"])
    if undated.any():
        account.append(f"laboratory values without an offset refused, they may be later: {int(undated.sum()):,}")
    table = table[~undated].reset_index(drop=True)
    limits = table["value"].str.lstrip("+-").str.lower().isin(["inf", "infinity"])
    if limits.any():
        each = ", ".join(f"{code} {count}" for code, count in table.loc[limits, "code"].value_counts().items())
        account.append(
            f"values beyond a detection limit that is not given (inf, -inf), kept as they stand "
            f"and refused as NOT_A_NUMBER when read: {each}"
        )
    if later := int((table["time"] > 0).sum()):
        account.append(f"laboratory values after the image, refused as FUTURE_INPUT when read: {later:,}")
    return table, account


def _labels(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    values = {}
    for target, column in (("icu_admission", "icu_admission_offset"), ("death", "death_offset")):
        offset = pd.to_numeric(rows[column], errors="coerce")
        after = (offset >= 0).astype("float64")
        # Before the image it has happened already; text that is no number is not known.
        values[target] = after.mask((offset < 0) | (offset.isna() & (rows[column] != "")))
    labels, account = {}, []
    for target, known in values.items():
        labels[target], clashes = one_label_a_record(rows["record_id"], known)
        if clashes:
            account.append(f"label {target} unknown because rows of one record contradict: {clashes:,} records")
        for wanted, meaning in ((1, "positive"), (0, "negative")):
            patients = rows.loc[known == wanted, "patient_id"].nunique()
            account.append(f"label {target}: {patients:,} patients with a {meaning} record")
    return pd.DataFrame(labels).rename_axis("record_id").reset_index(), account
