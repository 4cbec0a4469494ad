"""Notes -> chunks of tokens that a BERT can read. Nothing is cut off: a long sentence becomes several windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .prepare import Notes
from .words import sentences

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OVERLAP = 16


@dataclass(frozen=True)
class Chunks:
    """The distinct chunks of some notes, and who holds them.

    tokens   distinct chunks, each a tuple of token ids with the special tokens
    record   int (k,), sorted; chunk  int (k,), index into tokens: the k chunks of all records, in reading order
    n        the number of records
    """

    tokens: Sequence[tuple[int, ...]]
    record: np.ndarray
    chunk: np.ndarray
    n: int

    def __repr__(self) -> str:
        # Token ids are the text in another spelling.
        return f"Chunks({self.n} records, {len(self.chunk)} chunks, {len(self.tokens)} distinct)"


def chunked(notes: Notes, tokenizer: PreTrainedTokenizerBase, *, length: int) -> Chunks:
    """One chunk a sentence; a sentence of more than `length` tokens becomes windows that overlap by OVERLAP tokens.

    Each distinct sentence is tokenised once, all in one call.
    """
    places: dict[str, int] = {}
    holders: list[tuple[int, int]] = []
    for row, text in zip(notes.record, notes.text, strict=True):
        for sentence in sentences(text):
            holders.append((int(row), places.setdefault(sentence, len(places))))
    if not holders:
        return Chunks([], np.zeros(0, np.int64), np.zeros(0, np.int64), notes.n)
    encoded = tokenizer(list(places), add_special_tokens=False, return_attention_mask=False, verbose=False)
    before, after = _special_tokens(tokenizer)
    room = length - len(before) - len(after)
    distinct: dict[tuple[int, ...], int] = {}
    windows_of = [
        [distinct.setdefault(window, len(distinct)) for window in _windows(tuple(ids), room)]
        for ids in encoded["input_ids"]
    ]
    pairs = [(row, chunk) for row, sentence in holders for chunk in windows_of[sentence]]
    record, chunk = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    tokens = [(*before, *ids, *after) for ids in distinct]
    return Chunks(tokens, record, chunk, notes.n)


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer sets before and after a text, for example ([CLS],) and ([SEP],)."""
    plain, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    start = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
    return tuple(whole[:start]), tuple(whole[start + len(plain) :])


def _windows(ids: tuple[int, ...], room: int) -> list[tuple[int, ...]]:
    """`ids` cut into windows of at most `room`, each after the first beginning OVERLAP before the last one's end."""
    stride = max(room - OVERLAP, 1)
    starts = range(0, max(len(ids) - OVERLAP, 1), stride)
    return [ids[start : start + room] for start in starts]
