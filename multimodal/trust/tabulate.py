"""From scored records to the tables of metrics.json: which records count for which figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..records import Target
from .metrics import equal_count_bins, measure, measure_group

ROC_POINTS = 200  # more would only make the report heavier
Z95 = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Answers:
    """One way to answer n records on T targets.

    probability  float (n, T), NaN where this way has no answer; a score where `is_probability` is False
    decision     float (n, T), 0 or 1, NaN where there is none
    threshold    float (T,), NaN for a class of an exclusive group
    """

    probability: np.ndarray
    decision: np.ndarray
    threshold: np.ndarray
    is_probability: bool = True


@dataclass(frozen=True)
class Group:
    """One group of exclusive classes.

    classes         every class that occurs in the cohort or in the model
    truth, decided  object (n,), a class name; truth is None where unknown
    """

    classes: tuple[str, ...]
    truth: np.ndarray
    decided: np.ndarray


def group_of(
    group: str,
    ours: Sequence[str],
    targets: Mapping[str, Target],
    labels_of: Callable[[list[str]], np.ndarray],
    decision: np.ndarray,
) -> Group | None:
    """The exclusive group as a cohort has it: also classes that the model left out, whose records count as wrong.

    ours       the model's classes; decision  float (n, len(ours)), one 1 a row
    targets    the cohort's; labels_of(names) gives its labels, float (n, len(names))
    Returns None where cohort and model share no class.
    """
    theirs = [name for name, target in targets.items() if target.group == group or name in ours]
    if not set(ours) & set(theirs):
        return None
    labels = np.nan_to_num(np.asarray(labels_of(theirs), dtype=float))
    truth = np.array(theirs, dtype=object)[labels.argmax(axis=1)]
    truth[labels.max(axis=1) < 1] = None
    decided = np.array(ours, dtype=object)[np.nan_to_num(decision).argmax(axis=1)]
    return Group((*ours, *(name for name in theirs if name not in ours)), truth, decided)


@dataclass(frozen=True)
class Scored:
    """n records with known or unknown labels on T targets, and what the model says with M modalities.

    labels     float (n, T): 0, 1, NaN unknown
    patients   object (n,)
    present    bool (n, M), the usable modalities
    abstained  bool (n,), a gate kept the decision back
    fused      the model's answers; `single`, those with only one modality shown, the base rate where a record lacks it
    baselines  those of the plain methods, by name
    """

    targets: tuple[str, ...]
    modalities: tuple[str, ...]
    labels: np.ndarray
    patients: np.ndarray
    present: np.ndarray
    abstained: np.ndarray
    fused: Answers
    single: Mapping[str, Answers]
    baselines: Mapping[str, Answers] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)


def tabulate(scored: Scored, *, resamples: int = 1000, random_state: int = 0) -> dict[str, dict]:
    """{"targets": ..., "groups": ...} of metrics.json (DESIGN.md, section 2).

    `fused` and `single`: label known, at least one modality usable, gates not applied. `baselines`: those of them that
    the baseline has an answer for; n is 0 where it does not answer this target. `answered`: those not abstained on.
    `present`: by the exact set of usable modalities; sets that no such record has are left out.
    """
    # Ids as numbers, once: sorting texts for every figure would take longer than the figures.
    patients = np.unique(scored.patients.astype(str), return_inverse=True)[1]
    usable = scored.present.any(axis=1)

    def figures(answers: Answers, t: int, rows: np.ndarray) -> dict:
        probability, decision = answers.probability[:, t], answers.decision[:, t]
        rows = rows & ~np.isnan(probability) & ~np.isnan(decision)
        return measure(
            scored.labels[rows, t],
            probability[rows],
            decision[rows],
            patients[rows],
            threshold=answers.threshold[t],
            is_probability=answers.is_probability,
            resamples=resamples,
            random_state=random_state,
        )

    targets = {}
    for t, target in enumerate(scored.targets):
        rows = usable & ~np.isnan(scored.labels[:, t])
        targets[target] = {
            "fused": figures(scored.fused, t, rows),
            "answered": figures(scored.fused, t, rows & ~scored.abstained),
            "single": {name: figures(answers, t, rows) for name, answers in scored.single.items()},
            "baselines": {name: figures(answers, t, rows) for name, answers in scored.baselines.items()},
            "present": {
                "+".join(shown): {
                    "fused": figures(scored.fused, t, rows & exactly),
                    "single": {name: figures(scored.single[name], t, rows & exactly) for name in shown},
                }
                for shown, exactly in _sets(scored)
                if (rows & exactly).any()
            },
        }
    groups = {}
    for name, group in scored.groups.items():
        rows = usable & np.array([label is not None for label in group.truth], dtype=bool)
        groups[name] = measure_group(
            group.truth[rows],
            group.decided[rows],
            patients[rows],
            classes=group.classes,
            resamples=resamples,
            random_state=random_state,
        )
    return {"targets": targets, "groups": groups}


def _sets(scored: Scored):
    """Every set of modalities, small ones first: (names, bool (n,) the records in which exactly it is usable)."""
    bits = 1 << np.arange(len(scored.modalities))
    held = scored.present @ bits
    for subset in sorted(range(1, 1 << len(bits)), key=lambda s: (s.bit_count(), s)):
        yield tuple(name for m, name in enumerate(scored.modalities) if subset >> m & 1), held == subset


def curves(scored: Scored) -> dict[str, dict]:
    """What the report draws, per target: {"roc": {way: (false positive rates, sensitivities)}, "calibration": [bin]}.

    A way is "fused" or a modality. A bin is {"n", "mean" probability, "observed" share, "low", "high"}, the last two
    its 95 % Wilson interval; bins hold equal counts. The records are those of `fused`.
    """
    drawn = {}
    usable = scored.present.any(axis=1)
    for t, target in enumerate(scored.targets):
        rows = usable & ~np.isnan(scored.labels[:, t])
        y = scored.labels[rows, t]
        ways = {"fused": scored.fused, **scored.single}
        both = 0 < y.sum() < len(y)
        drawn[target] = {
            "roc": {name: roc_points(y, way.probability[rows, t]) for name, way in ways.items()} if both else {},
            "calibration": calibration_bins(y, scored.fused.probability[rows, t]),
        }
    return drawn


def roc_points(y: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float]]:
    """False positive rate and sensitivity at each distinct score (at most 200 of them), from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    hits = np.r_[0, np.cumsum(y[order])[last]]
    alarms = np.r_[0, np.cumsum(1 - y[order])[last]]
    kept = np.unique(np.linspace(0, len(hits) - 1, min(len(hits), ROC_POINTS)).round().astype(int))
    return (alarms[kept] / alarms[-1]).tolist(), (hits[kept] / hits[-1]).tolist()


def calibration_bins(y: np.ndarray, probability: np.ndarray) -> list[dict]:
    """The bins of the calibration error, empty ones left out.

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
