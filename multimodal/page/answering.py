"""A filled form -> the one record it describes -> the model's answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..encoders.inputs import preparation_of
from ..imaging import load
from ..model import ClinicalModel
from ..model.watch import Watch
from ..records import Change, MeasurementTable, PatientRecord, Prediction, Problem
from ..sources import Cohort
from .private import Picture, on_disk

RECORD_ID = "page"
PREVIEW_SIZE = 448


@dataclass(frozen=True)
class Filled:
    """What stands in the form.

    age_years  as typed: a decimal comma is read as a point; what is no number is judged by PatientRecord
    values  {code: text} of the named fields, empty where nothing was typed
    rows    of the table: code, value, unit, hours (negative before now; empty: now)
    """

    picture: Picture | None = None
    note: str = ""
    age_years: str = ""
    sex: str | None = None
    values: Mapping[str, str] | None = None
    rows: Sequence[Sequence[str]] = ()

    def measurements(self, table: MeasurementTable) -> list[tuple[str, dict]]:
        """(place for messages, fields of a Measurement) of everything that was typed. table: the model's."""
        typed = [
            (table[code].display, {"code": code, "value": text.strip()})
            for code, text in (self.values or {}).items()
            if text.strip()
        ]
        for number, row in enumerate(self.rows, 1):
            code, value, unit, hours = (str(cell).strip() for cell in row)
            if code or value:
                fields = {"code": code, "value": value, "unit": unit or None, "time": _hours(hours)}
                typed.append((f"Row {number} of the table", fields))
        return typed


def answer(model: ClinicalModel, filled: Filled, watch: Watch | None = None) -> tuple[Prediction, list[str]]:
    """The model's answer and the places of its measurements: `measurements[i]` stands at places[i] in the form.

    watch: of the model, where it answers again and again
    Raises RecordError if what was typed is no record (an age of 200, a row without a code).
    """
    typed = filled.measurements(model.table)
    with on_disk(filled.picture) as (root, name):
        record = PatientRecord(
            record_id=RECORD_ID,
            patient_id=RECORD_ID,
            age_years=filled.age_years.strip().replace(",", ".") or None,
            sex=filled.sex or None,
            images=[{"path": name, "kind": "radiograph"}] if name else [],
            notes=[{"text": filled.note}] if filled.note.strip() else [],
            measurements=[fields for _, fields in typed],
        )
        prediction = (watch or model).predict(Cohort.from_records([record], root=root, targets={}))[0]
    return prediction, [place for place, _ in typed]


def newer_measurements(watch: Watch) -> Change | None:
    """What changed since the answer before, if it was to the same form with other measurements: else it may have been
    another patient."""
    for change in watch.changes_:
        if change.values and len(change.read_again) == 1 and not {"age_years", "sex"} & change.values.keys():
            return change
    return None


def look_at(model: ClinicalModel, picture: Picture) -> tuple[np.ndarray | None, list[Problem], dict[str, str]]:
    """The picture as `model` reads it, uint8 (PREVIEW_SIZE, PREVIEW_SIZE), or None where it is refused; its problems;
    and what was read of it. Of a volume the middle one of the slices that are read."""
    preparation = replace(preparation_of(model.config_.image.model_dump()), size=PREVIEW_SIZE)
    with on_disk(picture) as (root, name):
        record = PatientRecord(record_id=RECORD_ID, patient_id=RECORD_ID, images=[{"path": name}])
        images = load(Cohort.from_records([record], root=root, targets={}).batch(), preparation)
    problems = [problem for _, problem in images.problems]
    return (images.slices[len(images.slices) // 2], problems, images.facts[0]) if images else (None, problems, {})


def placed(where: str, places: Sequence[str]) -> str:
    """The place of a problem in the words of the form."""
    found = re.match(r"measurements\[(\d+)\]", where)
    if found and int(found[1]) < len(places):
        return places[int(found[1])]
    for start, words in (("images", "The image"), ("notes", "The note"), ("age_years", "The age"), ("sex", "The sex")):
        if where.startswith(start):
            return words
    return where or "The record"


def learnt_codes(model: ClinicalModel) -> list[str]:
    """The measurements that the model learnt from, in the order of its measurement table: its own come last."""
    encoders = [encoder for named in model.encoders_.values() for encoder in named.values()]
    plans = [encoder.plan_ for encoder in encoders if hasattr(encoder, "plan_")]
    learnt = {code for plan in plans for code in plan.learnt}
    return [code for code in model.table if code in learnt]


def as_filled(record: PatientRecord, picture: Picture | None) -> Filled:
    """The form that gives this record: at most one image and one note; every measurement in the table."""
    rows = [
        (m.code, str(m.value), m.unit or "", "" if m.time in (None, 0) else f"{m.time}") for m in record.measurements
    ]
    note = record.notes[0].text if record.notes else ""
    age_years = "" if record.age_years is None else str(record.age_years).removesuffix(".0")
    return Filled(picture, note or "", age_years, record.sex, {}, rows)


def _hours(text: str) -> float | str | None:
    """Hours as a number; other text stays, and is judged as a time by the reader."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text
