"""ClinicalModel: fit, predict, save, load."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ..encoders import encoder_class
from ..fusion.blend import Blend
from ..fusion.head import Head
from ..fusion.subsets import shapley
from ..records import Batch, InputError, ModelError, PatientRecord, Predictions, Problem, Target
from ..sources import Cohort
from .baselines import Baselines
from .config import Config
from .model_files import SCHEMA, check_manifest, write_manifest, written_whole
from .scoring import Scores, gather, read
from .stack import Stack, decide
from .training import hashed_patients, train

LIBRARIES = ("multimodal-clinical", "numpy", "safetensors", "scikit-learn", "skops", "torch", "transformers")


class ClinicalModel:
    """Images, notes and vital signs -> calibrated probabilities, with any of them missing.

    config  the options; `Config()` by default. `fit` does not change it.

    After `fit` or `load`: targets_ {name: Target}; modalities_ in order; thresholds_ float (T,), NaN in an exclusive
    group; figures_ the cross-fitted figures; summary_ what it was trained on; encoders_, stack_, baselines_.
    """

    def __init__(self, config: Config | None = None):
        self.config = config

    def fit(
        self,
        cohort: Cohort,
        *,
        progress: Callable[[str, float, float], None] = lambda what, done, total: None,
        report: Callable[[str], None] = lambda line: None,
    ) -> ClinicalModel:
        """Train on the labelled records of `cohort`. Raises CohortError if there is nothing to learn."""
        self.config_ = self.config or Config()
        fitted = train(cohort, self.config_, progress, report)
        self.targets_: dict[str, Target] = dict(fitted.targets)
        self.encoders_ = fitted.encoders
        self.stack_ = fitted.stack
        self.thresholds_ = fitted.thresholds
        self.baselines_ = fitted.baselines
        self.baseline_thresholds_ = fitted.baseline_thresholds
        self.salt_, self.patients_ = fitted.salt, fitted.patients
        self.figures_, self.summary_ = dict(fitted.figures), dict(fitted.summary)
        self.problems_: list[Problem] = list(fitted.problems)
        with tempfile.TemporaryDirectory() as folder:
            self.model_id_ = self._write(Path(folder))
        return self

    @property
    def model_id(self) -> str:
        """16 hex digits that stand for every byte of the saved model."""
        return self.model_id_

    @property
    def targets(self) -> dict[str, Target]:
        return self.targets_

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.stack_.modalities

    @property
    def thresholds(self) -> np.ndarray:
        return self.thresholds_

    @property
    def groups(self) -> dict[str, list[int]]:
        """The exclusive groups: name -> indexes of their targets."""
        found: dict[str, list[int]] = {}
        for t, target in enumerate(self.targets_.values()):
            if target.group:
                found.setdefault(target.group, []).append(t)
        return found

    def predict(
        self, records: Cohort | Iterable[PatientRecord], *, batch_size: int = 256, precision: str = "fp32"
    ) -> Predictions:
        """One answer per record, in order. Labels are never read."""
        cohort = records if isinstance(records, Cohort) else Cohort.from_records(records)
        return joined(list(self.predict_batches(cohort.batches(batch_size), precision=precision)), self)

    def predict_batches(self, batches: Iterable[Batch], *, precision: str = "fp32") -> Iterator[Predictions]:
        """The same, batch by batch, for cohorts that do not fit into memory."""
        return (self.predict_batch(batch, precision=precision) for batch in batches)

    def predict_batch(self, batch: Batch, *, precision: str = "fp32") -> Predictions:
        scores = self.score(batch, precision=precision)
        value = scores.value[-1]
        nothing = ~scores.present.any(axis=1)
        probability = np.where(nothing[:, None], np.nan, self.probabilities(value))
        kept_back = np.array([reason is not None for reason in scores.abstained], dtype=bool)
        decision = np.where(kept_back[:, None], np.nan, self.decisions(probability))
        problems: list[list[Problem]] = [[] for _ in range(len(batch))]
        for row, problem in scores.problems:
            problems[row].append(problem)
        return Predictions(
            model_id=self.model_id,
            record_ids=batch.record_ids,
            targets=tuple(self.targets_),
            modalities=self.modalities,
            probability=probability,
            decision=decision,
            threshold=self.thresholds_,
            contribution=np.where(scores.present[:, :, None], shapley(scores.value), np.nan),
            baseline=self.stack_.base,
            present=scores.present,
            problems=problems,
            abstained=scores.abstained,
        )

    def score(self, batch: Batch, *, precision: str = "fp32") -> Scores:
        """The log-odds with every set of modalities shown, and what was found on the way."""
        inputs = {modality: read(batch, modality, self.config_) for modality in self.modalities}
        evidence, present, problems = gather(self.encoders_, inputs, precision)
        z = self.stack_.z(evidence)
        read_problems = [problem for one in inputs.values() for problem in one.problems]
        abstained = np.where(present.any(axis=1), None, "NO_INPUT")
        return Scores(
            present, self.stack_.value(z, present), [*batch.problems, *read_problems, *problems], abstained, z, inputs
        )

    def probabilities(self, value: np.ndarray) -> np.ndarray:
        """Log-odds (n, T) -> probabilities; the softmax within an exclusive group."""
        return self.stack_.probabilities(value)

    def decisions(self, probability: np.ndarray) -> np.ndarray:
        """Probabilities (n, T) -> 0 or 1; NaN stays NaN."""
        return decide(probability, self.thresholds_, self.stack_.units)

    def baselines(self, batch: Batch, scores: Scores) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
        """The plain ways' answers: {name: (probability or score (n, T), decision (n, T), threshold (T,), is a
        probability)}, NaN where there is no answer."""
        found = self.baselines_.answers(scores.z, scores.present, scores.inputs)
        found["sum"] = self.probabilities(self.stack_.sum_value(scores.z, scores.present))
        return {
            name: (values, decide(values, cuts, self.stack_.units), cuts, name != "news2")
            for name, values in found.items()
            for cuts in [self.baseline_thresholds_[name]]
        }

    def trained_on(self, patient_ids: Sequence[str]) -> np.ndarray:
        """bool (n,): whether these patients were among the training patients."""
        return np.array([patient in self.patients_ for patient in hashed_patients(patient_ids, self.salt_)], dtype=bool)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the model folder, whole or absent. Raises UsageError if it exists."""
        with written_whole(Path(folder), overwrite=overwrite) as beside:
            self._write(beside)

    def _write(self, folder: Path) -> str:
        stack = self.stack_
        state = {
            "schema": SCHEMA,
            "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
            "config": self.config_.model_dump(mode="json"),
            "targets": [target.model_dump(mode="json") for target in self.targets_.values()],
            "modalities": self.modalities,
            "encoders": {modality: list(named) for modality, named in self.encoders_.items()},
            "units": stack.units,
            "summary": self.summary_,
            "problems": [problem._asdict() for problem in self.problems_],
            "figures": self.figures_,
        }
        _write_json(folder / "model.json", state)
        _write_json(folder / "patients.json", {"salt": self.salt_, "hmac_sha256": sorted(self.patients_)})
        arrays = {"base": stack.base, "variant": stack.variant, "single": stack.single, "limit": stack.limit}
        arrays |= {"temperature": stack.temperature, "thresholds": self.thresholds_}
        arrays |= {"head.slope": stack.head.slope, "head.shift": stack.head.shift}
        arrays |= {f"head.gate.{name}": array for name, array in stack.head.gate.items()}
        arrays |= {f"baseline.{name}": cuts for name, cuts in self.baseline_thresholds_.items()}
        for modality, blend in stack.blends.items():
            for part in ("weights", "intercept", "limit"):
                arrays[f"blend.{modality}.{part}"] = getattr(blend, part)
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "fusion.safetensors")
        for named in self.encoders_.values():
            for name, encoder in named.items():
                (folder / "encoders" / name).mkdir(parents=True)
                encoder.save(folder / "encoders" / name)
        (folder / "baselines").mkdir()
        self.baselines_.save(folder / "baselines")
        return write_manifest(folder)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> ClinicalModel:
        """Read a model folder, on the CPU or GPU that is here whatever it was trained on.

        Raises ModelError if the folder is damaged or edited, or was written by a newer version or another version of
        scikit-learn. Nothing is parsed before every file has been compared with the manifest; nothing is unpickled.
        """
        folder = Path(folder)
        model_id = check_manifest(folder)
        try:
            return cls._read(folder, model_id, device)
        except (KeyError, TypeError, ValueError, OSError, RuntimeError) as error:
            if isinstance(error, InputError):
                raise
            message = f"{folder} is whole, but was written by another version of the package: train the model again"
            raise ModelError(f"{message} ({type(error).__name__})") from error

    @classmethod
    def _read(cls, folder: Path, model_id: str, device: str) -> ClinicalModel:
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        _check_versions(state["versions"])
        model = cls(Config.model_validate(state["config"]))
        model.config_ = model.config
        model.model_id_ = model_id
        model.targets_ = {target["name"]: Target.model_validate(target) for target in state["targets"]}
        patients = json.loads((folder / "patients.json").read_text(encoding="utf-8"))
        model.salt_, model.patients_ = patients["salt"], frozenset(patients["hmac_sha256"])
        model.summary_, model.figures_ = state["summary"], state["figures"]
        model.problems_ = [Problem(**problem) for problem in state["problems"]]
        arrays = load_file(folder / "fusion.safetensors")
        model.stack_ = _stack_of(state, arrays)
        model.thresholds_ = arrays["thresholds"]
        model.baseline_thresholds_ = _under("baseline.", arrays)
        model.encoders_ = {
            modality: {name: encoder_class(name).load(folder / "encoders" / name, device=device) for name in names}
            for modality, names in state["encoders"].items()
        }
        model.baselines_ = Baselines.load(folder / "baselines")
        return model


def joined(parts: Sequence[Predictions], model: ClinicalModel) -> Predictions:
    """Predictions of several batches as one; no batch gives no records."""
    if not parts:
        targets, modalities = len(model.targets), len(model.modalities)
        empty = np.zeros((0, targets))
        nothing = np.zeros((0, modalities, targets))
        none = np.zeros(0, dtype=object)
        names = tuple(model.targets), model.modalities
        present = np.zeros((0, modalities), dtype=bool)
        return Predictions(
            model.model_id, none, *names, empty, empty, model.thresholds, nothing, model.stack_.base, present, [], none
        )
    first = parts[0]
    return Predictions(
        model_id=first.model_id,
        record_ids=np.concatenate([part.record_ids for part in parts]),
        targets=first.targets,
        modalities=first.modalities,
        probability=np.concatenate([part.probability for part in parts]),
        decision=np.concatenate([part.decision for part in parts]),
        threshold=first.threshold,
        contribution=np.concatenate([part.contribution for part in parts]),
        baseline=first.baseline,
        present=np.concatenate([part.present for part in parts]),
        problems=[problems for part in parts for problems in part.problems],
        abstained=np.concatenate([part.abstained for part in parts]),
    )


def _stack_of(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Stack:
    return Stack(
        modalities=tuple(state["modalities"]),
        units=tuple(tuple(unit) for unit in state["units"]),
        base=arrays["base"],
        blends={
            name: Blend(*(arrays[f"blend.{name}.{part}"] for part in ("weights", "intercept", "limit")))
            for name in state["modalities"]
        },
        head=Head(arrays["base"], arrays["head.slope"], arrays["head.shift"], _under("head.gate.", arrays)),
        variant=arrays["variant"],
        single=arrays["single"],
        temperature=arrays["temperature"],
        limit=arrays["limit"],
    )


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_versions(saved: Mapping[str, str]) -> None:
    """scikit-learn's files are tied to its minor version; everything else is plain arrays."""
    ours, theirs = version("scikit-learn"), saved["scikit-learn"]
    if ours.split(".")[:2] != theirs.split(".")[:2]:
        raise ModelError(f"the model was saved with scikit-learn {theirs}, here is {ours}: install {theirs}")


def _write_json(path: Path, state: Any) -> None:
    path.write_text(json.dumps(state, indent=1, ensure_ascii=True, allow_nan=False), encoding="utf-8")
