"""What a training under way has finished, kept in a folder from which the same training goes on after a stop.

run.json                        what is trained on what and with what: another training is refused
MODALITY.ENCODER.FOLD/          finished without one fold: the evidence of that fold, and the steps taken
MODALITY.ENCODER.all/           finished on everything: the encoder's files
MODALITY.ENCODER.pretrained/    what it has learnt without labels, for all folds
MODALITY.ENCODER.FOLD.running/  the state of the network in training, see learning.checkpoint

What is finished has a manifest and is put in place in one step. No identifiers, nothing pickled.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ..encoders import ENCODERS, encoder_class
from ..learning.devices import machine
from ..records import ModelError, UsageError
from ..sources.fingerprint import hash_files
from .config import Config
from .model_files import MANIFEST, check_manifest, write_manifest, written_whole
from .partial import RUN, WRITING
from .saved import LIBRARIES

RUNNING = ".running"
NOVELTY = "novelty."


@dataclass(frozen=True)
class FoldEvidence:
    """Of the k records of the fold that an encoder did not see: log_odds float (k, T), present bool (k,), novelty
    {measure: float (k,)}.

    steps: how many the training took, None where it is not one in steps.
    """

    log_odds: np.ndarray
    present: np.ndarray
    steps: int | None
    novelty: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptWork:
    """Trainings by their label MODALITY.ENCODER.FOLD. Without a folder, nothing is there and nothing is kept."""

    folder: Path | None = None

    @property
    def finished(self) -> int:
        """How many trainings are finished."""
        return 0 if self.folder is None else sum(1 for _ in self.folder.glob(f"[!.]*/{MANIFEST}"))

    def running(self, label: str) -> Path | None:
        """The folder for the state of the training while it runs."""
        return None if self.folder is None else self.folder / f"{label}{RUNNING}"

    def evidence(self, label: str) -> FoldEvidence | None:
        """What `keep_evidence` kept, or None. Raises UsageError if it is damaged."""
        place = self._finished(label)
        if place is None:
            return None
        arrays = load_file(place / "evidence.safetensors")
        steps = json.loads((place / "steps.json").read_text(encoding="utf-8"))
        novelty = {
            name.removeprefix(NOVELTY): array for name, array in sorted(arrays.items()) if name.startswith(NOVELTY)
        }
        return FoldEvidence(arrays["log_odds"], arrays["present"], steps, novelty)

    def keep_evidence(self, label: str, found: FoldEvidence) -> None:
        def write(folder: Path) -> None:
            arrays = {"log_odds": found.log_odds, "present": found.present}
            arrays |= {f"{NOVELTY}{name}": array for name, array in found.novelty.items()}
            save_file(
                {name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "evidence.safetensors"
            )
            (folder / "steps.json").write_text(json.dumps(found.steps), encoding="utf-8")

        self._keep(label, write)

    def encoder(self, label: str, name: str, device: str) -> Any | None:
        """The encoder that `keep_encoder` kept, or None. Raises UsageError if it is damaged."""
        place = self._finished(label)
        if place is None:
            return None
        encoder = encoder_class(name).load(place, device=device)
        paths = (path for path in place.rglob("*") if path.is_file() and path != place / MANIFEST)
        # Libraries write what they have read in other words, and the model_id stands for every byte.
        encoder.save = partial(_write_again, {path.relative_to(place): path.read_bytes() for path in paths})
        return encoder

    def keep_encoder(self, label: str, encoder: Any) -> None:
        self._keep(label, encoder.save)

    def pretrained(self, label: str) -> Path | None:
        """The folder that `keep_pretrained` filled, or None. Raises UsageError if it is damaged."""
        return self._finished(label)

    def keep_pretrained(self, label: str, write: Callable[[Path], None]) -> Path:
        """The folder that `write` filled; there has to be one to keep it in."""
        assert self.folder is not None
        self._keep(label, write)
        return self.folder / label

    def _keep(self, label: str, write: Callable[[Path], None]) -> None:
        if self.folder is None:
            return
        with written_whole(self.folder / label, overwrite=False) as beside:
            write(beside)
            write_manifest(beside)
        shutil.rmtree(self.folder / f"{label}{RUNNING}", ignore_errors=True)

    def _finished(self, label: str) -> Path | None:
        if self.folder is None or not (self.folder / label).exists():
            return None
        try:
            check_manifest(self.folder / label)
        except ModelError:
            message = "is damaged: remove it, and --resume does that training again"
            raise UsageError(f"{self.folder / label} {message}") from None
        return self.folder / label


def is_kept_work(folder: Path) -> bool:
    """Whether all that the folder holds is of a training under way."""
    labels = tuple(f"{entry.modality}.{name}." for name, entry in ENCODERS.items())
    return folder.is_dir() and all(
        item.name in (RUN, RUN + WRITING) or (item.is_dir() and item.name.removeprefix(".").startswith(labels))
        for item in folder.iterdir()
    )


def run_of(cohort: Any, config: Config, device: Any) -> dict[str, Any]:
    """All that a training's outcome depends on, as JSON: options, data, what they point to, libraries and machine."""
    targets = json.dumps([target.model_dump(mode="json") for target in cohort.targets.values()])
    options = config.model_dump(mode="json")
    given = {"image.weights": config.image.weights, "notes.checkpoint": config.notes.checkpoint}
    return {
        "cohort": cohort.fingerprint(),
        "labels": digest(targets.encode(), cohort.labels()),
        **{f"{section}.{key}": value for section, values in options.items() for key, value in values.items()},
        **{
            f"the files of {name}": _files_digest(Path(path))
            for name, path in given.items()
            if path and Path(path).exists()
        },
        **{name: version(name) for name in (*LIBRARIES, "ftfy", "scipy", "tokenizers")},
        "python": platform.python_version(),
        **machine(device),
    }


def digest(*parts: bytes | np.ndarray) -> str:
    """SHA-256, in hex, over the parts in turn."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()


def _files_digest(path: Path) -> str:
    return hash_files(sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path])


def _write_again(files: Mapping[Path, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
