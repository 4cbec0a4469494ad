"""The linear word model: TF-IDF of negation-marked words and of characters, one logistic regression per target.

Small cohorts of notes are read best by words (FINDINGS: on 2,000 radiology findings it stands above a BERT trained
from nothing); so it always stands beside the BERT, and their out-of-fold weights say which of them is heard.
Characters 3-5 catch inflections and misspellings. C is chosen by grouped cross-validated log-loss, per target.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from ..notes import Notes, marked_words
from ..records import Evidence, Problem
from .penalty import chosen

INVERSE_PENALTIES = (0.3, 3.0, 30.0)
MAX_FEATURES = 50_000


def word_terms(text: str) -> list[str]:
    """Single marked words and pairs of neighbours."""
    tokens = marked_words(text)
    return [token for token in tokens if token != "."] + [f"{a} {b}" for a, b in pairwise(tokens) if "." not in (a, b)]


def character_terms(text: str) -> list[str]:
    """Runs of 3 to 5 characters inside words, with the word's borders."""
    text = " ".join(text.casefold().split())
    terms = []
    for word in text.split(" "):
        padded = f" {word} "
        for size in (3, 4, 5):
            terms.extend(padded[i : i + size] for i in range(len(padded) - size + 1))
    return terms


ANALYZERS = {"words": word_terms, "characters": character_terms}


class LinearWords:
    """The linear word model as an encoder of notes. A record's log-odds are the mean over its notes.

    min_count  a term is kept if at least so many training notes hold it
    """

    def __init__(self, *, min_count: int = 2):
        self.min_count = min_count

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> LinearWords:
        del options, device, on_step
        return cls()

    def fit(
        self, inputs: Notes, targets: Sequence[str], y: np.ndarray, groups: np.ndarray, *, random_state: int
    ) -> LinearWords:
        """y: float (n, T), NaN unknown; groups: (n,), records of one group stay on one side of every inner split."""
        self.targets_ = tuple(targets)
        self.vocabulary_, self.idf_ = {}, {}
        for name, analyzer in ANALYZERS.items():
            min_count = min(self.min_count, max(len(inputs.text), 1))
            counter = CountVectorizer(analyzer=analyzer, min_df=min_count, max_features=MAX_FEATURES)
            counts = counter.fit_transform(inputs.text)
            self.vocabulary_[name] = list(counter.get_feature_names_out())
            self.idf_[name] = TfidfTransformer(sublinear_tf=True).fit(counts).idf_
        x, note_y, note_groups = self._features(inputs.text), y[inputs.record], groups[inputs.record]
        self.coef_ = np.zeros((len(targets), x.shape[1]))
        self.intercept_ = np.zeros(len(targets))
        self.inverse_penalty_ = np.zeros(len(targets))
        for t in range(len(targets)):
            known = ~np.isnan(note_y[:, t])
            self._fit_target(t, x[known], note_y[known, t], note_groups[known], random_state)
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
        present = inputs.present
        log_odds = np.full((inputs.n, len(self.targets_)), np.nan)
        problems: list[tuple[int, Problem]] = []
        if len(inputs.text):
            x = self._features(inputs.text)
            notes = x @ self.coef_.T + self.intercept_
            sums = np.zeros((inputs.n, len(self.targets_)))
            np.add.at(sums, inputs.record, notes)
            log_odds[present] = (sums / np.maximum(np.bincount(inputs.record, minlength=inputs.n), 1)[:, None])[present]
            problems = self._unknown_words(inputs)
        return Evidence(log_odds, present, problems)

    def _unknown_words(self, inputs: Notes) -> list[tuple[int, Problem]]:
        known = self._known_words
        problems = []
        for row, text in zip(inputs.record, inputs.text, strict=True):
            tokens = {token.removeprefix("not_") for token in marked_words(text)} - {"."}
            if sum(token not in known for token in tokens) * 2 > len(tokens):
                message = "over half of the words are unknown to the model"
                problems.append((int(row), Problem("MOSTLY_UNKNOWN", "notes", message)))
        return problems

    @property
    def _known_words(self) -> set[str]:
        return {term.removeprefix("not_") for term in self.vocabulary_["words"] if " " not in term}

    def _features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """(k, terms of both kinds), each kind of unit length."""
        blocks = []
        for name, analyzer in ANALYZERS.items():
            counter = CountVectorizer(analyzer=analyzer, vocabulary=self.vocabulary_[name])
            tfidf = TfidfTransformer(sublinear_tf=True)
            tfidf.idf_ = self.idf_[name]
            blocks.append(tfidf.transform(counter.transform(texts)))
        return sparse.hstack(blocks, format="csr")

    def save(self, folder: Path) -> None:
        state = {"targets": self.targets_, "vocabulary": self.vocabulary_, "min_count": self.min_count}
        (folder / "words.json").write_text(json.dumps(state, ensure_ascii=True), encoding="utf-8")
        arrays = {f"idf.{name}": idf for name, idf in self.idf_.items()}
        arrays |= {"coef": self.coef_, "intercept": self.intercept_, "inverse_penalty": self.inverse_penalty_}
        save_file(arrays, folder / "words.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> LinearWords:
        del device
        state = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "words.safetensors")
        model = cls(min_count=state["min_count"])
        model.targets_ = tuple(state["targets"])
        model.vocabulary_ = state["vocabulary"]
        model.idf_ = {name: arrays[f"idf.{name}"] for name in ANALYZERS}
        model.coef_, model.intercept_ = arrays["coef"], arrays["intercept"]
        model.inverse_penalty_ = arrays["inverse_penalty"]
        return model


def _regression(random_state: int, inverse_penalty: float) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, solver="liblinear", random_state=random_state)
