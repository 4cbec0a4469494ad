"""Encoders trained K times without one fold, for evidence that no patient's own label has touched; then once on all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..encoders import DENSITIES, ENCODERS, density_class, encoder_class
from .config import Config
from .kept_work import FoldEvidence, KeptWork
from .scoring import by_measure

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class CrossFitted:
    """Out of fold: evidence {modality: float (n, C, T)}, NaN where absent; present bool (n, M); novelty
    {modality: {"ENCODER.measure": float (n,)}}, NaN where absent.

    Fitted on everything: encoders and densities, {modality: {name: one}}.
    """

    evidence: Mapping[str, np.ndarray]
    present: np.ndarray
    novelty: Mapping[str, Mapping[str, np.ndarray]]
    encoders: Mapping[str, Mapping[str, Any]]
    densities: Mapping[str, Mapping[str, Any]]


class _Fitted(NamedTuple):
    """One encoder: log_odds float (n, T), present bool (n,) and novelty {measure: float (n,)} out of fold, and the one
    that is fitted on everything."""

    log_odds: np.ndarray
    present: np.ndarray
    novelty: Mapping[str, np.ndarray]
    encoder: Any


@dataclass(frozen=True)
class _Work:
    """What all trainings of a cross-fitting have in common; see cross_fit."""

    targets: Sequence[str]
    y: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    config: Config
    advance: Callable[[str, float], None]
    kept: KeptWork


def new_encoder(name: str, config: Config, on_step: Callable[[], None] = lambda: None) -> Any:
    """An unfitted encoder with the options of its modality."""
    options = getattr(config, ENCODERS[name].modality).model_dump()
    return encoder_class(name).from_options(options, device=config.train.device, on_step=on_step)


def cross_fit(
    inputs: Mapping[str, Any],
    targets: Sequence[str],
    y: np.ndarray,
    groups: np.ndarray,
    folds: np.ndarray,
    config: Config,
    advance: Callable[[str, float], None],
    kept: KeptWork = KeptWork(),
) -> CrossFitted:
    """inputs: per modality, see encoders.inputs; y: float (n, T); groups, folds: int (n,).

    advance(name, share) is called as the work goes on; the shares of all calls with a name sum to the number of its
    trainings. What `kept` holds of an earlier run is not trained again.
    """
    work = _Work(targets, y, groups, folds, config, advance, kept)
    evidence, present, novelty, encoders, densities = {}, [], {}, {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for modality, whole in inputs.items():
            fitted = {
                name: _cross_fit_encoder(work, name, whole, _pretrained(work, name, whole, Path(scratch)))
                for name in getattr(config, modality).encoders
            }
            evidence[modality] = np.stack([one.log_odds for one in fitted.values()], axis=1)
            present.append(np.all([one.present for one in fitted.values()], axis=0))
            encoders[modality] = {name: one.encoder for name, one in fitted.items()}
            measured = {name: _cross_fit_density(work, name, whole) for name in densities_of(modality)}
            densities[modality] = {name: density for name, (_, density) in measured.items()}
            by_name = {name: one.novelty for name, one in fitted.items()}
            by_name |= {name: found for name, (found, _) in measured.items()}
            novelty[modality] = by_measure(by_name)
    return CrossFitted(evidence, np.stack(present, axis=1), novelty, encoders, densities)


def densities_of(modality: str) -> list[str]:
    """The names of what measures how common an input of this modality is, whichever encoders are on."""
    return [name for name, entry in DENSITIES.items() if entry.modality == modality]


def _cross_fit_density(work: _Work, name: str, whole: Any) -> tuple[dict[str, np.ndarray], Any]:
    """{measure: float (n,)} out of fold, and the density fitted on everything: it takes seconds, so it is not kept."""
    novelty: dict[str, np.ndarray] = {}
    for fold in np.unique(work.folds):
        outside = np.flatnonzero(work.folds == fold)
        inside = np.flatnonzero((work.folds != fold) & whole.present)
        density = density_class(name)().fit(whole.take(inside))
        _place(density.novelty(whole.take(outside)), outside, novelty, len(work.y))
    return novelty, density_class(name)().fit(whole.take(np.flatnonzero(whole.present)))


def _place(found: Mapping[str, np.ndarray], rows: np.ndarray, into: dict[str, np.ndarray], n: int) -> None:
    """Each measure of the records at `rows` at its place in (n,), NaN elsewhere."""
    for measure, values in found.items():
        into.setdefault(measure, np.full(n, np.nan))[rows] = values


def _cross_fit_encoder(work: _Work, name: str, whole: Any, begin: Path | None) -> _Fitted:
    """whole: the inputs of its modality; begin: what its pretraining wrote, if it has one."""
    log_odds, present = np.full(work.y.shape, np.nan), np.zeros(len(work.y), dtype=bool)
    novelty: dict[str, np.ndarray] = {}
    steps = []
    label = f"{ENCODERS[name].modality}.{name}"
    for fold in np.unique(work.folds):
        outside = np.flatnonzero(work.folds == fold)
        found = work.kept.evidence(f"{label}.{fold}")
        if found is None:
            inside = np.flatnonzero((work.folds != fold) & whole.present)
            model, taken = _fitted(work, name, whole, inside, None, f"{label}.{fold}", begin)
            answer = model.encode(whole.take(outside))
            found = FoldEvidence(answer.log_odds, answer.present, taken, answer.novelty)
            work.kept.keep_evidence(f"{label}.{fold}", found)
        else:
            work.advance(name, 1.0)
        steps.append(found.steps)
        log_odds[outside], present[outside] = found.log_odds, found.present
        _place(found.novelty, outside, novelty, len(work.y))
    model = work.kept.encoder(f"{label}.all", name, work.config.train.device)
    if model is None:
        # As many steps as the folds took: a longer training would shift the evidence the head has learnt on.
        as_long = None if None in steps else round(np.mean(steps))
        model, _ = _fitted(work, name, whole, np.flatnonzero(whole.present), as_long, f"{label}.all", begin)
        work.kept.keep_encoder(f"{label}.all", model)
    else:
        work.advance(name, 1.0)
    return _Fitted(log_odds, present, novelty, model)


def _pretrained(work: _Work, name: str, whole: Any, scratch: Path) -> Path | None:
    """The folder of what an encoder learns without labels, on all training records at once; None where it does not.

    scratch: where it is kept if the work is not.
    """
    encoder = new_encoder(name, work.config)
    having = whole.take(np.flatnonzero(whole.present))
    steps = encoder.pretraining_steps(having) if hasattr(encoder, "pretrain") else 0
    if not steps:
        return None
    kept = work.kept if work.kept.folder else KeptWork(scratch)
    label = f"{ENCODERS[name].modality}.{name}.{PRETRAINED}"
    found = kept.pretrained(label)
    if found is not None:
        work.advance(pretraining_of(name), 1.0)
        return found
    encoder.on_step = lambda: work.advance(pretraining_of(name), 1 / steps)
    encoder.kept_in = kept.running(label)
    seed = work.config.train.seed
    return kept.keep_pretrained(label, lambda folder: encoder.pretrain(having, folder, random_state=seed))


def pretraining_of(name: str) -> str:
    """What `advance` calls the pretraining of an encoder."""
    return f"{name} pretraining"


def _fitted(
    work: _Work, name: str, whole: Any, rows: np.ndarray, steps: int | None, label: str, begin: Path | None
) -> tuple[Any, int | None]:
    """An encoder fitted on the records at `rows`, and the steps that it took where it has any.

    steps: so many, where they are given; else as many as the encoder chooses.
    """
    encoder = new_encoder(name, work.config)
    if begin is not None:
        encoder.start = begin
    shown = whole.take(rows), work.targets, work.y[rows], work.groups[rows]
    seed = work.config.train.seed
    if not hasattr(encoder, "steps"):
        encoder.fit(*shown, random_state=seed)
        work.advance(name, 1.0)
        return encoder, None
    expected, counted = steps or encoder.steps(shown[0]), 0

    def count() -> None:
        nonlocal counted
        counted += 1
        work.advance(name, 1 / expected)

    encoder.on_step, encoder.kept_in = count, work.kept.running(label)
    encoder.fit(*shown, random_state=seed, **({"steps": steps} if steps else {}))
    work.advance(name, 1 - counted / expected)  # it may have stopped early
    return encoder, encoder.steps_
