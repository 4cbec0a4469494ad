"""A target's own words in its notes, and how well they alone tell the label."""

from __future__ import annotations

import re

import numpy as np

from ..records.own_words import own_words_pattern
from .findings import CAUTION, NAMED, Finding
from .material import Material
from .telling import Telling, telling

_MASK = "_{3,}"
"""What importers, and those who take names out of notes, leave of a word."""
SHARES = 0.55


def own_words(material: Material) -> list[Finding]:
    """LEAK_WORDS, per target. The words are the target's own; where none are given, its name.

    That they stand there is no finding by itself (a brother's heart failure): that their presence tells the label is.
    Where they are masked, no encoder reads them, and what is left is a caution: whoever wrote the notes knew the
    answer, and other words of theirs may give it away (the name of a test, a treatment).
    The lower end of the AUROC's interval must be above SHARES: words that stand in ten in a hundred more of one class.
    """
    if "notes" not in material.inputs:
        return []
    notes, raw = material.inputs["notes"], material.batch.notes
    read, written = (list(notes.text), notes.record), ([one.text for one in raw], [one.record for one in raw])
    findings = []
    for name, target in material.targets.items():
        words = own_words_pattern(target.words or [name.replace("_", " ")])
        whose = "own words" if target.words else "name"
        masked = re.compile(f"{_MASK}|{words.pattern}", words.flags)
        found = _found(material, name, _holding(len(material), *read, words))
        if found:
            findings.append(_finding(material, name, f"its {whose} in the notes", found[0].severity, *found))
        elif target.words and (found := _found(material, name, _holding(len(material), *written, masked))):
            what = "words that are masked in the notes, so that no model reads them, and others may tell as much"
            findings.append(_finding(material, name, what, CAUTION, *found))
    return findings


def _holding(n: int, texts: list[str], record: np.ndarray | list[int], pattern: re.Pattern[str]) -> np.ndarray:
    """bool (n,): the records that have a text in which the pattern stands."""
    holds = np.zeros(n, dtype=bool)
    for row, text in zip(record, texts, strict=True):
        holds[row] |= pattern.search(text) is not None
    return holds


def _found(
    material: Material, target: str, holds: np.ndarray
) -> tuple[Telling, np.ndarray, tuple[float, float]] | None:
    """How well it tells the label that the notes hold something; the records that do; the share of each class."""
    rows, y = material.known(target)
    there = material.inputs["notes"].present[rows]
    rows, y = rows[there], y[there]
    found = telling(holds[rows].astype(float), y, rows, material.patients[rows], either=True, least=SHARES)
    if found is None or found.severity is None:
        return None
    return found, rows[holds[rows]], (float(holds[rows][y == 1].mean()), float(holds[rows][y == 0].mean()))


def _finding(
    material: Material,
    target: str,
    subject: str,
    severity: str,
    found: Telling,
    holding: np.ndarray,
    shares: tuple[float, float],
) -> Finding:
    positive, negative = shares
    what = f"{target}: {subject}: {positive:.0%} of the positive and {negative:.0%} of the negative records, {found}"
    named = tuple((one,) for one in material.named(holding[:NAMED]))
    figures = found.figures | {"share_positive": round(positive, 4), "share_negative": round(negative, 4)}
    return Finding("LEAK_WORDS", severity, what, len(holding), named, target, figures)
