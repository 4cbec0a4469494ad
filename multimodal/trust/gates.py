"""When the model stays silent: inputs, or records, unlike those that it was trained and checked on.

Four gates, fitted on what the training records looked like to models that had not seen them. None reads a label.
  SET_UNVALIDATED  so few training records had these modalities that nobody knows how good the answer is
  NOVEL_INPUT      a modality's input is stranger than those of the training, by one of its encoders' measures
  NOVEL_RECORD     no single input is that strange, but all together are
  CONTRADICTION    two modalities speak against each other more strongly than in the training
A limit lets through all but a stated share of the training records (`trust.false_alarms`); with fewer records than that
share can tell, all of them. Several gates together stop more than one share; `train` prints how many.

What they do not do: tell whether an answer is right, or find every manipulated input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..records import Problem

Novelty = Mapping[str, Mapping[str, np.ndarray]]
"""{modality: {measure: float (n,)}}, larger is stranger, NaN where it is not known."""
ORDER = ("SET_UNVALIDATED", "NOVEL_INPUT", "NOVEL_RECORD", "CONTRADICTION")
LEAST = 1e-12


@dataclass(frozen=True)
class Gates:
    """Limits of M modalities.

    counts   int (2 ** M,), the training records that have at least each set; fewer than `fewest`: not validated
    limits   {modality: {measure: limit}}; middle, spread {modality: float}, of the log of the largest ratio to a limit
    overall  the limit of the whole record's strangeness; strength float (M, T), how strongly each modality speaks
    contradiction  the limit of the strength, in those, with which two modalities speak against each other
    """

    modalities: tuple[str, ...]
    targets: tuple[str, ...]
    false_alarms: float
    fewest: int
    counts: np.ndarray
    limits: Mapping[str, Mapping[str, float]]
    middle: Mapping[str, float]
    spread: Mapping[str, float]
    overall: float
    strength: np.ndarray
    contradiction: float

    def judge(self, novelty: Novelty, present: np.ndarray, z: np.ndarray) -> Verdict:
        """novelty  of n records; present  bool (n, M); z  float (n, M, T), calibrated log-odds minus the base.

        What an absent modality holds is not read, nor any other record.
        """
        n = len(present)
        said: list[tuple[int, Problem]] = []
        stopped = np.zeros((n, len(ORDER)), dtype=bool)
        stopped[:, 0] = present.any(axis=1) & (self.counts[_codes(present)] < self.fewest)
        for row in np.flatnonzero(stopped[:, 0]).tolist():
            count = self.counts[_codes(present[[row]])[0]]
            message = f"{count:,} training records had these modalities together, fewer than {self.fewest}"
            said.append((row, Problem("SET_UNVALIDATED", "+".join(self._names(present[row])), message)))
        ratios = self.ratios(novelty, present)
        for name, of_measure in ratios.items():
            beyond = {measure: np.flatnonzero(found > 1) for measure, found in of_measure.items()}
            for row in np.unique(np.concatenate([np.zeros(0, int), *beyond.values()])).tolist():
                stopped[row, 1] = True
                told = ", ".join(
                    f"{measure.rpartition('.')[2]} {found[row]:.2g} x the limit"
                    for measure, found in of_measure.items()
                    if found[row] > 1
                )
                said.append((row, Problem("NOVEL_INPUT", name, f"stranger than in the training: {told}")))
        together = _standardised(ratios, self.middle, self.spread, n)
        stopped[:, 2] = (together > self.overall) & ~stopped[:, 1]
        for row in np.flatnonzero(stopped[:, 2]).tolist():
            message = (
                f"the inputs together are stranger than in the training: {together[row]:.2g}, limit {self.overall:.2g}"
            )
            said.append((row, Problem("NOVEL_RECORD", "+".join(self._names(present[row])), message)))
        conflict, pairs, targets = self._conflict(present, z)
        stopped[:, 3] = conflict > self.contradiction
        for row in np.flatnonzero(stopped[:, 3]).tolist():
            pair = "+".join(self.modalities[m] for m in pairs[row])
            message = (
                f"they speak against each other on {self.targets[targets[row]]} more strongly than in the training"
            )
            said.append((row, Problem("CONTRADICTION", pair, message)))
        return Verdict(stopped, said)

    def ratios(self, novelty: Novelty, present: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """{modality: {measure: float (n,)}}: each measure as a multiple of its limit, NaN where it is not known."""
        return {
            name: {
                measure: np.where(present[:, m], novelty[name][measure], np.nan) / limit
                for measure, limit in self.limits.get(name, {}).items()
                if measure in novelty.get(name, {})
            }
            for m, name in enumerate(self.modalities)
        }

    def _conflict(self, present: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _conflict(present, z / self.strength)

    def _names(self, held: np.ndarray) -> list[str]:
        return [name for name, there in zip(self.modalities, held, strict=True) if there]

    def to_json(self) -> dict[str, Any]:
        """Plain data; an infinite limit is null."""
        return {
            **vars(self),
            "counts": self.counts.tolist(),
            "limits": {name: {m: _finite(limit) for m, limit in one.items()} for name, one in self.limits.items()},
            "overall": _finite(self.overall),
            "strength": self.strength.tolist(),
            "contradiction": _finite(self.contradiction),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Gates:
        return cls(
            **{
                **state,
                "modalities": tuple(state["modalities"]),
                "targets": tuple(state["targets"]),
                "counts": np.array(state["counts"], dtype=np.int64),
                "limits": {name: {m: _limit(v) for m, v in one.items()} for name, one in state["limits"].items()},
                "overall": _limit(state["overall"]),
                "strength": np.array(state["strength"], dtype=float).reshape(len(state["modalities"]), -1),
                "contradiction": _limit(state["contradiction"]),
            }
        )


@dataclass(frozen=True)
class Verdict:
    """stopped  bool (n, gates), in ORDER; problems  (record index, Problem), why."""

    stopped: np.ndarray
    problems: Sequence[tuple[int, Problem]] = field(default_factory=list)

    @property
    def reasons(self) -> np.ndarray:
        """object (n,): the first gate that stops each record, None where none does."""
        names = np.array([*ORDER, None], dtype=object)
        return names[np.where(self.stopped.any(axis=1), self.stopped.argmax(axis=1), len(ORDER))]

    @property
    def by_gate(self) -> dict[str, np.ndarray]:
        """{gate: bool (n,)}"""
        return dict(zip(ORDER, self.stopped.T, strict=True))


def fit_gates(
    novelty: Novelty,
    present: np.ndarray,
    z: np.ndarray,
    *,
    modalities: Sequence[str],
    targets: Sequence[str],
    false_alarms: float,
    fewest: int,
) -> Gates:
    """All of it out of fold, of the training records: novelty of n, present bool (n, M), z float (n, M, T).

    false_alarms  the share of them that one gate may stop; 0: none but SET_UNVALIDATED ever does
    """
    held = _codes(present)
    sets = np.arange(1 << len(modalities))
    counts = np.array([((held & s) == s).sum() for s in sets])
    limits = {
        name: _limits(novelty[name], present[:, m], false_alarms)
        for m, name in enumerate(modalities)
        if novelty.get(name)
    }
    strength = np.array([_root_mean_square(z[present[:, m], m]) for m in range(len(modalities))])
    bare = Gates(
        modalities=tuple(modalities),
        targets=tuple(targets),
        false_alarms=false_alarms,
        fewest=fewest,
        counts=counts,
        limits=limits,
        middle={},
        spread={},
        overall=np.inf,
        strength=strength,
        contradiction=np.inf,
    )
    ratios = bare.ratios(novelty, present)
    logs = {name: _log_ratio(of_measure) for name, of_measure in ratios.items() if of_measure}
    logs = {name: found[~np.isnan(found)] for name, found in logs.items()}
    middle = {name: float(found.mean()) for name, found in logs.items() if len(found)}
    spread = {name: max(float(logs[name].std()), LEAST) for name in middle}
    together = _standardised(ratios, middle, spread, len(present))
    conflict, _, _ = _conflict(present, z / strength)
    return Gates(
        **{
            **vars(bare),
            "middle": middle,
            "spread": spread,
            "overall": upper_limit(together[~np.isnan(together)], false_alarms),
            "contradiction": upper_limit(conflict[~np.isnan(conflict)], false_alarms),
        }
    )


def upper_limit(values: np.ndarray, rate: float) -> float:
    """The value that a fresh one, drawn like these n, exceeds with probability at most `rate`, as near as ranks tell:
    the largest of them where n is too small to tell; infinite for none or a rate of 0."""
    if not len(values) or rate <= 0:
        return np.inf
    above = max(int(np.floor(rate * (len(values) + 1))) - 1, 0)
    return float(np.sort(values)[len(values) - 1 - above])


def _limits(measures: Mapping[str, np.ndarray], present: np.ndarray, rate: float) -> dict[str, float]:
    """{measure: limit}: all measures at one rate of their own, so low that their union stops at most `rate`."""
    known = {name: values[present & ~np.isnan(values)] for name, values in measures.items()}
    known = {name: values for name, values in known.items() if len(values)}
    if rate <= 0:
        return dict.fromkeys(known, np.inf)
    n = int(present.sum())
    for single in rate * np.linspace(1, 1 / max(len(known), 1), 20):
        limits = {name: max(upper_limit(values, single), LEAST) for name, values in known.items()}
        union = np.zeros(len(present), dtype=bool)
        for name, limit in limits.items():
            union |= present & (measures[name] > limit)
        if union.sum() + 1 <= rate * (n + 1):
            return limits
    return limits if known else {}


def _log_ratio(of_measure: Mapping[str, np.ndarray]) -> np.ndarray:
    """float (n,): the log of the largest ratio, NaN where none is known."""
    ratios = np.stack(list(of_measure.values()))
    known = ~np.isnan(ratios).all(axis=0)
    largest = np.where(known, np.nan_to_num(ratios, nan=0.0).max(axis=0), np.nan)
    return np.log(np.maximum(largest, LEAST))


def _standardised(
    ratios: Mapping[str, Mapping[str, np.ndarray]], middle: Mapping[str, float], spread: Mapping[str, float], n: int
) -> np.ndarray:
    """float (n,): how strange all inputs are, in standard deviations; NaN where fewer than two can be told."""
    parts = [(_log_ratio(ratios[name]) - middle[name]) / spread[name] for name in middle if ratios.get(name)]
    count = (~np.isnan(parts)).sum(axis=0) if parts else np.zeros(n)
    # Under independence this has the same spread whatever the number of modalities.
    total = np.nansum(parts, axis=0) / np.sqrt(np.maximum(count, 1)) if parts else np.zeros(n)
    return np.where(count >= 2, total, np.nan)


def _conflict(present: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How strongly two modalities at most speak against each other: min of what one says for and the other against.

    scaled: float (n, M, T) -> float (n,), NaN with fewer than two present; the pair int (n, 2); the target int (n,)
    """
    n, modalities, _ = scaled.shape
    best = np.full(n, np.nan)
    pairs, on = np.zeros((n, 2), dtype=np.int64), np.zeros(n, dtype=np.int64)
    for i in range(modalities):
        for j in range(i + 1, modalities):
            rows = np.flatnonzero(present[:, i] & present[:, j])
            if not len(rows):
                continue
            a, b = scaled[rows, i], scaled[rows, j]
            against = np.maximum(np.minimum(a, -b), np.minimum(-a, b)).clip(0)
            strongest, which = against.max(axis=1), against.argmax(axis=1)
            more = ~(strongest <= best[rows])
            best[rows[more]], on[rows[more]], pairs[rows[more]] = strongest[more], which[more], (i, j)
    return best, pairs, on


def _root_mean_square(z: np.ndarray) -> np.ndarray:
    """float (n, T) -> (T,); 1 where nothing is known or nothing was ever said."""
    if not len(z):
        return np.ones(z.shape[1])
    found = np.sqrt((z**2).mean(axis=0))
    return np.where(found > LEAST, found, 1.0)


def _codes(present: np.ndarray) -> np.ndarray:
    """int (n,): the set of modalities of each record, as bits."""
    return present @ (1 << np.arange(present.shape[1]))


def _finite(limit: float) -> float | None:
    return limit if np.isfinite(limit) else None


def _limit(value: float | None) -> float:
    return np.inf if value is None else float(value)
