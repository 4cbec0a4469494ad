"""The threshold above which a probability becomes a decision, chosen by a named rule on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

NAMES = ("youden", "f1", "min_sens_ppv")


def check_rule(rule: str) -> str:
    """The rule itself. Raises ValueError if it is none, or its number is out of range."""
    name, colon, number = rule.partition(":")
    if not colon and name in NAMES:
        return rule
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if (name == "sensitivity" and 0 < value <= 1) or (name == "cost" and 0 < value < float("inf")):
        return rule
    raise ValueError(f"{rule!r} is none of {', '.join(NAMES)}, sensitivity:S with S in (0, 1], cost:C with C > 0")


def choose_threshold(rule: str, y: np.ndarray, probs: np.ndarray) -> float:
    """The threshold in [0, 1] that `rule` picks; a record is decided 1 where probability >= threshold.

    rule   youden: the largest sensitivity + specificity - 1 (Youden, Cancer 3(1):32, 1950)
           f1: the largest F1          min_sens_ppv: the largest minimum of sensitivity and precision
           sensitivity:S: the highest threshold with at least that sensitivity
           cost:C: a missed case costs C false alarms, so the threshold is 1 / (1 + C)
    y      0 or 1, (n,); probs  in [0, 1], (n,)
    Raises ValueError if the rule is none of these.
    """
    name, _, number = check_rule(rule).partition(":")
    if name == "cost":
        return 1 / (1 + float(number))
    order = np.argsort(-probs, kind="stable")
    ranked = probs[order]
    # A cut lies below the last of equal probabilities.
    cuts = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    true, flagged = np.cumsum(y[order])[cuts], cuts + 1.0
    positives, negatives = y.sum(), len(y) - y.sum()
    sensitivity = true / max(positives, 1)
    precision = true / flagged
    if name == "sensitivity":
        return float(ranked[cuts[np.argmax(sensitivity >= float(number))]])
    scores: dict[str, Callable[[], np.ndarray]] = {
        "youden": lambda: sensitivity - (flagged - true) / max(negatives, 1),
        "f1": lambda: 2 * true / (flagged + positives),
        "min_sens_ppv": lambda: np.minimum(sensitivity, precision),
    }
    return float(ranked[cuts[np.argmax(scores[name]())]])
