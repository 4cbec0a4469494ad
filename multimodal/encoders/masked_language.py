"""Masked-language pretraining: a BERT learns to fill gaps in sentences, without any label.

Devlin et al., NAACL 2019, arXiv 1810.04805: 15 % of the tokens are asked for; of these 80 % are masked, 10 % are
another token, 10 % stay. Going on with it on the texts at hand: Gururangan et al., ACL 2020, arXiv 2004.10964.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..learning.loop import Schedule, train
from ..notes.chunks import Chunk
from .token_batches import TOKENS_AT_ONCE, padded

ASKED, MASKED, OTHER = 0.15, 0.8, 0.1
BATCH_TOKENS = TOKENS_AT_ONCE // 4
POOL = 64  # batches whose chunks are sorted by length together
TINY = 1e-6


class MaskedLanguage(nn.Module):
    """A BERT, and what turns its last layer into the vocabulary again: the embeddings of the tokens, shared."""

    def __init__(self, bert: nn.Module):
        super().__init__()
        self.bert = bert
        tokens, width = bert.get_input_embeddings().weight.shape
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(tokens))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
        """ids, mask: int (k, length); asked: bool (k, length) -> logits float (asked tokens, vocabulary)."""
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state[asked]
        return nn.functional.linear(self.transform(hidden), self.bert.get_input_embeddings().weight, self.bias)


def steps_of(chunks: Sequence[Chunk], tokenizer: Any, epochs: int) -> int:
    """How many steps `pretrain_language` takes for so many passes; 0 if no chunk holds a token to ask for."""
    special = set(_special(tokenizer))
    asked = [chunk for chunk in chunks if not special.issuperset(chunk.tokens)]
    return epochs * sum(1 for _ in _batches(asked, np.arange(len(asked))))


def pretrain_language(
    bert: nn.Module,
    tokenizer: Any,
    chunks: Sequence[Chunk],
    *,
    steps: int,
    learning_rate: float,
    device: torch.device,
    precision: str,
    generator: torch.Generator,
    on_step: Callable[[], None] = lambda: None,
    kept_in: Path | None = None,
) -> tuple[nn.Module, list[float]]:
    """Train `bert` on chunks of tokens; returns it in eval mode, and the loss of each step.

    kept_in  a file for the state of the training, from which the same one goes on
    Raises FloatingPointError if the loss is not finite.
    """
    special = torch.tensor(_special(tokenizer))
    chunks = [chunk for chunk in chunks if not {*special.tolist()}.issuperset(chunk.tokens)]
    tokens = bert.get_input_embeddings().weight.shape[0]
    losses: list[float] = []

    def batches(generator: torch.Generator) -> Iterator[tuple[torch.Tensor, ...]]:
        order = torch.randperm(len(chunks), generator=generator).numpy()
        parts = list(_batches(chunks, order))
        for place in torch.randperm(len(parts), generator=generator).tolist():
            _, ids, mask, _ = padded(chunks, parts[place], tokenizer.pad_token_id)
            drawn = torch.rand(ids.shape, generator=generator) + torch.isin(ids, special)
            asked = drawn < max(ASKED, float(drawn.min()) + TINY)  # one token at least
            fate = torch.rand(ids.shape, generator=generator)
            other = torch.randint(tokens, ids.shape, generator=generator)
            shown = torch.where(asked & (fate < MASKED), tokenizer.mask_token_id, ids)
            shown = torch.where(asked & (fate >= 1 - OTHER), other, shown)
            yield tuple(part.to(device) for part in (shown, mask, asked, ids[asked]))

    def loss_of(network: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        shown, mask, asked, answers = batch
        loss = nn.functional.cross_entropy(network(shown, mask, asked).float(), answers)
        losses.append(loss.item())
        return loss

    network = train(
        MaskedLanguage(bert),
        batches,
        loss_of,
        steps=steps,
        schedule=Schedule(epochs=1, learning_rate=learning_rate),
        device=device,
        precision=precision,
        generator=generator,
        on_step=on_step,
        checkpoint=kept_in,
    )
    return network.bert, losses


def _batches(chunks: Sequence[Chunk], order: np.ndarray) -> Iterator[np.ndarray]:
    """Chunks of like length, in batches of at most BATCH_TOKENS with their padding; int (rows,)."""
    lengths = np.array([len(chunk.tokens) for chunk in chunks])
    pool = max(1, round(POOL * BATCH_TOKENS / max(lengths.mean(), 1))) if len(chunks) else 1
    for first in range(0, len(order), pool):
        part = order[first : first + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        start = 0
        while start < len(part):
            stop = start + 1
            while stop < len(part) and (stop + 1 - start) * lengths[part[stop]] <= BATCH_TOKENS:
                stop += 1
            yield part[start:stop]
            start = stop


def _special(tokenizer: Any) -> list[int]:
    """The ids that stand for no text."""
    return sorted({*tokenizer.all_special_ids})
