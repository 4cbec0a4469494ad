"""What pretrainings on images and on notes have in common: their options, whom they read, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from ..records import UsageError, shown
from ..sources import Cohort
from .config import Config, read_config

TIMED = 3, 8  # the steps between which the speed is taken: the first pay for what is loaded once


def pretraining_config(assignments: Iterable[str], taken: Mapping[str, Collection[str]]) -> Config:
    """The options that `--set` gives. Raises UsageError as `read_config`, and for what a pretraining does not take.

    taken  {section: the options that it takes}
    """
    config = read_config(None, assignments)
    for section in sorted(config.model_fields_set):
        for key in sorted(getattr(config, section).model_fields_set - set(taken.get(section, ()))):
            takes = ", ".join(f"{name}.{option}" for name, options in taken.items() for option in sorted(options))
            raise UsageError(f"{section}.{key}: pretraining does not take it; it takes {takes}")
    return config


def cohort_of(source: Path, config: Config, split: str | None, ignore: Collection[str]) -> Cohort | None:
    """The records to learn from, of a cohort; None for a folder without cohort.toml, which knows no patients.

    Raises UsageError for a split or holdout of such a folder.
    """
    if source.is_dir() and not (source / "cohort.toml").is_file():
        if split is not None or config.train.holdout or ignore:
            message = f"{shown(source.name)} has no cohort.toml: --split, --holdout and --ignore are for cohorts"
            raise UsageError(message)
        return None
    cohort = Cohort.open(source, ignore=ignore)
    if split is not None:
        cohort = cohort.of_split(split)
    return cohort.split(config.train.holdout, config.train.seed)[0] if config.train.holdout else cohort


def clock(
    what: str,
    steps: int,
    progress: Callable[[str, float, float | None], None],
    report: Callable[[str], None],
) -> Callable[[], None]:
    """on_step of a pretraining on `what`: moves the bar, and after the first steps says how long all will take."""
    began, done = 0.0, 0

    def on_step() -> None:
        nonlocal began, done
        done += 1
        progress("pretraining", done, steps)
        if done == TIMED[0]:
            began = time.perf_counter()
        elif done == TIMED[1]:
            seconds = (time.perf_counter() - began) / (TIMED[1] - TIMED[0]) * steps
            report(f"pretraining on {what}, {steps:,} steps: about {max(1, round(seconds / 60))} min")

    return on_step
