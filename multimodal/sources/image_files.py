"""A folder of image files that is no cohort: every file below it, as batches of one record a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ..records import Batch, ImageItem, ItemError, Problem
from .inside import inside


def image_file_batches(folder: Path, n: int = 256) -> Iterator[Batch]:
    """Batches of n records, each with one file below `folder`, of any depth and by path in order; no file is opened.

    Hidden files and folders are passed over and links to folders are not followed; a file that is a link out of
    `folder` is PATH_OUTSIDE. The ids are numbers: a file's name may be a patient's.
    Raises OSError for a folder that the system does not let us list.
    """
    root = Path(os.path.realpath(folder))
    paths = _paths_below(root)
    first = 1
    while some := list(islice(paths, n)):
        images, problems = [], []
        for record, path in enumerate(some):
            where = f"file {first + record}"
            try:
                images.append(ImageItem(record, inside(root, path), where=where))
            except ItemError as error:
                problems.append((record, Problem(error.code, where, "a link or device that leads out of the folder")))
        ids = np.array([str(first + record) for record in range(len(some))], dtype=object)
        unknown = np.full(len(ids), np.nan), np.full(len(ids), "", dtype=object)
        yield Batch(ids, ids, *unknown, images=images, problems=problems)
        first += len(some)


def _paths_below(root: Path) -> Iterator[str]:
    """The paths of the files below `root`, relative to it."""

    def refused(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(root, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), root)
