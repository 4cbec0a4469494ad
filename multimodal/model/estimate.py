"""How long a training will take, from a short go of each encoder, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..encoders import ENCODERS
from ..records import Target
from .config import Config
from .cross_fitting import new_encoder

PROBES = (60, 120)
PROBE_STEP = 20

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
    total = trainings * sum(seconds.values())
    report(f"training {', '.join(seconds)}, {trainings} times each: about {max(1, round(total / 60))} min")
    done = 0.0

    def advance(name: str, share: float) -> None:
        nonlocal done
        done += seconds[name] * share
        progress(f"{ENCODERS[name].modality}: {name}", done, total)

    return advance
