"""MTS-Dialog: sections of clinical notes with their headers, written from doctor-patient dialogues.

Upstream's files: MTS-Dialog-*.csv. A record is one row, a patient of its own; the note is section_text alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from ...records import CohortError, Target, shown
from ..tables import CohortTables
from .assembly import summary
from .upstream import read_upstream, refuse_duplicates

PREFIX = "MTS-Dialog-"
HEADERS = [
    "FAM/SOCHX", "GENHX", "PASTMEDICALHX", "CC", "PASTSURGICAL", "ALLERGY", "ROS", "MEDICATIONS", "ASSESSMENT",
    "EXAM", "DIAGNOSIS", "DISPOSITION", "PLAN", "EDCOURSE", "IMMUNIZATIONS", "IMAGING", "GYNHX", "PROCEDURES",
    "OTHER_HISTORY", "LABS",
]  # fmt: skip
PROVENANCE = """\
MTS-Dialog (Ben Abacha et al., EACL 2023), github.com/abachaa/MTS-Dialog. Licence: CC BY 4.0.
One record a row, each a patient of its own; the note is section_text alone: the dialogue and the header are no inputs.
The targets are the section kinds, one exclusive group. Very short sections ("None.") recur in several kinds and
splits."""


def import_mts_dialog(path: Path) -> CohortTables:
    """All MTS-Dialog-*.csv of a folder (or that one file) as a cohort; `split` comes from the file's name.

    Raises CohortError where there is no such file, one lacks a column, or an ID stands twice in one.
    """
    files = [path] if path.is_file() else sorted(path.glob(f"{PREFIX}*.csv"))
    if not files:
        raise CohortError("COHORT_NOT_FOUND", f"no file {PREFIX}*.csv is in {shown(path.name)}.")
    account: list[str] = []
    rows = pd.concat([_rows(file, account) for file in files], ignore_index=True)
    targets = _targets(rows["section_header"])
    header = rows["section_header"].map(_target_name)
    labels = {"record_id": rows["record_id"]}
    labels |= {name: (header == name).astype("Int64").mask(header == "") for name in targets}
    tables = {
        "patients": pd.DataFrame(
            {"record_id": rows["record_id"], "patient_id": rows["record_id"], "age_years": "", "sex": ""}
        ).assign(prediction_time="", split=rows["split"]),
        "notes": rows.loc[rows["section_text"] != "", ["record_id", "section_text"]]
        .rename(columns={"section_text": "text"})
        .assign(kind="other", time="", path="")[["record_id", "kind", "time", "text", "path"]]
        .reset_index(drop=True),
        "labels": pd.DataFrame(labels),
    }
    counts = rows["split"].value_counts(sort=False)
    account += [f"split {split}: {count:,} records" for split, count in counts.items()]
    if empty := len(rows) - len(tables["notes"]):
        account.append(f"records with an empty section_text, without a note: {empty:,}")
    if unknown := int((header == "").sum()):
        account.append(f"records without a section header, label unknown: {unknown:,}")
    return CohortTables(
        name="mts-dialog",
        provenance=PROVENANCE,
        targets=targets,
        tables=tables,
        account=summary(tables, list(targets.values())) + account,
    )


def _rows(file: Path, account: list[str]) -> pd.DataFrame:
    rows = read_upstream(file, ["ID", "section_header", "section_text"], account)
    refuse_duplicates(rows["ID"], file.name)
    stem = file.stem.removeprefix(PREFIX)
    return rows.assign(record_id=f"{stem}-" + rows["ID"].astype(object), split=_split_of(stem))


def _split_of(stem: str) -> str:
    """TrainingSet -> train, ValidationSet -> validation, TestSet-1-... -> test1; another name is its own split."""
    for pattern, split in (("training", "train"), ("validation", "validation")):
        if pattern in stem.lower():
            return split
    test = re.search(r"test(?:ing)?set(?:-?(\d+))?", stem.lower())
    return f"test{test[1] or ''}" if test else stem


def _targets(headers: pd.Series) -> dict[str, Target]:
    """Upstream's twenty kinds, and any other that stands in the files, by target name."""
    kinds = {_target_name(header): header for header in (*HEADERS, *headers.unique()) if _target_name(header)}
    kinds = {name: next((known for known in HEADERS if _target_name(known) == name), kinds[name]) for name in kinds}
    return {
        name: Target(name=name, group="section", description=f"section {shown(header)[1:-1]}")
        for name, header in kinds.items()
    }


def _target_name(header: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")
    return name if not name or name[0].isalpha() else f"section_{name}"
