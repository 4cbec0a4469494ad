"""Death in hospital from the first 48 hours of intensive care (PhysioNet/CinC Challenge 2012, set A), five folds.

    python benchmarks/physionet2012.py FOLDER [--seeds 0,1,2] [--folds 0,1,2,3,4] [--jobs 2] [--set vitals.KEY=VALUE]

FOLDER holds set-a.tar.gz and Outcomes-a.txt. For each seed the patients are divided into five folds. On four of them
the package does what `multimodal train` does: its encoders are cross-fitted, their weights, calibration and threshold
(`min_sens_ppv`) learnt out of fold; the fifth is answered. Beside the default: each encoder alone, calibrated in the
same way; the rules; and SOFA and SAPS-I as the challenge gives them. A rule that a record does not allow counts as the
median of the training part.

AUROC, AUPRC: means over all folds of all seeds, and their standard deviation; then the 95 % patient bootstrap of the
answers of the first seed, pooled. Event 1: the smaller of sensitivity and precision at the threshold. Event 2: ten
bins of equal size M, H = sum (O - M c)^2 / (M c (1 - c) + 0.001), divided by c10 - c1, c the mean predicted risk of a
bin; of the pooled answers of a seed, beside its 5 % to 95 % range if the same risks were perfectly calibrated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from multimodal import Cohort
from multimodal.encoders.inputs import VitalsInputs
from multimodal.fusion.blend import fit_blend
from multimodal.model import read_config
from multimodal.model.config import Config
from multimodal.model.cross_fitting import cross_fit
from multimodal.model.folds import make_folds
from multimodal.records import RULES
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source
from multimodal.trust.metrics import auprc, auroc, measure
from multimodal.trust.thresholds import choose_threshold
from multimodal.vitals import check, rule_scores

FOLDS = 5
TARGET = "in_hospital_death"
RULE = "min_sens_ppv"
DRAWS = 2000
ICU = {"1": "coronary", "2": "cardiac surgery", "3": "medical", "4": "surgical"}
GIVEN = {"sofa": "SOFA as given", "saps_i": "SAPS-I as given"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seeds", default="0,1,2")
    arguments.add_argument("--folds", default="0,1,2,3,4", help="which of the five, numbered from 0")
    arguments.add_argument("--jobs", type=int, default=2, help="folds at a time, each on one thread")
    arguments.add_argument("--set", action="append", default=[], metavar="vitals.KEY=VALUE")
    options = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    seeds, chosen = ([int(number) for number in text.split(",")] for text in (options.seeds, options.folds))
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder, "cohort"), import_source("physionet2012", options.folder))
        work = [(Path(folder, "cohort"), seed, fold, tuple(options.set)) for seed in seeds for fold in chosen]
        with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
            found = []
            for (_, seed, fold, _), one in zip(work, pool.map(answer_fold, work), strict=True):
                found.append(one)
                area = auroc(one["y"], one["default"][0])
                print(
                    f"seed {seed}, fold {fold}: AUROC {area:.4f}, {one['seconds']:.0f} s, {one['weights']}", flush=True
                )
    table(found, len(chosen))


def answer_fold(work: tuple[Path, int, int, tuple[str, ...]]) -> dict:
    """Train on four folds, answer the fifth: y, icu (n,), the weights of the encoders, and by the name of each way
    (answer (n,), decision (n,)), the answer a probability or a score."""
    path, seed, fold, assignments = work
    cohort = Cohort.open(path)
    batch, y = cohort.batch(), cohort.labels([TARGET])
    groups = np.arange(len(y))
    folds = make_folds(y, groups, FOLDS, random_state=seed)
    inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    config = read_config(None, [f"train.seed={seed}", "train.device=cpu", *assignments])
    vitals = VitalsInputs(batch, check(batch, convert_suspect=config.vitals.convert_suspect))
    started = time.perf_counter()
    said, weights = by_encoders(vitals, y, groups, inside, outside, config)
    found = {"y": y[outside, 0], "icu": icu_types(vitals)[outside], "weights": weights}
    found["seconds"] = time.perf_counter() - started
    scores = dict(zip((rule.display for rule in RULES.values()), rule_scores(vitals.checked, len(batch)).value.T))
    for column, name in GIVEN.items():
        given = np.array([float(text or "nan") for text in cohort.attribute(column)])
        scores[name] = np.where(given < 0, np.nan, given)
    for name, score in scores.items():
        filled = np.where(np.isnan(score), np.nanmedian(score[inside]), score)
        largest = np.max(filled)
        cut = choose_threshold(RULE, y[inside, 0], filled[inside] / largest) * largest
        said[name] = (filled[outside], filled[outside] >= cut)
    return found | said


def by_encoders(
    vitals: VitalsInputs, y: np.ndarray, groups: np.ndarray, inside: np.ndarray, outside: np.ndarray, config: Config
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
    """The answers of the default and of each encoder alone, and the weights that the default gives them."""
    shown, labels = vitals.take(inside), y[inside]
    folds = make_folds(labels, groups[inside], config.fusion.folds, random_state=config.train.seed)
    fitted = cross_fit({"vitals": shown}, [TARGET], labels, groups[inside], folds, config, lambda name, share: None)
    evidence, present = fitted.evidence["vitals"], fitted.present[:, 0]
    names = list(fitted.encoders["vitals"])
    asked = vitals.take(outside)
    answers = np.stack([one.encode(asked).log_odds for one in fitted.encoders["vitals"].values()], axis=1)
    said = {}
    for name, columns in {"default": range(len(names)), **{name: [c] for c, name in enumerate(names)}}.items():
        log_odds = evidence[:, list(columns)]
        out_of_fold = np.full(len(labels), base := float(np.log(labels.mean() / (1 - labels.mean()))))
        for fold in np.unique(folds):
            there = present & (folds == fold)
            blend = fit_blend(log_odds[folds != fold], present[folds != fold], labels[folds != fold])
            out_of_fold[there] = blend.calibrated(log_odds[there])[:, 0]
        blend = fit_blend(log_odds, present, labels)
        if name == "default":
            weights = {encoder: round(float(w), 2) for encoder, w in zip(names, blend.weights[:, 0], strict=True)}
        logits = np.where(asked.present, blend.calibrated(answers[:, list(columns)])[:, 0], base)
        cut = choose_threshold(RULE, labels[:, 0], probability(out_of_fold))
        said[name] = (probability(logits), probability(logits) >= cut)
    return said, weights


def probability(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def icu_types(vitals: VitalsInputs) -> np.ndarray:
    rows = vitals.checked.values.query("code == 'icu_type'")
    out = np.full(len(vitals), "", dtype=object)
    out[rows["record"]] = np.array(vitals.checked.levels["icu_type"], dtype=object)[rows["value"].astype(int)]
    return out


def event_1(y: np.ndarray, decision: np.ndarray) -> float:
    true = (y * decision).sum()
    return float(min(true / y.sum(), true / max(decision.sum(), 1)))


def event_2(y: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """float (r,): the challenge's statistic of r vectors of outcomes, y: (r, n), under one vector of risks (n,)."""
    order = np.argsort(risk, kind="stable")
    size = len(risk) // 10
    bins = np.minimum(np.arange(len(risk)) // size, 9)
    each = np.bincount(bins)
    mean = np.bincount(bins, risk[order]) / each
    observed = np.stack([np.bincount(bins, row) for row in y[:, order]])
    h = ((observed - each * mean) ** 2 / (each * mean * (1 - mean) + 0.001)).sum(axis=1)
    return h / (mean[9] - mean[0])


def table(found: Sequence[Mapping], folds: int) -> None:
    ways = [name for name in found[0] if name not in ("y", "icu", "weights", "seconds")]
    first = found[:folds]
    print(f"\n{'':<18}{'AUROC':>8}{'sd':>7}{'95 %':>17}{'AUPRC':>8}{'sd':>7}{'95 %':>17}{'event 1':>9}{'sd':>7}")
    for name in ways:
        figures = np.array(
            [
                (auroc(one["y"], one[name][0]), auprc(one["y"], one[name][0]), event_1(one["y"], one[name][1]))
                for one in found
            ]
        )
        (area, precision, event), spread = figures.mean(axis=0), figures.std(axis=0)
        y, answer, decision = (np.concatenate(parts) for parts in zip(*((one["y"], *one[name]) for one in first)))
        whole = measure(y, answer, decision, np.arange(len(y)), threshold=None, is_probability=answer.max() <= 1)
        limits = [f"[{whole[key]['low']:.3f}, {whole[key]['high']:.3f}]" for key in ("auroc", "auprc")]
        print(
            f"{name:<18}{area:>8.4f}{spread[0]:>7.4f}{limits[0]:>17}{precision:>8.4f}{spread[1]:>7.4f}{limits[1]:>17}"
            f"{event:>9.3f}{spread[2]:>7.3f}"
        )
    print("\nevent 2 of the pooled answers of each seed [range under perfect calibration]")
    random = np.random.default_rng(0)
    for name in ways:
        told = []
        for start in range(0, len(found), folds):
            part = found[start : start + folds]
            y, risk = np.concatenate([one["y"] for one in part]), np.concatenate([one[name][0] for one in part])
            if risk.max() <= 1:
                drawn = (random.random((DRAWS, len(risk))) < risk).astype(float)
                low, high = np.quantile(event_2(drawn, risk), [0.05, 0.95])
                told.append(f"{event_2(y[None], risk)[0]:.1f} [{low:.1f}, {high:.1f}]")
        if told:
            print(f"{name:<18}" + ", ".join(told))
    print("\nthe default by ICU type, pooled answers of the first seed")
    y, icu, risk, decision = (
        np.concatenate(parts) for parts in zip(*((one["y"], one["icu"], *one["default"]) for one in first))
    )
    for kind, name in ICU.items():
        mine = icu == kind
        whole = measure(y[mine], risk[mine], decision[mine], np.arange(mine.sum()), threshold=None)
        said = (
            f"{whole[key]['value']:.3f} [{whole[key]['low']:.3f}, {whole[key]['high']:.3f}]"
            for key in ("auroc", "auprc")
        )
        print(f"{name:<18}n {mine.sum():,}, deaths {int(y[mine].sum())}, AUROC, AUPRC: " + ", ".join(said))


if __name__ == "__main__":
    main()
