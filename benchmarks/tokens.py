"""Tokens of notes that the BERT encodes a second, against record by record and padded, in the same run.

    python benchmarks/tokens.py OPENI ACI [--checkpoint DIR] [--records N]

OPENI holds indiana_reports.csv, ACI train.csv: short findings and whole visit notes, the mix of lengths. The plain way
tokenises a record's sentences, pads each to the longest that the model reads, and runs the network once a record. Both
give the same answers. Tokens are counted as they stand in the notes, repeated ones too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from multimodal.encoders.bert import BERT
from multimodal.encoders.pooling import pooled
from multimodal.encoders.token_batches import padded
from multimodal.learning.devices import has_fast_bf16
from multimodal.learning.loop import Schedule
from multimodal.notes import Notes, prepare
from multimodal.notes.chunks import chunked


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("openi", type=Path)
    arguments.add_argument("aci", type=Path)
    arguments.add_argument("--checkpoint", help="the folder of a BERT-family checkpoint; a compact one by default")
    arguments.add_argument("--records", type=int, default=400, help="so many reports, and all visit notes")
    options = arguments.parse_args()
    reports = pd.read_csv(options.openi / "indiana_reports.csv")["findings"].dropna()
    visits = pd.read_csv(options.aci / "train.csv")["note"]
    notes = Notes.of_texts([prepare(text)[0] for text in [*reports[: options.records], *visits]])
    # Trained a little on something that it can learn, so that its answers differ and may be compared.
    y = np.array([float("clear" in text) for text in notes.text])[:, None]
    schedule = Schedule(epochs=1, max_steps=60, min_steps=60, learning_rate=1e-3)
    encoder = BERT(checkpoint=options.checkpoint, pretraining=0, schedule=schedule)
    encoder.fit(notes, ["clear"], y, np.arange(notes.n), random_state=0)
    chunks = chunked(notes, encoder.tokenizer_, length=encoder.length)
    tokens = sum(len(chunks.distinct[i].tokens) for i in chunks.chunk)
    print(f"{notes.n:,} notes, {len(chunks.chunk):,} sentences ({len(chunks.distinct):,} distinct), {tokens:,} tokens")
    ways = {"plain": lambda: plainly(encoder, notes), "ours, fp32": lambda: encoder.encode(notes).log_odds}
    if has_fast_bf16(torch.device("cpu")):
        ways["ours, bf16"] = lambda: encoder.encode(notes, precision="bf16").log_odds
    answers, seconds = {}, {}
    for name, way in ways.items():
        way()
        started = time.perf_counter()
        answers[name] = way()
        seconds[name] = time.perf_counter() - started
    for name in ways:
        apart = np.abs(1 / (1 + np.exp(-answers[name])) - 1 / (1 + np.exp(-answers["plain"]))).max()
        spread = (1 / (1 + np.exp(-answers[name]))).std()
        print(f"{name:<12}{tokens / seconds[name]:>10,.0f} tokens/s{seconds['plain'] / seconds[name]:>8.1f} x   "
              f"largest difference in probability {apart:.1e} (their deviation {spread:.2f})")  # fmt: skip


def plainly(encoder: BERT, notes: Notes) -> np.ndarray:
    out = []
    for row in range(notes.n):
        one = notes.take(np.array([row]))
        chunks = chunked(one, encoder.tokenizer_, length=encoder.length)
        held = [chunks.distinct[i] for i in chunks.chunk]
        _, ids, mask, assertions = padded(held, np.arange(len(held)), encoder.tokenizer_.pad_token_id)
        extra = (0, encoder.length - ids.shape[1])
        ids = torch.nn.functional.pad(ids, extra, value=encoder.tokenizer_.pad_token_id)
        mask, assertions = (torch.nn.functional.pad(part, extra) for part in (mask, assertions))
        context = torch.from_numpy(encoder.context_.columns(one, chunks.note, chunks.section)).float()
        with torch.inference_mode():
            log_odds, attention = encoder.network_.answers(encoder.network_.sentences(ids, mask, assertions), context)
        out.append(pooled(log_odds, attention, torch.zeros(len(held), dtype=torch.int64), 1).numpy())
    return np.concatenate(out)


if __name__ == "__main__":
    main()
