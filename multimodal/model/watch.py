"""Watching patients: a record that is scored again costs only the modalities that are new, and says what changed.

A modality of a record is new where its items are others than last time: another file's content, another text, another
value. What it said last time is kept otherwise; so newer measurements cost their checks, the vitals' encoders and the
fusion head, and the answer is the one that scoring the record afresh gives. Nothing of the items themselves is kept but
digests, log-odds, problems and the last value of each measurement, in memory alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders.item_digests import item_digests
from ..records import Batch, Change, PatientRecord, Prediction, Predictions, Problem, Provenance, change_between
from ..sources import Cohort
from .baselines import score_rules
from .clinical_model import ClinicalModel, by_record, joined
from .scoring import Scores, gather, read
from .stack import calibrated

BATCH = 256


@dataclass(frozen=True)
class Heard:
    """What one modality of one record said.

    digest  of its items; z: float (T,), calibrated log-odds minus the base, NaN where absent
    novelty {"ENCODER.measure": how unusual it is}, NaN where absent
    latest  {measurement: its last value}, of modalities that have such
    """

    digest: bytes
    present: bool
    z: np.ndarray
    novelty: Mapping[str, float]
    read_problems: Sequence[Problem]
    encoder_problems: Sequence[Problem]
    provenance: Sequence[Provenance]
    latest: Mapping[str, float | str]


class Watch:
    """Scores records of a model again and again.

    predict    the same answers as the model's own `predict`, from what is new
    changes_   one Change for each record of the last `predict` that was scored before, in order
    """

    def __init__(self, model: ClinicalModel, *, precision: str = "fp32"):
        self.model = model
        self.precision = precision
        self.changes_: list[Change] = []
        self._heard: dict[tuple[str, str], Heard] = {}
        self._answers: dict[str, Prediction] = {}

    def predict(self, records: Cohort | Iterable[PatientRecord]) -> Predictions:
        """One answer per record, in order. A record is known again by its record_id."""
        cohort = records if isinstance(records, Cohort) else Cohort.from_records(records)
        self.changes_ = []
        return joined([self._answer(batch) for batch in cohort.batches(BATCH)], self.model)

    def _answer(self, batch: Batch) -> Predictions:
        batch = self.model.with_own_measurements(batch)
        before = {
            key: self._heard[key]
            for key in ((name, m) for name in batch.record_ids for m in self.model.modalities)
            if key in self._heard
        }
        again = [self._listen(batch, modality) for modality in self.model.modalities]
        heard = [[self._heard[name, m] for m in self.model.modalities] for name in batch.record_ids]
        present = np.array([[one.present for one in row] for row in heard], dtype=bool)
        z = np.array([[one.z for one in row] for row in heard])
        rows, places = list(enumerate(heard)), range(len(self.model.modalities))
        novelty = {m: _columns([row[place].novelty for row in heard]) for place, m in enumerate(self.model.modalities)}
        abstained, stops = self.model.gates_.judge(novelty, z, present)
        scores = Scores(
            present=present,
            value=self.model.stack_.value(z, present),
            problems=[
                *batch.problems,
                *((i, problem) for m in places for i, row in rows for problem in row[m].read_problems),
                *((i, problem) for m in places for i, row in rows for problem in row[m].encoder_problems),
                *stops,
            ],
            abstained=abstained,
            provenance=[(i, found) for m in places for i, row in rows for found in row[m].provenance],
            z=z,
            inputs={},
            rules=score_rules(batch, {}, convert_suspect=self.model.config_.vitals.convert_suspect),
        )
        answers = self.model.answers(batch, scores)
        for i, (name, answer) in enumerate(zip(batch.record_ids, answers, strict=True)):
            if name in self._answers:
                new = [m for place, m in enumerate(self.model.modalities) if again[place][i]]
                self.changes_.append(
                    change_between(
                        self._answers[name],
                        answer,
                        read_again=new,
                        values_before=_all_latest(before, name, self.model.modalities),
                        values=_all_latest(self._heard, name, self.model.modalities),
                    )
                )
            self._answers[name] = answer
        return answers

    def _listen(self, batch: Batch, modality: str) -> np.ndarray:
        """bool (n,): the records whose items of this modality are new; what they say is kept."""
        digests = item_digests(batch, modality)
        known = [self._heard.get((name, modality)) for name in batch.record_ids]
        new = np.array([one is None or one.digest != digest for one, digest in zip(known, digests, strict=True)])
        rows = np.flatnonzero(new)
        if not len(rows):
            return new
        model = self.model
        inputs = {modality: read(batch.take(rows), modality, model.config_, model.targets_.values())}
        encoders, densities = {modality: model.encoders_[modality]}, {modality: model.densities_[modality]}
        found = gather(encoders, densities, inputs, self.precision)
        z = calibrated(model.stack_.blends, [modality], model.stack_.base, model.stack_.units, found.evidence)[:, 0]
        read_problems, encoder_problems = (by_record(f, len(rows)) for f in (inputs[modality].problems, found.problems))
        provenance, latest = by_record(found.provenance, len(rows)), [dict[str, Any]() for _ in rows]
        for i, name, value in inputs[modality].latest():
            latest[i][name] = value
        for i, row in enumerate(rows.tolist()):
            self._heard[batch.record_ids[row], modality] = Heard(
                digests[row],
                bool(found.present[i, 0]),
                z[i],
                {name: float(values[i]) for name, values in found.novelty[modality].items()},
                read_problems[i],
                encoder_problems[i],
                provenance[i],
                latest[i],
            )
        return new


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """{measure: float (n,)}; the rows have the same measures."""
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _all_latest(
    heard: Mapping[tuple[str, str], Heard], record_id: str, modalities: Sequence[str]
) -> dict[str, float | str]:
    return {code: value for modality in modalities for code, value in heard[record_id, modality].latest.items()}
