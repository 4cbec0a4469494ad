"""The figures of one binary target, or of one group of exclusive classes, each with its patient-bootstrap interval.

One implementation serves both: every metric is written for a matrix of weights (r, n), and the plain figure is the
one under weights of 1. A metric that is undefined (AUROC of one class, precision without a positive decision) is NaN
here and null in metrics.json, never 0 or 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from .bootstrap import Resamples, draw, interval

METRICS = (
    "auroc",
    "auprc",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "accuracy",
)
BINS = 10
NEWTON_STEPS = 30
NEAR = 0.1  # the error after a last step of Newton's is about its square
FLAT = 1e-9  # the share of a determinant that is left of its diagonal where the log-odds are all equal
SURE = 1e-9  # a probability is held so far off 0 and 1 where its log-odds are needed


def auroc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. y: 0/1 (n,); score (n,). NaN where there is only one class."""
    return _plain("auroc", y, score)


def auprc(y: np.ndarray, score: np.ndarray) -> float:
    """Average precision, without interpolation, as scikit-learn's. NaN where there is only one class."""
    return _plain("auprc", y, score)


def brier(y: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared difference of probability (n,) in [0, 1] and y. NaN without records."""
    return _plain("brier", y, probability)


def ece(y: np.ndarray, probability: np.ndarray) -> float:
    """Expected calibration error over 10 bins of equal count (see `equal_count_bins`). NaN without records."""
    return _plain("ece", y, probability)


def _plain(name: str, y: np.ndarray, score: np.ndarray) -> float:
    y, score = np.asarray(y, dtype=float), np.asarray(score, dtype=float)
    return float(weighted_metrics(y, score, np.zeros_like(y), np.ones((1, len(y))))[name][0])


def measure(
    y: np.ndarray,
    probability: np.ndarray,
    decision: np.ndarray,
    patients: np.ndarray,
    *,
    threshold: float | None = None,
    is_probability: bool = True,
    resamples: int = 1000,
    random_state: int = 0,
) -> dict:
    """The figures of one target as they stand in metrics.json.

    y            (n,), 0 or 1
    probability  float (n,), in [0, 1]; any score that rises with the risk where `is_probability` is False, and then
                 Brier score and calibration error are null
    decision     (n,), 0 or 1
    patients     (n,), whose record it is
    threshold    only written down; NaN or None (an exclusive group) gives null
    Returns {"n", "positives", "threshold", "confusion": {"tp", "fp", "tn", "fn"}} and each of METRICS as
    {"value", "low", "high"}: 95 % percentile interval over patients; no interval for a single patient.
    """
    drawn = draw(patients, resamples=resamples, random_state=random_state)
    found = sample(y, probability, decision, drawn, threshold=threshold, is_probability=is_probability)
    return found.document()


@dataclass(frozen=True)
class Sampled:
    """The figures of one way to answer, with what they are in each resample.

    counts   n, positives, threshold and confusion as in metrics.json
    values   {name: float}, NaN where undefined; samples  {name: float (r,)}, likewise
    """

    counts: Mapping
    values: Mapping[str, float]
    samples: Mapping[str, np.ndarray]

    def document(self) -> dict:
        """As it stands in metrics.json."""
        return {**self.counts, **{name: _figure(value, self.samples[name]) for name, value in self.values.items()}}

    def minus(self, other: Sampled, names: Sequence[str] = METRICS) -> dict[str, dict]:
        """{name: {"value", "low", "high"}}, how much higher each figure is than `other`'s, resample by resample: both
        of the same `draw`."""
        return {
            name: _figure(self.values[name] - other.values[name], self.samples[name] - other.samples[name])
            for name in names
        }


def sample(
    y: np.ndarray,
    probability: np.ndarray,
    decision: np.ndarray,
    drawn: Resamples,
    *,
    threshold: float | None = None,
    is_probability: bool = True,
) -> Sampled:
    """As `measure`, with the resamples kept, for differences. drawn: of these n records."""
    y, probability, decision = (np.asarray(values, dtype=float) for values in (y, probability, decision))
    assert np.isfinite([y, probability, decision]).all()

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        return weighted_metrics(y, probability, decision, weights, is_probability=is_probability)

    cells = {"tp": y * decision, "fp": (1 - y) * decision, "tn": (1 - y) * (1 - decision), "fn": y * (1 - decision)}
    counts = {
        "n": len(y),
        "positives": int(y.sum()),
        "threshold": None if threshold is None or np.isnan(threshold) else float(threshold),
        "confusion": {name: int(records.sum()) for name, records in cells.items()},
    }
    return Sampled(counts, *_resampled(figures, drawn))


def measure_group(
    truth: Sequence[str],
    decided: Sequence[str],
    drawn: Resamples,
    *,
    classes: Sequence[str],
) -> dict:
    """The figures of one group of exclusive classes as they stand in metrics.json.

    truth, decided  (n,), names out of `classes`; a class that the model never decides counts as wrong all the same
    drawn           of these n records
    Returns {"n", "classes", "accuracy", "macro_f1", "confusion"}; confusion[i][j]: records of class i decided as j.
    macro_f1 is the mean over the classes that occur in truth or decision, as scikit-learn's.
    """
    place = {name: i for i, name in enumerate(classes)}
    size = len(classes)
    cell = np.array([place[t] * size + place[d] for t, d in zip(truth, decided)], dtype=int)
    in_cell = np.zeros((len(cell), size * size))
    in_cell[np.arange(len(cell)), cell] = 1

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        confusion = (weights @ in_cell).reshape(-1, size, size)
        right = np.einsum("rii->ri", confusion)
        f1 = _ratio(2 * right, confusion.sum(1) + confusion.sum(2))
        occurs = ~np.isnan(f1)
        return {
            "accuracy": _ratio(right.sum(1), confusion.sum((1, 2))),
            "macro_f1": _ratio(np.where(occurs, f1, 0).sum(1), occurs.sum(1)),
        }

    values, samples = _resampled(figures, drawn)
    return {
        "n": len(cell),
        "classes": list(classes),
        **{name: _figure(value, samples[name]) for name, value in values.items()},
        "confusion": in_cell.sum(0).astype(int).reshape(size, size).tolist(),
    }


def _resampled(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]], drawn: Resamples
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Every figure that `figures(weights (r, n))` returns as (r,): its plain value, and its value in each resample."""
    values = figures(np.ones((1, len(drawn.patient_of))))
    chunks = [figures(weights) for weights in drawn.weights()]
    samples = {name: np.concatenate([np.empty(0), *(chunk[name] for chunk in chunks)]) for name in values}
    return {name: float(value) for name, (value,) in values.items()}, samples


def _figure(value: float, samples: np.ndarray) -> dict:
    """{"value", "low", "high"}, null where undefined."""
    low, high = (None, None) if np.isnan(value) else interval(samples)
    return {"value": None if np.isnan(value) else float(value), "low": low, "high": high}


def weighted_metrics(
    y: np.ndarray, score: np.ndarray, decision: np.ndarray, weights: np.ndarray, *, is_probability: bool = True
) -> dict[str, np.ndarray]:
    """Each of METRICS under r sets of weights.

    y, score, decision  float (n,); weights  float (r, n), whole numbers >= 0: weight 2 is the record twice
    Returns {name: float (r,)}, NaN where undefined.
    """
    tp, fp, fn, tn, squared = (
        weights @ np.stack([y * decision, (1 - y) * decision, y * (1 - decision), (1 - y) * (1 - decision),
                            (score - y) ** 2], axis=1)
    ).T  # fmt: skip
    n = weights.sum(1)
    ranking = _ranking(y, score, weights)
    undefined = np.full(len(weights), np.nan)
    slope, intercept = recalibration(y, score, weights) if is_probability else (undefined, undefined)
    return {
        "auroc": ranking["auroc"],
        "auprc": ranking["auprc"],
        "brier": _ratio(squared, n) if is_probability else undefined,
        "ece": ranking["ece"] if is_probability else undefined,
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "precision": _ratio(tp, tp + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": _ratio(tp + tn, n),
    }


def _ranking(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """AUROC, average precision and calibration error from one sorting; records of equal score move together."""
    if not len(y):
        return dict.fromkeys(("auroc", "auprc", "ece"), np.full(len(weights), np.nan))
    order = np.argsort(score, kind="stable")
    score, weights = score[order], weights[:, order]
    firsts = np.flatnonzero(np.r_[True, score[1:] != score[:-1]])
    positive, total = weights * y[order], weights
    if len(firsts) < len(score):
        positive, total = (np.add.reduceat(values, firsts, axis=1) for values in (positive, total))
    negative = total - positive
    positives, negatives = positive.sum(1), negative.sum(1)

    pairs_won = (positive * (np.cumsum(negative, 1) - negative / 2)).sum(1)
    caught = positives[:, None] - np.cumsum(positive, 1) + positive  # positives at this score or above
    flagged = (positives + negatives)[:, None] - np.cumsum(total, 1) + total
    precision = caught / np.where(flagged > 0, flagged, 1)
    both = (positives > 0) & (negatives > 0)

    bins = equal_count_bins(total) + BINS * np.arange(len(total))[:, None]
    gaps = np.bincount(bins.ravel(), (total * score[firsts] - positive).ravel(), minlength=BINS * len(total))
    return {
        "auroc": _ratio(pairs_won, positives * negatives),
        "auprc": np.where(both, _ratio((positive * precision).sum(1), positives), np.nan),
        "ece": _ratio(np.abs(gaps).reshape(-1, BINS).sum(1), positives + negatives),
    }


def recalibration(y: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calibration slope and intercept under r sets of weights; 1 and 0 where the probabilities mean what they say.

    slope      of a logistic regression of y on the log-odds; below 1 they are too bold
    intercept  of one whose slope is held at 1: above 0 they are too low on the whole (calibration in the large)
    Returns    float (r,), float (r,); NaN where there is only one class, or where log-odds separate the classes or are
               all equal (slope), as under few records.
    Cox, Biometrika 45:562, 1958; Van Calster et al., BMC Medicine 17:230, 2019.
    """
    if not len(y):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    log_odds = logit(np.clip(probability, SURE, 1 - SURE))
    # Whoever says the same with the same label is one row of a larger weight.
    (log_odds, y), which = np.unique(np.stack([log_odds, y]), axis=1, return_inverse=True)
    weights = weights[:, np.argsort(which, kind="stable")]
    if len(y) < len(which):
        weights = np.add.reduceat(weights, np.searchsorted(np.sort(which), np.arange(len(y))), axis=1)
    whole = np.bincount(which).astype(float)[None]
    found = []
    for held in (False, True):
        # From the answer on all records it is one step, and one product of matrices, to that of a large resample.
        slope, shift = _slope_and_shift(log_odds, y, whole, (np.ones(1), np.zeros(1)), 1e-9, slope_held=held)
        start = np.nan_to_num(slope, nan=1.0), np.nan_to_num(shift)
        found.append(_slope_and_shift(log_odds, y, weights, start, NEAR, slope_held=held))
    return found[0][0], found[1][1]


def _slope_and_shift(
    log_odds: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    start: tuple[np.ndarray, np.ndarray],
    near: float,
    *,
    slope_held: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for all resamples at once, until a step is below `near`; float (r,), float (r,), NaN where it
    does not settle: then the likelihood has no maximum."""
    total, positive = weights.sum(1), weights @ y
    both = (positive > 0) & (positive < total)
    slope, shift = (np.broadcast_to(one, len(weights)).copy() for one in start)
    settled = np.zeros(len(weights), dtype=bool)
    powers = np.stack([np.ones_like(log_odds), log_odds, log_odds**2], axis=1)
    for _ in range(NEWTON_STEPS):
        if np.ptp(slope) == 0 and np.ptp(shift) == 0:
            p = expit(slope[0] * log_odds + shift[0])[:, None]
            g0, g1, _ = (weights @ ((y[:, None] - p) * powers)).T
            h00, h01, h11 = (weights @ (p * (1 - p) * powers)).T
        else:
            p = expit(slope[:, None] * log_odds + shift[:, None])
            g0, g1, _ = ((weights * (y - p)) @ powers).T
            h00, h01, h11 = ((weights * (p * (1 - p))) @ powers).T
        if slope_held:
            by_slope, by_shift = np.zeros_like(slope), _ratio(g0, np.where(both, h00, 0.0))
        else:
            determinant = h00 * h11 - h01**2
            determinant = np.where(both & (determinant > FLAT * h00 * h11), determinant, 0.0)
            by_slope, by_shift = _ratio(h00 * g1 - h01 * g0, determinant), _ratio(h11 * g0 - h01 * g1, determinant)
        step = np.maximum(np.abs(by_slope), np.abs(by_shift))
        damped = np.minimum(1, 2 / np.maximum(step, 2))
        slope, shift = slope + damped * by_slope, shift + damped * by_shift
        settled = step < near
        if not (step >= near).any():
            break
    return np.where(settled, slope, np.nan), np.where(settled, shift, np.nan)


def equal_count_bins(counts: np.ndarray) -> np.ndarray:
    """The bin (0 to 9) of each distinct probability, in rising order, when the bins shall hold equal counts.

    counts   float (..., g), how many records have each distinct probability
    Returns  int (..., g). Equal probabilities share a bin, the one of their middle rank: the order of the records
             plays no part. Many ties can leave a bin empty.
    """
    middle = np.cumsum(counts, -1) - counts / 2
    total = np.maximum(counts.sum(-1, keepdims=True), 1)
    # Divided and cut, which is three times as fast as //, and the same for counts below 2**50.
    return np.minimum(BINS * middle / total, BINS - 1).astype(int)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
