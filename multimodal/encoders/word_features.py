"""TF-IDF of words and of characters, per sentence or per record: what both linear models of notes see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from ..notes import Notes, bare_character_terms, character_terms, word_terms, words
from ..records import Problem

ANALYZERS: dict[str, Callable] = {"words": word_terms, "characters": character_terms, "bare": bare_character_terms}
# What a section is about, its words tell whatever they assert; whether a finding is there, only the sentence with its
# assertions does.
BLOCKS = {"record": ("words", "characters", "bare"), "sentence": ("words", "characters")}
MAX_FEATURES = 50_000
MARK = "_"


class WordFeatures:
    """The terms of the training notes, and how rare each is.

    per        "record": all notes of a record are one document; "sentence": each distinct sentence is one
    min_count  a term is kept if at least so many records hold it, of the most frequent MAX_FEATURES of each kind
    """

    def __init__(self, *, per: str, min_count: int = 2):
        self.per = per
        self.min_count = min_count

    def fit(self, notes: Notes) -> WordFeatures:
        self.vocabulary_: dict[str, list[str]] = {}
        self.idf_: dict[str, np.ndarray] = {}
        read = [words(sentence) for sentence in notes.sentences.distinct]
        holders = _holders(notes)
        for name in BLOCKS[self.per]:
            counter = CountVectorizer(analyzer=ANALYZERS[name])
            counts = counter.fit_transform(read)
            held_by = np.asarray((holders @ counts > 0).sum(axis=0)).ravel()
            enough = np.flatnonzero(held_by >= min(self.min_count, max(int(notes.present.sum()), 1)))
            # Stable: of terms that are as frequent the first by name stay.
            kept = np.sort(enough[np.argsort(-held_by[enough], kind="stable")][:MAX_FEATURES])
            self.vocabulary_[name] = counter.get_feature_names_out()[kept].tolist()
            counts = counts[:, kept]
            documents = holders @ counts if self.per == "record" else counts
            nothing = np.zeros(0)
            self.idf_[name] = TfidfTransformer(sublinear_tf=True).fit(documents).idf_ if len(kept) else nothing
        return self

    def transform(self, notes: Notes) -> sparse.csr_matrix:
        """float (records or distinct sentences, terms of all kinds), each kind of unit length."""
        read = [words(sentence) for sentence in notes.sentences.distinct]
        if not read:
            rows = notes.n if self.per == "record" else 0
            return sparse.csr_matrix((rows, sum(len(idf) for idf in self.idf_.values())))
        blocks = []
        for name in BLOCKS[self.per]:
            if not self.vocabulary_[name]:
                continue
            counts = CountVectorizer(analyzer=ANALYZERS[name], vocabulary=self.vocabulary_[name]).transform(read)
            tfidf = TfidfTransformer(sublinear_tf=True)
            tfidf.idf_ = self.idf_[name]
            blocks.append(tfidf.transform(_holders(notes) @ counts if self.per == "record" else counts))
        rows = notes.n if self.per == "record" else len(read)
        return sparse.hstack([sparse.csr_matrix((rows, 0)), *blocks], format="csr")

    def mostly_unknown(self, notes: Notes) -> list[tuple[int, Problem]]:
        """MOSTLY_UNKNOWN for each record over half of whose distinct words are none of the vocabulary."""
        known = {term.rpartition(MARK)[2] for term in self.vocabulary_["words"] if " " not in term}
        of_sentence = [{word for _, word in words(sentence)} for sentence in notes.sentences.distinct]
        held: dict[int, set[str]] = {}
        rows = notes.record[notes.sentences.note].tolist()
        for row, sentence in zip(rows, notes.sentences.sentence.tolist(), strict=True):
            held.setdefault(row, set()).update(of_sentence[sentence])
        return [
            (row, Problem("MOSTLY_UNKNOWN", "notes", "over half of the words are unknown to the model"))
            for row, found in held.items()
            if sum(word not in known for word in found) * 2 > len(found)
        ]

    def save(self, folder: Path) -> None:
        state = {"per": self.per, "min_count": self.min_count, "vocabulary": self.vocabulary_}
        (folder / "terms.json").write_text(json.dumps(state, ensure_ascii=True), encoding="utf-8")
        save_file(self.idf_, folder / "terms.safetensors")

    @classmethod
    def load(cls, folder: Path) -> WordFeatures:
        state = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        features = cls(per=state["per"], min_count=state["min_count"])
        features.vocabulary_, features.idf_ = state["vocabulary"], load_file(folder / "terms.safetensors")
        return features


def _holders(notes: Notes) -> sparse.csr_matrix:
    """How often a record holds each distinct sentence, (records, sentences)."""
    found = notes.sentences
    ones = np.ones(len(found.sentence))
    return sparse.csr_matrix((ones, (notes.record[found.note], found.sentence)), (notes.n, len(found.distinct)))
