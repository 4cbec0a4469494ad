"""Notes that are the same note: word for word, or but for a few words.

Near ones have shingles (runs of SHINGLE words) in common: MinHash with banding finds candidates without comparing all
with all (Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, ch. 3), and the shingles themselves confirm them.
Short notes, and texts that many patients share, are templates ("Normal chest."): that two patients have one says
nothing, so they are counted apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..notes import Notes
from .pairs import equal_pairs, groups_of, record_pairs

SHINGLE = 3
SHORT = 20
"""Words; fewer are a template."""
FREQUENT = 5
"""Patients; a text that more of them share is a template."""
SAME = 0.8
"""The least share of shingles in common, of those of either (Jaccard)."""
BANDS, ROWS = 8, 4
"""Of two notes with 0.8 in common the chance to be compared is 98.5 %, with 0.5 it is 40 %."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class SameNotes:
    """pairs  int (m, 2), records with the same note, numbered over all parts; templates, template_records: how many
    texts (near ones together) are templates that several patients share, and how many records hold one."""

    pairs: np.ndarray
    templates: int
    template_records: int


def same_notes(parts: list[tuple[int, Notes]], patients: np.ndarray) -> SameNotes:
    """parts: (number of the first record, notes) each; patients: object (n,), over all parts."""
    record = np.concatenate([offset + one.record for offset, one in parts])
    if not len(record):
        return SameNotes(np.zeros((0, 2), dtype=np.int64), 0, 0)
    words = [_WORD.findall(text.casefold()) for _, one in parts for text in one.text]
    keys = np.array([" ".join(found) for found in words], dtype=object)
    _, first, text_of = np.unique(keys.astype(str), return_index=True, return_inverse=True)
    near = first[_near_pairs([words[i] for i in first])]
    pairs = np.concatenate([equal_pairs(keys), near])
    group = groups_of(pairs, len(record))
    people = np.unique(patients.astype(str), return_inverse=True)[1][record]
    held_by = np.bincount(np.unique(np.stack([group, people], axis=1), axis=0)[:, 0], minlength=group.max() + 1)
    short = np.array([len(words[i]) < SHORT for i in first])[text_of]
    template = (held_by[group] > 1) & (short | (held_by[group] > FREQUENT))
    kept = pairs[~template[pairs].any(axis=1)]
    shared = np.unique(group[template])
    return SameNotes(record_pairs(kept, record), len(shared), len(np.unique(record[template])))


def _near_pairs(texts: list[list[str]]) -> np.ndarray:
    """int (m, 2): pairs of different texts, as words, with at least SAME of their shingles in common."""
    none = np.zeros((0, 2), dtype=np.int64)
    vocabulary: dict[str, int] = {}
    numbers = [[vocabulary.setdefault(word, len(vocabulary)) for word in words] for words in texts]
    long = [i for i, found in enumerate(numbers) if len(found) >= SHORT]
    if len(long) < 2:
        return none
    base = np.uint64(len(vocabulary) + 1)
    shingled = []
    for i in long:
        found = np.array(numbers[i], dtype=np.uint64)
        runs = found[: 1 - SHINGLE]
        for further in range(1, SHINGLE):  # wraps around in 64 bits, which is as good a hash
            runs = runs * base + found[further : len(found) + 1 - SHINGLE + further]
        shingled.append(np.unique(runs))
    owner = np.repeat(np.arange(len(long)), [len(runs) for runs in shingled])
    distinct, column = np.unique(np.concatenate(shingled), return_inverse=True)
    candidates = _sharing_a_band(_signatures(distinct[column], owner))
    if not len(candidates):
        return none
    held = sparse.csr_matrix((np.ones(len(owner), np.float32), (owner, column)), shape=(len(long), len(distinct)))
    common = np.asarray(held[candidates[:, 0]].multiply(held[candidates[:, 1]]).sum(axis=1)).ravel()
    sizes = np.asarray(held.sum(axis=1)).ravel()
    either = sizes[candidates].sum(axis=1) - common
    return np.array(long)[candidates[common >= SAME * either]]


def _signatures(shingles: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """uint64 (texts, BANDS * ROWS): the least of each hash over a text's shingles; `owner` is ascending."""
    random = np.random.default_rng(0)
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    columns = []
    for _ in range(BANDS * ROWS):
        odd, mask = random.integers(1 << 63, size=2, dtype=np.uint64)
        mixed = (shingles ^ mask) * (odd | np.uint64(1))
        mixed ^= mixed >> np.uint64(32)
        columns.append(np.minimum.reduceat(mixed * np.uint64(0x9E3779B97F4A7C15), starts))
    return np.stack(columns, axis=1)


def _sharing_a_band(signatures: np.ndarray) -> np.ndarray:
    """int (m, 2): pairs of neighbours among the texts that are equal in all rows of a band."""
    found = []
    for band in np.split(signatures, BANDS, axis=1):
        order = np.lexsort(band.T)
        same = (band[order][1:] == band[order][:-1]).all(axis=1)
        found.append(np.stack([order[:-1][same], order[1:][same]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
