"""What a model says about a batch before decisions: presence, and the log-odds with every set of modalities shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders.inputs import READERS
from ..records import Batch, Problem, Provenance, RuleScores, Target
from .config import Config


@dataclass(frozen=True)
class Scores:
    """n records, M modalities, T targets.

    present    bool (n, M)
    value      float (2 ** M, n, T): log-odds with only the modalities of a set shown; bit m is modality m, [0] the base
    problems   (record index, Problem), of the batch, the readers, the encoders and the gates
    abstained  object (n,): a reason code, or None
    provenance (record index, Provenance), in the order of the modalities, of each as read
    z          float (n, M, T), calibrated log-odds minus the base; inputs: what the readers made of the batch
    rules      the bedside rules
    """

    present: np.ndarray
    value: np.ndarray
    problems: Sequence[tuple[int, Problem]]
    abstained: np.ndarray
    provenance: Sequence[tuple[int, Provenance]]
    z: np.ndarray
    inputs: Mapping[str, Any]
    rules: RuleScores


def read(batch: Batch, modality: str, config: Config, targets: Iterable[Target] = ()) -> Any:
    """The checked inputs of one modality. targets: those whose own words may have to be masked."""
    own_words = [word for target in targets for word in target.words]
    options = getattr(config, modality).model_dump()
    return READERS[modality](batch, options, workers=config.train.workers, own_words=own_words)


def provenance_of(
    inputs: Mapping[str, Any], by_encoders: Sequence[tuple[int, str, Mapping[str, str]]] = ()
) -> list[tuple[int, Provenance]]:
    """What the inputs of each modality say about themselves, and what the encoders say they read of them; facts without
    a text are left out."""
    added: dict[tuple[int, str], dict[str, str]] = {}
    for row, where, facts in by_encoders:
        added.setdefault((row, where), {}).update(facts)
    told = [
        (row, where, {name: text for name, text in (facts | added.get((row, where), {})).items() if text})
        for one in inputs.values()
        for row, where, facts in one.provenance()
    ]
    return [(row, Provenance(where=where, facts=facts)) for row, where, facts in told if facts]


def by_measure(novelty: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """{encoder or density: {measure: float (n,)}} -> {"ENCODER.measure": float (n,)}, in an order of its own."""
    return {f"{name}.{measure}": found[measure] for name, found in novelty.items() for measure in sorted(found)}


@dataclass(frozen=True)
class Gathered:
    """What the encoders and densities say of n records.

    evidence    {modality: float (n, C, T)};  present  bool (n, M)
    novelty     {modality: {"ENCODER.measure": float (n,)}}
    problems    (record index, Problem), the encoders';  provenance  (record index, Provenance), of what was read
    """

    evidence: Mapping[str, np.ndarray]
    present: np.ndarray
    novelty: Mapping[str, Mapping[str, np.ndarray]]
    problems: Sequence[tuple[int, Problem]]
    provenance: Sequence[tuple[int, Provenance]]


def gather(
    encoders: Mapping[str, Mapping[str, Any]],
    densities: Mapping[str, Mapping[str, Any]],
    inputs: Mapping[str, Any],
    precision: str,
) -> Gathered:
    """encoders, densities: {modality: {name: fitted}}, of the modalities to listen to."""
    evidence, present, novelty, problems, facts = {}, [], {}, [], []
    for modality, by_name in encoders.items():
        found = {name: encoder.encode(inputs[modality], precision=precision) for name, encoder in by_name.items()}
        evidence[modality] = np.stack([one.log_odds for one in found.values()], axis=1)
        present.append(np.all([one.present for one in found.values()], axis=0))
        measured = {name: one.novelty for name, one in found.items()}
        measured |= {name: density.novelty(inputs[modality]) for name, density in densities[modality].items()}
        novelty[modality] = by_measure(measured)
        said = [problem for one in found.values() for problem in one.problems]
        # Two encoders of one modality may say the same of a record: once is enough.
        problems += dict.fromkeys(said) if len(found) > 1 else said
        facts += [fact for one in found.values() for fact in one.facts]
    return Gathered(evidence, np.stack(present, axis=1), novelty, problems, provenance_of(inputs, facts))
