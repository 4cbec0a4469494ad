"""Notes as they come -> notes that can be read: checked, repaired where that is safe, refused with a reason.

The text is kept as it is, so that a place in it is a place in what the writer wrote: nothing is lower-cased, cut off or
moved. Two things are done to it: doubly encoded text is repaired, and what is masked becomes as many blanks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import ftfy
import numpy as np

from ..records import Batch, ItemError, Problem
from ..records.own_words import own_words_pattern
from .sentences import Sentences, split

MAX_BYTES = 1 << 20

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MASKED = re.compile(r"_{3,}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DOCUMENTS = (
    (re.compile(r"\s*\{\\rtf"), "an RTF document"),
    (re.compile(r"\s*%PDF-"), "a PDF document"),
    (re.compile(r"PK\x03\x04"), "a Word document or another zip archive"),
    (re.compile(r"(?:\xd0\xcf\x11\xe0|ÐÏ\x11à)"), "an old Word document"),
    (re.compile(r"\s*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE), "an HTML page"),
)


@dataclass(frozen=True)
class Notes:
    """The usable notes of n records, sorted by record.

    record    int (k,), index of the record
    text      k prepared texts
    kind      k texts, who wrote it and what for, "" unknown; hours  float (k,), <= 0, relative to the prediction
    where     k places, for example notes[0]
    problems  (record index, Problem)
    n         the number of records
    headings  a user's own headings, see sections.own_headings
    """

    record: np.ndarray
    text: Sequence[str]
    kind: Sequence[str]
    hours: np.ndarray
    where: Sequence[str]
    problems: Sequence[tuple[int, Problem]]
    n: int
    headings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_texts(cls, texts: Sequence[str], record: Sequence[int] | None = None, n: int | None = None) -> Notes:
        """Prepared texts alone, one a record or of the records at `record`, of unknown kind, known at prediction."""
        rows = np.arange(len(texts)) if record is None else np.asarray(record, dtype=np.int64)
        n = len(texts) if n is None else n
        return cls(rows, list(texts), [""] * len(texts), np.zeros(len(texts)), [""] * len(texts), [], n)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Notes({self.n} records, {len(self.text)} notes, {len(self.problems)} problems)"

    @property
    def present(self) -> np.ndarray:
        """bool (n,): whether a record has a usable note."""
        return np.bincount(self.record, minlength=self.n).astype(bool)

    @cached_property
    def sentences(self) -> Sentences:
        """The sentences of all notes; `note` counts as `record` and `text` do."""
        return split(self.text, self.headings)

    def take(self, rows: np.ndarray) -> Notes:
        """The notes of the records at `rows`, renumbered in that order."""
        place = np.full(self.n, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        kept = np.flatnonzero(place[self.record] >= 0)
        kept = kept[np.argsort(place[self.record[kept]], kind="stable")]
        return replace(
            self,
            record=place[self.record[kept]],
            text=[self.text[i] for i in kept],
            kind=[self.kind[i] for i in kept],
            hours=self.hours[kept],
            where=[self.where[i] for i in kept],
            problems=[(int(place[row]), problem) for row, problem in self.problems if place[row] >= 0],
            n=len(rows),
        )

    def latest(self) -> list[tuple[int, str, float | str]]:
        """Notes have no measurements."""
        return []

    def provenance(self) -> list[tuple[int, str, dict[str, str]]]:
        """What was read of each note: how many sentences, and of which sections."""
        counts = np.bincount(self.sentences.note, minlength=len(self.text))
        kinds: list[list[str]] = [[] for _ in self.text]
        for note, sentence in zip(self.sentences.note.tolist(), self.sentences.sentence.tolist(), strict=True):
            section = self.sentences.distinct[sentence].section
            if section and section not in kinds[note]:
                kinds[note].append(section)
        return [
            (int(row), where, {"sentences": str(count), "sections": ", ".join(found)})
            for row, where, count, found in zip(self.record, self.where, counts, kinds, strict=True)
        ]

    def fingerprints(self) -> list[tuple[int, str]]:
        """(record, digest of the normalised text): two records with the same one hold the same note."""
        return [
            (int(row), hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest())
            for row, text in zip(self.record, self.text, strict=True)
        ]


def load(batch: Batch, *, headings: tuple[tuple[str, str], ...] = (), own_words: Sequence[str] = ()) -> Notes:
    """All notes of a batch, each checked on its own; a refused one costs only itself.

    headings   a user's own, see sections.own_headings
    own_words  words to mask in every note, see records.own_words
    """
    mask = own_words_pattern(own_words) if own_words else None
    kept, texts, problems = [], [], []
    for item in batch.notes:
        try:
            text, warnings = prepare(item.text, mask=mask)
        except ItemError as error:
            problems.append((item.record, error.at(item.where)))
            continue
        kept.append(item)
        texts.append(text)
        problems.extend((item.record, warning._replace(where=item.where)) for warning in warnings)
    return Notes(
        record=np.array([item.record for item in kept], dtype=np.int64),
        text=texts,
        kind=[item.kind for item in kept],
        hours=np.array([item.hours for item in kept], dtype=np.float64),
        where=[item.where for item in kept],
        problems=problems,
        n=len(batch),
        headings=headings,
    )


def prepare(text: str, *, mask: re.Pattern[str] | None = None) -> tuple[str, list[Problem]]:
    """The text to read, and warnings.

    Raises ItemError: NOTE_TOO_LONG (over 1 MiB in UTF-8), BINARY_NOTE (control bytes, or a document of another kind;
    says which), EMPTY_NOTE (no letter or digit). Doubly encoded text is repaired (MOJIBAKE), by ftfy.
    What `mask` finds becomes blanks, and so do runs of three or more underscores, the mark of a masked word: kept, they
    would tell a model that the word was there. But for repaired text, every place stays what it was.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ItemError("NOTE_TOO_LONG", f"the note has {size:,} bytes of text, more than {MAX_BYTES:,}")
    for pattern, kind in _DOCUMENTS:
        if pattern.match(text):
            raise ItemError("BINARY_NOTE", f"the note is {kind}, not plain text")
    if _CONTROL.search(text):
        raise ItemError("BINARY_NOTE", "the note has control bytes: it is not plain text")
    warnings = []
    text = _SURROGATE.sub("\ufffd", text)
    repaired = ftfy.fix_encoding(text)
    if repaired != text:
        text = repaired
        warnings.append(Problem("MOJIBAKE", "", "the text was encoded twice and has been repaired"))
    for hidden in (_MASKED, mask):
        if hidden is not None:
            text = hidden.sub(lambda found: " " * len(found[0]), text)
    if not any(character.isalnum() for character in text):
        raise ItemError("EMPTY_NOTE", "the note has no letter and no digit")
    return text, warnings
