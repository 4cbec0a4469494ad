"""ClinicalModel: fit, predict, save, load."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fusion.subsets import set_index, shapley
from ..records import (
    RULES,
    Batch,
    InputError,
    MeasurementTable,
    ModelError,
    PatientRecord,
    Predictions,
    Problem,
    RuleScores,
    Target,
    measurement_table,
)
from ..sources import Cohort
from ..trust.fallback import NONE, fall_back
from ..trust.tabulate import Answers
from ..trust.thresholds import rule_of
from ..vitals import without_free_text
from .baselines import rule_answers, score_rules
from .config import Config
from .model_files import check_manifest, written_whole
from .saved import read_model, write_model
from .scoring import Scores, gather, read
from .seen_patients import SeenPatients, among_any
from .site_calibration import calibrated_to
from .stack import decide
from .training import train

if TYPE_CHECKING:
    from .watch import Watch


class ClinicalModel:
    """Images, notes and vital signs -> calibrated probabilities, with any of them missing.

    config  the options; `Config()` by default. `fit` does not change it.

    After `fit` or `load`: targets_ {name: Target}; modalities_ in order; thresholds_ float (T,), NaN in an exclusive
    group; figures_ the cross-fitted figures; summary_ what it was trained on; own_measurements_ the codes that the
    training cohort added to the measurement table; audit_ what the leakage audit found, see auditing.py; patients_
    whom it was trained on, and pretraining_patients_ whom what it began with, {option: patients} of those that say;
    encoders_, densities_, stack_, conformal_, gates_, baselines_.
    """

    def __init__(self, config: Config | None = None):
        self.config = config

    def fit(
        self,
        cohort: Cohort,
        *,
        progress: Callable[[str, float, float], None] = lambda what, done, total: None,
        report: Callable[[str], None] = lambda line: None,
        kept_in: str | Path | None = None,
    ) -> ClinicalModel:
        """Train on the labelled records of `cohort`. Raises CohortError if there is nothing to learn.

        kept_in: a folder that keeps what is finished, so that the same `fit` goes on from it after a stop, to the same
        model_id; remove it once the model is saved. Raises UsageError if it is of another training.
        """
        self.config_ = self.config or Config()
        fitted = train(cohort, self.config_, progress, report, kept_in and Path(kept_in))
        self.targets_: dict[str, Target] = dict(fitted.targets)
        self.encoders_, self.densities_ = fitted.encoders, fitted.densities
        self.stack_ = fitted.stack
        self.thresholds_ = fitted.thresholds
        self.conformal_, self.gates_ = fitted.conformal, fitted.gates
        self.baselines_ = fitted.baselines
        self.baseline_thresholds_ = fitted.baseline_thresholds
        self.patients_: SeenPatients = fitted.patients
        self.pretraining_patients_: dict[str, Sequence[SeenPatients]] = dict(fitted.pretraining_patients)
        self.figures_, self.summary_ = dict(fitted.figures), dict(fitted.summary)
        self.problems_: list[Problem] = list(fitted.problems)
        self.own_measurements_ = dict(fitted.own_measurements)
        self.audit_: dict[str, Any] = dict(fitted.audit)
        with tempfile.TemporaryDirectory() as folder:
            self.model_id_ = write_model(self, Path(folder))
        return self

    def calibrated(
        self, cohort: Cohort, *, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> ClinicalModel:
        """A new model, recalibrated to the site of the labelled `cohort`; see site_calibration.calibrated_to."""
        return calibrated_to(self, cohort, progress)

    @property
    def model_id(self) -> str:
        """16 hex digits that stand for every byte of the saved model."""
        return self.model_id_

    @property
    def targets(self) -> dict[str, Target]:
        return self.targets_

    @property
    def table(self) -> MeasurementTable:
        """The package's measurement table with what the training cohort added."""
        return measurement_table().extended(self.own_measurements_)

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.stack_.modalities

    @property
    def thresholds(self) -> np.ndarray:
        return self.thresholds_

    @property
    def rules(self) -> dict[str, str | None]:
        """The rule by which each target's threshold was chosen; None for the classes of an exclusive group."""
        entries = self.config_.trust.threshold
        return {name: None if target.group else rule_of(entries, name) for name, target in self.targets_.items()}

    @property
    def assumed_prevalence(self) -> np.ndarray:
        """float (T,): the prevalence that the probabilities assume, which is the answer without any input."""
        return self.probabilities(self.stack_.baseline[None])[0]

    @property
    def groups(self) -> dict[str, list[int]]:
        """The exclusive groups: name -> indexes of their targets."""
        found: dict[str, list[int]] = {}
        for t, target in enumerate(self.targets_.values()):
            if target.group:
                found.setdefault(target.group, []).append(t)
        return found

    def predict(
        self, records: Cohort | Iterable[PatientRecord], *, batch_size: int | None = None, precision: str = "fp32"
    ) -> Predictions:
        """One answer per record, in order. Labels are never read. batch_size: the cohort's `batch_size` by default."""
        cohort = records if isinstance(records, Cohort) else Cohort.from_records(records)
        return joined(list(self.predict_batches(cohort.batches(batch_size), precision=precision)), self)

    def predict_batches(self, batches: Iterable[Batch], *, precision: str = "fp32") -> Iterator[Predictions]:
        """The same, batch by batch, for cohorts that do not fit into memory."""
        return (self.predict_batch(batch, precision=precision) for batch in batches)

    def predict_batch(self, batch: Batch, *, precision: str = "fp32") -> Predictions:
        return self.answers(batch, self.score(batch, precision=precision))

    def answers(self, batch: Batch, scores: Scores) -> Predictions:
        """The answers to a batch, of its scores."""
        value = scores.value[-1]
        nothing = ~scores.present.any(axis=1)
        probability = np.where(nothing[:, None], np.nan, self.probabilities(value))
        kept_back = np.array([reason is not None for reason in scores.abstained], dtype=bool)
        decision = np.where(kept_back[:, None], np.nan, self.decisions(probability))
        labels = self.prediction_sets(probability, scores.present)
        prediction_set = np.where(kept_back[:, None], -1, labels @ np.array([1, 2])).astype(np.int8)
        decided_by = np.full(len(batch), None, dtype=object)
        rule = self.config_.trust.fallback
        if rule != NONE:
            alert = scores.rules.alert[:, list(RULES).index(rule)]
            risks = np.array([one.kind == "risk" and not one.group for one in self.targets_.values()])
            decision, decided = fall_back(decision, kept_back, alert, risks)
            decided_by[decided] = rule
        return Predictions(
            model_id=self.model_id,
            record_ids=batch.record_ids,
            targets=tuple(self.targets_),
            modalities=self.modalities,
            probability=probability,
            decision=decision,
            prediction_set=prediction_set,
            threshold=self.thresholds_,
            contribution=np.where(scores.present[:, :, None], shapley(scores.value), np.nan),
            baseline=self.stack_.baseline,
            present=scores.present,
            problems=by_record(scores.problems, len(batch)),
            abstained=scores.abstained,
            provenance=by_record(scores.provenance, len(batch)),
            scores=scores.rules,
            decided_by=decided_by,
        )

    def watch(self, *, precision: str = "fp32") -> Watch:
        """For patients who are scored again and again: what is not new is not read again, and what changed is said."""
        from .watch import Watch

        return Watch(self, precision=precision)

    def score(self, batch: Batch, *, precision: str = "fp32") -> Scores:
        """The log-odds with every set of modalities shown, and what was found on the way."""
        batch = self.with_own_measurements(batch)
        inputs = {modality: read(batch, modality, self.config_, self.targets_.values()) for modality in self.modalities}
        found = gather(self.encoders_, self.densities_, inputs, precision)
        z = self.stack_.z(found.evidence)
        read_problems = [problem for one in inputs.values() for problem in one.problems]
        abstained, stops = self.gates_.judge(found.novelty, z, found.present)
        return Scores(
            present=found.present,
            value=self.stack_.value(z, found.present),
            problems=[*batch.problems, *read_problems, *found.problems, *stops],
            abstained=abstained,
            provenance=found.provenance,
            z=z,
            inputs=inputs,
            rules=score_rules(batch, inputs, convert_suspect=self.config_.vitals.convert_suspect),
        )

    def prediction_sets(
        self, probability: np.ndarray, present: np.ndarray, coverage: float | None = None
    ) -> np.ndarray:
        """bool (n, T, 2): whether label 0 and label 1 of each target cannot be ruled out; see trust.conformal.

        A recalibration to another site changes no set: they are of each class by itself, which another prevalence does
        not touch, but whether they cover there has to be measured.

        probability  float (n, T); present  bool (n, M); coverage  `trust.coverage` by default
        """
        wanted = self.config_.trust.coverage if coverage is None else coverage
        return self.conformal_.sets(self.stack_.before_site(probability), set_index(present), wanted)

    def with_own_measurements(self, batch: Batch) -> Batch:
        """With the codes that the training cohort added to the measurement table, as the model knows them."""
        return without_free_text(replace(batch, table=batch.table.as_learnt(self.own_measurements_)))

    def probabilities(self, value: np.ndarray) -> np.ndarray:
        """Log-odds (n, T) -> probabilities; the softmax within an exclusive group."""
        return self.stack_.probabilities(value)

    def decisions(self, probability: np.ndarray) -> np.ndarray:
        """Probabilities (n, T) -> 0 or 1; NaN stays NaN."""
        return decide(probability, self.thresholds_, self.stack_.units)

    def baselines(self, scores: Scores) -> dict[str, Answers]:
        """The plain ways' answers, NaN where there is none; the bedside rules are decided at their published
        thresholds, the others at those that were chosen in training."""
        found = self.baselines_.answers(scores.z, scores.present, scores.inputs)
        found["sum"] = self.probabilities(self.stack_.sum_value(scores.z, scores.present))
        fitted = {
            name: Answers(values, decide(values, cuts, self.stack_.units), cuts)
            for name, values in found.items()
            for cuts in [self.baseline_thresholds_[name]]
        }
        return fitted | rule_answers(scores.rules, len(self.targets_))

    def trained_on(self, patient_ids: Sequence[str]) -> np.ndarray:
        """bool (n,): whether the model was trained on these patients, or what it began with."""
        begun = [whom for seen in self.pretraining_patients_.values() for whom in seen]
        return among_any([self.patients_, *begun], patient_ids)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the model folder, whole or absent. Raises UsageError if it exists."""
        with written_whole(Path(folder), overwrite=overwrite) as beside:
            write_model(self, beside)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> ClinicalModel:
        """Read a model folder, on the CPU or GPU that is here whatever it was trained on.

        Raises ModelError if the folder is damaged or edited, or was written by a newer version or another version of
        scikit-learn. Nothing is parsed before every file has been compared with the manifest; nothing is unpickled.
        """
        folder = Path(folder)
        model_id = check_manifest(folder)
        try:
            model = cls()
            read_model(model, folder, device)
            model.model_id_ = model_id
            return model
        except (KeyError, TypeError, ValueError, OSError, RuntimeError) as error:
            if isinstance(error, InputError):
                raise
            message = f"{folder} is whole, but was written by another version of the package: train the model again"
            raise ModelError(f"{message} ({type(error).__name__})") from error


def joined(parts: Sequence[Predictions], model: ClinicalModel) -> Predictions:
    """Predictions of several batches as one; no batch gives no records."""
    if not parts:
        targets, modalities = len(model.targets), len(model.modalities)
        none = np.zeros(0, dtype=object)
        return Predictions(
            model_id=model.model_id,
            record_ids=none,
            targets=tuple(model.targets),
            modalities=model.modalities,
            probability=np.zeros((0, targets)),
            decision=np.zeros((0, targets)),
            prediction_set=np.zeros((0, targets), dtype=np.int8),
            threshold=model.thresholds,
            contribution=np.zeros((0, modalities, targets)),
            baseline=model.stack_.baseline,
            present=np.zeros((0, modalities), dtype=bool),
            problems=[],
            abstained=none,
            provenance=[],
            scores=RuleScores.none(0),
            decided_by=none,
        )
    first = parts[0]
    return Predictions(
        model_id=first.model_id,
        record_ids=np.concatenate([part.record_ids for part in parts]),
        targets=first.targets,
        modalities=first.modalities,
        probability=np.concatenate([part.probability for part in parts]),
        decision=np.concatenate([part.decision for part in parts]),
        prediction_set=np.concatenate([part.prediction_set for part in parts]),
        threshold=first.threshold,
        contribution=np.concatenate([part.contribution for part in parts]),
        baseline=first.baseline,
        present=np.concatenate([part.present for part in parts]),
        problems=[problems for part in parts for problems in part.problems],
        abstained=np.concatenate([part.abstained for part in parts]),
        provenance=[found for part in parts for found in part.provenance],
        scores=RuleScores.joined([part.scores for part in parts]),
        decided_by=np.concatenate([part.decided_by for part in parts]),
    )


def by_record(found: Sequence[tuple[int, Any]], n: int) -> list[list[Any]]:
    """(record index, item) -> one list of items a record, as found."""
    lists: list[list[Any]] = [[] for _ in range(n)]
    for row, item in found:
        lists[row].append(item)
    return lists
