"""The curves of a report: ROC, precision-recall, calibration, net benefit; bands by the patients' resamples."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from .bootstrap import Resamples, draw
from .metrics import equal_count_bins
from .tabulate import Scored

POINTS = 200  # of a curve; more would only make the report heavier
SMOOTH_POINTS = 60
THRESHOLDS = 80
Z95 = 1.959964  # 97.5 % quantile of the normal distribution


def curves(scored: Scored, *, resamples: int = 1000, random_state: int = 0) -> dict[str, dict]:
    """What the report draws, per target, on the records of `fused`:

    roc          {way: (false positive rates, sensitivities)}; precision_recall {way: (recalls, precisions)}; both empty
                 where there is one class only. A way is "fused" or a modality.
    calibration  see `calibration_bins`; smooth: see `calibration_curve`
    net_benefit  see `net_benefits`
    """
    patients = np.unique(scored.patients.astype(str), return_inverse=True)[1]
    whole = draw(patients, resamples=resamples, random_state=random_state)
    drawn = {}
    for t, target in enumerate(scored.targets):
        rows = scored.usable(t)
        y = scored.labels[rows, t]
        ways = {name: way.probability[rows, t] for name, way in {"fused": scored.fused, **scored.single}.items()}
        both = 0 < y.sum() < len(y)
        drawn[target] = {
            "roc": {name: roc_points(y, way) for name, way in ways.items()} if both else {},
            "precision_recall": {name: precision_recall_points(y, way) for name, way in ways.items()} if both else {},
            "calibration": calibration_bins(y, ways["fused"]),
            "smooth": calibration_curve(y, ways["fused"], whole.of(rows)),
            "net_benefit": net_benefits(y, ways, whole.of(rows)),
        }
    return drawn


def _counts(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when all at or above each distinct score are called positive, the highest first."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return np.cumsum(y[order])[last], np.cumsum(1 - y[order])[last]


def _thinned(n: int) -> np.ndarray:
    """At most POINTS of n places, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int))


def roc_points(y: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float]]:
    """False positive rate and sensitivity at each distinct score (at most 200 of them), from (0, 0) to (1, 1)."""
    hits, alarms = (np.r_[0, counts] for counts in _counts(y, score))
    kept = _thinned(len(hits))
    return (alarms[kept] / alarms[-1]).tolist(), (hits[kept] / hits[-1]).tolist()


def precision_recall_points(y: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float]]:
    """Recall and precision at each distinct score (at most 200 of them), from the highest score to recall 1."""
    hits, alarms = _counts(y, score)
    kept = _thinned(len(hits))
    return (hits[kept] / hits[-1]).tolist(), (hits[kept] / (hits + alarms)[kept]).tolist()


def calibration_bins(y: np.ndarray, probability: np.ndarray) -> list[dict]:
    """The bins of the calibration error, empty ones left out: {"n", "mean" probability, "observed" share, "low",
    "high"}, the last two its 95 % Wilson interval; bins hold equal counts.

    Wilson intervals: E. B. Wilson, JASA 22:209, 1927.
    """
    distinct, which, counts = np.unique(probability, return_inverse=True, return_counts=True)
    bin_of = equal_count_bins(counts.astype(float))[which] if len(distinct) else which
    bins = []
    for b in np.unique(bin_of):
        inside = bin_of == b
        n, share = int(inside.sum()), float(y[inside].mean())
        middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
        bins.append(
            {
                "n": n,
                "mean": float(probability[inside].mean()),
                "observed": share,
                # At 0 and n hits one bound is exactly the share; the formula misses it by a rounding error.
                "low": min(max(0.0, float(middle - half)), share),
                "high": max(min(1.0, float(middle + half)), share),
            }
        )
    return bins


def calibration_curve(y: np.ndarray, probability: np.ndarray, drawn: Resamples) -> dict[str, list[float]]:
    """The observed share as a smooth function of the probability, with its 95 % band over the patients.

    Gaussian kernel over the log-odds (Nadaraya, Theory Probab. Appl. 9:141, 1964), 60 places between their 1 % and 99 %
    quantiles, width by Silverman's rule (Density Estimation, 1986, eq. 3.31). The labels and the probabilities are
    smoothed alike, so that a calibrated model lies on the diagonal however steep its curve is.
    Returns {"mean" probability, "observed", "low", "high"}, rising in the first; {} for fewer than two probabilities.
    The band is [] where there are no resamples.
    """
    log_odds = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    if len(np.unique(log_odds)) < 2:
        return {}
    quarters = np.subtract(*np.quantile(log_odds, [0.75, 0.25])) / 1.34
    spread = min(log_odds.std(), quarters) if quarters > 0 else log_odds.std()
    width = 0.9 * spread * len(y) ** -0.2
    places = np.linspace(*np.quantile(log_odds, [0.01, 0.99]), SMOOTH_POINTS)
    # A place may be far from all records: less its largest, no column of the kernel underflows; the factor cancels.
    away = -(((log_odds[:, None] - places) / width) ** 2) / 2
    kernel = np.exp(away - away.max(axis=0))

    def smooth(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
        return (weights * values) @ kernel / np.maximum(weights @ kernel, 1e-12)

    one = np.ones((1, len(y)))
    mean, observed = smooth(one, probability)[0], smooth(one, y)[0]
    away_from_mean = [smooth(weights, y - probability) for weights in drawn.weights()]
    low, high = _band(away_from_mean, len(places))
    return {
        "mean": mean.tolist(),
        "observed": observed.tolist(),
        "low": np.clip(mean + low, 0, 1).tolist() if len(low) else [],
        "high": np.clip(mean + high, 0, 1).tolist() if len(high) else [],
    }


def _band(chunks: list[np.ndarray], places: int) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5 % and 97.5 % quantile at each place, over the resamples; empty where there are none."""
    samples = np.concatenate([np.empty((0, places)), *chunks])
    return tuple(np.quantile(samples, [0.025, 0.975], axis=0)) if len(samples) else (np.empty(0), np.empty(0))


def net_benefit(y: np.ndarray, probability: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """What deciding at each threshold is worth, in true positives a record: tp / n - fp / n * threshold / (1 -
    threshold), of the records with probability >= threshold. A threshold says what a false alarm costs.

    y  0/1 (n,); probability  float (n,); threshold  float (k,) in (0, 1). Returns float (k,).
    Vickers and Elkin, Medical Decision Making 26:565, 2006.
    """
    return (_gains(y, probability, threshold).mean(axis=0)) if len(y) else np.full(len(threshold), np.nan)


def _gains(y: np.ndarray, probability: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """float (n, k): what each record adds at each threshold."""
    worth = np.where(y[:, None] == 1, 1.0, -threshold / (1 - threshold))
    return np.where(probability[:, None] >= threshold, worth, 0.0)


def net_benefits(y: np.ndarray, ways: dict[str, np.ndarray], drawn: Resamples) -> dict:
    """The decision curve: {"threshold", "all": treat everybody, "ways": {way: net benefit}, "low", "high": of fused}.

    80 thresholds up to the one that 1 % of the records reach by the probability of `fused`, at least 0.05 and at most
    0.95: beyond it nearly nobody is treated, and all that is left is noise. {} without records.
    """
    if not len(y):
        return {}
    end = float(np.clip(np.quantile(ways["fused"], 0.99), 0.05, 0.95))
    threshold = np.linspace(end / THRESHOLDS, end, THRESHOLDS)
    gains = _gains(y, ways["fused"], threshold)
    chunks = [weights @ gains / weights.sum(axis=1, keepdims=True) for weights in drawn.weights()]
    low, high = _band(chunks, THRESHOLDS)
    return {
        "threshold": threshold.tolist(),
        "all": net_benefit(y, np.ones(len(y)), threshold).tolist(),
        "ways": {name: net_benefit(y, way, threshold).tolist() for name, way in ways.items()},
        "low": low.tolist(),
        "high": high.tolist(),
    }
