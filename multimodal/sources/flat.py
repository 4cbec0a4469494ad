"""A flat file: one row a record, one column per code, `note`, `image`, and targets as `label.NAME`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..records import CohortError, MeasurementKind, Target, did_you_mean, shown
from .assemble import raw_table
from .description import Description, read_description, targets_of
from .folder import TableSource, refuse_unknown
from .labels import Labels, LabelSheet
from .roster import Roster
from .store import MEMORY_BYTES, RECORD, Store
from .tables import COLUMNS, FLAT_COLUMNS
from .textfiles import SUFFIXES, SURPLUS, WHERE, TextTable, look_at

_PERSON = COLUMNS["patients"][1:]
_CODE = re.compile(r"(?P<code>.*?)\s*(?:\[(?P<unit>.*)\])?")


@dataclass(frozen=True)
class Header:
    """What the columns mean. codes: {column: (code, unit)}, the table's unit where the header gives none; labels:
    {column: label's name}, whether a target has it or not; others: those of note and image that are there."""

    codes: Mapping[str, tuple[str, str]]
    labels: Mapping[str, str]
    attributes: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """The columns that hold items."""
        return (*self.codes, *self.others)


def open_flat(
    path: Path,
    *,
    ignore: Collection[str] = (),
    known: Mapping[str, MeasurementKind] = MappingProxyType({}),
    memory_bytes: int = MEMORY_BYTES,
) -> TableSource:
    """The flat file at `path`, with the TOML file of the same name where there is one; paths are relative to it.
    ignore, known: see Cohort.open.

    Raises CohortError: COHORT_FORM, UNKNOWN_COLUMN, DUPLICATE_RECORD, BAD_ENCODING.
    """
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        known = ".jsonl, " + ", ".join(SUFFIXES)
        raise CohortError("COHORT_FORM", f"{shown(path.name)} is none of a folder, {known}.")
    stem = path.name[: -len(suffix)]
    beside = path.parent / f"{stem}.toml"
    description = (read_description(beside) if beside.exists() else Description(stem)).opened_with(ignore, known)
    look = look_at(path)
    header = read_header(look, description, beside.name)
    roster = Roster(path.name)
    for chunk in look.chunks(("record_id", "patient_id", "split")):
        roster.add(chunk)
    problems = look.problems + roster.problems()
    store = Store(len(roster.record_ids), look.size, memory_bytes=memory_bytes)
    for start, chunk in _numbered(look, [*_PERSON[1:4], *header.items], header.attributes):
        store.add("rows", np.arange(start, start + len(chunk)), chunk)
    store.finish()
    return TableSource(
        root=path.resolve().parent,
        description=description,
        record_ids=np.array(roster.record_ids, dtype=object),
        patient_ids=np.array(roster.patient_ids, dtype=object),
        splits=np.array(roster.splits, dtype=object),
        measurements_per_record=lambda: None if header.others else len(header.codes),
        read_rows=partial(_tables, store, header),
        files=[file for file in (path, beside) if file.exists()],
        read_targets=lambda: _targets(look, header, description),
        read_labels=lambda: _labels(look, _targets(look, header, description), len(roster.record_ids)),
        problems=problems,
        record_problems=roster.record_problems,
    )


def read_header(look: TextTable, description: Description, beside: str) -> Header:
    """What the columns mean. beside: the name of the TOML file.

    Raises CohortError: UNKNOWN_COLUMN, all of them named; COHORT_FORM without record_id.
    """
    table = description.table
    codes, labels, unknown = {}, {}, {}
    # A column that is declared as a measurement and listed as an attribute is both.
    attributes = [name for name in description.attributes if name not in description.measurements]
    known = (*FLAT_COLUMNS, *attributes)
    for column in look.columns:
        code = _CODE.fullmatch(column)
        if not column or column in known or column in description.ignore:
            continue
        if column.startswith("label."):
            labels[column] = column[6:]
        elif code and (name := table.resolve(code["code"])):
            codes[column] = (code["code"], (code["unit"] or "").strip() or table[name].unit)
        else:
            unknown[column] = table.did_you_mean(column.partition("[")[0], known)
    advice = f" A measurement of your own is declared in {beside}, as [measurements.NAME]."
    refuse_unknown(look, unknown, advice)
    if look.columns and "record_id" not in look.columns:
        raise CohortError("COHORT_FORM", f"{look.path.name} lacks the column record_id.")
    others = tuple(name for name in ("note", "image") if name in look.columns)
    return Header(codes, labels, description.attributes, others)


def _numbered(
    look: TextTable, columns: Collection[str], attributes: Collection[str] = ()
) -> Iterator[tuple[int, pa.Table]]:
    """(index of the first record, chunk)"""
    start = 0
    for chunk in look.chunks(columns, attributes):
        yield start, chunk
        start += len(chunk)


def _tables(store: Store, header: Header, positions: np.ndarray, names: Collection[str]) -> dict[str, pa.Table | None]:
    """The raw tables `names` of the records at `positions`, made of their rows; an empty cell is no item."""
    held = {"patients": True, "measurements": bool(header.codes), "notes": "note" in header.others}
    held["images"] = "image" in header.others
    rows = store.rows("rows", positions) if any(held[name] for name in names) else None
    if rows is None:
        return dict.fromkeys(names)
    sound = rows.filter(pc.invert(rows[SURPLUS])) if pc.any(rows[SURPLUS]).as_py() else rows
    sound = sound.combine_chunks()
    make = {
        "patients": lambda: rows.drop_columns(list(header.items)),
        "measurements": lambda: _measurements(sound, header.codes),
        "notes": lambda: _cells(sound, "notes", "note", "text"),
        "images": lambda: _cells(sound, "images", "image", "path"),
    }
    return {name: make[name]() if held[name] else None for name in names}


def _cells(rows: pa.Table, name: str, column: str, field: str) -> pa.Table:
    """The raw table of notes or images in one column."""
    there = rows.filter(pc.not_equal(pc.utf8_trim_whitespace(rows[column]), ""))
    return raw_table(name, {RECORD: there[RECORD], field: there[column], WHERE: there[WHERE]})


def _measurements(rows: pa.Table, codes: Mapping[str, tuple[str, str]]) -> pa.Table:
    """The raw table of the measurements in all columns, by record."""
    there = np.stack([pc.not_equal(rows[column], "").to_numpy() for column in codes], axis=1)
    row, column = (pa.array(places, pa.int32()) for places in np.nonzero(there))
    cells = pa.chunked_array([chunk for name in codes for chunk in rows[name].chunks], pa.string()).combine_chunks()
    own_codes, own_units = (pa.array(texts, pa.string()).dictionary_encode() for texts in zip(*codes.values()))
    places = pa.array([f"column {name}" for name in codes], pa.string())
    columns = {
        RECORD: rows[RECORD].take(row),
        "value": cells.take(pa.array(column.to_numpy().astype(np.int64) * len(rows) + row.to_numpy())),
        "code": own_codes.take(column),
        "unit": own_units.take(column),
        WHERE: pc.binary_join_element_wise(rows[WHERE].take(row), places.take(column), " "),
    }
    return raw_table("measurements", columns)


def _targets(look: TextTable, header: Header, description: Description) -> dict[str, Target]:
    """Those of the TOML file beside, else the labels' names. Raises CohortError: UNKNOWN_COLUMN for a label of no
    target, COHORT_FORM for one whose name cannot be a target's."""
    if description.targets is None:
        return targets_of(header.labels.values(), f"{look.path.name}: the column", "label.")
    names = [f"label.{name}" for name in description.targets]
    refuse_unknown(look, {column: did_you_mean(column, names) for column in header.labels if column not in names})
    return dict(description.targets)


def _labels(look: TextTable, targets: Mapping[str, Target], n: int) -> Labels:
    sheet = LabelSheet(n, targets)
    columns = {f"label.{name}": name for name in targets}
    for start, chunk in _numbered(look, columns):
        chunk = chunk.rename_columns([columns.get(name, name) for name in chunk.column_names])
        sheet.add(chunk, np.arange(start, start + len(chunk)))
    return sheet.finished()
