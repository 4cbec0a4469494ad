"""Which quantities may only raise, or only lower, a risk: what a clinician knows before any data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..records import RULES, MeasurementTable, did_you_mean
from .derived import DERIVED, PER_RECORD
from .plans import LEVELS, FeaturePlan

_DIRECTIONS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class Constraint:
    """quantity: a code, a derived quantity or age_years; direction: 1 raises the risk, -1 lowers it; target: "" all."""

    quantity: str
    direction: int
    target: str = ""


def read_constraints(entries: Iterable[str]) -> tuple[Constraint, ...]:
    """`CODE=up`, `CODE=down` or `TARGET:CODE=down`. Raises ValueError for anything else, and where two disagree."""
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        left, equals, word = entry.partition("=")
        target, _, quantity = (part.strip() for part in left.rpartition(":"))
        if not equals or not quantity or word.strip() not in _DIRECTIONS:
            raise ValueError(f"{entry!r}: write CODE=up, CODE=down or TARGET:CODE=down")
        direction = _DIRECTIONS[word.strip()]
        if found.setdefault((target, quantity), direction) != direction:
            raise ValueError(f"{quantity} cannot be up and down")
    return tuple(Constraint(quantity, direction, target) for (target, quantity), direction in found.items())


def check_constraints(constraints: Sequence[Constraint], table: MeasurementTable, targets: Collection[str]) -> None:
    """Raises ValueError for what is neither a quantity or flag of the table, nor derived, nor age_years, and for a
    target that is none."""
    codes = [code for code, kind in table.items() if kind.kind != "category"]
    known = [*codes, *DERIVED, *PER_RECORD, *RULES, "age_years"]
    for one in constraints:
        for name, names, what in ((one.quantity, known, "quantity"), (one.target, ["", *targets], "target")):
            if name not in names:
                raise ValueError(f"there is no {what} {name!r}{did_you_mean(name, names)}")


def directions(plan: FeaturePlan, constraints: Sequence[Constraint], target: str) -> np.ndarray:
    """int (F,): 1, -1 or 0 for each column of the plan: of a constrained quantity all columns that are values of it
    (its last, smallest, mean ... value), and none that tells of its course or of when it was measured."""
    wanted = _of_target(constraints, target)
    found = np.zeros(len(plan.names), dtype=np.int64)
    for place, name in enumerate(plan.names):
        quantity, dot, summary = name.rpartition(".")
        if not dot or summary in LEVELS:
            found[place] = wanted.get(quantity if dot else name, 0)
    return found


def mixed(plan: FeaturePlan, constraints: Sequence[Constraint], target: str) -> np.ndarray:
    """bool (F,): the columns that are made of a constrained quantity and others, and are not constrained themselves.

    A model that heeds the constraints does without them: by them, more of the quantity could still lower the risk.
    """
    wanted = _of_target(constraints, target)
    inputs = {name: {code for codes in one.inputs for code in codes} for name, one in DERIVED.items()}
    inputs |= {name: {*one.inputs, "age_years"} for name, one in PER_RECORD.items()}
    rules = {name: {code for codes in rule.inputs.values() for code in codes} for name, rule in RULES.items()}
    inputs = {name: codes for name, codes in (rules | inputs).items() if name not in wanted and codes & wanted.keys()}
    return np.array([(name.rpartition(".")[0] or name) in inputs for name in plan.names])


def _of_target(constraints: Sequence[Constraint], target: str) -> dict[str, int]:
    """{quantity: direction} of one target; its own entries count before those of all."""
    general = {one.quantity: one.direction for one in constraints if not one.target}
    return general | {one.quantity: one.direction for one in constraints if one.target == target}
