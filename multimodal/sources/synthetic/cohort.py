"""The synthetic cohort as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..tables import CohortTables
from .damage import BAD_MEASUREMENTS, BROKEN_IMAGES, EMPTY_NOTE, break_file, choose, with_bad_measurements
from .files import FORMATS
from .note import write_note
from .radiograph import draw_radiograph
from .truth import LATENT, MODALITIES, TARGETS, draw_truth, shown
from .vitals import measure

MISSING_SHARE = 0.15
UNKNOWN_LABEL_SHARE = 0.05
SECOND_RECORD_SHARE = 0.02
SECOND_ITEM_SHARE = 0.10
BROKEN_IMAGE_SHARE = 0.02
EMPTY_NOTE_SHARE = 0.01
BAD_MEASUREMENT_SHARE = 0.03
NO_AGE_SHARE = 0.05
FIRST_DAY = pd.Timestamp("2030-01-01T08:00")

# Each part of the cohort has its own stream of random numbers, so that one can change without the others.
STREAMS = ("truth", "layout", "image", "notes", "vitals", "damage")


@dataclass(frozen=True)
class _Record:
    record_id: str
    patient_id: str
    images: int
    notes: int
    vitals: bool


def _random(seed: int, stream: str, record: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, STREAMS.index(stream), record])


def truth_of(patients: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and evidence behind `synthesize(patients, seed)`, a row per record in its order.

    Returns  y         int (records, targets), also where the cohort's label is unknown
             evidence  float (records, targets, modalities), also where the modality is missing
    """
    return draw_truth(len(_patient_numbers(patients)), _random(seed, "truth"))


def _patient_numbers(patients: int) -> np.ndarray:
    """The patient of each record, from 1: every fiftieth patient has two records."""
    numbers = np.arange(1, patients + 1)
    return np.repeat(numbers, np.where(numbers % round(1 / SECOND_RECORD_SHARE) == 0, 2, 1))


def synthesize(patients: int, seed: int) -> CohortTables:
    """A cohort of so many patients; the same numbers give the same bytes.

    A patient's second record has labels and evidence of its own.
    patients.csv has the attribute `expected_refusals`: what a reader of the cohort should refuse, as
    `images:FILE_EMPTY`, separated by blanks; `record:NO_INPUT` where nothing usable is left.
    Raises ValueError if patients < 1 or seed < 0.
    """
    if patients < 1 or seed < 0:
        raise ValueError(f"patients must be 1 or more and seed 0 or more, not {patients} and {seed}")
    y, evidence = truth_of(patients, seed)
    grades = {modality: shown(evidence[:, :, i], modality) for i, modality in enumerate(MODALITIES)}
    records, table = _layout(patients, _random(seed, "layout"))
    damage = _random(seed, "damage")
    images, files, image_refusals = _images(records, grades["image"], seed, damage)
    notes, note_refusals = _notes(records, grades["notes"], seed, damage)
    measurements, measurement_refusals = _measurements(records, grades["vitals"], table, seed, damage)
    refusals = [
        [*image_refusals.get(i, []), *note_refusals.get(i, []), *measurement_refusals.get(i, [])]
        for i in range(len(records))
    ]
    for i, record in enumerate(records):
        usable_images = record.images - len(image_refusals.get(i, []))
        usable_notes = record.notes - len(note_refusals.get(i, []))
        if not (usable_images or usable_notes or record.vitals):
            refusals[i].append("record:NO_INPUT")
    patients_table = table.assign(expected_refusals=[" ".join(found) for found in refusals])
    return CohortTables(
        name="synthetic",
        provenance=f"multimodal synthesize --patients {patients} --seed {seed}: invented, no patient is behind it",
        targets={name: LATENT[name].form for name in TARGETS},
        tables={
            "patients": patients_table,
            "measurements": measurements,
            "notes": notes,
            "images": images,
            "labels": _labels(records, y, _random(seed, "layout", 1)),
        },
        attributes=("expected_refusals",),
        files=files,
        account=_account(records, refusals),
    )


def _layout(patients: int, random: np.random.Generator) -> tuple[list[_Record], pd.DataFrame]:
    """Who has what, and the table `patients` without its attribute; nothing here sees a label."""
    numbers = _patient_numbers(patients)
    n = len(numbers)
    present = random.random((n, len(MODALITIES))) >= MISSING_SHARE
    items = 1 + (random.random((n, 2)) < SECOND_ITEM_SHARE)
    width = max(4, len(str(patients)))
    patient_ids = [f"S{number:0{width}}" for number in numbers]
    visit = np.concatenate([[0], numbers[1:] == numbers[:-1]])
    record_ids = [f"{patient}-2" if again else patient for patient, again in zip(patient_ids, visit)]
    records = [
        _Record(record_id, patient_id, int(has[0] * count[0]), int(has[1] * count[1]), bool(has[2]))
        for record_id, patient_id, has, count in zip(record_ids, patient_ids, present, items)
    ]
    ages = np.clip(np.round(random.normal(62, 15, n), 1), 18, 99)
    age_known = random.random(n) >= NO_AGE_SHARE
    sex = random.choice(["female", "male", "other", ""], n, p=[0.48, 0.48, 0.01, 0.03])
    minutes = random.integers(0, 365 * 24 * 60, n)
    times = [(FIRST_DAY + pd.Timedelta(minutes=int(m))).isoformat(timespec="minutes") for m in minutes]
    table = pd.DataFrame(
        {
            "record_id": record_ids,
            "patient_id": patient_ids,
            "age_years": [f"{age:.1f}" if known else None for age, known in zip(ages, age_known)],
            "sex": [s or None for s in sex.tolist()],
            "prediction_time": times,
        }
    )
    return records, table


def _labels(records: list[_Record], y: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    known = random.random(y.shape) >= UNKNOWN_LABEL_SHARE
    labels = {name: pd.array(np.where(known[:, t], y[:, t], -1), dtype="Int64") for t, name in enumerate(TARGETS)}
    frame = pd.DataFrame({"record_id": [record.record_id for record in records], **labels})
    return frame.mask(frame == -1)


def _images(records: list[_Record], grades: np.ndarray, seed: int, damage: np.random.Generator):
    """The table `images`, the files, and {record index: refusals}."""
    kinds = list(BROKEN_IMAGES)
    candidates = np.array([i for i, record in enumerate(records) if record.images], dtype=int)
    chosen = choose(candidates, len(kinds), BROKEN_IMAGE_SHARE, damage)
    rows, files, refusals = [], {}, {}
    for i, record in enumerate(records):
        random = _random(seed, "image", i)
        for number in range(1, record.images + 1):
            shape = tuple(int(side) for side in random.integers(128, 193, 2))
            name = list(FORMATS)[random.integers(len(FORMATS))]
            broken = kinds[chosen[i]] if number == 1 and i in chosen else None
            if broken == "truncated":
                name = "dicom2"
            elif broken == "text":
                name = "png8"
            encode, suffix = FORMATS[name]
            content = encode(draw_radiograph(grades[i], shape, random))
            path = f"images/{record.record_id}_{number}{suffix}"
            if broken:
                content = break_file(content, broken, encode(np.full(shape, 0.5, np.float32)))
                refusals[i] = [f"images:{BROKEN_IMAGES[broken]}"]
            if content is not None:
                files[path] = content
            view = ("PA", "AP")[random.integers(2)]
            rows.append((record.record_id, path, "radiograph", view, f"{-24 * random.random():.2f}"))
    table = pd.DataFrame(rows, columns=["record_id", "path", "kind", "view", "time"], dtype=object)
    return table, files, refusals


def _notes(records: list[_Record], grades: np.ndarray, seed: int, damage: np.random.Generator):
    """The table `notes` and {record index: refusals}."""
    candidates = np.array([i for i, record in enumerate(records) if record.notes], dtype=int)
    empty = choose(candidates, 1, EMPTY_NOTE_SHARE, damage)
    rows, refusals = [], {}
    for i, record in enumerate(records):
        random = _random(seed, "notes", i)
        for number in range(record.notes):
            kind = ("history", "nursing", "other")[random.integers(3)]
            text = write_note(grades[i], random)
            if number == 0 and i in empty:
                text = EMPTY_NOTE
                refusals[i] = ["notes:EMPTY_NOTE"]
            rows.append((record.record_id, kind, f"{-24 * random.random():.2f}", text))
    return pd.DataFrame(rows, columns=["record_id", "kind", "time", "text"], dtype=object), refusals


def _measurements(records: list[_Record], grades: np.ndarray, table: pd.DataFrame, seed: int, damage):
    """The table `measurements` and {record index: refusals}; a tenth of the records has timestamps instead of hours."""
    present = np.array([record.vitals for record in records])
    chosen = choose(np.flatnonzero(present), len(BAD_MEASUREMENTS), BAD_MEASUREMENT_SHARE, damage)
    random = _random(seed, "vitals")
    rows = with_bad_measurements(measure(grades, present, random), chosen)
    record = rows["record"].to_numpy(int)
    dated = (random.random(len(records)) < 0.1)[record]
    time = rows["hours"].map("{:.2f}".format).to_numpy(object)
    moments = pd.to_datetime(table["prediction_time"]).to_numpy()[record[dated]]
    # Whole minutes, rounded down, never after the prediction unless the hours are.
    minutes = np.floor(rows["hours"].to_numpy(float)[dated] * 60).astype("timedelta64[m]")
    time[dated] = np.datetime_as_string(moments + minutes, unit="m")
    ids = np.array([r.record_id for r in records], dtype=object)
    frame = pd.DataFrame(
        {"record_id": ids[record], "code": rows["code"], "value": rows["value"], "unit": rows["unit"], "time": time}
    )
    return frame, {i: [f"measurements:{BAD_MEASUREMENTS[kind][1]}"] for i, kind in chosen.items()}


def _account(records: list[_Record], refusals: list[list[str]]) -> list[str]:
    counts = pd.Series([refusal for found in refusals for refusal in found], dtype=str).value_counts().sort_index()
    return [
        f"{len(records)} records of {len({record.patient_id for record in records})} patients",
        *(f"{count} x {refusal} expected" for refusal, count in counts.items()),
    ]
