"""Chunks of tokens -> padded tensors: chunks of like length together, so that little is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..notes.chunks import Chunk

TOKENS_AT_ONCE = 8192


class TokenBatch(NamedTuple):
    """rows: int (k,), which chunks; ids, mask, assertions: int (k, longest)."""

    rows: np.ndarray
    ids: torch.Tensor
    mask: torch.Tensor
    assertions: torch.Tensor


def token_batches(chunks: Sequence[Chunk], pad_id: int, *, budget: int = TOKENS_AT_ONCE) -> Iterator[TokenBatch]:
    """All chunks, shortest first, in batches of at most `budget` tokens with their padding (or of one chunk).

    A batch ends where a chunk is over a quarter, and 4 tokens, longer than its first.
    """
    lengths = np.array([len(chunk.tokens) for chunk in chunks])
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        longest = lengths[order[start]] * 1.25 + 4
        while (
            stop < len(order)
            and lengths[order[stop]] <= longest
            and (stop + 1 - start) * lengths[order[stop]] <= budget
        ):
            stop += 1
        yield padded(chunks, order[start:stop], pad_id)
        start = stop


def padded(chunks: Sequence[Chunk], rows: np.ndarray, pad_id: int) -> TokenBatch:
    """The chunks at `rows` as one batch."""
    longest = max(len(chunks[row].tokens) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask, assertions = np.zeros((2, len(rows), longest), dtype=np.int64)
    for place, row in enumerate(rows):
        tokens, marks = chunks[row]
        ids[place, : len(tokens)], assertions[place, : len(tokens)], mask[place, : len(tokens)] = tokens, marks, 1
    return TokenBatch(rows, *(torch.from_numpy(part) for part in (ids, mask, assertions)))
