"""Forest, logistic regression, linear SVM and boosting over the vitals' feature columns, one model per target.

All four see the same columns (vitals.features). Trees read a missing value as such. The linear models see, per
column, its normal score, the square of it (risk is U-shaped: too low is as bad as too high) and whether it is missing.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import LinearSVC
from threadpoolctl import ThreadpoolController

from ..records import Evidence
from ..vitals import FeaturePlan, plan
from .inputs import VitalsInputs
from .penalty import chosen
from .sklearn_files import load_sklearn, save_sklearn

SMALL = 20_000
INVERSE_PENALTIES = (0.0005, 0.005, 0.05)


def forest(random_state: int) -> RandomForestClassifier:
    return RandomForestClassifier(400, min_samples_leaf=3, max_features="sqrt", n_jobs=-1, random_state=random_state)


def boosting(random_state: int) -> HistGradientBoostingClassifier:
    """Slow and small trees: on PhysioNet 2012 they stand above fast ones, and are calibrated."""
    return HistGradientBoostingClassifier(
        learning_rate=0.03,
        max_iter=300,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=random_state,
    )


def logistic(random_state: int, inverse_penalty: float = 0.005) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, max_iter=2000, random_state=random_state)


def svm(random_state: int, inverse_penalty: float = 0.005) -> LinearSVC:
    return LinearSVC(C=inverse_penalty, dual=False, max_iter=5000, random_state=random_state)


class Tabular:
    """A scikit-learn classifier as an encoder of vitals; the four below differ only in what they build."""

    build: Callable[..., Any]
    linear = False

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> Tabular:
        del options, device, on_step
        return cls()

    def fit(
        self, inputs: VitalsInputs, targets: Sequence[str], y: np.ndarray, groups: np.ndarray, *, random_state: int
    ) -> Tabular:
        """y: float (n, T), NaN unknown. Only records with a measurement are learnt from."""
        self.targets_ = tuple(targets)
        present = np.flatnonzero(inputs.present)
        self.plan_ = plan(inputs.checked, len(present))
        x = inputs.columns(self.plan_)[present]
        self.scores_ = _normal_scores(x, random_state) if self.linear else None
        x = self._prepared(x)
        self.models_: dict[str, Any] = {}
        self.base_: dict[str, float] = {}
        for t, target in enumerate(targets):
            known = ~np.isnan(y[present, t])
            labels, of_group = y[present[known], t], groups[present[known]]
            self.base_[target] = float(np.log((labels.sum() + 1) / (len(labels) - labels.sum() + 1)))
            if len(np.unique(labels)) == 2:
                self.models_[target] = self._fitted(x[known], labels, of_group, random_state)
        return self

    def _fitted(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, random_state: int) -> Any:
        if not self.linear:
            with few_threads(len(x)):
                model = self.build(random_state).fit(no_empty_column(x), y)
        else:
            best = chosen(INVERSE_PENALTIES, partial(logistic, random_state), x, y, groups, random_state)
            model = self.build(random_state, best).fit(x, y)
        if isinstance(model, RandomForestClassifier):
            # One thread at prediction: two would add the trees' votes in an order of their own.
            model.n_jobs = 1
        return model

    def encode(self, inputs: VitalsInputs, *, precision: str = "fp32") -> Evidence:
        del precision  # trees and sums are always in double
        present = inputs.present
        log_odds = np.full((len(inputs), len(self.targets_)), np.nan)
        if present.any():
            x = self._prepared(inputs.columns(self.plan_)[present])
            for t, target in enumerate(self.targets_):
                model = self.models_.get(target)
                log_odds[present, t] = self.base_[target] if model is None else _log_odds(model, x)
        return Evidence(log_odds, present)

    def _prepared(self, x: np.ndarray) -> np.ndarray:
        """The columns as the model wants them: as they are for trees; score, square and missing for linear models."""
        if self.scores_ is None:
            return x
        # A column that was empty in training has no scores: what stands there now is not read.
        missing = np.isnan(x) | np.isnan(self.scores_.quantiles_).all(axis=0)
        scores = np.where(missing, 0.0, self.scores_.transform(x)).clip(-3, 3)
        return np.hstack([scores, np.where(missing, 0.0, scores**2 - 1), missing])

    def save(self, folder: Path) -> None:
        state = {"targets": self.targets_, "base": self.base_}
        state["plan"] = json.loads(self.plan_.to_json())
        state["scores"] = self.scores_ is not None
        (folder / "tabular.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        for target, model in self.models_.items():
            save_sklearn(model, folder / f"{target}.skops")
        if self.scores_ is not None:
            save_sklearn(self.scores_, folder / "scores.transform.skops")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> Tabular:
        del device
        state = json.loads((folder / "tabular.json").read_text(encoding="utf-8"))
        encoder = cls()
        encoder.targets_ = tuple(state["targets"])
        encoder.base_ = state["base"]
        encoder.plan_ = FeaturePlan.from_json(json.dumps(state["plan"]))
        paths = {target: folder / f"{target}.skops" for target in encoder.targets_}
        encoder.models_ = {target: load_sklearn(path) for target, path in paths.items() if path.is_file()}
        encoder.scores_ = load_sklearn(folder / "scores.transform.skops") if state["scores"] else None
        return encoder


class Forest(Tabular):
    build = staticmethod(forest)


class Boosting(Tabular):
    build = staticmethod(boosting)


class Logistic(Tabular):
    build = staticmethod(logistic)
    linear = True


class LinearSVM(Tabular):
    build = staticmethod(svm)
    linear = True


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def few_threads(rows: int) -> AbstractContextManager:
    """One OpenMP thread for fewer than SMALL rows. Boosting starts a parallel loop for every split; on small data two
    threads gain next to nothing, and on a busy machine each waits for the other: measured 7 times slower."""
    return _thread_pools().limit(limits=1, user_api="openmp") if rows < SMALL else nullcontext()


def no_empty_column(x: np.ndarray) -> np.ndarray:
    """`x` with 0 in the columns that hold nothing but NaN, which histogram boosting cannot bin. No tree splits them."""
    return np.where(np.isnan(x).all(axis=0), 0.0, x)


def _log_odds(model: Any, x: np.ndarray) -> np.ndarray:
    """float (n,). A forest's share of votes is held off 0 and 1 by half a vote."""
    if hasattr(model, "decision_function"):
        with few_threads(len(x)):
            return model.decision_function(x)
    probs = model.predict_proba(x)[:, 1]
    half = 0.5 / len(model.estimators_)
    probs = probs.clip(half, 1 - half)
    return np.log(probs / (1 - probs))


def _normal_scores(x: np.ndarray, random_state: int) -> QuantileTransformer:
    scores = QuantileTransformer(n_quantiles=min(100, len(x)), output_distribution="normal", random_state=random_state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return scores.fit(x)
