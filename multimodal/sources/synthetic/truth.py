"""The latent model of the synthetic cohort, in which the best reachable AUROC is known.

For each target y ~ Bernoulli(prevalence), independent between targets; each modality i sees
e_i ~ Normal(+d_i / 2, 1) where y = 1 and Normal(-d_i / 2, 1) where y = 0, independent between modalities given y.
The log likelihood ratio of a set S is the sum of d_i * e_i; it is normal with variance D2 = sum of d_i^2 in both
classes and its means lie D2 apart, so that no score of S has an AUROC above Phi(sqrt(D2 / 2)).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import erf, sqrt

import numpy as np

from ...records import Target

MODALITIES = ("image", "notes", "vitals")
# Evidence is shown up to this many standard deviations from either class's mean; what lies beyond is cut off.
SHOWN_SD = 3.0


@dataclass(frozen=True)
class LatentTarget:
    """One target's truth.

    prevalence  P(y = 1)
    d           {modality: distance of the two classes' means, in standard deviations of the evidence}
    """

    prevalence: float
    d: Mapping[str, float]
    form: Target


def _latent(prevalence: float, d: Mapping[str, float], form: Target) -> LatentTarget:
    best = {subset: _best(d, subset.split("+")) for subset in _subsets(d)}
    listed = ", ".join(f"{subset} {value:.4f}" for subset, value in best.items())
    description = f"{form.description}; prevalence {prevalence:g}; best reachable AUROC: {listed}"
    return LatentTarget(prevalence, d, form.model_copy(update={"description": description}))


def _best(d: Mapping[str, float], modalities: Collection[str]) -> float:
    separation = sqrt(sum(d[modality] ** 2 for modality in modalities) / 2)
    return 0.5 * (1 + erf(separation / sqrt(2)))


def _subsets(modalities: Collection[str]) -> list[str]:
    return ["+".join(subset) for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]


LATENT: dict[str, LatentTarget] = {
    target.form.name: target
    for target in (
        _latent(
            0.35,
            {"image": 1.4, "notes": 1.3, "vitals": 1.1},
            Target(name="pneumonia", kind="diagnosis", description="Synthetic pneumonia", words=("pneumonia",)),
        ),
        _latent(
            0.30,
            {"image": 1.3, "notes": 1.4, "vitals": 1.1},
            Target(
                name="heart_failure",
                kind="diagnosis",
                description="Synthetic heart failure",
                words=("heart failure",),
            ),
        ),
        _latent(
            0.30,
            {"image": 1.0, "notes": 1.3, "vitals": 1.4},
            Target(
                name="deterioration",
                kind="risk",
                horizon_hours=48,
                description="Synthetic deterioration within 48 hours",
                words=("deterioration",),
            ),
        ),
    )
}
TARGETS = tuple(LATENT)


def best_auroc(target: str, modalities: Collection[str]) -> float:
    """The AUROC that no score of these modalities can exceed in expectation: Phi(sqrt(sum of d^2 / 2)).

    modalities  names of MODALITIES, a set of at least one
    Raises KeyError for a target or modality that the synthetic cohort does not have.
    """
    return _best(LATENT[target].d, set(modalities))


def read_best(description: str) -> dict[str, float]:
    """{"image": 0.82, "image+notes": 0.88, ...} as a synthetic target states it; empty where there is none."""
    _, _, listed = description.partition("best reachable AUROC: ")
    return {subset: float(value) for subset, value in re.findall(r"([a-z+]+) ([01]\.\d+)", listed)}


def draw_truth(records: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels and evidence of so many records.

    Returns  y         int (records, targets), 0 or 1
             evidence  float (records, targets, modalities), in the order of TARGETS and MODALITIES
    """
    prevalence = np.array([LATENT[target].prevalence for target in TARGETS])
    d = np.array([[LATENT[target].d[modality] for modality in MODALITIES] for target in TARGETS])
    y = (random.random((records, len(TARGETS))) < prevalence).astype(int)
    noise = random.standard_normal((records, *d.shape))
    return y, noise + np.where(y[:, :, None] == 1, d / 2, -d / 2)


def shown(evidence: np.ndarray, modality: str) -> np.ndarray:
    """Evidence of one modality on the scale on which it is shown.

    evidence  float (records, targets), in standard deviations
    Returns   float (records, targets) in [0, 1]; 0 and 1 stand SHOWN_SD beyond the two classes' means.
    """
    reach = np.array([LATENT[target].d[modality] / 2 + SHOWN_SD for target in TARGETS])
    return np.clip(0.5 + evidence / (2 * reach), 0.0, 1.0)
