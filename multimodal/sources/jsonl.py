"""JSONL: one PatientRecord a line. Only ids and byte offsets are held; a batch's lines are read again."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from ..records import (
    CohortError,
    ItemError,
    MeasurementKind,
    PatientRecord,
    Problem,
    RecordError,
    Target,
    did_you_mean,
    shown,
)
from ..records.encoding import UTF16_MARKS, decode
from .assemble import ITEM_TABLES, TABLES
from .description import Description, read_description, targets_of
from .fingerprint import hash_files
from .labels import Labels, LabelSheet
from .listed import add_labels, tables_of
from .roster import assumed, refuse_duplicates

LONGEST_LINE = 16 << 20
DEEPEST = 64
_ITEM = re.compile(r"(images|notes|measurements)\[(\d+)\]")
_HALF = re.compile("[\ud800-\udfff]")

Problems = list[tuple[int, Problem]]


class JsonLines:
    """The records of a JSONL file. record_ids: `line:N` where a line cannot be read or has no id."""

    def __init__(self, path: Path, description: Description):
        self.path = path
        self.root = path.resolve().parent
        self.description = description
        self.problems: list[Problem] = []
        self._ignore = set(description.ignore)
        self._lines_file = self._as_utf8()
        self._read_index()

    def _read_index(self) -> None:
        record_ids, patient_ids, splits, places = [], [], [], []
        attributes, labels = dict.fromkeys(self.description.attributes), {}
        without_patient = self._measurements = 0
        self._has_others = False
        with self._lines_file.open("rb") as stream:
            for number, offset, length in _lines(stream):
                try:
                    entry = _entry(_line(stream, offset, length))[0]
                except ItemError:
                    entry = {}
                record_id = _text_or(entry.get("record_id"), f"line:{number}")
                without_patient += bool(entry) and entry.get("patient_id") is None
                record_ids.append(record_id)
                patient_ids.append(_text_or(entry.get("patient_id"), record_id))
                splits.append(_text_or(entry.get("split"), ""))
                self._measurements += len(_items(entry, "measurements"))
                self._has_others |= bool(_items(entry, "notes") or _items(entry, "images"))
                places.append((number, offset, length))
                attributes |= dict.fromkeys(_keys(entry.get("attributes")))
                labels |= dict.fromkeys(_keys(entry.get("labels")))
        refuse_duplicates(self.path.name, record_ids)
        self.problems += assumed(self.path.name, without_patient)
        self.record_ids = np.array(record_ids, dtype=object)
        self.patient_ids = np.array(patient_ids, dtype=object)
        self.splits = np.array(splits, dtype=object)
        self.attributes = tuple(attributes)
        self._places = np.array(places, dtype=np.int64).reshape(-1, 3)
        self._label_names = tuple(labels)

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Those of the TOML file beside, else the labels' names."""
        if self.description.targets is not None:
            return dict(self.description.targets)
        return targets_of(self._label_names, f"{self.path.name}: the label")

    def rows(
        self, positions: np.ndarray, names: Collection[str] = TABLES
    ) -> tuple[dict[str, pa.Table | None], Problems]:
        """All raw tables of the records at `positions`, whichever are named: a line is read as a whole; and what was
        wrong with the lines."""
        del names
        records, places, problems = [], [], []
        for i, (position, (entry, found)) in enumerate(zip(positions, self._entries(positions))):
            ids = {"record_id": self.record_ids[position], "patient_id": self.patient_ids[position]}
            record, place, more = read_record(entry, ids, self._ignore)
            records.append(record)
            places.append(place)
            problems += [(i, problem) for problem in (*found, *more)]
        return tables_of(records, self.attributes, places), problems

    def measurements_per_record(self) -> float | None:
        """Their mean number; None where records have notes or images too."""
        return None if self._has_others else self._measurements / max(len(self.record_ids), 1)

    def read_labels(self) -> Labels:
        """The labels of all lines; labels that the TOML file beside does not name are UNKNOWN_FIELD."""
        sheet = LabelSheet(len(self.record_ids), self.targets)
        for low in range(0, len(self.record_ids), 1024):
            positions = np.arange(low, min(low + 1024, len(self.record_ids)))
            found = []
            for position, (entry, _) in zip(positions, self._entries(positions)):
                labels = entry.get("labels")
                if not isinstance(labels, (dict, type(None))):
                    problem = Problem("BAD_VALUE", "labels", "must be an object of names and 0, 1 or null")
                    sheet.problems.append((int(position), problem))
                labels = labels if isinstance(labels, dict) else {}
                for name in labels:
                    if name not in sheet.targets:
                        message = f"there is no target {shown(name)}{did_you_mean(name, sheet.targets)}"
                        sheet.problems.append((int(position), Problem("UNKNOWN_FIELD", "labels", message)))
                found.append(labels)
            add_labels(sheet, found, positions)
        return sheet.finished()

    def fingerprint(self) -> str:
        """SHA-256 over the file and the TOML file beside it."""
        return hash_files(file for file in (self.path, self.path.with_suffix(".toml")) if file.exists())

    def _entries(self, positions: np.ndarray) -> Iterator[tuple[dict[str, Any], list[Problem]]]:
        """Each line's object; {} and the reason where it cannot be read."""
        with self._lines_file.open("rb") as stream:
            for position in positions:
                number, offset, length = self._places[position].tolist()
                place = f"line {number}"
                try:
                    entry, warnings = _entry(_line(stream, offset, length))
                    yield entry, [Problem(w.code, place, w.message) for w in warnings]
                except ItemError as error:
                    yield {}, [error.at(place)]

    def _as_utf8(self) -> Path:
        """The file itself, or for UTF-16 a copy in UTF-8, which goes with this object."""
        with self.path.open("rb") as stream:
            if stream.read(2) not in UTF16_MARKS:
                return self.path
        folder = Path(tempfile.mkdtemp(prefix="multimodal-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        copy = folder / "lines.jsonl"
        try:
            with (
                self.path.open(encoding="utf-16", newline="") as source,
                copy.open("w", encoding="utf-8", newline="") as lines,
            ):
                shutil.copyfileobj(source, lines, 1 << 20)
        except UnicodeDecodeError:
            raise CohortError("BAD_ENCODING", f"{self.path.name}: it begins as UTF-16 but is none.") from None
        return copy


def open_jsonl(
    path: Path,
    *,
    ignore: Collection[str] = (),
    known: Mapping[str, MeasurementKind] = MappingProxyType({}),
) -> JsonLines:
    """The JSONL file at `path`, with the TOML file of the same name where there is one; paths are relative to it.

    ignore  top-level fields to leave out; known: see Cohort.open
    Raises CohortError: COHORT_FORM, DUPLICATE_RECORD.
    """
    beside = path.with_suffix(".toml")
    description = read_description(beside) if beside.exists() else Description(path.stem)
    return JsonLines(path, description.opened_with(ignore, known))


def read_record(
    entry: Mapping[str, Any], ids: Mapping[str, str], ignore: Collection[str] = ()
) -> tuple[PatientRecord, dict[str, Sequence[int]], list[Problem]]:
    """(record, places, problems) of one line's object; `labels` is not looked at.

    What breaks the form is left out, with BAD_VALUE; places then says which items are left. A field that the form does
    not have costs the whole record: it is empty.
    """
    empty: dict[str, Sequence[int]] = dict.fromkeys(ITEM_TABLES, ())
    fields = {key: value for key, value in entry.items() if value is not None and key not in ignore and key != "labels"}
    problems = []
    for key in ("record_id", "patient_id"):
        if key in entry and entry[key] is not None and entry[key] != ids[key]:
            problems.append(Problem("BAD_VALUE", key, f"{_json_kind(entry[key])} is no id: it must be text"))
    if entry and entry.get("record_id") is None:
        problems.append(Problem("BAD_VALUE", "record_id", "no record_id"))
    fields |= ids
    places: dict[str, Sequence[int]] = {name: range(_length(fields.get(name))) for name in ITEM_TABLES}
    try:
        return PatientRecord.model_validate(fields), places, problems
    except RecordError as error:
        broken = error.problems
    if any(problem.code == "UNKNOWN_FIELD" for problem in broken):
        return PatientRecord(**ids), empty, problems + broken
    left_out: dict[str, set[int]] = {name: set() for name in ITEM_TABLES}
    seen = set()
    for problem in broken:
        item = _ITEM.match(problem.where)
        attribute = problem.where.startswith("attributes.") and isinstance(fields.get("attributes"), dict)
        # Of a union pydantic reports every branch (`value.float`, `value.str`): one problem a part is enough.
        part = item[0] if item else problem.where if attribute else problem.where.partition(".")[0]
        if part in seen:
            continue
        seen.add(part)
        place = re.sub(r"\.(float|str|constrained-str)$", "", problem.where)
        problems.append(Problem("BAD_VALUE", place, problem.message))
        if item:
            left_out[item[1]].add(int(item[2]))
        elif attribute:
            name = part.partition(".")[2]
            fields["attributes"] = {key: value for key, value in fields["attributes"].items() if key != name}
        else:
            fields.pop(part, None)
    for name, indices in left_out.items():
        if name in fields:
            places[name] = [i for i in places[name] if i not in indices]
            fields[name] = [fields[name][i] for i in places[name]]
        else:
            places[name] = ()
    return PatientRecord.model_validate(fields), places, problems


def _lines(stream: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(number from 1, offset, length) of each line that is not blank; a line over the limit is not held."""
    number = 0
    while True:
        offset = stream.tell()
        line = stream.readline(LONGEST_LINE + 1)
        if not line:
            return
        number += 1
        length, blank = len(line), not line.strip()
        while len(line) == LONGEST_LINE + 1 and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)
            length += len(line)
        if not blank or length > LONGEST_LINE:
            yield number, offset, length


def _line(stream: BinaryIO, offset: int, length: int) -> bytes:
    """The bytes of one line; the stream stays where it is. Raises ItemError BAD_LINE for one over the limit."""
    if length > LONGEST_LINE:
        raise ItemError("BAD_LINE", f"a line of more than {LONGEST_LINE >> 20} MiB")
    back = stream.tell()
    stream.seek(offset)
    line = stream.read(length)
    stream.seek(back)
    return line


def _entry(line: bytes) -> tuple[dict[str, Any], list[Problem]]:
    """A line's object. Raises ItemError BAD_LINE, BAD_ENCODING."""
    text, problems = decode(line.rstrip(b"\r\n"))
    try:
        entry = json.loads(text, parse_constant=str)
    except RecursionError:
        raise ItemError("BAD_LINE", f"nested over {DEEPEST} levels") from None
    except json.JSONDecodeError as error:
        reason = error.msg.lower().removesuffix(" at").removesuffix(" starting")
        raise ItemError("BAD_LINE", f"no JSON: {reason} at column {error.colno}") from None
    except ValueError:
        raise ItemError("BAD_LINE", "a number of too many digits") from None
    if not isinstance(entry, dict):
        raise ItemError("BAD_LINE", f"{_json_kind(entry)}, not an object")
    if _deeper(entry, DEEPEST):
        raise ItemError("BAD_LINE", f"nested over {DEEPEST} levels")
    if "\\ud" in text.lower():
        entry = _whole(entry)
    return entry, problems


def _json_kind(value: Any) -> str:
    """What a JSON value is, in words; never the value: it may be an identifier."""
    if value == "":
        return "an empty text"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _deeper(value: Any, levels: int) -> bool:
    """Whether `value` nests over `levels` levels."""
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(item, levels - 1) for item in inner if isinstance(item, (dict, list)))


def _whole(value: Any) -> Any:
    """`value` with each half of a surrogate pair, which is no character, as U+FFFD."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _items(entry: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A list of the entry, as it stands; () where it is none."""
    items = entry.get(name)
    return items if isinstance(items, list) else ()


def _text_or(value: Any, default: str) -> str:
    return value if isinstance(value, str) and value else default


def _keys(value: Any) -> Collection[str]:
    return value.keys() if isinstance(value, dict) else ()


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0
