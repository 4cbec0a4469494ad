"""From upstream's rows to cohort tables: rows of one record merged, images gathered, the account counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from ...records import Target
from .upstream import named

YES_NO = {"Y": 1.0, "N": 0.0}
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+@=()-]{0,180}")


def one_value_a_record(record_ids: pd.Series, values: pd.Series) -> tuple[pd.Series, int]:
    """The text that all rows of a record agree on, "" where none is given or two differ; and how many differ.

    Returns a Series by record id, in the order of first appearance.
    """
    given = values.where(values != "")
    by_record = given.groupby(record_ids.to_numpy(), sort=False)
    differ = by_record.nunique() > 1
    return by_record.first().mask(differ).fillna(""), int(differ.sum())


def one_label_a_record(record_ids: pd.Series, values: pd.Series) -> tuple[pd.Series, int]:
    """The label of each record from its rows (1, 0, NaN unknown): unknown where 1 and 0 stand; and how many clash.

    Returns an Int64 Series by record id, in the order of first appearance.
    """
    by_record = values.astype("float64").groupby(record_ids.to_numpy(), sort=False)
    low, high = by_record.min(), by_record.max()
    clash = low < high
    return high.mask(clash).astype("Int64"), int(clash.sum())


def all_values_a_record(record_ids: pd.Series, values: pd.Series) -> pd.Series:
    """The distinct texts of each record's rows, joined by "; "."""
    by_record = values.groupby(record_ids.to_numpy(), sort=False)
    return by_record.agg(lambda rows: "; ".join(dict.fromkeys(row for row in rows if row)))


def gather_images(
    rows: pd.DataFrame, find: Callable[[str], Path | None]
) -> tuple[pd.DataFrame, dict[str, Path], list[str]]:
    """The images table, the files to copy and the account.

    rows    record_id, name (as upstream gives it, "" for none), kind, view
    find    the file of a name, None where it is not there

    A name that several rows share is copied once, under `images/` and its own name where that is safe and unique
    without regard to case. A name that is not there gets no row, and is counted.
    """
    rows = rows[rows["name"] != ""].drop_duplicates(["record_id", "name"])
    places: dict[str, str] = {}
    files: dict[str, Path] = {}
    lacking, taken = [], set()
    for name in rows["name"].drop_duplicates():
        file = find(name)
        if file is None or not file.is_file():
            lacking.append(name)
            continue
        places[name] = place = _place_of(name, taken)
        files[place] = file
    images = rows.assign(path=rows["name"].map(places), time="").dropna(subset="path")
    account = []
    if lacking:
        account.append(f"images that upstream names but that are not here: {len(lacking):,} ({named(lacking)})")
    renamed = sum(place != f"images/{name}" for name, place in places.items())
    if renamed:
        account.append(f"images copied under another name, for safety or because two differ only in case: {renamed:,}")
    return images[["record_id", "path", "kind", "view", "time"]].reset_index(drop=True), files, account


def named_file(folder: Path, name: str) -> Path | None:
    """folder/name, or None where the name is no plain relative path below the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in name or "\x00" in name or len(name.encode()) > 250:
        return None
    return folder.joinpath(*parts)


def _place_of(name: str, taken: set[str]) -> str:
    """A path below images/ that no other image has; `taken` holds the lower-case ones and is added to."""
    base = PurePosixPath(name.replace("\\", "/")).name
    if not _SAFE_NAME.fullmatch(base):
        ending = re.sub(r"[^A-Za-z0-9.]", "", Path(base).suffix)[:10]
        base = (re.sub(r"[^A-Za-z0-9_-]+", "-", Path(base).stem).strip("-")[:100] or "image") + ending
    stem, ending, count = Path(base).stem, Path(base).suffix, 1
    while base.casefold() in taken:
        count += 1
        base = f"{stem}-{count}{ending}"
    taken.add(base.casefold())
    return f"images/{base}"


def summary(tables: Mapping[str, pd.DataFrame], targets: Sequence[Target], files: Collection[str] = ()) -> list[str]:
    """What was kept, counted: records, patients, images, notes, measurements, labels by target."""
    patients = tables["patients"]
    lines = [f"records: {len(patients):,} of {patients['patient_id'].nunique():,} patients"]
    if "images" in tables:
        holders = tables["images"]["record_id"].nunique()
        lines.append(f"images: {len(tables['images']):,} in {holders:,} records, {len(files):,} files")
    if "notes" in tables:
        lines.append(f"notes: {len(tables['notes']):,} in {tables['notes']['record_id'].nunique():,} records")
    if "measurements" in tables:
        rows = tables["measurements"]
        holders, codes = rows["record_id"].nunique(), rows["code"].nunique()
        lines.append(f"measurements: {len(rows):,} of {codes} codes in {holders:,} records")
    for target in targets:
        labels = tables["labels"][target.name]
        positive, negative, unknown = (labels == 1).sum(), (labels == 0).sum(), labels.isna().sum()
        lines.append(f"label {target.name}: {positive:,} positive, {negative:,} negative, {unknown:,} unknown")
    return lines
