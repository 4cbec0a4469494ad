"""All images of a batch, decoded in guarded processes, as one array of slices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from multimodal.records import Batch, ImageItem, ItemError, Problem

from .client import decode
from .prepare import Preparation


@dataclass(frozen=True)
class Images:
    """The k usable pictures of a batch, in the order of `batch.images`; a volume is one picture of several slices.

    record    int64 (k,), index into the batch
    item      int64 (k,), index into `batch.images`
    kind      k texts: what the file tells (radiograph, ct, mr, photo, other), else what the item says, else ""
    digest    k texts: SHA-256 of the file's bytes, of a series that of its sorted files' digests
    facts     k dicts of text: the provenance, see Image and Volume
    slices    uint8 (s, size, size), see `prepare`; a radiograph has one, a volume in the order in which they lie
    picture   int64 (s,), index into the k pictures, ascending
    properties  k dicts of numbers and text: what each file is beside its picture, see file_properties
    problems  (record index, Problem): refusals and warnings, the item's `where` in each
    """

    record: np.ndarray
    item: np.ndarray
    kind: list[str]
    digest: list[str]
    facts: list[dict[str, str]]
    slices: np.ndarray
    picture: np.ndarray
    properties: list[dict[str, float | str]]
    problems: list[tuple[int, Problem]]

    def __len__(self) -> int:
        return len(self.record)


def load(batch: Batch, preparation: Preparation, *, workers: int = 1) -> Images:
    """Reads every image of `batch`, prepared for an encoder, `workers` files or series at a time.

    A file that is refused costs that item alone; each picture depends on its own file and on `preparation` only.
    Worker processes are kept for the next call.
    """
    if workers == 1 or len(batch.images) < 2:
        results = [_result(item, preparation) for item in batch.images]
    else:
        with ThreadPoolExecutor(max_workers=workers) as threads:
            results = list(threads.map(lambda item: _result(item, preparation), batch.images))
    kept = [place for place, (pixels, _, _) in enumerate(results) if pixels is not None]
    counts = [len(results[place][0]) for place in kept]
    none = np.zeros((0, preparation.size, preparation.size), np.uint8)
    return Images(
        record=np.array([batch.images[place].record for place in kept], dtype=np.int64),
        item=np.array(kept, dtype=np.int64),
        kind=[results[place][1]["kind"] or batch.images[place].kind for place in kept],
        digest=[results[place][1]["digest"] for place in kept],
        facts=[results[place][1]["facts"] for place in kept],
        slices=np.concatenate([results[place][0] for place in kept]) if kept else none,
        picture=np.repeat(np.arange(len(kept), dtype=np.int64), counts),
        properties=[results[place][1]["properties"] for place in kept],
        problems=[
            (item.record, problem) for item, (_, _, problems) in zip(batch.images, results) for problem in problems
        ],
    )


def _result(item: ImageItem, preparation: Preparation) -> tuple[np.ndarray | None, dict, list[Problem]]:
    """slices or None, the worker's facts, and the problems of one item."""
    try:
        pixels, facts = decode(item.path, preparation)
    except ItemError as error:
        return None, {}, [error.at(item.where)]
    return pixels, facts, [Problem(code, item.where, message) for code, message in facts["warnings"]]
