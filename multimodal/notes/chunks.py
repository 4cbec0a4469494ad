"""Notes -> chunks of tokens that a BERT can read. Nothing is cut off: a long sentence becomes several windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .prepare import Notes
from .sentences import asserted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OVERLAP = 16


class Chunk(NamedTuple):
    """tokens: token ids with the special tokens; assertions: of each token, see assertion.Assertion."""

    tokens: tuple[int, ...]
    assertions: tuple[int, ...]


@dataclass(frozen=True)
class Chunks:
    """The distinct chunks of some notes, and who holds them.

    distinct  Chunks; chunk  int (k,), index into them: the k chunks of all notes, in reading order
    note      int (k,), sorted, index of the note; section  k texts
    start, stop  int (k,): where the chunk stands in the note's text
    """

    distinct: Sequence[Chunk]
    chunk: np.ndarray
    note: np.ndarray
    section: Sequence[str]
    start: np.ndarray
    stop: np.ndarray

    def __repr__(self) -> str:
        # Token ids are the text in another spelling.
        return f"Chunks({len(self.chunk)} chunks, {len(self.distinct)} distinct)"


class _Window(NamedTuple):
    """A distinct chunk, and where it stands in its sentence."""

    chunk: int
    start: int
    stop: int


def chunked(notes: Notes, tokenizer: PreTrainedTokenizerBase, *, length: int) -> Chunks:
    """One chunk a sentence; a sentence of more than `length` tokens becomes windows that overlap by OVERLAP tokens.

    Each distinct sentence is tokenised once, all in one call. A sentence of which the tokenizer makes no token (signs
    alone) is an empty chunk.
    """
    found = notes.sentences
    if not len(found.sentence):
        nothing = np.zeros(0, np.int64)
        return Chunks([], nothing, nothing, [], nothing, nothing)
    texts = [sentence.text for sentence in found.distinct]
    encoded = tokenizer(
        texts, add_special_tokens=False, return_attention_mask=False, return_offsets_mapping=True, verbose=False
    )
    before, after = special_tokens(tokenizer)
    room = length - len(before) - len(after)
    distinct: dict[Chunk, int] = {}
    windows: list[list[_Window]] = []
    for sentence, ids, places in zip(found.distinct, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        marks = asserted(sentence)
        # The last character of a token is the word's own: the first may be the blank before it.
        of_tokens = [int(marks[stop - 1]) if stop > start else 0 for start, stop in places]
        windows.append([])
        for first, last in _windows(len(ids), room):
            tokens = (*before, *ids[first:last], *after)
            around = (0,) * len(before), (0,) * len(after)
            chunk = Chunk(tokens, (*around[0], *of_tokens[first:last], *around[1]))
            start, stop = (places[first][0], places[last - 1][1]) if last > first else (0, len(sentence.text))
            windows[-1].append(_Window(distinct.setdefault(chunk, len(distinct)), start, stop))
    rows, section = [], []
    for sentence, note, start in zip(found.sentence.tolist(), found.note.tolist(), found.start.tolist(), strict=True):
        for window in windows[sentence]:
            rows.append((window.chunk, note, start + window.start, start + window.stop))
            section.append(found.distinct[sentence].section)
    chunk, note, start, stop = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Chunks(list(distinct), chunk, note, section, start, stop)


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer sets before and after a text, for example ([CLS],) and ([SEP],)."""
    plain, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    start = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
    return tuple(whole[:start]), tuple(whole[start + len(plain) :])


def _windows(n: int, room: int) -> list[tuple[int, int]]:
    """n tokens cut into (first, last) of at most `room`, each beginning OVERLAP before the end of the one before it."""
    stride = max(room - OVERLAP, 1)
    return [(first, min(first + room, n)) for first in range(0, max(n - OVERLAP, 1), stride)]
