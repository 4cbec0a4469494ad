"""Any folder of pictures as a cohort: a folder per class, or a table that names file, patient and label.

    PATH/CLASS/.../x.png           classes are the folders; PATH/SPLIT/CLASS/... where all folders are named as splits
    PATH/.../x.png, --labels CSV   one row a picture, and what the columns say
    PATH/x.png                     no label: for scoring

A record is one picture, since each has its own label; pictures of one patient share the patient_id. A patient is never
guessed from a file's name. Classes become one exclusive group, of two classes too (image_labels.py says why).
What can be understood in several ways is refused with what was found: LAYOUT_UNCLEAR.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...records import CohortError, UsageError, shown
from ..tables import CohortTables
from .assembly import one_label_a_record, one_value_a_record, summary
from .image_files import Pictures, ending_of, identical, list_pictures, masks, passed_over, places_of, stem_of
from .image_labels import Labels, class_labels, column_labels, joined
from .image_table import find_pictures, read_image_table
from .upstream import named

SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
NO_CLASSES = ("image", "images", "img", "imgs", "picture", "pictures", "mask", "masks")
SEX = {"m": "male", "male": "male", "f": "female", "female": "female", "unknown": ""}
PROVENANCE = """\
Pictures of the folder {folder}; {labels}.
Say here where they are from, under which licence, and how the labels were established."""


def import_image_folder(
    path: Path,
    *,
    labels: Path | str | None = None,
    file_column: str = "",
    patient_column: str = "",
    label_columns: Sequence[str] = (),
    number_records: bool = False,
) -> CohortTables:
    """The pictures below `path` as a cohort, labelled by their folders or by the table `labels`.

    labels         a CSV, TSV or Parquet file; its columns are found by their usual names (image_table.SPELLINGS)
    file_column, patient_column, label_columns  name them where they are called otherwise, or several may be meant

    number_records  records are image-000001, ... by their pictures' paths in order, and the files are called so too;
                    else both are called as the pictures are

    A folder below the class's with two or more DICOM files is one series; with a table, a folder that a row names.
    Raises UsageError for a column without a table, or that the table lacks; CohortError: COHORT_NOT_FOUND,
    LAYOUT_UNCLEAR, and what reading a table raises.
    """
    if labels is None and (file_column or patient_column or label_columns):
        raise UsageError("--file-column, --patient-column and --label-column are columns of a table: give --labels.")
    if labels is None:
        rows, pictures, (targets, values), account = _by_folder(path)
        origin = "classes are its folders" if targets else "no labels"
    else:
        rows, pictures, (targets, values), account = _by_table(
            path, Path(labels), file_column=file_column, patient_column=patient_column, label_columns=label_columns
        )
        origin = f"labels of the table {_plain(Path(labels).name)}"
    tables, files = _tables(rows, pictures, values, account, number_records)
    account += _same_pictures(rows, pictures, tables, number_records)
    if len(rows) and not number_records:
        account.append("CAUTION: record ids are made of file names; if these name patients, use --number-records")
    folder = _plain(path.resolve().name)
    return CohortTables(
        name=folder,
        provenance=PROVENANCE.format(folder=folder, labels=origin),
        targets=targets,
        tables=tables,
        files=files,
        account=summary(tables, list(targets.values()), files) + account,
    )


def _by_folder(path: Path) -> tuple[pd.DataFrame, Pictures, Labels, list[str]]:
    """One row a picture, the pictures, their labels by folder, the account."""
    listing = list_pictures(path)
    tops = sorted({name.partition("/")[0] for name in listing.pictures if "/" in name})
    if not listing.pictures:
        raise CohortError("LAYOUT_UNCLEAR", f"{shown(path.name)} holds no pictures.")
    splits = [name for name in tops if name.lower() in SPLITS]
    if splits and splits != tops:
        other = set(tops) - set(splits)
        message = f"{named(splits)} are named as splits, {len(other):,} other folders not: give a folder of either."
        raise CohortError("LAYOUT_UNCLEAR", message)
    level = 1 if splits else 0
    pictures = {name: (file,) for name, file in listing.pictures.items()}
    series = listing.series(depth=level + 1)
    pictures = {name: files for name, files in pictures.items() if name.rpartition("/")[0] not in series}
    left_out = masks(pictures, depth=level + 1)
    pictures = dict(sorted(({name: pictures[name] for name in pictures if name not in left_out} | series).items()))
    account = [*listing.account, *passed_over(left_out, "masks of other pictures, left out")]
    account += passed_over(series, "folders of two or more DICOM files, each one series")

    parts = pd.Series(list(pictures), dtype=object).str.split("/")
    classes = parts.map(lambda folders: folders[level] if len(folders) > level + 1 else "")
    found: Labels = ({}, pd.DataFrame(index=classes.index))
    if (classes != "").any():
        odd = sorted({name for name in classes if name.lower() in NO_CLASSES})
        if odd:
            message = (
                f"the folder {named(odd)} is named as no class is: give the folder that holds the classes' folders"
            )
            raise CohortError("LAYOUT_UNCLEAR", f"{message}, or a table by --labels.")
        found = class_labels(classes, group="class", where="the folder")
        if loose := int((classes == "").sum()):
            account.append(f"pictures in no class's folder, label unknown: {loose:,}")
    else:
        account.append("no folders of classes: there are no labels, so this cohort can be scored, not trained on")
    names = pd.Series(list(pictures), dtype=object)
    rows = pd.DataFrame({"name": names, "here": True, "patient": "", "row": ""}).assign(
        split=parts.str[0] if splits else "", age_years="", sex="", view=""
    )
    return rows, pictures, found, account


def _by_table(path: Path, file: Path, **columns) -> tuple[pd.DataFrame, Pictures, Labels, list[str]]:
    """One row a row of the table, the pictures that they name, their labels, the account."""
    table = read_image_table(file, **columns)
    listing = list_pictures(path)
    series = listing.series()
    cells = table.rows.set_index("row")["file"]
    found = find_pictures(cells[cells != ""], [*listing.pictures, *series])
    pictures = {name: series[name] if name in series else (listing.pictures[name],) for name in sorted(found.values())}
    rows = table.rows.assign(
        name=table.rows["file"].map(lambda cell: found.get(cell, cell)), here=table.rows["file"].isin(found.keys())
    )
    account = [*table.account, *listing.account]
    if without := int((rows["file"] == "").sum()):
        account.append(f"rows that name no file, each a record without a picture: {without:,}")
    lacking = rows.loc[~rows["here"] & (rows["file"] != ""), "file"].drop_duplicates()
    account += passed_over(lacking, "files that are not here, refused as FILE_MISSING when read")
    if len(rows) and not found:
        raise CohortError(
            "LAYOUT_UNCLEAR", f"none of the files that {shown(file.name)} names is in {shown(path.name)}."
        )
    used = {one for files in pictures.values() for one in files}
    unnamed = [name for name, one in listing.pictures.items() if one not in used]
    account += passed_over(unnamed, "pictures that no row names, left out")
    account += passed_over((name for name in pictures if name in series), "folders of DICOM files, each one series")
    parts = [column_labels(cells, column) for column, cells in table.labels.items()]
    if not parts:
        account.append("no column of labels: this cohort can be scored, not trained on")
    return rows, pictures, joined(parts, rows.index), account


def _tables(
    rows: pd.DataFrame, pictures: Pictures, values: pd.DataFrame, account: list[str], number_records: bool
) -> tuple[dict[str, pd.DataFrame], dict[str, Path]]:
    """The cohort's tables and files; `rows` gets the column record_id, `account` what was merged or is unknown.

    Rows of one file and patient are one record.
    """
    # A picture's only patient is that of its rows without one.
    only, _ = one_value_a_record(rows["name"], rows["patient"])
    lacking = (rows["patient"] == "") & (rows["name"] != "")
    rows["patient"] = rows["patient"].mask(lacking, rows["name"].map(only))
    apart = rows["row"].where(rows["name"] == "", "")
    first = ~pd.DataFrame({"name": rows["name"], "patient": rows["patient"], "apart": apart}).duplicated()
    keys = list(zip(rows["name"], rows["patient"], apart))
    distinct = [key for key, is_first in zip(keys, first) if is_first]
    names = [name or f"row-{row}" for name, _, row in distinct]
    ids = dict(zip(distinct, _numbers(distinct) if number_records else _record_ids(names)))
    rows["record_id"] = [ids[key] for key in keys]
    if len(rows) > len(distinct):
        account.append(f"rows of the same picture and patient, merged: {len(rows) - len(distinct):,}")

    record_ids, fields = rows["record_id"], {}
    for field in ("age_years", "sex", "split", "view"):
        given = rows[field].map(lambda text: SEX.get(text.casefold(), text)) if field == "sex" else rows[field]
        fields[field], differ = one_value_a_record(record_ids, given)
        if differ:
            account.append(f"records whose rows differ in {field}, left unknown: {differ:,}")
    records = rows[first].set_index("record_id")
    unknown = records["patient"] == ""
    if unknown.any():
        who = "no patient is known" if unknown.all() else f"records without a patient: {int(unknown.sum()):,}"
        account.append(
            f"CAUTION: {who}; patient_id is the record_id, so pictures of one patient cannot be kept apart in "
            "folds and splits, and figures may be too good. Give a table with a column of patients."
        )
    patients = pd.DataFrame({"patient_id": records["patient"].where(~unknown, records.index.to_series())})
    patients = patients.assign(
        age_years=fields["age_years"], sex=fields["sex"], prediction_time="", split=fields["split"]
    )
    named_ones = records[records["name"] != ""]
    own_names = named_ones["name"].drop_duplicates()
    if number_records:
        places = {name: f"images/{record_id}{ending_of(name)}" for record_id, name in own_names.items()}
    else:
        places = places_of(own_names)
    images = pd.DataFrame({"path": named_ones["name"].map(places), "kind": "", "view": fields["view"], "time": ""})
    tables = {
        "patients": patients.rename_axis("record_id").reset_index(),
        "images": images.loc[named_ones.index].rename_axis("record_id").reset_index(),
    }
    if len(values.columns):
        labels = {}
        for target in values:
            labels[target], clashes = one_label_a_record(record_ids, values[target])
            if clashes:
                account.append(f"label {target} unknown because rows of one picture contradict: {clashes:,} records")
        tables["labels"] = pd.DataFrame(labels).rename_axis("record_id").reset_index()
    return tables, _files(pictures, places, number_records)


def _files(pictures: Pictures, places: Mapping[str, str], number_slices: bool) -> dict[str, Path]:
    """{path inside the cohort: its file}; a series is a folder."""
    files = {}
    for name, sources in pictures.items():
        if len(sources) == 1:
            files[places[name]] = sources[0]
        else:
            slices = places_of(source.name for source in sources)
            for number, source in enumerate(sources, 1):
                called = slices[source.name].removeprefix("images/")
                files[f"{places[name]}/{f'{number:06}{ending_of(called)}' if number_slices else called}"] = source
    return files


def _numbers(keys: Sequence[tuple[str, str, str]]) -> list[str]:
    """image-000001, ... for (picture, patient, row), sorted; those without a picture come last, as they stand."""
    by_name = sorted(keys, key=lambda key: (key[0] == "", key[:2] if key[0] else ()))
    place = {key: number for number, key in enumerate(by_name, 1)}
    return [f"image-{place[key]:06}" for key in keys]


def _record_ids(names: Sequence[str]) -> list[str]:
    """The file's name without its ending where no other has it, else its whole path; numbered where that is not
    enough (one picture of two patients)."""
    stems = [_plain(stem_of(name)) for name in names]
    counts = Counter(stem.casefold() for stem in stems)
    ids: dict[str, None] = {}
    for name, stem in zip(names, stems):
        record_id = base = stem if stem and counts[stem.casefold()] == 1 else _plain(name)
        number = 1
        while record_id in ids:
            number += 1
            record_id = f"{base}-{number}"
        ids[record_id] = None
    return list(ids)


def _plain(name: str) -> str:
    """A name as a table gives it back: bytes that are no UTF-8 escaped, runs of white space one space, none at the
    ends."""
    return " ".join(name.encode("utf-8", "backslashreplace").decode().split())


def _same_pictures(
    rows: pd.DataFrame, pictures: Pictures, tables: Mapping[str, pd.DataFrame], number_records: bool
) -> list[str]:
    """The account of pictures with the same bytes: where they are of different labels, patients or splits, an answer
    may be known from the training. Record ids that are made of files' names are not shown."""
    records = rows.drop_duplicates("record_id").set_index("record_id")[["name", "patient"]].replace("", None)
    records["split"] = tables["patients"].set_index("record_id")["split"].replace("", None)
    labels = tables["labels"].set_index("record_id") if "labels" in tables else pd.DataFrame(index=records.index)
    records["labels"] = [tuple(row) for row in labels.reindex(records.index).astype(str).itertuples(index=False)]
    same = {name: number for number, names in enumerate(identical(pictures)) for name in names}
    # One file that two patients are given is as telling as two files of the same bytes.
    group = records["name"].map(lambda name: same.get(name, name)).astype(object)
    several = records[group.groupby(group).transform("size") > 1]
    if several.empty:
        return []
    counts = several.groupby(group.loc[several.index], sort=False)[["labels", "patient", "split"]].nunique() > 1
    lines = [f"pictures with the same bytes as another: {len(several):,}, in {len(counts):,} groups"]
    for column, what in (("labels", "labels"), ("patient", "patients"), ("split", "splits")):
        if counts[column].any():
            groups = counts.index[counts[column]]
            ids = several.index[group.loc[several.index].isin(groups)]
            which = f" ({named(ids, 6)})" if number_records else ""
            lines.append(f"CAUTION: of these groups, with different {what}: {len(groups):,}{which}")
    return lines
