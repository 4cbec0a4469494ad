"""The demonstration: a synthetic cohort, a model of it, its figures; kept in one folder and used again.

`state.json` there says with what the rest was made, and which steps are done; it is written last for each step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from .evaluation import evaluate
from .model import ClinicalModel, as_toml, read_config
from .model.model_files import SCHEMA as MODEL_SCHEMA
from .records import UsageError
from .sources import Cohort, write_cohort
from .sources.description import SCHEMA as COHORT_SCHEMA
from .sources.synthetic import synthesize

PATIENTS = 600
SEED = 0
HOLDOUT = 0.25
STATE = "state.json"


@dataclass(frozen=True)
class Demo:
    """The folders of the demonstration, and the figures on the patients that were held out."""

    cohort: Path
    model: Path
    evaluation: Path
    metrics: dict[str, Any]


def make_demo(
    folder: Path,
    *,
    version: str,
    patients: int = PATIENTS,
    options: Sequence[str] = (),
    progress: Callable[[str, float, float], None] = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Synthesize, train, evaluate; steps that `folder` holds already are not done again.

    version   of the package
    patients  how many the cohort has; the share HOLDOUT of them is for the figures
    options   further ones of the model, as `--set` takes them
    Raises UsageError if `folder` holds anything but a demonstration.
    """
    config = read_config(None, [*options, f"train.seed={SEED}", f"train.holdout={HOLDOUT}"])
    made_with = {
        "version": version,
        "schema": [COHORT_SCHEMA, MODEL_SCHEMA],
        "patients": patients,
        "options": as_toml(config),
    }
    done = _begin(folder, made_with, report)
    paths = {name: folder / name for name in ("cohort", "model", "evaluation")}
    if "cohort" not in done:
        report(f"synthesizing {patients} patients")
        write_cohort(paths["cohort"], synthesize(patients, SEED), overwrite=True)
        _write_state(folder, made_with, ["cohort"])
    if "model" not in done:
        model = ClinicalModel(config).fit(Cohort.open(paths["cohort"]), progress=progress, report=report)
        model.save(paths["model"], overwrite=True)
        _write_state(folder, made_with, ["cohort", "model"])
    if "evaluation" not in done:
        report("evaluating on the patients that were held out")
        figures = evaluate(ClinicalModel.load(paths["model"]), Cohort.open(paths["cohort"]))
        figures.write(paths["evaluation"], overwrite=True)
        _write_state(folder, made_with, ["cohort", "model", "evaluation"])
    metrics = json.loads((paths["evaluation"] / "metrics.json").read_text(encoding="utf-8"))
    return Demo(**paths, metrics=metrics)


def _begin(folder: Path, made_with: dict, report: Callable[[str], None]) -> list[str]:
    """The steps that are done; none where the folder is new or was made in another way."""
    state = folder / STATE
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is no folder: give another --out")
    if folder.is_dir() and any(folder.iterdir()) and not state.is_file():
        raise UsageError(f"{folder} exists and is no demonstration of ours: give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    before = _read_state(state)
    if before.get("made_with") == made_with:
        return list(takewhile(lambda name: (folder / name).is_dir(), before["done"]))
    if before:
        report(f"{folder} was made by another version or with other options: it is made again")
    _write_state(folder, made_with, [])
    return []


def _read_state(state: Path) -> dict:
    """What `state` says; nothing where it is not there or says something else."""
    try:
        found = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and {"made_with", "done"} <= set(found) else {}


def _write_state(folder: Path, made_with: dict, done: list[str]) -> None:
    writing = folder / f"{STATE}.writing"
    writing.write_text(json.dumps({"made_with": made_with, "done": done}, indent=1), encoding="utf-8")
    os.replace(writing, folder / STATE)
