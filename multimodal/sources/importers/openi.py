"""Indiana University chest X-ray reports (Open-i), as the CSV pair of Kaggle raddar/chest-xrays-indiana-university.

Upstream's files: indiana_reports.csv; where there are any, indiana_projections.csv and its images.
A record is one report (`uid`), a patient of its own. Labels are head terms of the human MeSH indexing.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...records import Target, UsageError, did_you_mean, shown
from ..tables import CohortTables
from .assembly import gather_images, named_file, summary
from .upstream import named, read_upstream, refuse_duplicates, upstream_file

SECTIONS = ("findings", "impression", "indication", "comparison")
TERMS = {  # target: head terms of MeSH, in lower case
    "opacity": ("opacity", "infiltrate", "consolidation", "airspace", "airspace disease"),
    "cardiomegaly": ("cardiomegaly",),
    "effusion": ("pleural effusion",),
    "atelectasis": ("atelectasis", "pulmonary atelectasis"),
    "calcinosis": ("calcinosis", "calcified granuloma"),
}
TARGETS = (
    Target(name="normal", description='the MeSH indexing is just "normal"'),
    *(Target(name=name, description="MeSH head term " + " or ".join(terms)) for name, terms in TERMS.items()),
)
UNKNOWN = ("", "no indexing")
IMAGE_FOLDERS = ("images/images_normalized", "images_normalized", "images", ".")
PROVENANCE = """\
Indiana University chest X-ray reports, Open-i (Demner-Fushman et al., JAMIA 2016), from the CSV pair of Kaggle
raddar/chest-xrays-indiana-university.
Licence: CC BY-NC-ND 4.0 as remembered, not verified: treat as non-commercial, no derivatives.
One record a report, each a patient of its own (upstream names no patients). The note is the section {sections}; XXXX
is upstream's de-identification.
Labels are head terms of the human MeSH indexing of the whole report, so one may rest on a section that the note does
not hold; "No Indexing" is unknown.
Many findings are word for word those of another report: splits must keep them together."""


def import_openi(path: Path, *, sections: str = "findings") -> CohortTables:
    """The reports as a cohort; `sections` are those that make the note, comma-separated, in the order given.

    Raises UsageError for an unknown section, CohortError where indiana_reports.csv or a column of it is missing.
    """
    chosen = _chosen(sections)
    account: list[str] = []
    rows = read_upstream(upstream_file(path, "indiana_reports.csv"), ["uid", "MeSH", *SECTIONS], account)
    folder = path.parent if path.is_file() else path
    refuse_duplicates(rows["uid"], "indiana_reports.csv")
    tables = {
        "patients": pd.DataFrame(
            {"record_id": rows["uid"], "patient_id": rows["uid"], "age_years": "", "sex": "", "prediction_time": ""}
        ).assign(split=""),
        "notes": _notes(rows, chosen),
        "labels": _labels(rows),
    }
    tables["images"], files, notices = _images(rows["uid"], folder)
    account += notices
    without = len(rows) - tables["notes"]["record_id"].nunique()
    account.append(f"records whose {' and '.join(chosen)} are empty, without a note: {without:,}")
    unindexed = int(rows["MeSH"].str.lower().isin(UNKNOWN).sum())
    account.append(f'records with MeSH "No Indexing" or none, all labels unknown: {unindexed:,}')
    return CohortTables(
        name="openi",
        provenance=PROVENANCE.format(sections=" and ".join(chosen)),
        targets={target.name: target for target in TARGETS},
        tables=tables,
        files=files,
        account=summary(tables, TARGETS, files) + account,
    )


def _chosen(sections: str) -> list[str]:
    chosen = list(dict.fromkeys(name.strip().lower() for name in sections.split(",") if name.strip()))
    for name in chosen:
        if name not in SECTIONS:
            guess = did_you_mean(name, SECTIONS)
            raise UsageError(f"a report has no section {shown(name)}{guess} It has {', '.join(SECTIONS)}.")
    if not chosen:
        raise UsageError(f"--sections names none of {', '.join(SECTIONS)}.")
    return chosen


def _notes(rows: pd.DataFrame, chosen: list[str]) -> pd.DataFrame:
    text = rows[chosen[0]].astype(object)
    for name in chosen[1:]:
        text = (text + "\n\n" + rows[name]).str.strip()
    notes = pd.DataFrame({"record_id": rows["uid"], "kind": "radiology", "time": "", "text": text, "path": ""})
    return notes[notes["text"] != ""].reset_index(drop=True)


def _labels(rows: pd.DataFrame) -> pd.DataFrame:
    mesh = rows["MeSH"].str.lower()
    unknown = mesh.isin(UNKNOWN)
    # "Opacity/lung/base/left;Cardiomegaly/mild": terms by semicolon, each a head term and its qualifiers
    heads = mesh.str.split(";").explode().str.split("/").str[0].str.strip()
    labels = {"normal": mesh == "normal"}
    for name, terms in TERMS.items():
        labels[name] = heads.isin(terms).groupby(level=0).any()
    table = pd.DataFrame(labels).astype("Int64").mask(unknown)
    return pd.concat([rows["uid"].rename("record_id"), table], axis=1)


def _images(uids: pd.Series, folder: Path) -> tuple[pd.DataFrame, dict[str, Path], list[str]]:
    """The images that indiana_projections.csv names; without that file none."""
    if not (folder / "indiana_projections.csv").is_file():
        return gather_images(pd.DataFrame(columns=["record_id", "name", "kind", "view"], dtype=str), lambda _: None)
    read: list[str] = []
    rows = read_upstream(folder / "indiana_projections.csv", ["uid", "filename", "projection"], read)
    orphans = rows[~rows["uid"].isin(uids)]
    rows = rows[rows["uid"].isin(uids)]
    images = rows.rename(columns={"uid": "record_id", "filename": "name", "projection": "view"})

    def find(name: str) -> Path | None:
        places = (named_file(folder / place, name) for place in IMAGE_FOLDERS)
        return next((place for place in places if place is not None and place.is_file()), None)

    table, files, account = gather_images(images.assign(kind="radiograph"), find)
    account = read + account
    if len(orphans):
        account.append(f"images of reports that are not here: {len(orphans):,} ({named(orphans['uid'].unique())})")
    return table, files, account
