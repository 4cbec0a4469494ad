"""Which quantities may only raise, or only lower, a risk: what a clinician knows before any data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .plans import LEVELS, FeaturePlan

_DIRECTIONS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class Constraint:
    """quantity: a code, a derived quantity or age_years; direction: 1 raises the risk, -1 lowers it; target: "" all."""

    quantity: str
    direction: int
    target: str = ""


def read_constraints(entries: Iterable[str]) -> tuple[Constraint, ...]:
    """`CODE=up`, `CODE=down` or `TARGET:CODE=down`. Raises ValueError for anything else."""
    found = []
    for entry in entries:
        left, equals, word = entry.partition("=")
        target, _, quantity = left.strip().rpartition(":")
        if not equals or not quantity or word.strip() not in _DIRECTIONS:
            raise ValueError(f"{entry!r}: write CODE=up, CODE=down or TARGET:CODE=down")
        found.append(Constraint(quantity.strip(), _DIRECTIONS[word.strip()], target.strip()))
    return tuple(found)


def directions(plan: FeaturePlan, constraints: Sequence[Constraint], target: str) -> np.ndarray:
    """int (F,): 1, -1 or 0 for each column of the plan: of a constrained quantity all columns that are values of it
    (its last, smallest, mean ... value), and none that tells of its course or of when it was measured."""
    wanted = {one.quantity: one.direction for one in constraints if one.target in ("", target)}
    found = np.zeros(len(plan.names), dtype=np.int64)
    for place, name in enumerate(plan.names):
        quantity, dot, summary = name.rpartition(".")
        if not dot or summary in LEVELS:
            found[place] = wanted.get(quantity if dot else name, 0)
    return found
