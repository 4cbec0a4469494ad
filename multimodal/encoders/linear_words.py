"""The linear word model: all notes of a record as one bag of marked words and characters, a logistic regression on it.

Small cohorts of notes are read best by words (FINDINGS: on 2,000 radiology findings it stands above a BERT trained
from nothing); so it always stands beside the BERT, and their out-of-fold weights say which of them is heard.
Characters 3-5 catch inflections and misspellings. C is chosen by grouped cross-validated log-loss, per target.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ..notes import Notes
from ..records import Evidence
from .penalty import chosen
from .word_features import WordFeatures

INVERSE_PENALTIES = (0.3, 3.0, 30.0)


class LinearWords:
    """The linear word model as an encoder of notes."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> LinearWords:
        del options, device, on_step
        return cls()

    def fit(
        self, inputs: Notes, targets: Sequence[str], y: np.ndarray, groups: np.ndarray, *, random_state: int
    ) -> LinearWords:
        """y: float (n, T), NaN unknown; groups: (n,), records of one group stay on one side of every inner split."""
        self.targets_ = tuple(targets)
        self.features_ = WordFeatures(per="record").fit(inputs)
        x = self.features_.transform(inputs)
        self.coef_ = np.zeros((len(targets), x.shape[1]))
        self.intercept_ = np.zeros(len(targets))
        self.inverse_penalty_ = np.zeros(len(targets))
        for t in range(len(targets)):
            known = inputs.present & ~np.isnan(y[:, t])
            self._fit_target(t, x[known], y[known, t], groups[known], random_state)
        return self

    def _fit_target(self, t: int, x: sparse.csr_matrix, y: np.ndarray, groups: np.ndarray, random_state: int) -> None:
        if len(np.unique(y)) < 2:
            self.intercept_[t] = np.log((y.sum() + 1) / (len(y) - y.sum() + 1))
            return
        best = chosen(INVERSE_PENALTIES, partial(_regression, random_state), x, y, groups, random_state)
        model = _regression(random_state, best).fit(x, y)
        self.coef_[t], self.intercept_[t], self.inverse_penalty_[t] = model.coef_[0], model.intercept_[0], best

    def encode(self, inputs: Notes, *, precision: str = "fp32") -> Evidence:
        del precision  # a sparse product, always in double
        log_odds = self.features_.transform(inputs) @ self.coef_.T + self.intercept_
        present = inputs.present
        return Evidence(np.where(present[:, None], log_odds, np.nan), present, self.features_.mostly_unknown(inputs))

    def save(self, folder: Path) -> None:
        self.features_.save(folder)
        (folder / "words.json").write_text(json.dumps({"targets": self.targets_}), encoding="utf-8")
        arrays = {"coef": self.coef_, "intercept": self.intercept_, "inverse_penalty": self.inverse_penalty_}
        save_file(arrays, folder / "words.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> LinearWords:
        del device
        model = cls()
        model.targets_ = tuple(json.loads((folder / "words.json").read_text(encoding="utf-8"))["targets"])
        model.features_ = WordFeatures.load(folder)
        arrays = load_file(folder / "words.safetensors")
        model.coef_, model.intercept_ = arrays["coef"], arrays["intercept"]
        model.inverse_penalty_ = arrays["inverse_penalty"]
        return model


def _regression(random_state: int, inverse_penalty: float) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, solver="liblinear", random_state=random_state)
