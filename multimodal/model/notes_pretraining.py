"""Pretraining on the notes of a cohort, or on texts: read, train a BERT on masked words, write its folder."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..encoders.checkpoints import is_compact
from ..encoders.pretrained import FACTS
from ..learning.devices import pick_device
from ..notes import Notes
from ..records import REASONS, Batch, CohortError, InputError, ItemError, UsageError, shown
from ..sources import Cohort
from ..sources.loose_files import text_batches
from .config import Config
from .cross_fitting import new_encoder
from .model_files import refuse_existing_model, written_whole
from .pretraining import clock, cohort_of
from .saved import LIBRARIES
from .scoring import read
from .seen_patients import SeenPatients, seen_by_pretraining

SCHEMA = 1
BATCH = 256
MIN_TEXTS = 16
AVERAGED = 10  # steps of the first and the last loss
TAKEN = {
    "notes": {"checkpoint", "download", "layers", "width", "vocabulary", "length", "learning_rate", "stem_rate"}
    | {"mask_words", "headings"},
    "train": {"seed", "holdout", "device"},
}
FOLDER = {"mark": FACTS, "what": "folder of pretrain-notes"}


@dataclass(frozen=True)
class NotesPretraining:
    """What a pretraining used and reached; loss: means over the first and the last ten steps, in nats a word piece."""

    texts: int
    sentences: int
    problems: dict[str, int]
    steps: int
    loss: tuple[float, float]
    seconds: float


def pretrain_notes(
    texts: Path,
    out: Path,
    *,
    config: Config | None = None,
    epochs: int = 60,
    max_steps: int = 20_000,
    split: str | None = None,
    ignore: Collection[str] = (),
    overwrite: bool = False,
    progress: Callable[[str, float, float | None], None] = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> NotesPretraining:
    """Train a BERT on masked words of `texts`; labels are not read.

    texts   a cohort, a folder of text files of any depth, or a .txt file with a text a line; all held in memory
    config  train.holdout: leave that share of a cohort's patients out, the same as a training with that seed;
            notes.checkpoint: go on from that one, else a compact BERT and its vocabulary are learnt from nothing
    epochs  passes over the distinct sentences, but at most `max_steps` batches in all
    split   only the records of this split, of a cohort
    Raises UsageError if `out` exists, for a device or checkpoint that is not there, or if the training diverges;
    CohortError; InputError if there are fewer than 16 usable texts. `out` is written whole or not at all.
    """
    config = config or Config()
    config = config.model_copy(update={"notes": config.notes.model_copy(update={"pretraining": epochs})})
    refuse_existing_model(out, overwrite, **FOLDER)
    try:
        pick_device(config.train.device)
    except ValueError as error:
        raise UsageError(f"train.device: {error}") from None
    encoder = new_encoder("bert", config)
    encoder.check()
    # Whom the checkpoint has seen, what goes on from it has seen too.
    before = seen_by_pretraining(Path(config.notes.checkpoint)) if config.notes.checkpoint else []
    started = time.perf_counter()
    cohort, batches = _opened(texts, config, split, ignore)
    if config.notes.mask_words and (cohort is None or not any(target.words for target in cohort.targets.values())):
        raise UsageError("notes.mask_words: no target of the texts has words of its own")
    notes, patients, problems = _read(batches, config, cohort, progress)
    for code, count in problems.items():
        used = "are not used" if REASONS[code].severity == "refuse" else "are used all the same"
        report(f"{code}: {count:,} texts {used}")
    if len(notes.text) < MIN_TEXTS:
        raise InputError(f"{len(notes.text)} usable texts, at least {MIN_TEXTS} are needed: nothing was written")
    seen = SeenPatients.of(patients, config.train.seed)
    steps = min(encoder.language_steps(notes), max_steps)
    if not steps:
        raise InputError("the tokenizer knows no word of the texts: nothing was written")
    encoder.on_step = clock(f"{len(notes.text):,} texts", steps, progress, report)
    with written_whole(out, overwrite=overwrite, **FOLDER) as folder:
        try:
            losses = encoder.pretrain(notes, folder, random_state=config.train.seed, steps=steps)
        except FloatingPointError as error:
            raise UsageError(f"the training diverged: {error}") from error
        loss = float(np.mean(losses[:AVERAGED])), float(np.mean(losses[-AVERAGED:]))
        sentences = len(notes.sentences.distinct)
        facts = {
            "schema": SCHEMA,
            "method": "masked language",
            "checkpoint": config.notes.checkpoint and Path(config.notes.checkpoint).name,
            "compact": config.notes.checkpoint is None or is_compact(Path(config.notes.checkpoint)),
            "texts": len(notes.text),
            "sentences": sentences,
            "epochs": epochs,
            "steps": steps,
            "seed": config.train.seed,
            "holdout": config.train.holdout,
            "patients": [whom.to_json() for whom in (*before, *([] if cohort is None else [seen]))],
            "loss": {"first": loss[0], "last": loss[1]},
            "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        }
        (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=True, allow_nan=False), encoding="utf-8")
    return NotesPretraining(len(notes.text), sentences, problems, steps, loss, time.perf_counter() - started)


def _opened(
    texts: Path, config: Config, split: str | None, ignore: Collection[str]
) -> tuple[Cohort | None, Iterator[Batch]]:
    if not texts.exists():
        raise CohortError("COHORT_NOT_FOUND", f"there is no {shown(texts.name)}.")
    if texts.is_file() and texts.suffix == ".txt":
        if split is not None or config.train.holdout or ignore:
            raise UsageError(f"{shown(texts.name)} is no cohort: --split, --holdout and --ignore are for cohorts")
        return None, text_batches(texts, BATCH)
    cohort = cohort_of(texts, config, split, ignore)
    return cohort, text_batches(texts, BATCH) if cohort is None else cohort.batches(BATCH)


def _read(
    batches: Iterator[Batch],
    config: Config,
    cohort: Cohort | None,
    progress: Callable[[str, float, float | None], None],
) -> tuple[Notes, set[str], dict[str, int]]:
    """All usable notes, as if each were a record's; whose they are; {code: how many problems}."""
    texts: list[str] = []
    patients: set[str] = set()
    told: Counter[str] = Counter()
    targets = () if cohort is None else cohort.targets.values()
    headings: tuple = ()
    try:
        for batch in batches:
            notes = read(batch, "notes", config, targets)
            texts += notes.text
            headings = notes.headings
            patients.update(batch.patient_ids[notes.present])
            of_files = [problem for _, problem in batch.problems if problem.where.startswith(("note", "file", "line"))]
            told.update(problem.code for problem in (*of_files, *(problem for _, problem in notes.problems)))
            progress(f"reading: {len(texts):,} texts", 0, None)
    except ItemError as error:
        raise InputError(f"the file cannot be read as text: {error}") from None
    except OSError as error:
        raise InputError(f"the files cannot be read: {error.strerror}") from None
    return replace(Notes.of_texts(texts), headings=headings), patients, dict(sorted(told.items()))
