"""Pretraining on the images of a cohort or a folder: read, train a backbone by LeJEPA, write its folder."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..encoders.inputs import preparation_of
from ..encoders.lejepa import Views
from ..encoders.pretrained import FACTS, WEIGHTS, write_facts
from ..encoders.pretraining import pretrain, schedule_of, steps_of
from ..learning.devices import pick_device
from ..learning.weights import save_weights
from ..records import Batch, InputError, UsageError
from ..sources.loose_files import image_file_batches
from .config import Config
from .model_files import refuse_existing_model, written_whole
from .pretraining import clock, cohort_of
from .scoring import read
from .seen_patients import SeenPatients

BATCH = 256
MIN_PICTURES = 16
AVERAGED = 10  # steps of the first and the last loss
TAKEN = {
    "image": {"backbone", "size", "window", "denoise", "enhance", "slices", "flip"},
    "train": {"seed", "holdout", "device", "workers"},
}
LIBRARIES = ("multimodal-clinical", "numpy", "safetensors", "torch", "torchvision")
FOLDER = {"mark": FACTS, "what": "folder of pretrain-images"}


@dataclass(frozen=True)
class Pretraining:
    """What a pretraining used and reached; loss: means over the first and the last ten steps."""

    pictures: int
    refused: dict[str, int]
    steps: int
    loss: tuple[float, float]
    effective_rank: float
    features: int
    seconds: float


def pretrain_images(
    images: Path,
    out: Path,
    *,
    config: Config | None = None,
    epochs: int = 50,
    max_steps: int = 5000,
    batch_size: int = 64,
    split: str | None = None,
    ignore: Collection[str] = (),
    overwrite: bool = False,
    progress: Callable[[str, float, float | None], None] = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> Pretraining:
    """Train a backbone on `images`, a cohort or a folder of image files of any depth; labels are not read.

    Each slice of a volume is a picture of its own. All pictures are held in memory: size * size bytes each.
    config  train.holdout: leave that share of a cohort's patients out, the same as a training with that seed
    epochs  passes over the pictures, but at least 300 steps and at most `max_steps` in all
    split   only the records of this split, of a cohort
    Raises UsageError if `out` exists, for a device that is not there, or if the training diverges; CohortError;
    InputError if there are fewer than 16 usable pictures. `out` is written whole or not at all.
    """
    config = config or Config()
    refuse_existing_model(out, overwrite, **FOLDER)
    try:
        pick_device(config.train.device)
    except ValueError as error:
        raise UsageError(f"train.device: {error}") from None
    preparation = preparation_of(config.image.model_dump())
    started = time.perf_counter()
    cohort = cohort_of(images, config, split, ignore)
    batches = image_file_batches(images, BATCH) if cohort is None else cohort.batches(BATCH)
    pixels, patients, refused = read_pictures(batches, config, progress)
    for code, count in refused.items():
        report(f"{code}: {count:,} images are not used")
    if len(pixels) < MIN_PICTURES:
        raise InputError(f"{len(pixels)} usable pictures, at least {MIN_PICTURES} are needed: nothing was written")
    schedule = schedule_of(epochs, batch_size=batch_size, max_steps=max_steps)
    steps = steps_of(len(pixels), schedule)
    try:
        trained = pretrain(
            pixels,
            backbone=config.image.backbone,
            schedule=schedule,
            views=Views(flip=config.image.flip),
            random_state=config.train.seed,
            device=config.train.device,
            on_step=clock(f"{len(pixels):,} pictures", steps, progress, report),
        )
    except FloatingPointError as error:
        raise UsageError(f"the training diverged: {error}") from error
    loss = float(np.mean(trained.losses[:AVERAGED])), float(np.mean(trained.losses[-AVERAGED:]))
    rank = trained.effective_rank
    facts = {
        "pictures": len(pixels),
        "steps": steps,
        "batch_size": min(batch_size, len(pixels)),
        "seed": config.train.seed,
        "holdout": config.train.holdout,
        "patients": None if cohort is None else SeenPatients.of(patients, config.train.seed).to_json(),
        "loss": {"first": loss[0], "last": loss[1]},
        "features": trained.backbone.features,
        "effective_rank": rank,
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
    }
    with written_whole(out, overwrite=overwrite, **FOLDER) as folder:
        save_weights(trained.backbone, folder / WEIGHTS)
        write_facts(folder, backbone=config.image.backbone, preparation=preparation, facts=facts)
    seconds = time.perf_counter() - started
    return Pretraining(len(pixels), refused, steps, loss, rank, trained.backbone.features, seconds)


def read_pictures(
    batches: Iterator[Batch], config: Config, progress: Callable[[str, float, float | None], None]
) -> tuple[np.ndarray, set[str], dict[str, int]]:
    """uint8 (k, size, size): every usable slice of every image; whose they are; {code: how many were refused}."""
    pixels = [np.zeros((0, config.image.size, config.image.size), dtype=np.uint8)]
    patients: set[str] = set()
    refused: Counter[str] = Counter()
    done = 0
    for batch in batches:
        inputs = read(batch, "image", config)
        pixels.append(inputs.pixels)
        patients.update(batch.patient_ids[inputs.present])
        of_paths = [problem for _, problem in batch.problems if problem.where.startswith(("image", "file"))]
        found = [*of_paths, *(problem for _, problem in inputs.problems)]
        refused.update(problem.code for problem in found if problem.severity == "refuse")
        done += len(batch.images)
        progress(f"reading: {done:,} images", 0, None)
    return np.concatenate(pixels), patients, dict(sorted(refused.items()))
