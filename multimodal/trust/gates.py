"""Gates: the records on which the model keeps its decision back, and why.

Four gates, in this order; the first that stops a record names the reason:
  SET_UNVALIDATED  too few training records have this set of modalities: how good an answer is there, nobody has seen
  NOVEL_INPUT      the input of one modality is stranger than those of the training
  NOVEL_RECORD     several modalities are unusual at once
  CONTRADICTION    two modalities speak for and against a target, more strongly than in the training
They look at novelty, calibrated log-odds and presence, never at labels, never at other records. Their limits are fixed
on the training records, each answered out of fold: see limits.py for the share that they stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np

from ..records import Problem
from .limits import joint_limits
from .strangeness import InputLimits, Novelty, contradiction, of_present, spread, together

NO_INPUT = "NO_INPUT"
GATES = ("SET_UNVALIDATED", "NOVEL_INPUT", "NOVEL_RECORD", "CONTRADICTION")
"""In the order in which they name the reason."""
USUAL = 1.0  # however rarely the training's modalities contradict each other, both sides have to be as strong as usual

Stop = tuple[int, Problem]
"""A record's index, and what a gate says of it."""


@dataclass(frozen=True)
class Gates:
    """The limits of all gates, as `fit_gates` finds them.

    rate, min_records  what they were fitted for
    sets       {"a+b": training records that have at least these modalities}
    inputs     {modality: InputLimits}
    records    {number of modalities: limit of their mean unusualness}
    usually    float (2, M, T): how strongly each modality speaks for and against each target, see strangeness.spread
    pairs      {"a+b": limit of their contradiction}
    """

    modalities: tuple[str, ...]
    targets: tuple[str, ...]
    rate: float
    min_records: int
    sets: Mapping[str, int]
    inputs: Mapping[str, InputLimits]
    records: Mapping[int, float]
    usually: np.ndarray
    pairs: Mapping[str, float]

    def judge(self, novelty: Novelty, z: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, list[Stop]]:
        """Of n records: object (n,), the reason of abstaining or None, and what each gate says of those it stops.

        z: float (n, M, T), calibrated log-odds minus the base; present: bool (n, M). What they and the novelty hold of
        an absent modality is not looked at; a measure that the limits or the record lack stops nothing.
        """
        novelty = of_present(novelty, self.modalities, present)
        stops = [
            *self._unvalidated(present),
            *self._novel_inputs(novelty, len(present)),
            *self._novel_records(novelty, present),
            *self._contradictions(z, present),
        ]
        abstained = np.full(len(present), None, dtype=object)
        abstained[~present.any(axis=1)] = NO_INPUT
        for row, problem in stops:
            if abstained[row] is None:
                abstained[row] = problem.code
        return abstained, stops

    def _unvalidated(self, present: np.ndarray) -> Iterator[Stop]:
        for held, rows in _by_set(present):
            name = _joined(self.modalities, held)
            having = self.sets.get(name, 0)
            if held.any() and having < self.min_records:
                said = f"{having} training records have this set of inputs, fewer than {self.min_records}"
                yield from ((row, Problem("SET_UNVALIDATED", name, said)) for row in rows.tolist())

    def _novel_inputs(self, novelty: Novelty, n: int) -> Iterator[Stop]:
        for modality, limits in self.inputs.items():
            ratios = np.nan_to_num(limits.ratios(novelty[modality], n), nan=0.0)
            for row in np.flatnonzero((ratios > 1).any(axis=1)).tolist():
                worst = int(ratios[row].argmax())
                ratio, measure = float(ratios[row, worst]), list(limits.limits)[worst]
                than = f"{limits.records:,} training records" if ratio > limits.greatest else self._all_but
                said = f"stranger than all {than}: {measure} is {ratio:.3g} times the limit"
                yield row, Problem("NOVEL_INPUT", modality, said)

    def _novel_records(self, novelty: Novelty, present: np.ndarray) -> Iterator[Stop]:
        found = together(self.inputs, novelty, len(present))
        for count, limit in self.records.items():
            for row in np.flatnonzero(found[:, count] > limit).tolist():
                ratio = float(found[row, count]) / limit
                said = f"together more unusual than all {self._all_but}: {ratio:.3g} times the limit"
                yield row, Problem("NOVEL_RECORD", _joined(self.modalities, present[row]), said)

    def _contradictions(self, z: np.ndarray, present: np.ndarray) -> Iterator[Stop]:
        pairs, found = contradiction(z, present, self.usually)
        for place, (first, second) in enumerate(pairs):
            where = f"{self.modalities[first]}+{self.modalities[second]}"
            limit = self.pairs.get(where, np.inf)
            for row in np.flatnonzero((found[:, place] > limit).any(axis=1)).tolist():
                t = int(found[row, place].argmax())
                ratio = float(found[row, place, t]) / limit
                for_it, against = (first, second) if z[row, first, t] > 0 else (second, first)
                said = (
                    f"{self.modalities[for_it]} speaks for {self.targets[t]} and {self.modalities[against]} against "
                    f"it, more strongly than in all {self._all_but}: {ratio:.3g} times the limit"
                )
                yield row, Problem("CONTRADICTION", where, said)

    @property
    def _all_but(self) -> str:
        return f"but {100 * self.rate:.3g} % of the training records"

    def to_json(self) -> dict[str, Any]:
        records = {str(count): limit for count, limit in self.records.items()}
        return asdict(self) | {"records": records, "usually": _finite(self.usually)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Gates:
        modalities, targets = tuple(state["modalities"]), tuple(state["targets"])
        usually = np.array(state["usually"], dtype=float).reshape(2, len(modalities), len(targets))
        read = {
            "modalities": modalities,
            "targets": targets,
            "inputs": {name: InputLimits(**one) for name, one in state["inputs"].items()},
            "records": {int(count): limit for count, limit in state["records"].items()},
            "usually": np.where(np.isnan(usually), np.inf, usually),
        }
        return cls(**{**state, **read})


def fit_gates(
    modalities: Sequence[str],
    targets: Sequence[str],
    novelty: Novelty,
    z: np.ndarray,
    present: np.ndarray,
    *,
    rate: float,
    min_records: int,
) -> Gates:
    """The gates of training records, each of which was answered out of fold.

    novelty, z (n, M, T), present (n, M)   see Gates.judge
    rate         in [0, 1): NOVEL_INPUT stops at most this share of the records that have a modality, NOVEL_RECORD and
                 CONTRADICTION of those that have several; 0 switches all gates off
    min_records  a set that fewer records have is not validated
    """
    names = tuple(modalities), tuple(targets)
    usually = spread(z, present)
    if rate == 0:
        return Gates(*names, rate, 0, {}, {}, {}, usually, {})
    novelty = of_present(novelty, modalities, present)
    inputs = {name: found for name, one in novelty.items() if one and (found := InputLimits.of(one, rate))}
    of_number = joint_limits(together(inputs, novelty, len(present)), rate)
    pairs, found = contradiction(z, present, usually)
    of_pair = joint_limits(found.max(axis=2), rate) if pairs else []
    return Gates(
        *names,
        rate,
        min_records,
        sets={
            "+".join(modalities[m] for m in held): int(present[:, held].all(axis=1).sum())
            for size in range(1, len(modalities) + 1)
            for held in combinations(range(len(modalities)), size)
        },
        inputs=inputs,
        records={count: limit for count, limit in enumerate(of_number.tolist()) if isfinite(limit)},
        usually=usually,
        pairs={
            f"{modalities[first]}+{modalities[second]}": max(float(limit), USUAL)
            for (first, second), limit in zip(pairs, of_pair, strict=True)
            if isfinite(limit)
        },
    )


def _by_set(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each set of modalities that occurs, bool (M,), and the rows that have it."""
    sets, which = np.unique(present, axis=0, return_inverse=True)
    for place, held in enumerate(sets):
        yield held, np.flatnonzero(which.ravel() == place)


def _joined(modalities: Sequence[str], held: Sequence[bool]) -> str:
    return "+".join(name for name, there in zip(modalities, held, strict=True) if there)


def _finite(values: np.ndarray) -> list:
    """Nested lists for JSON, null for what is not finite."""
    return np.where(np.isfinite(values), values, None).tolist()
