"""What a sentence does not say itself: the kind of its note, its section, and how long ago it was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..notes import Notes
from .item_digests import days_old

YEAR_DAYS = 365.0


@dataclass(frozen=True)
class NoteContext:
    """The kinds and sections that the training notes have; others count as none."""

    kinds: tuple[str, ...]
    sections: tuple[str, ...]

    @classmethod
    def of(cls, notes: Notes) -> NoteContext:
        sections = {sentence.section for sentence in notes.sentences.distinct}
        return cls(tuple(sorted({*notes.kind} - {""})), tuple(sorted(sections - {""})))

    @property
    def width(self) -> int:
        return len(self.kinds) + len(self.sections) + 1

    def columns(self, notes: Notes, note: np.ndarray, section: Sequence[str]) -> np.ndarray:
        """float (k, width) of k sentences or chunks: note, int (k,), is the note of each; section, k texts.

        The last column is the note's age, log(1 + days) as a share of a year's: whole days, so that an hour's passing
        changes no answer.
        """
        out = np.zeros((len(note), self.width))
        kinds = {kind: place for place, kind in enumerate(self.kinds)}
        sections = {kind: place for place, kind in enumerate(self.sections, start=len(kinds))}
        of_note = np.array([kinds.get(kind, -1) for kind in notes.kind], dtype=np.int64)[note]
        of_item = np.array([sections.get(kind, -1) for kind in section], dtype=np.int64)
        for found in (of_note, of_item):
            rows = np.flatnonzero(found >= 0)
            out[rows, found[rows]] = 1.0
        days = np.array([days_old(hours) for hours in notes.hours.tolist()])
        out[:, -1] = (np.log1p(days) / np.log1p(YEAR_DAYS))[note]
        return out

    def to_json(self) -> dict[str, Any]:
        return {"kinds": self.kinds, "sections": self.sections}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> NoteContext:
        return cls(tuple(state["kinds"]), tuple(state["sections"]))
