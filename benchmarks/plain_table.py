"""A plain table: scikit-learn's breast-cancer data (569 rows, 30 numbers), five stratified folds, this package's
default model of vitals against the two models that everybody tries first.

    python benchmarks/plain_table.py [--folds 0,1,2,3,4] [--set vitals.KEY=VALUE]

The table is written as a flat file with its measurements declared in the TOML beside, and read back, so that what is
measured is the way from the file. Models, each on the same folds:
  logistic    StandardScaler + LogisticRegression, as scikit-learn has them
  boosting    HistGradientBoostingClassifier, as scikit-learn has it
  default     this package
Mean and standard deviation over the folds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal import ClinicalModel, Cohort
from multimodal.model import read_config

TARGET = "malignant"
PLAIN = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folds", default="0,1,2,3,4", help="which of the five, numbered from 0")
    arguments.add_argument("--set", action="append", default=[], metavar="vitals.KEY=VALUE")
    options = arguments.parse_args()
    data = load_breast_cancer()
    x, y = data.data, 1 - data.target
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    found: dict[str, list[tuple[float, ...]]] = {}
    print(f"{len(y)} rows, {int(y.sum())} malignant\n{'model':<10}{'fold':>6}{'AUROC':>9}{'Brier':>9}{'log-loss':>10}")
    with tempfile.TemporaryDirectory() as folder:
        cohort = written(Path(folder), x, y, [str(name) for name in data.feature_names])
        for number in map(int, options.folds.split(",")):
            inside, outside = folds[number]
            for name in (*PLAIN, "default"):
                started = time.perf_counter()
                if name == "default":
                    model = ClinicalModel(read_config(None, options.set)).fit(cohort.take(inside))
                    probs = model.predict(cohort.take(outside)).probability[:, 0]
                else:
                    probs = PLAIN[name]().fit(x[inside], y[inside]).predict_proba(x[outside])[:, 1]
                seconds = time.perf_counter() - started
                figures = (roc_auc_score, brier_score_loss, log_loss)
                found.setdefault(name, []).append((*(float(f(y[outside], probs)) for f in figures), seconds))
                area, brier, loss, seconds = found[name][-1]
                print(f"{name:<10}{number:>6}{area:>9.4f}{brier:>9.4f}{loss:>10.4f}{seconds:>8.1f} s", flush=True)
    for name, rows in found.items():
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        told = [f"{label} {m:.4f} ± {s:.4f}" for label, m, s in zip(("AUROC", "Brier", "log-loss"), mean, spread)]
        print(f"{name:<10}{', '.join(told)}, {mean[3]:.1f} s a fold")


def written(folder: Path, x: np.ndarray, y: np.ndarray, names: list[str]) -> Cohort:
    """The table as a flat file with a TOML file beside, opened."""
    frame = pd.DataFrame(x, columns=names)
    frame.insert(0, "record_id", [f"r{i}" for i in range(len(frame))])
    frame.insert(1, "patient_id", frame["record_id"])
    frame[f"label.{TARGET}"] = y
    frame.to_csv(folder / "cells.csv", index=False)
    declared = "".join(f'[measurements."{name}"]\n' for name in names)
    (folder / "cells.toml").write_text(f"schema = 1\n[targets.{TARGET}]\n{declared}", encoding="utf-8")
    return Cohort.open(folder / "cells.csv")


if __name__ == "__main__":
    main()
