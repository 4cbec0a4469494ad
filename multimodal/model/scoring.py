"""What a model says about a batch before decisions: presence, and the log-odds with every set of modalities shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders.inputs import READERS
from ..records import Batch, Problem, Provenance
from .config import Config


@dataclass(frozen=True)
class Scores:
    """n records, M modalities, T targets.

    present    bool (n, M)
    value      float (2 ** M, n, T): log-odds with only the modalities of a set shown; bit m is modality m, [0] the base
    problems   (record index, Problem), of the batch, the readers and the encoders
    abstained  object (n,): a reason code, or None
    provenance (record index, Provenance), in the order of the modalities, of each as read
    z          float (n, M, T), calibrated log-odds minus the base; inputs: what the readers made of the batch
    """

    present: np.ndarray
    value: np.ndarray
    problems: Sequence[tuple[int, Problem]]
    abstained: np.ndarray
    provenance: Sequence[tuple[int, Provenance]]
    z: np.ndarray
    inputs: Mapping[str, Any]


def read(batch: Batch, modality: str, config: Config) -> Any:
    """The checked inputs of one modality."""
    return READERS[modality](batch, getattr(config, modality).model_dump(), workers=config.train.workers)


def provenance_of(inputs: Mapping[str, Any]) -> list[tuple[int, Provenance]]:
    """What the inputs of each modality say about themselves; facts without a text are left out."""
    told = [
        (row, where, {name: text for name, text in facts.items() if text})
        for one in inputs.values()
        for row, where, facts in one.provenance()
    ]
    return [(row, Provenance(where=where, facts=facts)) for row, where, facts in told if facts]


def gather(
    encoders: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any], precision: str
) -> tuple[dict[str, np.ndarray], np.ndarray, list[tuple[int, Problem]]]:
    """Evidence {modality: (n, C, T)}, presence bool (n, M), and the encoders' problems."""
    evidence, present, problems = {}, [], []
    for modality, named in encoders.items():
        found = [encoder.encode(inputs[modality], precision=precision) for encoder in named.values()]
        evidence[modality] = np.stack([one.log_odds for one in found], axis=1)
        present.append(np.all([one.present for one in found], axis=0))
        problems += [problem for one in found for problem in one.problems]
    return evidence, np.stack(present, axis=1), problems
