"""A flat file: one row a record, one column per code, `note`, `image`, and targets as `label.NAME`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
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
from .textfiles import ATTRIBUTE, SUFFIXES, SURPLUS, WHERE, TextTable, look_at

_PERSON = COLUMNS["patients"][1:]
_CODE = re.compile(r"(?P<code>.*?)\s*(?:\[(?P<unit>.*)\])?")


@dataclass(frozen=True)
class Header:
    """What the columns mean. codes: {column: (code, unit)}; labels: {column: label's name}, whether a target has it or
    not."""

    codes: Mapping[str, tuple[str, str]]
    labels: Mapping[str, str]
    attributes: tuple[str, ...]


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
    attributes = [ATTRIBUTE + name for name in header.attributes]
    for start, chunk in _numbered(look, {*header.codes, *_PERSON, "note", "image"}, header.attributes):
        records = np.arange(start, start + len(chunk))
        store.add("patients", records, chunk.select([*_PERSON[1:4], *attributes, WHERE, SURPLUS]))
        sound = chunk.filter(pc.invert(chunk[SURPLUS]))
        sound_records = records[~chunk[SURPLUS].to_numpy()]
        for name, rows in _items(sound, sound_records, header):
            store.add(name, rows[RECORD].to_numpy(), rows.drop_columns([RECORD]))
    store.finish()
    return TableSource(
        root=path.resolve().parent,
        description=description,
        record_ids=np.array(roster.record_ids, dtype=object),
        patient_ids=np.array(roster.patient_ids, dtype=object),
        splits=np.array(roster.splits, dtype=object),
        store=store,
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
        elif code and table.resolve(code["code"]):
            codes[column] = (code["code"], (code["unit"] or "").strip())
        else:
            unknown[column] = did_you_mean(column.partition("[")[0].strip(), [*known, *table])
    advice = f" A measurement of your own is declared in {beside}, as [measurements.NAME]."
    refuse_unknown(look, unknown, advice)
    if look.columns and "record_id" not in look.columns:
        raise CohortError("COHORT_FORM", f"{look.path.name} lacks the column record_id.")
    return Header(codes, labels, description.attributes)


def _numbered(
    look: TextTable, columns: Collection[str], attributes: Collection[str] = ()
) -> Iterator[tuple[int, pa.Table]]:
    """(index of the first record, chunk)"""
    start = 0
    for chunk in look.chunks(columns, attributes):
        yield start, chunk
        start += len(chunk)


def _items(chunk: pa.Table, records: np.ndarray, header: Header) -> Iterator[tuple[str, pa.Table]]:
    """The raw item tables of a chunk; an empty cell is no item."""
    for name, column, field in (("notes", "note", "text"), ("images", "image", "path")):
        there = pc.not_equal(pc.utf8_trim_whitespace(chunk[column]), "")
        if pc.any(there).as_py():
            rows, places = chunk.filter(there), records[there.to_numpy()]
            yield name, raw_table(name, {RECORD: places, field: rows[column], WHERE: rows[WHERE]})
    parts = []
    for column, (code, unit) in header.codes.items():
        there = pc.not_equal(chunk[column], "")
        rows, places = chunk.filter(there), records[there.to_numpy()]
        where = pc.binary_join_element_wise(rows[WHERE], f"column {column}", " ")
        same = {"code": pa.repeat(code, len(rows)), "unit": pa.repeat(unit, len(rows))}
        parts.append(raw_table("measurements", {RECORD: places, "value": rows[column], WHERE: where, **same}))
    if parts:
        yield "measurements", pa.concat_tables(parts)


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
