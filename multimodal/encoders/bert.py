"""The BERT: sentences in, log-odds of every target out, pooled over a record's sentences by attention.

The finding stands in a sentence, not in a document, so each sentence (or window of a long one) is encoded alone and
the record's log-odds are their mean under a learnt attention per target (Ilse et al., ICML 2018). However long a note
is, and however many there are, all of it is read. Beside its token, each word brings its assertion (negated, uncertain,
past, of the family) as an embedding of its own, as BERT's token types do; the kind, age and section of the note are
added to the sentence. The compact model learns its WordPiece vocabulary from the training notes; any BERT-family folder
(config.json, tokenizer.json, model.safetensors) can stand in its place. The compact one first learns from the training
notes by masked-language pretraining, which reads no label and so is done once for all folds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from ..learning import torchvision_shim  # noqa: F401  before transformers
from ..learning.devices import autocast, pick_device, seeded, training_precision
from ..learning.loop import Schedule, masked_bce, train
from ..learning.weights import load_weights, save_weights
from ..notes import Assertion, Notes
from ..notes.chunks import Chunks, chunked
from ..records import Evidence, Problem
from .checkpoints import compact, is_compact, open_checkpoint
from .mahalanobis import Mahalanobis
from .masked_language import pretrain_language, steps_of
from .note_context import NoteContext
from .pooling import pooled
from .token_batches import TokenBatch, token_batches

# The last layers learn this much faster than the BERT below, which else waits hundreds of steps for a gradient.
GAIN = 10.0
MAX_PRETRAINING_STEPS = 2000  # of the pretraining that belongs to a training
LANGUAGE_RATE = 2.0  # its batches hold many more tokens than those of the training


class Network(nn.Module):
    """A BERT, the mean of its last layer over the tokens of a chunk, and per target a log-odds and an attention."""

    def __init__(self, bert: nn.Module, targets: int, context: int, dropout: float):
        super().__init__()
        width, embedded = bert.config.hidden_size, bert.get_input_embeddings().embedding_dim
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.assertion = nn.Embedding(len(Assertion), embedded)
        self.context = nn.Linear(context, width, bias=False)
        self.log_odds = nn.Linear(width, targets)
        self.attention = nn.Linear(width, targets)
        # A pretrained model begins as it was: what is added to it begins at nothing.
        for parameter in (self.assertion.weight, self.context.weight, *self.heads()):
            nn.init.zeros_(parameter)

    def heads(self) -> Iterator[nn.Parameter]:
        yield from (*self.log_odds.parameters(), *self.attention.parameters())

    def sentences(self, ids: torch.Tensor, mask: torch.Tensor, assertions: torch.Tensor) -> torch.Tensor:
        """ids, mask, assertions: int (k, length) -> float (k, D)."""
        tokens = self.bert.get_input_embeddings()(ids) + self.assertion(assertions)
        hidden = self.bert(inputs_embeds=tokens, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(hidden.dtype)
        return ((hidden * weight).sum(1) / weight.sum(1)).float()

    def answers(self, sentences: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float (k, D), (k, C) -> log-odds (k, T), attention scores (k, T)."""
        shown = self.dropout(sentences + GAIN * self.context(context))
        return GAIN * self.log_odds(shown).float(), GAIN * self.attention(shown).float()


class Shown(NamedTuple):
    """Some records as `fit` shows them: the distinct chunks in `parts`, of which `place` (k,) are held by the records
    `owner` (k,), each in its `context` (k, C); labels (n, T)."""

    parts: Sequence[TokenBatch]
    place: torch.Tensor
    owner: torch.Tensor
    context: torch.Tensor
    labels: torch.Tensor


class BERT:
    """A BERT as an encoder of notes.

    checkpoint   a folder with a BERT-family checkpoint, or None: a compact one from nothing
    download     the checkpoint may be a name on the hub, and the network may be used to fetch it
    layers, width, vocabulary   of the compact one
    length       tokens in a window
    pretraining  without a checkpoint: passes of masked-language pretraining over the training notes, labels unread
    stem_rate    with a checkpoint that is none of `pretrain-notes`: its layers' share of the learning rate
    schedule     how long and how fast; its batch_size counts records
    start        the folder that `pretrain` wrote, or None
    kept_in      a folder with the state of a running `fit`, from which the same one goes on after a stop, or None
    """

    def __init__(
        self,
        *,
        checkpoint: str | None = None,
        download: bool = False,
        layers: int = 2,
        width: int = 128,
        vocabulary: int = 6000,
        length: int = 96,
        pretraining: int = 60,
        stem_rate: float = 0.1,
        schedule: Schedule = Schedule(
            epochs=5, min_steps=200, max_steps=600, learning_rate=5e-4, weight_decay=0.01, batch_size=16
        ),
        dropout: float = 0.2,
        device: str = "auto",
        on_step: Callable[[], None] = lambda: None,
        start: Path | None = None,
        kept_in: Path | None = None,
    ):
        self.checkpoint = checkpoint
        self.download = download
        self.layers = layers
        self.width = width
        self.vocabulary = vocabulary
        self.length = length
        self.pretraining = pretraining
        self.stem_rate = stem_rate
        self.schedule = schedule
        self.dropout = dropout
        self.device = device
        self.on_step = on_step
        self.start = start
        self.kept_in = kept_in

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> BERT:
        own = (
            "checkpoint",
            "download",
            "layers",
            "width",
            "vocabulary",
            "length",
            "pretraining",
            "stem_rate",
            "dropout",
        )
        picked = {name: options[name] for name in own}
        return cls(**picked, schedule=Schedule.of(options), device=device, on_step=on_step)

    def check(self) -> None:
        """Raise UsageError if the checkpoint is not there or cannot be used."""
        if self.checkpoint is not None:
            open_checkpoint(self.checkpoint, length=self.length, download=self.download)

    def steps(self, inputs: Notes) -> int:
        """How many steps `fit` takes on these inputs, unless it is told."""
        return self.schedule.steps(-(-int(inputs.present.sum()) // self.schedule.batch_size))

    def pretraining_steps(self, inputs: Notes) -> int:
        """How many steps a training should `pretrain` for: none with a checkpoint, which is pretrained already."""
        if not self.pretraining or self.checkpoint is not None:
            return 0
        return min(self.language_steps(inputs), MAX_PRETRAINING_STEPS)

    def language_steps(self, inputs: Notes) -> int:
        """The steps of `pretraining` passes over the distinct sentences of these inputs; 0 if none has a known word."""
        with seeded(0, torch.device("cpu")):
            tokenizer, _ = self._fresh(inputs.text)
        return steps_of(chunked(inputs, tokenizer, length=self.length).distinct, tokenizer, self.pretraining)

    def pretrain(self, inputs: Notes, folder: Path, *, random_state: int, steps: int | None = None) -> list[float]:
        """Masked-language pretraining on these notes: write the checkpoint that `fit` can start from.

        steps: as many as the passes take by default, at most MAX_PRETRAINING_STEPS. Returns the loss of each step."""
        device = pick_device(self.device)
        with seeded(random_state, device) as generator:
            tokenizer, bert = self._fresh(inputs.text)
            chunks = chunked(inputs, tokenizer, length=self.length).distinct
            bert, losses = pretrain_language(
                bert,
                tokenizer,
                chunks,
                steps=steps or min(steps_of(chunks, tokenizer, self.pretraining), MAX_PRETRAINING_STEPS),
                learning_rate=LANGUAGE_RATE * self.schedule.learning_rate * self._stem_rate(),
                device=device,
                precision=training_precision(device),
                generator=generator,
                on_step=self.on_step,
                kept_in=self.kept_in and self.kept_in / "language.safetensors",
            )
        tokenizer.save_pretrained(folder)
        bert.cpu().save_pretrained(folder)
        return losses

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
        self.context_ = NoteContext.of(inputs)
        device, size = pick_device(self.device), self.schedule.batch_size
        with seeded(random_state, device) as generator:
            self.tokenizer_, bert = self._fresh(inputs.text)
            chunks = chunked(inputs, self.tokenizer_, length=self.length)
            owner = inputs.record[chunks.note]
            context = torch.from_numpy(self.context_.columns(inputs, chunks.note, chunks.section)).float()
            rows_of = np.split(np.arange(len(owner)), np.searchsorted(owner, np.arange(1, inputs.n)))
            present = np.flatnonzero(inputs.present)
            labels = torch.from_numpy(y).float()

            def batches(generator: torch.Generator) -> Iterator[Shown]:
                order = present[torch.randperm(len(present), generator=generator).numpy()]
                for start in range(0, len(order), size):
                    rows = order[start : start + size]
                    held = np.concatenate([rows_of[row] for row in rows])
                    distinct, place = np.unique(chunks.chunk[held], return_inverse=True)  # each sentence once
                    parts = list(token_batches([chunks.distinct[i] for i in distinct], self.tokenizer_.pad_token_id))
                    owners = np.repeat(np.arange(len(rows)), [len(rows_of[row]) for row in rows])
                    tensors = torch.from_numpy(place), torch.from_numpy(owners), context[held], labels[rows]
                    yield Shown(parts, *(part.to(device) for part in tensors))

            def loss_of(network: nn.Module, shown: Shown) -> torch.Tensor:
                encoded = torch.cat([network.sentences(*_on(device, part)) for part in shown.parts])
                back = np.argsort(np.concatenate([part.rows for part in shown.parts]), kind="stable")
                sentences = encoded[torch.from_numpy(back).to(device)[shown.place]]
                log_odds, attention = network.answers(sentences, shown.context)
                return masked_bce(pooled(log_odds, attention, shown.owner, len(shown.labels)), shown.labels)

            network = Network(bert, len(targets), self.context_.width, self.dropout)
            rate = self._stem_rate()
            self.network_ = train(
                network,
                batches,
                loss_of,
                steps=self.steps_,
                schedule=self.schedule,
                device=device,
                precision=training_precision(device),
                generator=generator,
                on_step=self.on_step,
                rate_of={name: rate for name, _ in network.named_parameters() if name.startswith("bert.")},
                checkpoint=self.kept_in and self.kept_in / "bert.safetensors",
            )
        self.embeddings_ = Mahalanobis.of(self._read(inputs, "fp32").embedding[inputs.present])
        return self

    def encode(self, inputs: Notes, *, precision: str = "fp32") -> Evidence:
        found = self._read(inputs, precision)
        return replace(found, novelty={"embedding": self.embeddings_.distance(found.embedding)})

    def _read(self, inputs: Notes, precision: str) -> Evidence:
        """The evidence without its novelty."""
        chunks = chunked(inputs, self.tokenizer_, length=self.length)
        device, n = pick_device(self.device), inputs.n
        network = self.network_.to(device)
        owner = torch.from_numpy(inputs.record[chunks.note])
        context = torch.from_numpy(self.context_.columns(inputs, chunks.note, chunks.section)).float().to(device)
        with torch.inference_mode():
            sentences = self._sentences(network, chunks, device, precision)[torch.from_numpy(chunks.chunk).to(device)]
            parts = (*network.answers(sentences, context), sentences)
        # On the CPU: there the sums have an order, so that the same records get the same bits.
        log_odds, attention, sentences = (part.double().cpu() for part in parts)
        answer = pooled(log_odds, attention, owner, n).numpy()
        mean = pooled(sentences, torch.zeros_like(sentences), owner, n).numpy()
        used = np.bincount(chunks.note, minlength=len(inputs.text))
        facts = [
            (int(row), where, {"chunks_used": str(count)})
            for row, where, count in zip(inputs.record, inputs.where, used, strict=True)
        ]
        return Evidence(answer, inputs.present, self._unknown(inputs, chunks), embedding=mean, facts=facts)

    def _unknown(self, inputs: Notes, chunks: Chunks) -> list[tuple[int, Problem]]:
        """MOSTLY_UNKNOWN for each record over half of whose tokens the tokenizer does not know."""
        unknown_id, ends = self.tokenizer_.unk_token_id, set(self.tokenizer_.all_special_ids)
        counts = np.array(
            [[ids.count(unknown_id), sum(i not in ends or i == unknown_id for i in ids)] for ids, _ in chunks.distinct]
        ).reshape(-1, 2)
        totals = np.zeros((inputs.n, 2), dtype=np.int64)
        np.add.at(totals, inputs.record[chunks.note], counts[chunks.chunk])
        return [
            (int(row), Problem("MOSTLY_UNKNOWN", "notes", "over half of the words are unknown to the model"))
            for row in np.flatnonzero(totals[:, 0] * 2 > totals[:, 1])
        ]

    def _sentences(self, network: Network, chunks: Chunks, device: torch.device, precision: str) -> torch.Tensor:
        """float (distinct chunks, D), on the device."""
        out = torch.zeros(len(chunks.distinct), network.bert.config.hidden_size, device=device)
        for part in token_batches(chunks.distinct, self.tokenizer_.pad_token_id):
            with autocast(device, precision):
                out[torch.from_numpy(part.rows).to(device)] = network.sentences(*_on(device, part))
        return out

    def _fresh(self, texts: Sequence[str]) -> tuple:
        """A tokenizer and a BERT before training on the labels."""
        if self.start is not None:
            return open_checkpoint(str(self.start), length=self.length)
        if self.checkpoint is not None:
            return open_checkpoint(self.checkpoint, length=self.length, download=self.download)
        return compact(texts, layers=self.layers, width=self.width, vocabulary=self.vocabulary, length=self.length)

    def _stem_rate(self) -> float:
        return 1.0 if self.checkpoint is None or is_compact(Path(self.checkpoint)) else self.stem_rate

    def save(self, folder: Path) -> None:
        state = {"targets": self.targets_, "length": self.length, "dropout": self.dropout}
        state["context"] = self.context_.to_json()
        (folder / "encoder.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        self.tokenizer_.save_pretrained(folder)
        self.network_.bert.config.save_pretrained(folder)
        save_weights(self.network_, folder / "bert.safetensors")
        save_file(self.embeddings_.arrays(), folder / "embeddings.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> BERT:
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        state = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        model = cls(length=state["length"], dropout=state["dropout"], device=device)
        model.targets_, model.context_ = tuple(state["targets"]), NoteContext.from_json(state["context"])
        model.tokenizer_ = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = Network(AutoModel.from_config(config), len(model.targets_), model.context_.width, model.dropout)
        model.network_ = load_weights(network, folder / "bert.safetensors")
        model.embeddings_ = Mahalanobis.from_arrays(load_file(folder / "embeddings.safetensors"))
        return model


def _on(device: torch.device, part: TokenBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return part.ids.to(device), part.mask.to(device), part.assertions.to(device)
