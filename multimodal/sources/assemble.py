"""Raw rows of some records, all text, to a Batch: the one place where items are checked, column by column.

Every kind of source delivers the same tables: patients, measurements, notes, images with the columns of COLUMNS,
RECORD (index into the batch), WHERE and SURPLUS; patients also the attributes, behind ATTRIBUTE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..records import (
    Batch,
    ImageItem,
    ImageRef,
    ItemError,
    MeasurementKind,
    MeasurementTable,
    Note,
    NoteItem,
    PatientRecord,
    Problem,
    did_you_mean,
    empty_measurements,
    shown,
)
from ..records.times import relative_hours, timestamp
from .inside import inside, read_note
from .store import RECORD
from .tables import COLUMNS
from .textfiles import SURPLUS, WHERE

Problems = list[tuple[int, Problem]]
ITEM_TABLES = ("measurements", "notes", "images")
TABLES = ("patients", *ITEM_TABLES)


def _choices(form: type, field: str) -> tuple[str, ...]:
    """The words that a form's `Literal[...] | None` field allows."""
    return get_args(get_args(form.model_fields[field].annotation)[0])


SEXES = _choices(PatientRecord, "sex")
NOTE_KINDS = _choices(Note, "kind")
IMAGE_KINDS = _choices(ImageRef, "kind")


def assemble(
    record_ids: np.ndarray,
    patient_ids: np.ndarray,
    rows: Mapping[str, pa.Table | None],
    *,
    root: Path,
    table: MeasurementTable,
    declared: Mapping[str, MeasurementKind] = MappingProxyType({}),
    problems: Problems = (),
) -> Batch:
    """The batch of n records.

    rows      the tables by name, sorted by RECORD; an absent or empty one has no items
    root      the cohort's folder, absolute and without links: paths are relative to it
    declared  the cohort's own measurements: a value of theirs without a unit is in the declared one
    problems  (record index, Problem) that the source found when it read the rows
    """
    problems = list(problems)
    n = len(record_ids)
    rows = {name: _sound(rows.get(name), problems) for name in TABLES}
    age_years, sex, prediction_times = _patients(rows["patients"], n, problems)
    measurements = _measurements(rows["measurements"], prediction_times, problems)
    measurements["unit"] = _with_declared_units(measurements, table, declared)
    notes = _notes(rows["notes"], prediction_times, root, problems)
    images = _images(rows["images"], prediction_times, root, problems)
    problems.sort(key=lambda item: item[0])
    return Batch(record_ids, patient_ids, age_years, sex, measurements, notes, images, problems, table)


def prediction_times(patients: pa.Table | None, n: int) -> list[str]:
    """The valid prediction times of n records, "" where there is none."""
    return _patients(_sound(patients, []), n, [])[2]


def _sound(rows: pa.Table | None, problems: Problems) -> pa.Table | None:
    """The rows without those that have more cells than the header."""
    if rows is None or not len(rows):
        return None
    surplus = rows[SURPLUS]
    if pc.any(surplus).as_py():
        for row in rows.filter(surplus).select([RECORD, WHERE]).to_pylist():
            message = "more cells than the header has columns: quote text that holds the delimiter"
            problems.append((row[RECORD], Problem("BAD_VALUE", row[WHERE], message)))
        rows = rows.filter(pc.invert(surplus))
    return rows


def _patients(rows: pa.Table | None, n: int, problems: Problems) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Age (n,) NaN unknown, sex (n,) "" unknown, prediction times "" unknown or unreadable."""
    age_years, sex, times = np.full(n, np.nan), np.full(n, "", dtype=object), [""] * n
    if rows is None:
        return age_years, sex, times
    record, where = rows[RECORD].to_numpy(), rows[WHERE]

    def refuse(i: int, field: str, message: str) -> None:
        place = where[int(i)].as_py()
        place = f"{place} {field}" if place else field
        problems.append((int(record[i]), Problem("BAD_VALUE", place, message)))

    ages = _texts(rows, "age_years")
    years = pd.to_numeric(pd.Series(ages, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    possible = (years >= 0) & (years <= 120)
    for i in np.flatnonzero(~possible & (ages != "")):
        refuse(i, "age_years", f"{shown(ages[i])} is no number of years from 0 to 120")
    age_years[record] = np.where(possible, years, np.nan)

    sexes = _texts(rows, "sex")
    known = np.isin(sexes, SEXES)
    for i in np.flatnonzero(~known & (sexes != "")):
        refuse(i, "sex", f"{shown(sexes[i])} is none of {', '.join(SEXES)}{did_you_mean(sexes[i], SEXES)}")
    sex[record] = np.where(known, sexes, "")

    for i, text in enumerate(_texts(rows, "prediction_time")):
        if text:
            try:
                timestamp(text)
                times[record[i]] = text
            except ItemError:
                refuse(i, "prediction_time", f"{shown(text)} is no ISO 8601 timestamp")
    return age_years, sex, times


def _measurements(rows: pa.Table | None, times: list[str], problems: Problems) -> pd.DataFrame:
    if rows is None:
        return empty_measurements()
    record = rows[RECORD].to_numpy()
    hours, refused = _hours(rows, times)
    for i in np.flatnonzero(pc.equal(rows["code"], "").to_numpy()):
        refused[int(i)] = ItemError("BAD_VALUE", "no code")
    _report(rows, refused, problems)
    frame = rows.select(["code", "value", "unit", WHERE]).to_pandas().rename(columns={WHERE: "where"})
    frame.insert(0, "record", record)
    frame.insert(4, "hours", hours)
    if refused:
        frame = frame.drop(index=list(refused)).reset_index(drop=True)
    return frame


def _with_declared_units(
    frame: pd.DataFrame, table: MeasurementTable, declared: Mapping[str, MeasurementKind]
) -> pd.Series:
    """The column `unit`, with the declared unit where none is given."""
    units = {code: kind.unit for code, kind in declared.items() if kind.kind == "quantity"}
    if not units:
        return frame["unit"]
    which, names = pd.factorize(frame["code"])
    of_name = np.array([units.get(table.resolve(name) or "", "") for name in names] or [""], dtype=object)
    return frame["unit"].where(frame["unit"] != "", of_name[which])


def _notes(rows: pa.Table | None, times: list[str], root: Path, problems: Problems) -> list[NoteItem]:
    if rows is None:
        return []
    record, (hours, refused) = rows[RECORD].to_numpy(), _hours(rows, times)
    kinds, texts, paths, places = (_texts(rows, name) for name in ("kind", "text", "path", WHERE))
    notes = []
    for i in range(len(rows)):
        if i in refused:
            continue
        try:
            _check_choice("kind", kinds[i], NOTE_KINDS)
            if texts[i].strip() and paths[i]:
                raise ItemError("BAD_VALUE", "both text and path are given")
            text = texts[i]
            if paths[i]:
                text, warnings = read_note(root, paths[i])
                problems += [(int(record[i]), Problem(w.code, places[i], w.message)) for w in warnings]
            notes.append(NoteItem(int(record[i]), text, kinds[i], float(hours[i]), places[i]))
        except ItemError as error:
            refused[i] = error
    _report(rows, refused, problems)
    return notes


def _images(rows: pa.Table | None, times: list[str], root: Path, problems: Problems) -> list[ImageItem]:
    if rows is None:
        return []
    record, (hours, refused) = rows[RECORD].to_numpy(), _hours(rows, times)
    paths, kinds, views, places = (_texts(rows, name) for name in ("path", "kind", "view", WHERE))
    images = []
    for i in range(len(rows)):
        if i in refused:
            continue
        try:
            _check_choice("kind", kinds[i], IMAGE_KINDS)
            file = inside(root, paths[i])
            images.append(ImageItem(int(record[i]), file, kinds[i], views[i], float(hours[i]), places[i]))
        except ItemError as error:
            refused[i] = error
    _report(rows, refused, problems)
    return images


def _hours(rows: pa.Table, times: list[str]) -> tuple[np.ndarray, dict[int, ItemError]]:
    """Hours of each row, 0 without a time, and the refused rows: see `relative_hours`."""
    hours = np.zeros(len(rows))
    timed = np.flatnonzero(pc.not_equal(rows["time"], "").to_numpy())
    if not len(timed):
        return hours, {}
    hours[timed], refused = relative_hours(rows["time"].take(timed).to_numpy(), rows[RECORD].to_numpy()[timed], times)
    return hours, {int(timed[i]): error for i, error in refused.items()}


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value and value not in choices:
        hint = did_you_mean(value, choices)
        raise ItemError("BAD_VALUE", f"{field} {shown(value)} is none of {', '.join(choices)}{hint}")


def _report(rows: pa.Table, refused: Mapping[int, ItemError], problems: Problems) -> None:
    records, places = rows[RECORD], rows[WHERE]
    for i in sorted(refused):
        problems.append((records[i].as_py(), refused[i].at(places[i].as_py())))


def _texts(rows: pa.Table, name: str) -> np.ndarray:
    """A column as str objects."""
    return rows[name].to_numpy()


def raw_table(name: str, columns: Mapping[str, Sequence]) -> pa.Table:
    """A raw item table of text columns, "" where one is lacking; WHERE and RECORD must be among `columns`."""
    count = len(columns[RECORD])
    table = {}
    for column in (*COLUMNS[name][1:], WHERE):
        cells = columns.get(column)
        table[column] = pa.repeat("", count) if cells is None else _cells(cells, pa.string())
    table[SURPLUS] = pa.array(np.zeros(count, dtype=bool))
    return pa.table(table | {RECORD: _cells(columns[RECORD], pa.int64())})


def _cells(cells: Sequence, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return cells if isinstance(cells, (pa.Array, pa.ChunkedArray)) else pa.array(cells, kind)
