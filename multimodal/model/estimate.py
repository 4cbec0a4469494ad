"""How long a training will take, from a short go of each encoder, and how far it has come."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders import ENCODERS
from ..records import Target
from .config import Config
from .cross_fitting import new_encoder, pretraining_of

PROBES = (60, 120)
PROBE_STEP = 20
PROBE_PASSES = 6  # of a pretraining

Progress = Callable[[str, float, float], None]
"""progress(what, done, total): done and total in seconds, as estimated at the start."""


def clock(
    inputs: Mapping[str, Any],
    targets: Mapping[str, Target],
    labels: np.ndarray,
    groups: np.ndarray,
    config: Config,
    progress: Progress,
    report: Callable[[str], None],
) -> Callable[[str, float], None]:
    """advance(name, share) for `cross_fit`, in seconds as estimated from a short go of each encoder on a sample."""
    trainings = config.fusion.folds + 1
    seconds: dict[str, float] = {}
    once: dict[str, float] = {}
    small, large = PROBES
    for modality, whole in inputs.items():
        having = np.flatnonzero(whole.present)
        drawn = np.random.default_rng(config.train.seed).permutation(having)
        for name in getattr(config, modality).encoders:
            first = new_encoder(name, config)
            steps = first.steps(whole.take(having)) if hasattr(first, "steps") else None
            took = []
            for size in (small, small, large):  # the first pays for what is loaded and compiled once
                rows = drawn[:large] if steps is not None else drawn[:size]
                told = {"steps": size // PROBE_STEP} if steps is not None else {}
                shown = whole.take(rows), list(targets), labels[rows], groups[rows]
                started = time.perf_counter()
                new_encoder(name, config).fit(*shown, random_state=config.train.seed, **told)
                took.append(time.perf_counter() - started)
            # What grows with the work, apart from what every start costs.
            more = (steps * PROBE_STEP if steps is not None else len(having)) - large
            seconds[name] = took[2] + max(took[2] - took[1], 0.0) / (large - small) * max(more, 0)
            if hasattr(first, "pretrain"):
                once[name] = _pretraining_seconds(name, whole, having, drawn[:large], config)
    total = trainings * sum(seconds.values()) + sum(once.values())
    report(f"training {', '.join(seconds)}, {trainings} times each: about {max(1, round(total / 60))} min")
    seconds |= {pretraining_of(name): took for name, took in once.items()}
    done = 0.0

    def advance(name: str, share: float) -> None:
        nonlocal done
        done += seconds[name] * share
        progress(f"{ENCODERS[name.split()[0]].modality}: {name}", done, total)

    return advance


def _pretraining_seconds(name: str, whole: Any, having: np.ndarray, drawn: np.ndarray, config: Config) -> float:
    """How long the pretraining of an encoder will take: its steps, at the speed of a few on a sample."""
    encoder = new_encoder(name, config)
    steps = encoder.pretraining_steps(whole.take(having))
    if not steps:
        return 0.0
    ends: list[float] = []
    encoder.pretraining, encoder.on_step = PROBE_PASSES, lambda: ends.append(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        encoder.pretrain(whole.take(drawn), Path(folder), random_state=config.train.seed)
    return steps * (ends[-1] - ends[0]) / max(len(ends) - 1, 1)
