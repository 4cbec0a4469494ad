"""The plain ways that stand beside every model: fitted on the same patients, saved with it, shown in every report.

sum               the calibrated log-odds of what is present, added up
logistic_per_set  one logistic regression on them per set of present modalities
tfidf_logistic    TF-IDF of the notes' words and word pairs + logistic regression
boosting          histogram boosting with scikit-learn's defaults on the vitals' summary features
and the bedside rules of records.RULES (NEWS2 ...): scores and no probabilities, of every record whose measurements
allow them, decided at their published thresholds. Nothing of them is fitted: they are used as at the bedside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ..encoders.sklearn_files import load_sklearn, save_sklearn
from ..encoders.tabular import few_threads, no_empty_column
from ..fusion.subsets import all_sets, set_index
from ..records import RULES, Batch, RuleScores
from ..trust.tabulate import Answers
from ..vitals import FeaturePlan, check, plan, rule_scores

DISPLAY: Mapping[str, str] = {
    "sum": "sum of log-odds",
    "logistic_per_set": "logistic per set",
    "tfidf_logistic": "TF-IDF + logistic",
    "boosting": "boosting on vitals",
    **{name: rule.display for name, rule in RULES.items()},
}
"""Of every baseline: its name for people."""
WORD = r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+"


@dataclass(frozen=True)
class Baselines:
    """targets: names; per_set: {set index: {target: LogisticRegression}}; words, boosting: {target: model};
    plan: the vitals' columns, or None where there are no vitals."""

    targets: tuple[str, ...]
    per_set: Mapping[int, Mapping[str, Any]]
    words: Mapping[str, Any]
    boosting: Mapping[str, Any]
    plan: FeaturePlan | None

    def answers(self, z: np.ndarray, present: np.ndarray, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """{name: float (n, T)}: probabilities, NaN where the baseline has no answer."""
        shape = (len(z), len(self.targets))
        found = {"logistic_per_set": self._per_set(z, present)}
        if "notes" in inputs:
            found["tfidf_logistic"] = self._words(inputs["notes"], shape)
        if "vitals" in inputs:
            found["boosting"] = self._boosting(inputs["vitals"], shape)
        return found

    def _per_set(self, z: np.ndarray, present: np.ndarray) -> np.ndarray:
        out = np.full((len(z), len(self.targets)), np.nan)
        held = set_index(present)
        for index, models in self.per_set.items():
            rows = np.flatnonzero(held == index)
            modalities = np.flatnonzero(all_sets(z.shape[1])[index])
            for t, target in enumerate(self.targets):
                if len(rows) and target in models:
                    out[rows, t] = models[target].predict_proba(z[np.ix_(rows, modalities, [t])][:, :, 0])[:, 1]
        return out

    def _words(self, notes: Any, shape: tuple[int, int]) -> np.ndarray:
        out = np.full(shape, np.nan)
        rows = np.flatnonzero(notes.present)
        texts = joined_texts(notes, rows)
        for t, target in enumerate(self.targets):
            if len(rows) and target in self.words:
                out[rows, t] = self.words[target].predict_proba(texts)[:, 1]
        return out

    def _boosting(self, vitals: Any, shape: tuple[int, int]) -> np.ndarray:
        out = np.full(shape, np.nan)
        rows = np.flatnonzero(vitals.present)
        if len(rows) and self.plan is not None:
            x = vitals.columns(self.plan)[rows]
            for t, target in enumerate(self.targets):
                if target in self.boosting:
                    with few_threads(len(x)):
                        out[rows, t] = self.boosting[target].predict_proba(x)[:, 1]
        return out

    def save(self, folder: Path) -> None:
        state: dict[str, Any] = {"targets": self.targets, "sets": {}, "plan": None}
        state["plan"] = None if self.plan is None else json.loads(self.plan.to_json())
        for index, models in self.per_set.items():
            state["sets"][str(index)] = {
                target: [*model.coef_[0].tolist(), float(model.intercept_[0])] for target, model in models.items()
            }
        (folder / "baselines.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        for kind, models in (("words", self.words), ("boosting", self.boosting)):
            for target, model in models.items():
                save_sklearn(model, folder / f"{kind}.{target}.skops")

    @classmethod
    def load(cls, folder: Path) -> Baselines:
        state = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
        targets = tuple(state["targets"])

        def models(kind: str) -> dict[str, Any]:
            paths = {target: folder / f"{kind}.{target}.skops" for target in targets}
            return {target: load_sklearn(path) for target, path in paths.items() if path.is_file()}

        return cls(
            targets=targets,
            per_set={
                int(index): {target: SavedRegression(numbers) for target, numbers in found.items()}
                for index, found in state["sets"].items()
            },
            words=models("words"),
            boosting=models("boosting"),
            plan=None if state["plan"] is None else FeaturePlan.from_json(json.dumps(state["plan"])),
        )


def fit_baselines(
    targets: Sequence[str],
    z: np.ndarray,
    present: np.ndarray,
    y: np.ndarray,
    inputs: Mapping[str, Any],
    *,
    random_state: int,
) -> Baselines:
    """z: out-of-fold evidence, float (n, M, T); present: bool (n, M); y: float (n, T), NaN unknown."""
    words, boosting, columns = {}, {}, None
    if "notes" in inputs:
        rows = np.flatnonzero(inputs["notes"].present)
        texts = np.array(joined_texts(inputs["notes"], rows), dtype=object)
        for t, target in enumerate(targets):
            known = ~np.isnan(y[rows, t])
            if _both(y[rows[known], t]):
                regression = LogisticRegression(max_iter=1000, random_state=random_state)
                # Every run of letters is a word, and so is a single CJK character: such texts have no blanks.
                vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=WORD, sublinear_tf=True)
                words[target] = make_pipeline(vectorizer, regression).fit(texts[known], y[rows[known], t])
    if "vitals" in inputs:
        rows = np.flatnonzero(inputs["vitals"].present)
        columns = plan(inputs["vitals"].checked, len(rows))
        x = inputs["vitals"].columns(columns)[rows]
        for t, target in enumerate(targets):
            known = ~np.isnan(y[rows, t])
            if _both(y[rows[known], t]):
                model = HistGradientBoostingClassifier(early_stopping=False, random_state=random_state)
                with few_threads(len(known)):
                    boosting[target] = model.fit(no_empty_column(x[known]), y[rows[known], t])
    return Baselines(tuple(targets), _fit_per_set(targets, z, present, y), words, boosting, columns)


def _fit_per_set(targets: Sequence[str], z: np.ndarray, present: np.ndarray, y: np.ndarray) -> dict[int, dict]:
    """One regression per set and target, on every record that has at least the set, shown with just the set."""
    found: dict[int, dict] = {}
    for index, held in enumerate(all_sets(z.shape[1])):
        rows = np.flatnonzero(present[:, held].all(axis=1)) if index else np.zeros(0, dtype=np.int64)
        for t, target in enumerate(targets):
            known = rows[~np.isnan(y[rows, t])]
            if _both(y[known, t]):
                model = LogisticRegression().fit(z[np.ix_(known, np.flatnonzero(held), [t])][:, :, 0], y[known, t])
                found.setdefault(index, {})[target] = model
    return found


def score_rules(batch: Batch, inputs: Mapping[str, Any], *, convert_suspect: bool) -> RuleScores:
    """The bedside rules of a batch, from its measurements as the model reads them; a model that does not read them has
    them checked for the rules alone, and their problems stay out of its answer."""
    if "vitals" in inputs:
        return rule_scores(inputs["vitals"].checked, len(batch))
    if batch.measurements.empty:
        return RuleScores.none(len(batch))
    return rule_scores(check(batch, convert_suspect=convert_suspect), len(batch))


def rule_answers(rules: RuleScores, targets: int) -> dict[str, Answers]:
    """Each rule as a baseline of so many targets: its score, and its alert for the decision."""
    return {
        name: Answers(
            np.repeat(rules.value[:, [r]], targets, axis=1),
            np.repeat(rules.alert[:, [r]], targets, axis=1),
            np.full(targets, float(rule.threshold)),
            is_probability=False,
        )
        for r, (name, rule) in enumerate(RULES.items())
    }


def joined_texts(notes: Any, rows: np.ndarray) -> list[str]:
    """All notes of each record as one text."""
    texts: dict[int, list[str]] = {}
    for row, text in zip(notes.record.tolist(), notes.text, strict=True):
        texts.setdefault(row, []).append(text)
    return ["\n".join(texts[row]) for row in rows.tolist()]


def _both(y: np.ndarray) -> bool:
    return len(np.unique(y)) == 2


class SavedRegression:
    """A logistic regression from its saved numbers: the coefficients, then the intercept."""

    def __init__(self, numbers: Sequence[float]):
        self.coef_ = np.array([numbers[:-1]])
        self.intercept_ = np.array(numbers[-1:])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        probs = expit(x @ self.coef_[0] + self.intercept_[0])
        return np.column_stack([1 - probs, probs])
