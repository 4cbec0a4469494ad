"""Encoders trained K times without one fold, for evidence that no patient's own label has touched; then once on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders import ENCODERS, encoder_class
from .config import Config
from .kept_work import FoldEvidence, KeptWork


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

    advance(name, share) is called as the work goes on; the shares of all calls sum to the number of trainings.
    What `kept` holds of an earlier run is not trained again.
    """
    evidence, present, encoders = {}, [], {}
    for modality, whole in inputs.items():
        names = getattr(config, modality).encoders
        out = np.full((len(y), len(names), y.shape[1]), np.nan)
        there = np.ones(len(y), dtype=bool)
        encoders[modality] = {}
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
                    model, taken = _fitted(name, shown, config, None, advance, kept.running(label))
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
                model, _ = _fitted(name, shown, config, as_long, advance, kept.running(label))
                kept.keep_encoder(label, model)
            else:
                advance(name, 1.0)
            encoders[modality][name] = model
        evidence[modality] = out
        present.append(there)
    return CrossFitted(evidence, np.stack(present, axis=1), encoders)


def _fitted(
    name: str,
    shown: tuple,
    config: Config,
    steps: int | None,
    advance: Callable[[str, float], None],
    running: Path | None,
) -> tuple[Any, int | None]:
    """A fitted encoder, and the steps that it took where it has any. shown: inputs, targets, y, groups.

    steps: so many, where they are given; else as many as the encoder chooses. running: a folder for its state while it
    is trained in steps.
    """
    encoder = new_encoder(name, config)
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
