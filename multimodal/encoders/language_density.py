"""How common the language of a note is: its words and its letters under those of the training notes.

Two measures, each the mean surprise in nats, larger where a note is stranger:
  words    of its words, by their frequency in the training; one that fewer than two records held is unknown
  letters  of each character after the one before it: a script, a language or markup of another kind
A foreign word says more than that a tokenizer does not know it: WordPiece splits it into letters that it knows.
Both are smoothed by interpolation (Jelinek & Mercer; see Chen & Goodman, Computer Speech & Language 13:359, 1999), and
never by counts, which would have a note look the stranger the more the training held: the limits are those of smaller
trainings, of the folds. Of several notes the strangest counts.
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
PRIOR_WORDS = 2  # a note of two rare words is not as strange as one of thirty
LEAST = 1e-5  # no word and no character is taken to be rarer
SECOND_ALONE = 0.05  # this share of what follows a character does so whichever character it is
BLANK = " "


class LanguageDensity:
    """Learned by `fit`: words_ {word: nats}, and usual_, the median of the notes' means; alphabet_ (a,), code points,
    sorted; pairs_ (a + 1, a + 1), the nats of the second after the first, an unknown character last."""

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
        total = sum(counts.values())
        self.words_ = {word: float(-np.log(max(counts[word] / total, LEAST))) for word in kept}
        total_of, count_of = self._surprise_of_words(inputs)
        self.usual_ = float(np.median(total_of / np.maximum(count_of, 1)))
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
        of_first = pairs.sum(axis=1, keepdims=True)
        second = np.broadcast_to(np.maximum(pairs.sum(axis=0) / pairs.sum(), LEAST), pairs.shape)
        share = np.divide(pairs, of_first, out=second.copy(), where=of_first > 0)
        self.pairs_ = -np.log((1 - SECOND_ALONE) * share + SECOND_ALONE * second)

    def novelty(self, inputs: Notes) -> dict[str, np.ndarray]:
        """{measure: float (n,)}; NaN where a record has no note."""
        letters = np.array([self._letter_surprise(text) for text in inputs.text])
        return {
            "words": _strangest(self._word_surprise(inputs), inputs),
            "letters": _strangest(letters, inputs),
        }

    def _word_surprise(self, inputs: Notes) -> np.ndarray:
        """float (notes,): the mean over the words of each, and over PRIOR_WORDS usual ones."""
        total, count = self._surprise_of_words(inputs)
        return (total + PRIOR_WORDS * self.usual_) / (count + PRIOR_WORDS)

    def _surprise_of_words(self, inputs: Notes) -> tuple[np.ndarray, np.ndarray]:
        """float (notes,) each: the surprise of all words of a note, summed, and their number."""
        found = inputs.sentences
        unknown = -float(np.log(LEAST))
        spoken = [[self.words_.get(word, unknown) for _, word in words(one)] for one in found.distinct]
        total, count = (np.array([of(one) for one in spoken], dtype=float) for of in (sum, len))
        notes = len(inputs.text)
        return tuple(np.bincount(found.note, weights=one[found.sentence], minlength=notes) for one in (total, count))

    def _letter_surprise(self, text: str) -> float:
        letters = self._letters(_points(text))
        return float(self.pairs_[letters[:-1], letters[1:]].mean())

    def _letters(self, points: np.ndarray) -> np.ndarray:
        """Places in the alphabet; its size for a character that is not in it."""
        place = np.searchsorted(self.alphabet_, points).clip(max=len(self.alphabet_) - 1)
        return np.where(self.alphabet_[place] == points, place, len(self.alphabet_))

    def save(self, folder: Path) -> None:
        (folder / "words.json").write_text(json.dumps({"words": self.words_, "usual": self.usual_}), encoding="utf-8")
        save_file({"alphabet": self.alphabet_, "pairs": self.pairs_}, folder / "letters.safetensors")

    @classmethod
    def load(cls, folder: Path) -> LanguageDensity:
        density = cls()
        state = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        density.words_, density.usual_ = state["words"], state["usual"]
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
