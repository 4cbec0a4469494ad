"""The threshold above which a probability becomes a decision, chosen by a named rule on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..records import did_you_mean, shown

NAMES = ("youden", "f1", "min_sens_ppv")
GENERAL = "youden"
NUMBERED: dict[str, tuple[str, Callable[[float], bool]]] = {
    "sensitivity": ("S with S in (0, 1]", lambda value: 0 < value <= 1),
    "specificity": ("S with S in (0, 1]", lambda value: 0 < value <= 1),
    "cost": ("C with C > 0", lambda value: 0 < value < float("inf")),
    "net_benefit": ("P with P in (0, 1)", lambda value: 0 < value < 1),
}


def check_rule(rule: str) -> str:
    """The rule itself. Raises ValueError if it is none, or its number is out of range."""
    name, colon, number = rule.partition(":")
    if not colon and name in NAMES:
        return rule
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if name in NUMBERED and NUMBERED[name][1](value):
        return rule
    forms = [*NAMES, *(f"{name}:{number}" for name, (number, _) in NUMBERED.items())]
    raise ValueError(f"{rule!r} is none of {', '.join(forms)}")


def read_rules(entries: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The general rule, and those of single targets: of entries such as `youden` and `death=sensitivity:0.9`.

    The general rule is youden where no entry gives one. Raises ValueError for what is no rule, for two general rules
    and for two of one target.
    """
    general: list[str] = []
    single: dict[str, str] = {}
    for entry in entries:
        target, equals, rule = entry.rpartition("=")
        if not equals:
            general.append(check_rule(entry))
        elif target.strip() in single:
            raise ValueError(f"{shown(target.strip())} has two rules")
        else:
            single[target.strip()] = check_rule(rule.strip())
    if len(general) > 1:
        raise ValueError(f"{' and '.join(general)} are two rules for all targets: write TARGET=RULE for one of them")
    return (general or [GENERAL])[0], single


def check_targets(entries: Iterable[str], targets: Sequence[str], grouped: Sequence[str]) -> None:
    """Raises ValueError if a rule is of a target that is not among `targets`, or is a class of an exclusive group.

    grouped  the targets in exclusive groups, whose most probable class is decided, without a threshold
    """
    for target in read_rules(entries)[1]:
        if target not in targets:
            raise ValueError(f"there is no target {shown(target)}{did_you_mean(target, targets)}")
        if target in grouped:
            raise ValueError(f"{target} is a class of an exclusive group: the most probable is decided, by no rule")


def rule_of(entries: Iterable[str], target: str) -> str:
    """The rule of one target: its own, or the general one."""
    general, single = read_rules(entries)
    return single.get(target, general)


def named_probability(rule: str) -> float | None:
    """The probability that a rule itself names, whatever the data: of cost:C it is 1 / (1 + C), of net_benefit:P it
    is P. None for the others."""
    name, _, number = check_rule(rule).partition(":")
    if name == "cost":
        return 1 / (1 + float(number))
    return float(number) if name == "net_benefit" else None


def choose_threshold(rule: str, y: np.ndarray, probs: np.ndarray) -> float:
    """The threshold in [0, 1] that `rule` picks; a record is decided 1 where probability >= threshold.

    rule   youden: the largest sensitivity + specificity - 1 (Youden, Cancer 3(1):32, 1950)
           f1: the largest F1          min_sens_ppv: the largest minimum of sensitivity and precision
           sensitivity:S: the highest threshold with at least that sensitivity
           specificity:S: the lowest threshold with at least that specificity
           cost:C: a missed case costs C false alarms, so the threshold is 1 / (1 + C)
           net_benefit:P: the largest net benefit, TP/n - FP/n * P / (1 - P), where P is the probability at which one
           is in two minds (Vickers & Elkin, Med Decis Making 26:565, 2006); near P if the probabilities are calibrated
    y      0 or 1, (n,); probs  in [0, 1], (n,)
    Where deciding nobody 1 is best, specificity and net_benefit give a threshold just above the highest probability.
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
    false_rate = (flagged - true) / max(negatives, 1)
    if name == "sensitivity":
        return float(ranked[cuts[np.argmax(sensitivity >= float(number))]])
    scores: dict[str, Callable[[], np.ndarray]] = {
        "youden": lambda: sensitivity - false_rate,
        "f1": lambda: 2 * true / (flagged + positives),
        "min_sens_ppv": lambda: np.minimum(sensitivity, precision),
        "specificity": lambda: np.where(1 - false_rate >= float(number), flagged, -1.0),
        "net_benefit": lambda: true - (flagged - true) * float(number) / (1 - float(number)),
    }
    score = scores[name]()
    if name in ("specificity", "net_benefit") and score.max() < 0:
        return float(np.nextafter(ranked[0], 2))
    return float(ranked[cuts[np.argmax(score)]])
