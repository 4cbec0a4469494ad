"""Predictions as columns; an index gives a Prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .forms import Prediction, Provenance, RefusedItem, RuleScore, TargetPrediction
from .reasons import Problem
from .rules import RULES, RuleScores

SETS = {0: (), 1: (0,), 2: (1,), 3: (0, 1)}
_SET_TEXTS = np.array(["none", "0", "1", "0+1", None], dtype=object)  # -1 is the last


@dataclass(frozen=True)
class Predictions:
    """The answers to n records on T targets from M modalities, in the order of the records.

    probability   float (n, T) in [0, 1], NaN where the record has no input
    decision      float (n, T), 0 or 1, NaN where there is none
    prediction_set  int (n, T): 1 if label 0 cannot be ruled out, plus 2 if label 1 cannot; -1 where there is none
    threshold     float (T,), NaN for a class of an exclusive group
    contribution  float (n, M, T), log-odds, NaN where the modality is absent
    baseline      float (T,), log-odds
    present       bool (n, M)
    problems      one list of Problem a record
    abstained     object (n,), a reason code or None
    provenance    one list of Provenance a record, as read
    scores        the bedside rules
    decided_by    object (n,), the rule that decided the risks, or None
    """

    model_id: str
    record_ids: np.ndarray
    targets: tuple[str, ...]
    modalities: tuple[str, ...]
    probability: np.ndarray
    decision: np.ndarray
    prediction_set: np.ndarray
    threshold: np.ndarray
    contribution: np.ndarray
    baseline: np.ndarray
    present: np.ndarray
    problems: Sequence[Sequence[Problem]]
    abstained: np.ndarray
    provenance: Sequence[Sequence[Provenance]]
    scores: RuleScores
    decided_by: np.ndarray

    def __len__(self) -> int:
        return len(self.record_ids)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Prediction:
        i = range(len(self))[i]
        used = [m for m, name in enumerate(self.modalities) if self.present[i, m]]
        return Prediction(
            record_id=self.record_ids[i],
            model_id=self.model_id,
            targets={
                name: TargetPrediction(
                    probability=_known(self.probability[i, t]),
                    decision=_known(self.decision[i, t], int),
                    threshold=_known(self.threshold[t]),
                    prediction_set=SETS.get(int(self.prediction_set[i, t])),
                    contributions={self.modalities[m]: float(self.contribution[i, m, t]) for m in used},
                    baseline=float(self.baseline[t]),
                )
                for t, name in enumerate(self.targets)
            },
            used=tuple(self.modalities[m] for m in used),
            missing=tuple(name for m, name in enumerate(self.modalities) if m not in used),
            refused=tuple(RefusedItem(**p._asdict()) for p in self.problems[i] if p.severity == "refuse"),
            warnings=tuple(RefusedItem(**p._asdict()) for p in self.problems[i] if p.severity == "warn"),
            abstained=self.abstained[i],
            provenance=tuple(self.provenance[i]),
            scores=self._scores(i),
            decided_by=self.decided_by[i],
        )

    def _scores(self, i: int) -> dict[str, RuleScore]:
        return {
            name: RuleScore(
                value=value,
                threshold=rule.threshold,
                alert=int(value >= rule.threshold),
                missing=tuple(named for named, lacks in zip(rule.inputs, missing) if lacks),
            )
            for (name, rule), value, missing in zip(
                RULES.items(), self.scores.value[i].tolist(), self.scores.missing[i]
            )
            if not np.isnan(value)
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a record: record_id, model_id, `TARGET.probability`, `.decision`, `.threshold`, `.prediction_set`,
        `.baseline`, `.contribution.MODALITY`, then `score.RULE`, used, missing, refused, warnings, abstained,
        decided_by, provenance (JSON, "" for none)."""
        columns: dict[str, object] = {"record_id": self.record_ids.astype(str), "model_id": self.model_id}
        for t, name in enumerate(self.targets):
            columns[f"{name}.probability"] = self.probability[:, t]
            columns[f"{name}.decision"] = pd.array(self.decision[:, t], dtype="Int8")
            columns[f"{name}.threshold"] = self.threshold[t]
            columns[f"{name}.prediction_set"] = pd.array(_SET_TEXTS[self.prediction_set[:, t]], dtype="string")
            columns[f"{name}.baseline"] = self.baseline[t]
            for m, modality in enumerate(self.modalities):
                columns[f"{name}.contribution.{modality}"] = self.contribution[:, m, t]
        for r, rule in enumerate(RULES):
            columns[f"score.{rule}"] = self.scores.value[:, r]
        names = np.array(self.modalities, dtype=object)
        sets, which = np.unique(self.present, axis=0, return_inverse=True)
        for column, held in (("used", sets), ("missing", ~sets)):
            columns[column] = np.array(["+".join(names[row]) for row in held], dtype=object)[which.ravel()]
        for severity, column in (("refuse", "refused"), ("warn", "warnings")):
            columns[column] = [
                "; ".join(str(p) for p in row if p.severity == severity) if row else "" for row in self.problems
            ]
        columns["abstained"] = pd.array([reason or None for reason in self.abstained], dtype="string")
        columns["decided_by"] = pd.array(self.decided_by.tolist(), dtype="string")
        columns["provenance"] = [_json(found) for found in self.provenance]
        return pd.DataFrame(columns, index=range(len(self)))


def _json(found: Sequence[Provenance]) -> str:
    """The forms as one compact JSON list, "" where there are none."""
    dumped = [one.model_dump() for one in found]
    return json.dumps(dumped, ensure_ascii=False, separators=(",", ":")) if dumped else ""


def _known(value: float, kind: type = float):
    return None if np.isnan(value) else kind(value)
