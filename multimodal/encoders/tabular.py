"""Forest, logistic regression, linear SVM and boosting over the vitals' feature columns, one model per target.

All four see the same columns (vitals.features). Trees read a missing value as such; the linear models see the columns
as normal_scores.py makes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from threadpoolctl import ThreadpoolController

from ..records import Evidence
from ..vitals import Constraint, FeaturePlan, directions, mixed, plan, read_constraints
from .inputs import VitalsInputs
from .normal_scores import NormalScores
from .penalty import chosen
from .sklearn_files import load_sklearn, save_sklearn

SMALL = 20_000
INVERSE_PENALTIES = (1.0, 3.0, 10.0, 30.0)
"""Of linear models, shared among their columns: the more there are, the less each is believed beforehand."""
FEWEST_COLUMNS, FOREST_SHARE, BOOSTING_SHARE = 10, 0.1, 0.05
"""Of the columns, this share is looked at for a split, but so many where there are so many."""


def forest(random_state: int, class_weight: str | None = None, columns: int = 1) -> ExtraTreesClassifier:
    """Extremely randomized trees, which on PhysioNet 2012 order better than a forest of best splits (0.854 against
    0.848), and fit in half the time. Geurts et al., Machine Learning 63:3, 2006.

    columns: F
    """
    return ExtraTreesClassifier(
        200,
        min_samples_leaf=3,
        max_features=_share(FOREST_SHARE, columns),
        n_jobs=-1,
        class_weight=class_weight,
        random_state=random_state,
    )


def boosting(
    random_state: int, class_weight: str | None = None, directions: np.ndarray | None = None, columns: int = 1
) -> HistGradientBoostingClassifier:
    """Slow and small trees, each split on few columns: on PhysioNet 2012 above fast ones, and calibrated.

    directions: int (F,), monotone constraints of the columns; columns: F
    """
    return HistGradientBoostingClassifier(
        learning_rate=0.02,
        max_iter=500,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=5.0,
        max_features=_share(BOOSTING_SHARE, columns),
        monotonic_cst=directions,
        early_stopping=False,
        class_weight=class_weight,
        random_state=random_state,
    )


def _share(share: float, columns: int) -> float:
    return min(1.0, max(share, FEWEST_COLUMNS / columns))


def logistic(random_state: int, class_weight: str | None = None, inverse_penalty: float = 1.0) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, max_iter=2000, class_weight=class_weight, random_state=random_state)


def svm(random_state: int, class_weight: str | None = None, inverse_penalty: float = 1.0) -> LinearSVC:
    return LinearSVC(C=inverse_penalty, dual=False, max_iter=5000, class_weight=class_weight, random_state=random_state)


class Tabular:
    """A scikit-learn classifier as an encoder of vitals; the four below differ only in what they build.

    balance   positives and negatives of each target weigh the same; the base rate is put back after
    monotone  heeded by boosting alone
    """

    linear = False

    def __init__(self, balance: bool = False, monotone: Sequence[Constraint] = ()):
        self.balance = balance
        self.monotone = tuple(monotone)

    @property
    def _class_weight(self) -> str | None:
        return "balanced" if self.balance else None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> Tabular:
        del device, on_step
        return cls(options["balance"], read_constraints(options["monotone"]))

    def fit(
        self, inputs: VitalsInputs, targets: Sequence[str], y: np.ndarray, groups: np.ndarray, *, random_state: int
    ) -> Tabular:
        """y: float (n, T), NaN unknown. Only records with a measurement are learnt from."""
        self.targets_ = tuple(targets)
        present = np.flatnonzero(inputs.present)
        self.plan_ = plan(inputs.checked, len(present))
        x = inputs.columns(self.plan_)[present]
        self.scores_ = NormalScores().fit(x) if self.linear else None
        x = self._prepared(x)
        self.models_: dict[str, Any] = {}
        self.base_: dict[str, float] = {}
        for t, target in enumerate(targets):
            known = ~np.isnan(y[present, t])
            labels, of_group = y[present[known], t], groups[present[known]]
            self.base_[target] = float(np.log((labels.sum() + 1) / (len(labels) - labels.sum() + 1)))
            if len(np.unique(labels)) == 2:
                self.models_[target] = self._fitted(target, x[known], labels, of_group, random_state)
        return self

    def _fitted(self, target: str, x: np.ndarray, y: np.ndarray, groups: np.ndarray, random_state: int) -> Any:
        """A model of one target. x: float (n, F), as `_prepared` makes it; y: 0 or 1, (n,); groups: (n,)"""
        raise NotImplementedError

    def encode(self, inputs: VitalsInputs, *, precision: str = "fp32") -> Evidence:
        del precision  # trees and sums are always in double
        # A record with nothing that was learnt from would look like one of which nothing had to be measured.
        present = inputs.having(self.plan_.learnt)
        log_odds = np.full((len(inputs), len(self.targets_)), np.nan)
        if present.any():
            x = self._prepared(inputs.columns(self.plan_)[present])
            for t, target in enumerate(self.targets_):
                model = self.models_.get(target)
                found = np.zeros(len(x)) if model is None else _log_odds(model, x)
                log_odds[present, t] = found + (self.base_[target] if model is None or self.balance else 0.0)
        return Evidence(log_odds, present)

    def _prepared(self, x: np.ndarray) -> np.ndarray:
        """The columns as the model wants them."""
        return x if self.scores_ is None else self.scores_.transform(x)

    def save(self, folder: Path) -> None:
        state: dict[str, Any] = {"targets": self.targets_, "base": self.base_, "balance": self.balance}
        state["plan"] = json.loads(self.plan_.to_json())
        state["scores"] = self.scores_ is not None
        (folder / "tabular.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        for target, model in self.models_.items():
            save_sklearn(model, folder / f"{target}.skops")
        if self.scores_ is not None:
            self.scores_.save(folder / "scores.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> Tabular:
        del device
        state = json.loads((folder / "tabular.json").read_text(encoding="utf-8"))
        encoder = cls(state["balance"])
        encoder.targets_ = tuple(state["targets"])
        encoder.base_ = state["base"]
        encoder.plan_ = FeaturePlan.from_json(json.dumps(state["plan"]))
        paths = {target: folder / f"{target}.skops" for target in encoder.targets_}
        encoder.models_ = {target: load_sklearn(path) for target, path in paths.items() if path.is_file()}
        encoder.scores_ = NormalScores.load(folder / "scores.safetensors") if state["scores"] else None
        return encoder


class Forest(Tabular):
    def _fitted(self, target: str, x: np.ndarray, y: np.ndarray, groups: np.ndarray, random_state: int) -> Any:
        model = forest(random_state, self._class_weight, x.shape[1]).fit(x, y)
        # One thread at prediction: two would add the trees' votes in an order of their own.
        model.n_jobs = 1
        return model


class Boosting(Tabular):
    def _fitted(self, target: str, x: np.ndarray, y: np.ndarray, groups: np.ndarray, random_state: int) -> Any:
        constraints = directions(self.plan_, self.monotone, target)
        signs = constraints if constraints.any() else None
        # A constant column is in no tree, so it need not be blanked in scoring.
        x = np.where(mixed(self.plan_, self.monotone, target), 0.0, x)
        with few_threads(len(x)):
            return boosting(random_state, self._class_weight, signs, x.shape[1]).fit(no_empty_column(x), y)


class Linear(Tabular):
    """A linear model on normal scores; its penalty is chosen on inner folds by the log-loss of a logistic regression,
    which has probabilities."""

    linear = True
    build: Callable[..., Any]

    def _fitted(self, target: str, x: np.ndarray, y: np.ndarray, groups: np.ndarray, random_state: int) -> Any:
        penalties = [penalty / x.shape[1] for penalty in INVERSE_PENALTIES]
        by_logistic = partial(logistic, random_state, self._class_weight)
        best = chosen(penalties, by_logistic, x, y, groups, random_state)
        return self.build(random_state, self._class_weight, best).fit(x, y)


class Logistic(Linear):
    build = staticmethod(logistic)


class LinearSVM(Linear):
    build = staticmethod(svm)


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
