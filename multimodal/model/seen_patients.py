"""Whom a model, or what it began with, was trained on: keyed hashes of the patients' ids."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders.pretrained import FACTS
from ..records import UsageError
from .config import Config


@dataclass(frozen=True)
class SeenPatients:
    """salt: the key; hashes: HMAC-SHA-256 of each patient's id under it, in hex."""

    salt: str
    hashes: frozenset[str]

    @classmethod
    def of(cls, patient_ids: Collection[str], seed: int) -> SeenPatients:
        """The same patients and seed give the same salt."""
        salt = hashlib.sha256(f"{seed}\n{sorted(set(patient_ids))}".encode()).hexdigest()
        return cls(salt, frozenset(_hash(patient, salt) for patient in set(patient_ids)))

    def joined(self, patient_ids: Iterable[str]) -> SeenPatients:
        """With these patients too, under the same key."""
        return SeenPatients(self.salt, self.hashes | {_hash(patient, self.salt) for patient in set(patient_ids)})

    def among(self, patient_ids: Sequence[str]) -> np.ndarray:
        """bool (n,): which of these patients were seen."""
        return np.array([_hash(patient, self.salt) in self.hashes for patient in patient_ids], dtype=bool)

    def to_json(self) -> dict[str, Any]:
        return {"salt": self.salt, "hmac_sha256": sorted(self.hashes)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> SeenPatients:
        """Raises KeyError or TypeError for what `to_json` did not write."""
        return cls(str(state["salt"]), frozenset(state["hmac_sha256"]))


def seen_by_pretraining(weights: Path) -> list[SeenPatients]:
    """Whom a pretraining learnt from, and those before it: empty for weights of elsewhere, and for one on no cohort,
    which do not say.

    weights  as image.weights or notes.checkpoint
    Raises UsageError for a folder of pretrain-images or pretrain-notes that is damaged.
    """
    if not (weights / FACTS).is_file():
        return []
    try:
        state = json.loads((weights / FACTS).read_text(encoding="utf-8")).get("patients") or []
        return [SeenPatients.from_json(whom) for whom in (state if isinstance(state, list) else [state])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{weights} is damaged or was edited: run the pretraining again") from None


def among_any(groups: Iterable[SeenPatients], patient_ids: Sequence[str]) -> np.ndarray:
    """bool (n,): which of these patients any of the groups holds."""
    return np.any([np.zeros(len(patient_ids), dtype=bool), *(one.among(patient_ids) for one in groups)], axis=0)


def begun_with(config: Config) -> list[tuple[str, str, Path]]:
    """(modality, option, what it names) of each option that gives weights to begin with."""
    given = [("image", "image.weights", config.image.weights), ("notes", "notes.checkpoint", config.notes.checkpoint)]
    return [(modality, option, Path(named)) for modality, option, named in given if named]


def _hash(patient_id: str, salt: str) -> str:
    return hmac.new(salt.encode(), str(patient_id).encode(), hashlib.sha256).hexdigest()
