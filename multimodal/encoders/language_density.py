"""How common the language of a note is: its words and its letters under those of the training notes.

Two measures, each the mean surprise in nats, larger where a note is stranger:
  words    of its words, by their frequency in the training; one that fewer than two records held is unknown
  letters  of each character after the one before it: a script, a language or markup of another kind
A foreign word says more than that a tokenizer does not know it: WordPiece splits it into letters that it knows.
Additive smoothing: Chen & Goodman, Computer Speech & Language 13:359, 1999. Of several notes the strangest counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ..notes import Notes, words

FEWEST_RECORDS = 2  # what one patient's notes alone hold may be a name, and is not kept
ALPHABET = 255
UNSEEN = 0.5
PRIOR_PAIRS = 5.0  # so many pairs of each first character are taken to be as frequent as their second one is
BLANK = " "


class LanguageDensity:
    """Learned by `fit`: words_ {word: nats}, unknown_ nats; alphabet_ (a,), code points, sorted; pairs_ (a + 1, a + 1),
    the nats of the second after the first, an unknown character last."""

    def fit(self, inputs: Notes) -> LanguageDensity:
        """inputs: of at least one record, all with a note."""
        spoken = [[word for _, word in words(sentence)] for sentence in inputs.sentences.distinct]
        owners: dict[str, set[int]] = {}
        counts: Counter[str] = Counter()
        for note, sentence in zip(inputs.sentences.note.tolist(), inputs.sentences.sentence.tolist(), strict=True):
            counts.update(spoken[sentence])
            for word in spoken[sentence]:
                owners.setdefault(word, set()).add(int(inputs.record[note]))
        kept = sorted(word for word, records in owners.items() if len(records) >= FEWEST_RECORDS)
        total = sum(counts.values()) + UNSEEN * (len(kept) + 1)
        self.words_ = {word: float(np.log(total / (counts[word] + UNSEEN))) for word in kept}
        self.unknown_ = float(np.log(total / UNSEEN))
        self._fit_letters(inputs.text)
        return self

    def _fit_letters(self, texts: Sequence[str]) -> None:
        points = [_points(text) for text in texts]
        seen, counts = np.unique(np.concatenate(points), return_counts=True)
        self.alphabet_ = np.sort(seen[np.argsort(-counts, kind="stable")][:ALPHABET]).astype(np.int64)
        size = len(self.alphabet_) + 1
        pairs = np.zeros(size * size)
        for one in points:
            letters = self._letters(one)
            pairs += np.bincount(letters[:-1] * size + letters[1:], minlength=size * size)
        pairs = pairs.reshape(size, size)
        second = (pairs.sum(axis=0) + UNSEEN) / (pairs.sum() + UNSEEN * size)
        smoothed = (pairs + PRIOR_PAIRS * second) / (pairs.sum(axis=1, keepdims=True) + PRIOR_PAIRS)
        self.pairs_ = -np.log(smoothed)

    def novelty(self, inputs: Notes) -> dict[str, np.ndarray]:
        """{measure: float (n,)}; NaN where a record has no note."""
        letters = np.array([self._letter_surprise(text) for text in inputs.text])
        return {
            "words": _strangest(self._word_surprise(inputs), inputs),
            "letters": _strangest(letters, inputs),
        }

    def _word_surprise(self, inputs: Notes) -> np.ndarray:
        """float (notes,): the mean over the words of each; of a note without words, as of an unknown one."""
        found = inputs.sentences
        spoken = [[self.words_.get(word, self.unknown_) for _, word in words(one)] for one in found.distinct]
        total, count = (np.array([of(one) for one in spoken], dtype=float) for of in (sum, len))
        sums, counts = (
            np.bincount(found.note, weights=one[found.sentence], minlength=len(inputs.text)) for one in (total, count)
        )
        return np.divide(sums, counts, out=np.full(len(sums), self.unknown_), where=counts > 0)

    def _letter_surprise(self, text: str) -> float:
        letters = self._letters(_points(text))
        return float(self.pairs_[letters[:-1], letters[1:]].mean())

    def _letters(self, points: np.ndarray) -> np.ndarray:
        """Places in the alphabet; its size for a character that is not in it."""
        place = np.searchsorted(self.alphabet_, points).clip(max=len(self.alphabet_) - 1)
        return np.where(self.alphabet_[place] == points, place, len(self.alphabet_))

    def save(self, folder: Path) -> None:
        state = {"words": self.words_, "unknown": self.unknown_}
        (folder / "words.json").write_text(json.dumps(state, ensure_ascii=True), encoding="utf-8")
        save_file({"alphabet": self.alphabet_, "pairs": self.pairs_}, folder / "letters.safetensors")

    @classmethod
    def load(cls, folder: Path) -> LanguageDensity:
        density = cls()
        state = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        density.words_, density.unknown_ = state["words"], state["unknown"]
        arrays = load_file(folder / "letters.safetensors")
        density.alphabet_, density.pairs_ = arrays["alphabet"], arrays["pairs"]
        return density


def _points(text: str) -> np.ndarray:
    """The code points of a text between blanks, lower-cased; runs of white space are one blank, digits are all 0."""
    plain = BLANK.join(("", *text.lower().split(), ""))
    points = np.frombuffer(plain.encode("utf-32-le"), dtype="<u4").astype(np.int64)
    digits = (points >= ord("0")) & (points <= ord("9"))
    return np.where(digits, ord("0"), points)


def _strangest(of_notes: np.ndarray, inputs: Notes) -> np.ndarray:
    """float (notes,) -> (n,): the largest of each record's notes; NaN where it has none."""
    out = np.full(inputs.n, -np.inf)
    np.maximum.at(out, inputs.record, of_notes)
    return np.where(np.isneginf(out), np.nan, out)
