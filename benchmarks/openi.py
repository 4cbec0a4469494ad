"""Findings in radiology reports (Open-i), five folds by report: words, sentences, BERTs, and the default blend.

    python benchmarks/openi.py FOLDER [--folds 0,1,2,3,4] [--models tfidf,words,...] [--checkpoint DIR]
    python benchmarks/openi.py FOLDER --curve [--sizes 200,500,1000,2000]

FOLDER holds indiana_reports.csv. The text is the section findings, the six targets are those of `multimodal import
openi`, and reports with the same findings share a fold. Models:
  tfidf       TF-IDF of words and pairs + logistic regression, as most projects stop
  words       marked words and characters of the whole text          sentences   the same, pooled over sentences
  linear      the mean of the log-odds of these two
  bert        the compact BERT from nothing                          pretrained  after masked-language pretraining
  checkpoint  the BERT in --checkpoint, fine-tuned
  default     all of the package, its weights learnt on inner folds of the training part
Macro means of AUROC and AUPRC; the last columns are the weights that `default` gives its encoders, mean over targets.
--curve trains on parts of the first fold's training part and shows where the BERT begins to add.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from multimodal import ClinicalModel, Cohort
from multimodal.model import read_config
from multimodal.model.cross_fitting import new_encoder
from multimodal.model.folds import join_groups, make_folds
from multimodal.notes import Notes, load
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source

FOLDS = 5
MODELS = ("tfidf", "words", "sentences", "linear", "bert", "pretrained", "checkpoint", "default")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--folds", default="0,1,2,3,4", help="which of the five, numbered from 0")
    arguments.add_argument("--models", default="tfidf,words,sentences,linear,default", help=", ".join(MODELS))
    arguments.add_argument("--checkpoint", help="the folder of a BERT-family checkpoint")
    arguments.add_argument("--curve", action="store_true", help="learning curve on the first fold")
    arguments.add_argument("--sizes", default="200,500,1000,2000")
    arguments.add_argument("--set", action="append", default=[], metavar="notes.KEY=VALUE")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder, "cohort"), import_source("openi", options.folder))
        cohort = Cohort.open(Path(folder, "cohort"))
        names = list(cohort.targets)
        y = cohort.labels(names)
        notes = load(cohort.batch())
        usable = np.flatnonzero(notes.present & ~np.isnan(y).any(axis=1))
        cohort, notes, y = cohort.take(usable), notes.take(usable), y[usable]
        groups = join_groups(cohort.patient_ids, [notes.fingerprints()])
        folds = make_folds(y, groups, FOLDS, random_state=0)
        print(f"{len(y):,} reports, {len(np.unique(groups)):,} distinct; {', '.join(names)}")
        data = cohort, notes, names, y, groups
        if options.curve:
            curve(data, folds, [int(size) for size in options.sizes.split(",")], options)
        else:
            table(data, folds, [int(fold) for fold in options.folds.split(",")], options)


def table(data: tuple, folds: np.ndarray, chosen: Sequence[int], options: argparse.Namespace) -> None:
    rows: dict[str, list[tuple]] = {}
    header()
    for fold in chosen:
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        for name, found in answers(data, inside, outside, options):
            rows.setdefault(name, []).append(found)
            line(name, str(fold), *found)
    for name, found in rows.items():
        figures = np.array([one[:3] for one in found])
        line(name, "mean", *figures.mean(axis=0), "", figures.std(axis=0))
    for name, found in rows.items():
        if found[0][3]:
            parts = np.mean([list(one[3].values()) for one in found], axis=0)
            print(f"weights of {name}: " + ", ".join(f"{e} {w:.2f}" for e, w in zip(found[0][3], parts, strict=True)))


def curve(data: tuple, folds: np.ndarray, sizes: Sequence[int], options: argparse.Namespace) -> None:
    inside, outside = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    order = np.random.default_rng(0).permutation(inside)
    header()
    for size in sizes:
        for name, found in answers(data, np.sort(order[:size]), outside, options):
            line(name, f"{min(size, len(order)):,}", *found)


def answers(data: tuple, inside: np.ndarray, outside: np.ndarray, options: argparse.Namespace):
    """(model, (AUROC, AUPRC, seconds, weights)) of each model, trained on `inside`, on `outside`."""
    cohort, notes, names, y, groups = data
    said: dict[str, np.ndarray] = {}
    for name in options.models.split(","):
        started, weights = time.perf_counter(), {}
        if name == "tfidf":
            said[name] = tfidf(notes, y, inside, outside)
        elif name == "linear":
            said[name] = (said["words"] + said["sentences"]) / 2
        elif name == "default":
            model = ClinicalModel(read_config(None, options.set)).fit(cohort.take(inside))
            found = model.predict(cohort.take(outside))
            # A target with fewer than ten positives is left out of a training: it orders nobody, AUROC 0.5.
            said[name] = np.zeros((len(outside), len(names)))
            columns = [names.index(target) for target in found.targets]
            said[name][:, columns] = np.log(found.probability / (1 - found.probability))
            blend = model.stack_.blends["notes"].weights.mean(axis=1)
            weights = dict(zip(model.encoders_["notes"], blend.tolist(), strict=True))
        else:
            said[name] = alone(name, notes, names, y, groups, inside, outside, options)
        seconds = time.perf_counter() - started
        area = np.mean([roc_auc_score(y[outside, t], said[name][:, t]) for t in range(len(names))])
        precision = np.mean([average_precision_score(y[outside, t], said[name][:, t]) for t in range(len(names))])
        yield name, (area, precision, seconds, weights)


def alone(
    name: str,
    notes: Notes,
    names: Sequence[str],
    y: np.ndarray,
    groups: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    options: argparse.Namespace,
) -> np.ndarray:
    """Log-odds (n, T) of one encoder."""
    own = {
        "bert": ["notes.pretraining=0"],
        "pretrained": [],
        "checkpoint": [f"notes.checkpoint={options.checkpoint}"],
    }
    encoder = new_encoder("bert" if name in own else name, read_config(None, [*options.set, *own.get(name, [])]))
    shown = notes.take(inside)
    with tempfile.TemporaryDirectory() as folder:
        if name == "pretrained":
            encoder.pretrain(shown, Path(folder), random_state=0)
            encoder.start = Path(folder)
        encoder.fit(shown, names, y[inside], groups[inside], random_state=0)
    return encoder.encode(notes.take(outside)).log_odds


def tfidf(notes: Notes, y: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    texts = np.array(notes.text, dtype=object)  # one note a report
    out = np.zeros((len(outside), y.shape[1]))
    for t in range(y.shape[1]):
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000))
        out[:, t] = model.fit(texts[inside], y[inside, t]).decision_function(texts[outside])
    return out


def header() -> None:
    print(f"{'model':<12}{'fold':>6}{'AUROC':>9}{'AUPRC':>9}{'seconds':>9}  weights, or standard deviations")


def line(name: str, fold: str, area: float, precision: float, seconds: float, weights="", spread=None) -> None:
    told = ", ".join(f"{encoder} {weight:.2f}" for encoder, weight in weights.items()) if weights else ""
    told = told if spread is None else f"{spread[0]:.4f} {spread[1]:.4f}"
    print(f"{name:<12}{fold:>6}{area:>9.4f}{precision:>9.4f}{seconds:>9.0f}  {told}", flush=True)


if __name__ == "__main__":
    main()
