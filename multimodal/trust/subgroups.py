"""The figures of subgroups, each against everybody else; small groups are suppressed.

A group with fewer than 20 records, or fewer than 5 of either class, has no figures, and below 10 records no counts.
That keeps single patients out of a printed table; it is no protection against someone who subtracts the groups that are
shown from the total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .metrics import Sampled

FEWEST_RECORDS = 20
FEWEST_OF_A_CLASS = 5
FEWEST_COUNTED = 10
COMPARED = ("auroc", "auprc", "brier", "ece", "sensitivity", "specificity")
UNKNOWN = "unknown"
AGE_BANDS = {"<18": 18, "18-39": 40, "40-64": 65, "65-79": 80, "80+": np.inf}
"""Name and the age in years that a band ends before."""


@dataclass(frozen=True)
class Parting:
    """n records in groups. names: of the groups, in order; of  int (n,), the group of each record."""

    names: tuple[str, ...]
    of: np.ndarray


def by_value(values: Sequence[str], order: Sequence[str] = ()) -> Parting:
    """Records by a text, "" where it is not known. order: the texts in their order; else the alphabet's."""
    values = np.array([str(value) or UNKNOWN for value in values], dtype=object)
    found = set(values)
    names = [*(name for name in order if name in found), *sorted(found - {*order, UNKNOWN})]
    names += [UNKNOWN] if UNKNOWN in found else []
    place = {name: i for i, name in enumerate(names)}
    return Parting(tuple(names), np.array([place[value] for value in values], dtype=int))


def by_age(age_years: np.ndarray) -> Parting:
    """Records by AGE_BANDS; NaN is not known."""
    band = np.searchsorted(list(AGE_BANDS.values()), age_years, side="right")
    names = np.array([*AGE_BANDS, ""], dtype=object)  # NaN is sorted after every number
    return by_value(names[band], tuple(AGE_BANDS))


def crossed(partings: Mapping[str, Parting]) -> dict[str, Parting]:
    """The partings, and each two of them together, such as `sex x age` with its group `female, 65-79`."""
    both = {}
    for (a, first), (b, second) in combinations(partings.items(), 2):
        names = tuple(f"{one}, {other}" for one in first.names for other in second.names)
        both[f"{a} x {b}"] = Parting(names, first.of * len(second.names) + second.of)
    return {**partings, **both}


def measure_subgroups(
    partings: Mapping[str, Parting],
    rows: np.ndarray,
    figures: Callable[[np.ndarray], Sampled],
    expected: Callable[[np.ndarray], float | None],
) -> dict[str, dict[str, dict]]:
    """{parting: {group: {"n", "positives", "suppressed", "fused", "ece_expected", "difference"}}}, groups without a
    record left out.

    rows     bool (n,), the records that count; figures(rows), expected(rows) give those of some of them
    `difference`: the group less everybody else of `rows`, each of COMPARED with its interval; null where there is
    nobody else. A patient who has records in both is drawn into both.
    """
    return {
        name: {
            group: _group(rows & inside, rows & ~inside, figures, expected) for group, inside in _groups(parting, rows)
        }
        for name, parting in partings.items()
    }


def _groups(parting: Parting, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for i, name in enumerate(parting.names):
        inside = parting.of == i
        if (rows & inside).any():
            yield name, inside


def _group(
    inside: np.ndarray,
    outside: np.ndarray,
    figures: Callable[[np.ndarray], Sampled],
    expected: Callable[[np.ndarray], float | None],
) -> dict:
    nobody = {"n": None, "positives": None, "suppressed": True}
    nobody |= {"fused": None, "ece_expected": None, "difference": None}
    n = int(inside.sum())
    if n < FEWEST_COUNTED:
        return nobody
    found = figures(inside)
    positives = found.counts["positives"]
    if n < FEWEST_RECORDS or min(positives, n - positives) < FEWEST_OF_A_CLASS:
        return nobody | {"n": n, "positives": positives}
    return {
        "n": n,
        "positives": positives,
        "suppressed": False,
        "fused": found.document(),
        "ece_expected": expected(inside),
        "difference": found.minus(figures(outside), COMPARED) if outside.any() else None,
    }


def comparisons(targets: Mapping[str, Mapping]) -> int:
    """How many groups were compared with everybody else, over the targets of metrics.json."""
    return sum(
        group["difference"] is not None
        for found in targets.values()
        for parting in found["subgroups"].values()
        for group in parting.values()
    )
