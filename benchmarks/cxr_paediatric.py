"""Children's radiographs, five folds by patient: the image encoder alone, from nothing and after its own pretraining.

    python benchmarks/cxr_paediatric.py FOLDER [--folds 0,1,2,3,4] [--pretrain STEPS] [--set image.key=value]

FOLDER holds images/ and labels.csv (filename, patient, label: normal, bacteria, virus). One training a fold on three
classes gives both figures: normal against pneumonia (bacterial and viral), and the mean of the three classes' AUROCs.
Beside it stands what sharpness alone says (the mean vertical grey difference), since in this set it tells how the files
were made. Pretraining sees the fold's own training part, without labels. Pictures with the same bytes share a fold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from multimodal import Cohort
from multimodal.encoders.inputs import preparation_of, read_images
from multimodal.encoders.pretrained import write_facts
from multimodal.encoders.pretraining import pretrain, schedule_of
from multimodal.imaging import read_image
from multimodal.learning.weights import save_weights
from multimodal.model import read_config
from multimodal.model.cross_fitting import new_encoder
from multimodal.model.folds import join_groups, make_folds
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source

FOLDS = 5
CLASSES = ["normal", "bacteria", "virus"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--folds", default="0,1,2,3,4", help="which of the five, numbered from 0")
    arguments.add_argument("--pretrain", type=int, default=0, metavar="STEPS", help="of LeJEPA, before each training")
    arguments.add_argument("--set", action="append", default=[], metavar="image.KEY=VALUE")
    options = arguments.parse_args()
    config = read_config(None, options.set)
    with tempfile.TemporaryDirectory() as folder:
        tables = import_source("image-folder", options.folder, labels=options.folder / "labels.csv")
        write_cohort(Path(folder, "cohort"), tables)
        cohort = Cohort.open(Path(folder, "cohort"))
        batch, y = cohort.batch(), cohort.labels(CLASSES)
        inputs = read_images(batch, config.image.model_dump(), workers=config.train.workers)
        sharpness = np.array([vertical_difference(item.path) for item in batch.images])
        groups = join_groups(batch.patient_ids, [inputs.fingerprints()])
        folds = make_folds(y, groups, FOLDS, random_state=0)
        print(f"{len(y):,} pictures of {len(set(batch.patient_ids)):,} patients; {config.image.backbone}, "
              f"{config.image.size} pixels, {config.image.epochs} epochs")  # fmt: skip
        print(f"{'fold':>5}{'n':>6}{'normal/pneumonia':>18}{'three classes':>15}{'accuracy':>10}"
              f"{'sharpness':>11}{'pretraining s':>15}{'training s':>12}")  # fmt: skip
        rows = []
        for fold in map(int, options.folds.split(",")):
            inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            started = time.perf_counter()
            weights = Path(folder, f"weights-{fold}") if options.pretrain else None
            if weights:
                pretrained_on(inputs.take(inside).pixels, config.image, options.pretrain, weights)
            between = time.perf_counter()
            chosen = read_config(None, [*options.set, *([f"image.weights={weights}"] if weights else [])])
            encoder = new_encoder("cnn", chosen)
            encoder.fit(inputs.take(inside), CLASSES, y[inside], groups[inside], random_state=fold)
            ended = time.perf_counter()
            probability = softmax(encoder.encode(inputs.take(outside)).log_odds, axis=1)
            row = [*figures(probability, y[outside]), float(two_sided(y[outside, 0], sharpness[outside]))]
            rows.append([*row, between - started, ended - between])
            print(f"{fold:>5}{len(outside):>6}{line(rows[-1])}", flush=True)
        print(f"{'mean':>5}{'':>6}{line(np.mean(rows, axis=0))}")


def pretrained_on(pixels: np.ndarray, options, steps: int, folder: Path) -> None:
    """A folder as `pretrain-images` writes it, of the pictures uint8 (k, size, size)."""
    found = pretrain(pixels, backbone=options.backbone, schedule=schedule_of(1, min_steps=steps, max_steps=steps))
    folder.mkdir()
    save_weights(found.backbone, folder / "backbone.safetensors")
    write_facts(folder, backbone=options.backbone, preparation=preparation_of(options.model_dump()), facts={})


def vertical_difference(path: Path) -> float:
    """The mean absolute difference of vertical neighbours, in grey values of [0, 1]."""
    return float(np.abs(np.diff(read_image(path).grey, axis=0)).mean())


def figures(probability: np.ndarray, y: np.ndarray) -> list[float]:
    """AUROC of normal against pneumonia, mean AUROC of the three classes, accuracy. probability, y: (n, 3)."""
    each = [float(roc_auc_score(y[:, t], probability[:, t])) for t in range(3)]
    return [each[0], float(np.mean(each)), float((probability.argmax(axis=1) == y.argmax(axis=1)).mean())]


def two_sided(y: np.ndarray, values: np.ndarray) -> float:
    """The AUROC of one number, whichever way it points."""
    area = roc_auc_score(y, values)
    return max(area, 1 - area)


def line(row) -> str:
    two, three, accuracy, sharp, before, trained = row
    return f"{two:>18.4f}{three:>15.4f}{accuracy:>10.3f}{sharp:>11.3f}{before:>15.0f}{trained:>12.0f}"


if __name__ == "__main__":
    main()
