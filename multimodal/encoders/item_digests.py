"""Digests of what a modality's encoders may read of each record: the same digest, the same answer."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..records import Batch, ImageItem, NoteItem

DAY_HOURS = 24


def item_digests(batch: Batch, modality: str) -> list[bytes]:
    """One digest a record, of its items of a modality and of where they stand. An image counts by its content, wherever
    the file lies; a note by its text and its age in days."""
    found = [hashlib.sha256() for _ in range(len(batch))]

    def add(record: int, *parts: object) -> None:
        found[record].update(json.dumps(parts, default=str).encode() + b"\n")

    if modality == "vitals":
        for person in zip(range(len(batch)), batch.age_years.tolist(), batch.sex, strict=True):
            add(*person)
        rows = list(zip(*(batch.measurements[name].tolist() for name in batch.measurements), strict=True))
        ends = np.searchsorted(batch.measurements["record"].to_numpy(), np.arange(len(batch) + 1))
        for record, (start, end) in enumerate(pairwise(ends.tolist())):
            found[record].update(repr(rows[start:end]).encode("utf-8", "surrogatepass"))
    else:
        for item in batch.notes if modality == "notes" else batch.images:
            add(item.record, item.where, item.kind, *_content(item))
    return [one.digest() for one in found]


def days_old(hours: float) -> float:
    """The age of an item in whole days. hours: relative to the prediction, negative before"""
    return max(-hours, 0.0) // DAY_HOURS


def _content(item: NoteItem | ImageItem) -> tuple[object, ...]:
    if isinstance(item, NoteItem):
        return (item.text, days_old(item.hours))
    return (item.view, _file_digest(item.path))


def _file_digest(path: Path) -> str:
    """SHA-256 of a file and its suffix, or of all files of a folder; of what cannot be read, of nothing."""
    found = hashlib.sha256()
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").digest()
                found.update(file.suffix.encode("utf-8", "surrogateescape") + content)
    except OSError:
        return ""
    return found.hexdigest()
