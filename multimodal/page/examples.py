"""Ready examples: records of a cohort that show what the page does with what is there and what is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..model import ClinicalModel
from ..records import PatientRecord, Prediction
from ..sources import Cohort
from .answering import Filled, answer, as_filled
from .private import UPLOAD_BYTES, Picture, suffix_of

LOOKED_AT = 48
REFUSED = "With a refused item"
MISTYPED = ("heart_rate", "700", "/min", "")


@dataclass(frozen=True)
class Example:
    """A form that can be filled with one click. title: what it shows; trained_on: the model has seen this patient."""

    title: str
    filled: Filled
    trained_on: bool


def ready_examples(model: ClinicalModel, cohort: Cohort) -> list[Example]:
    """Up to four examples out of the first records: everything, one modality, all but the first, a refused item
    (where none of them has one, a mistyped heart rate is added to the first).

    Patients that the model was not trained on come first: of the others it is too sure.
    Each is answered once to see what it shows, so the page's first answer is a quick one.
    """
    chosen: dict[str, Example] = {}
    kinds = _kinds(model.modalities)
    trained_on = model.trained_on(list(cohort.patient_ids))
    for i in np.argsort(trained_on, kind="stable")[:LOOKED_AT]:
        if len(chosen) == len(kinds):
            break
        filled = _filled(cohort[int(i)], cohort)
        if filled is None:
            continue
        prediction, _ = answer(model, filled)
        title = next((title for title, fits in kinds.items() if title not in chosen and fits(prediction)), None)
        if title is not None:
            chosen[title] = Example(title, filled, bool(trained_on[i]))
    if chosen and REFUSED not in chosen:
        first = next(chosen[title] for title in kinds if title in chosen)
        mistyped = replace(first.filled, rows=[*first.filled.rows, MISTYPED])
        chosen[REFUSED] = replace(first, title="With a mistyped value", filled=mistyped)
    return [chosen[title] for title in kinds if title in chosen]


def warm_up(model: ClinicalModel) -> None:
    """One answer to an invented record, so that the first visitor does not wait for what is loaded on first use."""
    content = io.BytesIO()
    Image.linear_gradient("L").save(content, format="PNG")
    picture = Picture(content.getvalue(), ".png", uploaded=False)
    answer(model, Filled(picture, "No findings.", values={"heart_rate": "80"}))


def _kinds(modalities: tuple[str, ...]) -> dict[str, Callable[[Prediction], bool]]:
    """{title: whether an answer shows it}, the most telling first."""

    def only(*used: str) -> Callable[[Prediction], bool]:
        return lambda prediction: prediction.used == used and not prediction.refused

    kinds: dict[str, Callable[[Prediction], bool]] = {}
    for used in (modalities, modalities[:1], modalities[1:]):
        if used:
            kinds.setdefault(_title(used, modalities), only(*used))
    kinds[REFUSED] = lambda prediction: bool(prediction.used) and bool(prediction.refused)
    return kinds


def _title(used: tuple[str, ...], modalities: tuple[str, ...]) -> str:
    names = " + ".join(used)
    return f"All: {names}" if used == modalities and len(used) > 1 else f"Only {names}" if len(used) == 1 else names


def _filled(record: PatientRecord, cohort: Cohort) -> Filled | None:
    """The form of a record that fits into it: at most one image file and one note."""
    if len(record.images) > 1 or len(record.notes) > 1:
        return None
    picture = None
    if record.images:
        path = cohort.root / record.images[0].path
        if not path.is_file() or path.stat().st_size > UPLOAD_BYTES:
            return None
        picture = Picture(path.read_bytes(), suffix_of(path.name), uploaded=False)
    return as_filled(record, picture)
