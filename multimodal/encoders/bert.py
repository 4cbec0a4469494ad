"""The BERT: sentences in, log-odds of every target out, pooled over a record's sentences by attention.

The finding stands in a sentence, not in a document, so each sentence (or window of a long one) is encoded alone and
the record's log-odds are their mean under a learnt attention per target (Ilse et al., ICML 2018). However long a note
is, all of it is read. The compact model learns its WordPiece vocabulary from the training notes; any BERT-family
folder (config.json, tokenizer, model.safetensors) can stand in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..learning import torchvision_shim  # noqa: F401  before transformers
from ..learning.devices import autocast, pick_device, seeded, training_precision
from ..learning.loop import Schedule, masked_bce, train
from ..learning.weights import load_weights, save_weights
from ..notes import Notes
from ..notes.chunks import Chunks, chunked
from ..notes.wordpiece import learn_wordpiece
from ..records import Evidence, Problem, UsageError
from .pooling import pooled

TOKENS_AT_ONCE = 8192
# The two last layers learn this much faster than the BERT below, which else waits hundreds of steps for a gradient.
GAIN = 10.0


class Network(nn.Module):
    """A BERT, the mean of its last layer over the tokens, and per target a log-odds and an attention."""

    def __init__(self, bert: nn.Module, targets: int, dropout: float):
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.log_odds = nn.Linear(bert.config.hidden_size, targets)
        self.attention = nn.Linear(bert.config.hidden_size, targets)
        for layer in (self.log_odds, self.attention):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """ids, mask: int (k, length) -> log-odds (k, T), attention scores (k, T), sentence embeddings (k, D)."""
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(hidden.dtype)
        sentence = (hidden * weight).sum(1) / weight.sum(1)
        shown = self.dropout(sentence)
        return GAIN * self.log_odds(shown).float(), GAIN * self.attention(shown).float(), sentence.float()


class BERT:
    """A BERT as an encoder of notes.

    checkpoint   a folder with a BERT-family checkpoint, or None: a compact one from nothing
    layers, width, vocabulary   of the compact one
    length       tokens in a window
    schedule     how long and how fast; its batch_size counts records
    kept_in      a folder with the state of a running `fit`, from which the same one goes on after a stop, or None
    """

    def __init__(
        self,
        *,
        checkpoint: str | None = None,
        layers: int = 2,
        width: int = 128,
        vocabulary: int = 6000,
        length: int = 96,
        schedule: Schedule = Schedule(
            epochs=5, min_steps=200, max_steps=600, learning_rate=5e-4, weight_decay=0.01, batch_size=16
        ),
        dropout: float = 0.2,
        device: str = "auto",
        on_step: Callable[[], None] = lambda: None,
        kept_in: Path | None = None,
    ):
        self.checkpoint = checkpoint
        self.layers = layers
        self.width = width
        self.vocabulary = vocabulary
        self.length = length
        self.schedule = schedule
        self.dropout = dropout
        self.device = device
        self.on_step = on_step
        self.kept_in = kept_in

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> BERT:
        own = ("checkpoint", "layers", "width", "vocabulary", "length", "dropout")
        picked = {name: options[name] for name in own}
        return cls(**picked, schedule=Schedule.of(options), device=device, on_step=on_step)

    def check(self) -> None:
        """Raise UsageError if the checkpoint is not there or cannot be used."""
        if self.checkpoint is not None:
            _from_folder(Path(self.checkpoint), self.length)

    def steps(self, inputs: Notes) -> int:
        """How many steps `fit` takes on these inputs, unless it is told."""
        return self.schedule.steps(-(-int(inputs.present.sum()) // self.schedule.batch_size))

    def fit(
        self,
        inputs: Notes,
        targets: Sequence[str],
        y: np.ndarray,
        groups: np.ndarray,
        *,
        random_state: int,
        steps: int | None = None,
    ) -> BERT:
        """y: float (n, T), NaN unknown."""
        del groups  # nothing is chosen inside: no inner split
        self.targets_ = tuple(targets)
        self.steps_ = steps or self.steps(inputs)
        device, size = pick_device(self.device), self.schedule.batch_size
        with seeded(random_state, device) as generator:
            self.tokenizer_, bert = self._fresh(inputs.text)
            chunks = chunked(inputs, self.tokenizer_, length=self.length)
            rows_of = np.split(chunks.chunk, np.searchsorted(chunks.record, np.arange(1, inputs.n)))
            present = np.flatnonzero(inputs.present)
            labels = torch.from_numpy(y).float()

            def batches(generator: torch.Generator) -> Iterator[tuple[torch.Tensor, ...]]:
                order = present[torch.randperm(len(present), generator=generator).numpy()]
                for start in range(0, len(order), size):
                    rows = order[start : start + size]
                    held = np.concatenate([rows_of[row] for row in rows])
                    distinct, place = np.unique(held, return_inverse=True)  # repeated sentences are encoded once
                    owner = np.repeat(np.arange(len(rows)), [len(rows_of[row]) for row in rows])
                    ids, mask = self._padded([chunks.tokens[chunk] for chunk in distinct])
                    parts = (ids, mask, torch.from_numpy(place), torch.from_numpy(owner), labels[rows])
                    yield tuple(part.to(device) for part in parts)

            self.network_ = train(
                Network(bert, len(targets), self.dropout),
                batches,
                _loss,
                steps=self.steps_,
                schedule=self.schedule,
                device=device,
                precision=training_precision(device),
                generator=generator,
                on_step=self.on_step,
                checkpoint=self.kept_in and self.kept_in / "bert.safetensors",
            )
        return self

    def encode(self, inputs: Notes, *, precision: str = "fp32") -> Evidence:
        device = pick_device(self.device)
        chunks = chunked(inputs, self.tokenizer_, length=self.length)
        log_odds, attention, embedding = self._encoded(chunks, device, precision)
        starts = np.flatnonzero(np.diff(chunks.record, prepend=-1))
        scores = attention[chunks.chunk]
        highest = np.maximum.reduceat(scores, starts) if len(starts) else scores
        lengths = np.diff(starts, append=len(scores))
        weight = np.exp(scores - np.repeat(highest, lengths, axis=0))
        out = np.full((inputs.n, len(self.targets_)), np.nan)
        mean = np.full((inputs.n, embedding.shape[1]), np.nan)
        present = np.zeros(inputs.n, dtype=bool)
        if len(starts):
            rows = chunks.record[starts]
            present[rows] = True
            out[rows] = np.add.reduceat(weight * log_odds[chunks.chunk], starts) / np.add.reduceat(weight, starts)
            mean[rows] = np.add.reduceat(embedding[chunks.chunk], starts) / lengths[:, None]
        return Evidence(out, present, self._unknown(chunks), embedding=mean)

    def _unknown(self, chunks: Chunks) -> list[tuple[int, Problem]]:
        """MOSTLY_UNKNOWN for each record over half of whose tokens the tokenizer does not know."""
        unknown_id, ends = self.tokenizer_.unk_token_id, set(self.tokenizer_.all_special_ids)
        counts = np.array(
            [[ids.count(unknown_id), sum(i not in ends or i == unknown_id for i in ids)] for ids in chunks.tokens]
        ).reshape(-1, 2)
        totals = np.zeros((chunks.n, 2), dtype=np.int64)
        np.add.at(totals, chunks.record, counts[chunks.chunk])
        return [
            (int(row), Problem("MOSTLY_UNKNOWN", "notes", "over half of the words are unknown to the model"))
            for row in np.flatnonzero(totals[:, 0] * 2 > totals[:, 1])
        ]

    def _encoded(
        self, chunks: Chunks, device: torch.device, precision: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-odds, attention (k, T) and embeddings (k, D) of the distinct chunks, in batches of like length."""
        network = self.network_.to(device)
        k, targets = len(chunks.tokens), len(self.targets_)
        out = (np.zeros((k, targets)), np.zeros((k, targets)), np.zeros((k, network.bert.config.hidden_size)))
        order = sorted(range(k), key=lambda i: len(chunks.tokens[i]))
        start = 0
        while start < k:
            stop = start + 1
            while stop < k and (stop + 1 - start) * len(chunks.tokens[order[stop]]) <= TOKENS_AT_ONCE:
                stop += 1
            rows = order[start:stop]
            ids, mask = self._padded([chunks.tokens[i] for i in rows])
            with torch.inference_mode(), autocast(device, precision):
                parts = network(ids.to(device), mask.to(device))
            for whole, part in zip(out, parts, strict=True):
                whole[rows] = part.cpu().numpy()
            start = stop
        return out

    def _padded(self, tokens: Sequence[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
        """ids and mask, int (k, longest)."""
        longest = max(len(ids) for ids in tokens)
        ids = np.full((len(tokens), longest), self.tokenizer_.pad_token_id, dtype=np.int64)
        mask = np.zeros((len(tokens), longest), dtype=np.int64)
        for row, chunk in enumerate(tokens):
            ids[row, : len(chunk)] = chunk
            mask[row, : len(chunk)] = 1
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def _fresh(self, texts: Sequence[str]) -> tuple:
        """A tokenizer and a BERT before training on the labels."""
        if self.checkpoint is not None:
            return _from_folder(Path(self.checkpoint), self.length)
        from transformers import AutoModel, BertConfig

        tokenizer = learn_wordpiece(texts, self.vocabulary)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=max(self.width // 64, 1),
            intermediate_size=self.width * 3,
            max_position_embeddings=max(self.length, 64),
            pad_token_id=tokenizer.pad_token_id,
        )
        return tokenizer, AutoModel.from_config(config)

    def save(self, folder: Path) -> None:
        state = {"targets": self.targets_, "length": self.length, "dropout": self.dropout}
        (folder / "encoder.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        self.tokenizer_.save_pretrained(folder)
        self.network_.bert.config.save_pretrained(folder)
        save_weights(self.network_, folder / "bert.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> BERT:
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        state = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        model = cls(length=state["length"], dropout=state["dropout"], device=device)
        model.targets_ = tuple(state["targets"])
        model.tokenizer_ = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = Network(AutoModel.from_config(config), len(model.targets_), model.dropout)
        model.network_ = load_weights(network, folder / "bert.safetensors")
        return model


def _loss(network: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    ids, mask, place, owner, labels = batch
    log_odds, attention, _ = network(ids, mask)
    return masked_bce(pooled(log_odds[place], attention[place], owner, len(labels)), labels)


def _from_folder(folder: Path, length: int) -> tuple:
    """Tokenizer and model of a BERT-family folder. Raises UsageError if it is none, or holds no safetensors."""
    from transformers import AutoModel, AutoTokenizer

    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise UsageError(f"notes.checkpoint: {folder} holds no {name}; give the folder of a BERT-family checkpoint")
    only_here = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(folder, **only_here)
    model = AutoModel.from_pretrained(folder, use_safetensors=True, **only_here)
    if tokenizer.pad_token_id is None:
        raise UsageError(f"notes.checkpoint: the tokenizer in {folder} has no padding token")
    longest = getattr(model.config, "max_position_embeddings", length)
    if longest < length:
        raise UsageError(f"notes.length is {length}, but the model in {folder} reads at most {longest} tokens")
    return tokenizer, model
