"""Encoders trained K times without one fold, for evidence that no patient's own label has touched; then once on all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders import ENCODERS, encoder_class
from .config import Config
from .kept_work import FoldEvidence, KeptWork

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class CrossFitted:
    """evidence: {modality: float (n, C, T)} out of fold, NaN where absent; present: bool (n, M);
    encoders: {modality: {name: fitted on everything}}."""

    evidence: Mapping[str, np.ndarray]
    present: np.ndarray
    encoders: Mapping[str, Mapping[str, Any]]


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
    trainings.
    What `kept` holds of an earlier run is not trained again.
    """
    evidence, present, encoders = {}, [], {}
    with tempfile.TemporaryDirectory() as scratch:
        begins = {
            name: _pretrained(name, inputs[modality], config, advance, kept if kept.folder else KeptWork(Path(scratch)))
            for modality in inputs
            for name in getattr(config, modality).encoders
        }
        for modality, whole in inputs.items():
            fitted = _cross_fit_modality(modality, whole, targets, y, groups, folds, config, advance, kept, begins)
            evidence[modality], encoders[modality] = fitted[0], fitted[2]
            present.append(fitted[1])
    return CrossFitted(evidence, np.stack(present, axis=1), encoders)


def _cross_fit_modality(
    modality: str,
    whole: Any,
    targets: Sequence[str],
    y: np.ndarray,
    groups: np.ndarray,
    folds: np.ndarray,
    config: Config,
    advance: Callable[[str, float], None],
    kept: KeptWork,
    begins: Mapping[str, Path | None],
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Of one modality: evidence (n, C, T), present (n,), encoders; begins: {encoder: what its pretraining wrote}."""
    names = getattr(config, modality).encoders
    out = np.full((len(y), len(names), y.shape[1]), np.nan)
    there = np.ones(len(y), dtype=bool)
    encoders = {}
    for c, name in enumerate(names):
        seen = np.zeros(len(y), dtype=bool)
        steps = []
        for fold in np.unique(folds):
            inside = np.flatnonzero((folds != fold) & whole.present)
            outside = np.flatnonzero(folds == fold)
            label = f"{modality}.{name}.{fold}"
            found = kept.evidence(label)
            if found is None:
                shown = whole.take(inside), targets, y[inside], groups[inside]
                model, taken = _fitted(name, shown, config, None, advance, kept.running(label), begins[name])
                answer = model.encode(whole.take(outside))
                found = FoldEvidence(answer.log_odds, answer.present, taken)
                kept.keep_evidence(label, found)
            else:
                advance(name, 1.0)
            steps.append(found.steps)
            out[outside, c], seen[outside] = found.log_odds, found.present
        there &= seen
        label = f"{modality}.{name}.all"
        model = kept.encoder(label, name, config.train.device)
        if model is None:
            having = np.flatnonzero(whole.present)
            shown = whole.take(having), targets, y[having], groups[having]
            # As many steps as the folds took: a longer training would shift the evidence the head has learnt on.
            as_long = None if None in steps else round(np.mean(steps))
            model, _ = _fitted(name, shown, config, as_long, advance, kept.running(label), begins[name])
            kept.keep_encoder(label, model)
        else:
            advance(name, 1.0)
        encoders[name] = model
    return out, there, encoders


def _pretrained(
    name: str, whole: Any, config: Config, advance: Callable[[str, float], None], kept: KeptWork
) -> Path | None:
    """The folder of what an encoder learns without labels, on all training records at once; None where it does not."""
    encoder = new_encoder(name, config)
    having = whole.take(np.flatnonzero(whole.present))
    steps = encoder.pretraining_steps(having) if hasattr(encoder, "pretrain") else 0
    if not steps:
        return None
    label, work = f"{ENCODERS[name].modality}.{name}.{PRETRAINED}", pretraining_of(name)
    found = kept.pretrained(label)
    if found is None:
        encoder.on_step, encoder.kept_in = lambda: advance(work, 1 / steps), kept.running(label)
        return kept.keep_pretrained(
            label, lambda folder: encoder.pretrain(having, folder, random_state=config.train.seed)
        )
    advance(work, 1.0)
    return found


def pretraining_of(name: str) -> str:
    """What `advance` calls the pretraining of an encoder."""
    return f"{name} pretraining"


def _fitted(
    name: str,
    shown: tuple,
    config: Config,
    steps: int | None,
    advance: Callable[[str, float], None],
    running: Path | None,
    begin: Path | None,
) -> tuple[Any, int | None]:
    """A fitted encoder, and the steps that it took where it has any. shown: inputs, targets, y, groups.

    steps: so many, where they are given; else as many as the encoder chooses. running: a folder for its state while it
    is trained in steps. begin: what its pretraining wrote, if it has one.
    """
    encoder = new_encoder(name, config)
    if begin is not None:
        encoder.start = begin
    seed = config.train.seed
    if not hasattr(encoder, "steps"):
        encoder.fit(*shown, random_state=seed)
        advance(name, 1.0)
        return encoder, None
    expected, counted = steps or encoder.steps(shown[0]), 0

    def count() -> None:
        nonlocal counted
        counted += 1
        advance(name, 1 / expected)

    encoder.on_step, encoder.kept_in = count, running
    encoder.fit(*shown, random_state=seed, **({"steps": steps} if steps else {}))
    advance(name, 1 - counted / expected)  # it may have stopped early
    return encoder, encoder.steps_
