"""All images of a batch, decoded in guarded processes, as one array."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from multimodal.records import Batch, ImageItem, ItemError, Problem

from .client import decode


@dataclass(frozen=True)
class Images:
    """The k usable images of a batch, in the order of `batch.images`.

    record    int64 (k,), index into the batch
    item      int64 (k,), index into `batch.images`
    pixels    uint8 (k, size, size), see `prepare`
    kind      k texts: what the file tells (radiograph, ct, mr, photo, other), else what the item says, else ""
    digest    k texts: SHA-256 of the file's bytes
    problems  (record index, Problem): refusals and warnings, the item's `where` in each
    """

    record: np.ndarray
    item: np.ndarray
    pixels: np.ndarray
    kind: list[str]
    digest: list[str]
    problems: list[tuple[int, Problem]]

    def __len__(self) -> int:
        return len(self.record)


def load(batch: Batch, *, size: int, workers: int = 1) -> Images:
    """Reads every image of `batch` to `size` x `size` pixels, `workers` files at a time.

    A file that is refused costs that item alone; each picture depends on its own file and on `size` only. Worker
    processes are kept for the next call.
    """
    if workers == 1 or len(batch.images) < 2:
        results = [_result(item, size) for item in batch.images]
    else:
        with ThreadPoolExecutor(max_workers=workers) as threads:
            results = list(threads.map(lambda item: _result(item, size), batch.images))
    kept = [place for place, (pixels, _, _) in enumerate(results) if pixels is not None]
    return Images(
        record=np.array([batch.images[place].record for place in kept], dtype=np.int64),
        item=np.array(kept, dtype=np.int64),
        pixels=np.stack([results[place][0] for place in kept]) if kept else np.zeros((0, size, size), np.uint8),
        kind=[results[place][1]["kind"] or batch.images[place].kind for place in kept],
        digest=[results[place][1]["digest"] for place in kept],
        problems=[
            (item.record, problem) for item, (_, _, problems) in zip(batch.images, results) for problem in problems
        ],
    )


def _result(item: ImageItem, size: int) -> tuple[np.ndarray | None, dict, list[Problem]]:
    """pixels or None, the worker's facts, and the problems of one item."""
    try:
        pixels, facts = decode(item.path, size)
    except ItemError as error:
        return None, {}, [error.at(item.where)]
    return pixels, facts, [Problem(code, item.where, message) for code, message in facts["warnings"]]
