"""Records per second of `predict`, and the ratio to the plain way of doing the same work in the same run.

    python benchmarks/throughput.py MODEL COHORT [--records 240] [--json FILE]

The plain way: one process, batches of one record, fp32, each chunk of a note padded to the model's longest, and a
blank image, an empty note and an empty row encoded where a modality is absent; its result is then masked. Both ways
must agree to 1e-5 in probability, or the program ends with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from multimodal import ClinicalModel, Cohort
from multimodal.encoders.bert import BERT
from multimodal.encoders.inputs import ImageInputs, VitalsInputs
from multimodal.imaging import Preparation, prepare, read_image
from multimodal.notes import Notes, load
from multimodal.notes.chunks import Chunk, chunked
from multimodal.records import InputError
from multimodal.vitals import check


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--records", type=int, default=240, help="the first so many records of the cohort")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    model, cohort = ClinicalModel.load(options.model, device="cpu"), Cohort.open(options.cohort)
    cohort = cohort.take(np.arange(min(options.records, len(cohort))))
    warm_up(model, cohort)
    started = time.perf_counter()
    ours = model.predict(cohort).probability
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    theirs = np.concatenate([plainly(model, cohort, row) for row in range(len(cohort))])
    plain_seconds = time.perf_counter() - started
    apart = np.nanmax(np.abs(ours - theirs), initial=0.0)
    agree = np.array_equal(np.isnan(ours), np.isnan(theirs)) and apart <= 1e-5
    found = {
        "records": len(cohort),
        "records_per_second": round(len(cohort) / seconds, 1),
        "plain_records_per_second": round(len(cohort) / plain_seconds, 1),
        "ratio": round(plain_seconds / seconds, 1),
        "largest_difference_in_probability": float(apart),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if agree else 1


def warm_up(model: ClinicalModel, cohort: Cohort) -> None:
    """What happens once in a process is paid by neither way."""
    model.predict(cohort.take(np.arange(min(4, len(cohort)))))


def plainly(model: ClinicalModel, cohort: Cohort, row: int) -> np.ndarray:
    """One record's probabilities, (1, T), in the plain way."""
    batch = cohort.take(np.array([row])).batch()
    inputs = {"image": plain_images(batch, model.config_.image.size), "notes": load(batch)}
    inputs["vitals"] = VitalsInputs(batch, check(batch, convert_suspect=model.config_.vitals.convert_suspect))
    present = np.array([[inputs[name].present[0] for name in model.modalities]])
    if "image" in inputs and not inputs["image"].present[0]:
        size = model.config_.image.size
        inputs["image"] = as_inputs(np.zeros((1, size, size), np.uint8), [""])
    if "notes" in inputs and not inputs["notes"].present[0]:
        inputs["notes"] = Notes.of_texts([""])
    evidence = {
        name: np.stack([plain_evidence(encoder, inputs[name]) for encoder in model.encoders_[name].values()], axis=1)
        for name in model.modalities
    }
    value = model.stack_.value(model.stack_.z(evidence), present)[-1]
    return np.where(present.any(), model.probabilities(value), np.nan)


def plain_images(batch, size: int) -> ImageInputs:
    pictures, kinds = [], []
    for item in batch.images:
        try:
            image = read_image(item.path)
        except InputError:
            continue
        pictures.append(prepare(image.grey, Preparation(size=size)))
        kinds.append(image.kind or item.kind)
    pixels = np.stack(pictures) if pictures else np.zeros((0, size, size), np.uint8)
    return as_inputs(pixels, kinds)


def as_inputs(pixels: np.ndarray, kinds: list[str]) -> ImageInputs:
    """The pictures of one record, each with one slice."""
    k = len(pixels)
    return ImageInputs(np.zeros(k, int), pixels, np.arange(k), kinds, [""] * k, [""] * k, [{}] * k, [], 1)


def plain_evidence(encoder, inputs) -> np.ndarray:
    """(1, T); a row without a measurement and a note without a sentence are encoded too, and mean nothing."""
    if isinstance(encoder, BERT):
        return plain_bert(encoder, inputs)
    if isinstance(inputs, VitalsInputs) and not inputs.present[0]:
        x = encoder._prepared(inputs.columns(encoder.plan_))
        for model in encoder.models_.values():
            (model.decision_function if hasattr(model, "decision_function") else model.predict_proba)(x)
        return np.zeros((1, len(encoder.targets_)))
    return encoder.encode(inputs).log_odds


def plain_bert(encoder: BERT, notes: Notes) -> np.ndarray:
    """Chunk by chunk, each padded to the model's longest."""
    chunks = chunked(notes, encoder.tokenizer_, length=encoder.length)
    context = torch.from_numpy(encoder.context_.columns(notes, chunks.note, chunks.section)).float()
    held = [chunks.distinct[chunk] for chunk in chunks.chunk]
    if not held:
        ids = tuple(encoder.tokenizer_("")["input_ids"])
        held, context = [Chunk(ids, (0,) * len(ids))], torch.zeros(1, encoder.context_.width)
    log_odds, attention = [], []
    for (ids, marks), beside in zip(held, context, strict=True):
        padding = encoder.length - len(ids)
        shown = torch.tensor([[*ids, *[encoder.tokenizer_.pad_token_id] * padding]])
        mask = torch.tensor([[1] * len(ids) + [0] * padding])
        with torch.inference_mode():
            sentence = encoder.network_.sentences(shown, mask, torch.tensor([[*marks, *[0] * padding]]))
            said, heard = encoder.network_.answers(sentence, beside[None])
        log_odds.append(said.double().numpy())
        attention.append(heard.double().numpy())
    weight = np.exp(np.concatenate(attention) - np.max(attention, axis=0))
    return (weight * np.concatenate(log_odds)).sum(axis=0, keepdims=True) / weight.sum(axis=0)


if __name__ == "__main__":
    sys.exit(main())
