"""The bedside rules: what each is called, what it is made of, and from which value on it calls for action.

This is the only place that names them; `vitals.scores` computes them. All are for adults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rule:
    """One rule.

    display    its name for people
    low, high  the span of its values; high is None where it has no upper end
    threshold  the published value at or above which it calls for action; action: for which
    source     of the rule and of its threshold
    inputs     {name: the measurements it is made of}; any of them will do but where `needs` says more, and where it is
               missing it counts as normal
    needs      without what the rule is not computed
    """

    display: str
    low: float
    high: float | None
    threshold: float
    action: str
    source: str
    inputs: Mapping[str, tuple[str, ...]]
    needs: str

    @property
    def span(self) -> str:
        return f"{self.low:g} and more" if self.high is None else f"{self.low:g} to {self.high:g}"


SYSTOLIC = ("systolic_bp_invasive", "systolic_bp")  # at the same time, the line counts
_CONSCIOUSNESS = ("consciousness_acvpu", "gcs_total")

RULES: Mapping[str, Rule] = {
    "news2": Rule(
        display="NEWS2",
        low=0,
        high=20,
        threshold=5,
        action="urgent response",
        source="Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017, charts 1 and 2; "
        "that 3 points in one parameter alone call for a response, too, is not looked for",
        inputs={
            "respiratory rate": ("respiratory_rate",),
            "oxygen saturation": ("oxygen_saturation", "arterial_oxygen_saturation"),
            "oxygen": ("supplemental_oxygen", "fio2", "oxygen_flow", "mechanical_ventilation"),
            "systolic pressure": SYSTOLIC,
            "pulse": ("heart_rate",),
            "consciousness": _CONSCIOUSNESS,
            "temperature": ("temperature",),
        },
        needs="systolic pressure, pulse, temperature, and respiratory rate or oxygen saturation",
    ),
    "qsofa": Rule(
        display="qSOFA",
        low=0,
        high=3,
        threshold=2,
        action="poor outcome likely if infected",
        source="Singer et al., JAMA 315(8):801, 2016",
        inputs={
            "respiratory rate": ("respiratory_rate",),
            "systolic pressure": SYSTOLIC,
            "consciousness": _CONSCIOUSNESS,
        },
        needs="two of the three",
    ),
    "shock_index": Rule(
        display="shock index",
        low=0,
        high=None,
        threshold=0.9,
        action="immediate treatment",
        source="Allgöwer and Burri, Dtsch Med Wochenschr 92(43):1947, 1967; 0.9: Rady et al., Ann Emerg Med 24:685, "
        "1994 (there: above 0.9)",
        inputs={"pulse": ("heart_rate",), "systolic pressure": SYSTOLIC},
        needs="both",
    ),
    "sofa": Rule(
        display="SOFA",
        low=0,
        high=24,
        threshold=2,
        action="organ dysfunction, sepsis if infected",
        source="Vincent et al., Intensive Care Med 22:707, 1996; 2: Singer et al., JAMA 315(8):801, 2016",
        inputs={
            "respiration": ("pao2", "fio2", "mechanical_ventilation"),
            "coagulation": ("platelets",),
            "liver": ("bilirubin_total",),
            "circulation": (
                "mean_bp",
                "mean_bp_invasive",
                "dopamine",
                "dobutamine",
                "epinephrine",
                "norepinephrine",
            ),
            "coma scale": ("gcs_total",),
            "kidneys": ("creatinine", "urine_output"),
        },
        needs="three of the six; respiration needs PaO2 and FiO2, urine a whole day",
    ),
}
MOST_INPUTS = max(len(rule.inputs) for rule in RULES.values())


@dataclass(frozen=True)
class RuleScores:
    """The rules of n records, in the order of RULES (R of them).

    value    float (n, R), NaN where the rule cannot be computed
    missing  bool (n, R, MOST_INPUTS): input i of the rule, in its order, was missing and counted as normal
    """

    value: np.ndarray
    missing: np.ndarray

    @property
    def alert(self) -> np.ndarray:
        """float (n, R): 1 at or above the published threshold, else 0; NaN where there is no value."""
        thresholds = np.array([rule.threshold for rule in RULES.values()])
        return np.where(np.isnan(self.value), np.nan, self.value >= thresholds)

    @classmethod
    def none(cls, n: int) -> RuleScores:
        """n records for which no rule can be computed."""
        return cls(np.full((n, len(RULES)), np.nan), np.zeros((n, len(RULES), MOST_INPUTS), dtype=bool))

    @classmethod
    def joined(cls, parts: Sequence[RuleScores]) -> RuleScores:
        return cls(np.concatenate([part.value for part in parts]), np.concatenate([part.missing for part in parts]))
