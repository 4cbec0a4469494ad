"""Encoders trained K times without one fold, for evidence that no patient's own label has touched; then once on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders import ENCODERS, encoder_class
from .config import Config


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
) -> CrossFitted:
    """inputs: per modality, see encoders.inputs; y: float (n, T); groups, folds: int (n,).

    advance(name, share) is called as the work goes on; the shares of all calls sum to the number of trainings.
    """
    seed = config.train.seed
    evidence, present, encoders = {}, [], {}
    for modality, whole in inputs.items():
        names = getattr(config, modality).encoders
        out = np.full((len(y), len(names), y.shape[1]), np.nan)
        there = np.ones(len(y), dtype=bool)
        encoders[modality] = {}
        for c, name in enumerate(names):
            seen = np.zeros(len(y), dtype=bool)
            for fold in np.unique(folds):
                inside = np.flatnonzero((folds != fold) & whole.present)
                outside = np.flatnonzero(folds == fold)
                model = _fitted(name, whole.take(inside), targets, y[inside], groups[inside], config, seed, advance)
                found = model.encode(whole.take(outside))
                out[outside, c], seen[outside] = found.log_odds, found.present
            there &= seen
            having = np.flatnonzero(whole.present)
            encoders[modality][name] = _fitted(
                name, whole.take(having), targets, y[having], groups[having], config, seed, advance
            )
        evidence[modality] = out
        present.append(there)
    return CrossFitted(evidence, np.stack(present, axis=1), encoders)


def _fitted(name, inputs, targets, y, groups, config: Config, seed: int, advance) -> Any:
    encoder = new_encoder(name, config)
    if hasattr(encoder, "steps"):
        share = 1 / encoder.steps(len(inputs))
        encoder.on_step = lambda: advance(name, share)
        return encoder.fit(inputs, targets, y, groups, random_state=seed)
    encoder.fit(inputs, targets, y, groups, random_state=seed)
    advance(name, 1.0)
    return encoder
