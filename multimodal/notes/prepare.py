"""Notes as they come -> notes that can be read: checked, repaired where that is safe, refused with a reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import ftfy
import numpy as np

from ..records import Batch, ItemError, Problem

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
    problems  (record index, Problem)
    n         the number of records
    """

    record: np.ndarray
    text: Sequence[str]
    problems: Sequence[tuple[int, Problem]]
    n: int

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Notes({self.n} records, {len(self.text)} notes, {len(self.problems)} problems)"

    @property
    def present(self) -> np.ndarray:
        """bool (n,): whether a record has a usable note."""
        return np.bincount(self.record, minlength=self.n).astype(bool)

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
            problems=[(int(place[row]), problem) for row, problem in self.problems if place[row] >= 0],
            n=len(rows),
        )

    def provenance(self) -> list[tuple[int, str, dict[str, str]]]:
        """A note says nothing about itself."""
        return []

    def fingerprints(self) -> list[tuple[int, str]]:
        """(record, digest of the normalised text): two records with the same one hold the same note."""
        return [
            (int(row), hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest())
            for row, text in zip(self.record, self.text, strict=True)
        ]


def load(batch: Batch) -> Notes:
    """All notes of a batch, each checked on its own; a refused one costs only itself."""
    records, texts, problems = [], [], []
    for item in batch.notes:
        try:
            text, warnings = prepare(item.text)
        except ItemError as error:
            problems.append((item.record, error.at(item.where)))
            continue
        records.append(item.record)
        texts.append(text)
        problems.extend((item.record, warning._replace(where=item.where)) for warning in warnings)
    return Notes(np.array(records, dtype=np.int64), texts, problems, len(batch))


def prepare(text: str) -> tuple[str, list[Problem]]:
    """The text to read, and warnings.

    Raises ItemError: NOTE_TOO_LONG (over 1 MiB in UTF-8), BINARY_NOTE (control bytes, or a document of another kind;
    says which), EMPTY_NOTE (no letter or digit). Doubly encoded text is repaired (MOJIBAKE), by ftfy.
    Runs of three or more underscores, the mark of a masked word, become a blank.
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
    # The mark of a masked word would tell a model that the word was there.
    text = _MASKED.sub(" ", text)
    if not any(character.isalnum() for character in text):
        raise ItemError("EMPTY_NOTE", "the note has no letter and no digit")
    return text, warnings
