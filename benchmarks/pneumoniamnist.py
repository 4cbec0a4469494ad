"""PneumoniaMNIST at 28 x 28: the image encoder alone, on the published parts.

    python benchmarks/pneumoniamnist.py pneumoniamnist.npz [--seeds 0,1,2] [--set image.key=value]

Trains on the training part and prints AUROC and accuracy on the test part, once for each seed. The threshold is chosen
on the validation part: by the package's own rule (Youden's J, which does not depend on how frequent the classes are),
and beside it by the best accuracy there, which does: 74 % of that part have pneumonia, 63 % of the test part. The test
part decides nothing: the options are the defaults but for the size.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from multimodal.encoders.inputs import ImageInputs
from multimodal.model import read_config
from multimodal.model.cross_fitting import new_encoder
from multimodal.trust.thresholds import choose_threshold


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--seeds", default="0,1,2")
    arguments.add_argument("--set", action="append", default=[], metavar="image.KEY=VALUE")
    options = arguments.parse_args()
    config = read_config(None, ["image.size=28", *options.set])
    parts = np.load(options.file, allow_pickle=False)
    inputs = {name: as_inputs(parts[f"{name}_images"]) for name in ("train", "val", "test")}
    y = {name: parts[f"{name}_labels"].astype(float) for name in inputs}
    thresholds = f"{'at Youden':>11}{'at best':>9}{'at 0.5':>8}"
    print(f"{'seed':>5}{'validation AUROC':>18}{'test AUROC':>12}{thresholds}{'seconds':>9}")
    rows = []
    for seed in map(int, options.seeds.split(",")):
        started = time.perf_counter()
        encoder = new_encoder("cnn", config)
        encoder.fit(inputs["train"], ["pneumonia"], y["train"], np.arange(len(y["train"])), random_state=seed)
        seconds = time.perf_counter() - started
        said = {name: encoder.encode(inputs[name]).log_odds[:, 0] for name in ("val", "test")}
        truth = {name: y[name][:, 0] for name in said}
        youden = float(logit(choose_threshold("youden", truth["val"], expit(said["val"]))))
        best = best_threshold(truth["val"], said["val"])
        areas = [float(roc_auc_score(truth[name], said[name])) for name in said]
        right = [float(((said["test"] >= cut) == truth["test"]).mean()) for cut in (youden, best, 0.0)]
        rows.append([*areas, *right, seconds])
        print(f"{seed:>5}{line(rows[-1])}", flush=True)
    print(f"{'mean':>5}{line(np.mean(rows, axis=0))}")


def as_inputs(pictures: np.ndarray) -> ImageInputs:
    """uint8 (k, 28, 28), one a record."""
    k = len(pictures)
    return ImageInputs(np.arange(k), pictures, np.arange(k), [""] * k, [""] * k, [""] * k, [{}] * k, [], k)


def best_threshold(y: np.ndarray, log_odds: np.ndarray) -> float:
    """The middle between two neighbouring log-odds at which most are right."""
    ordered = np.unique(log_odds)
    cuts = (ordered[1:] + ordered[:-1]) / 2
    return float(cuts[np.argmax([((log_odds >= cut) == y).mean() for cut in cuts])])


def line(row) -> str:
    validation, test, youden, best, half, seconds = row
    return f"{validation:>18.4f}{test:>12.4f}{youden:>11.3f}{best:>9.3f}{half:>8.3f}{seconds:>9.0f}"


if __name__ == "__main__":
    main()
