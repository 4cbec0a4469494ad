"""Files that are no cohort: every picture or text below a folder, or every line of a text file, one record each.

The ids are numbers: a file's name may be a patient's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ..records import Batch, ImageItem, ItemError, NoteItem, Problem
from ..records.encoding import encoding_of
from .inside import inside, read_note

PIECE = 1 << 20


def image_file_batches(folder: Path, n: int = 256) -> Iterator[Batch]:
    """Batches of n records, each with one file below `folder`, of any depth and by path in order; no file is opened.

    Hidden files and folders are passed over and links to folders are not followed; a file that is a link out of
    `folder` is PATH_OUTSIDE. Raises OSError for a folder that the system does not let us list.
    """
    root = Path(os.path.realpath(folder))
    for first, some in _batched(_paths_below(root), n):
        images, problems = [], []
        for record, path in enumerate(some):
            where = f"file {first + record}"
            try:
                images.append(ImageItem(record, inside(root, path), where=where))
            except ItemError as error:
                problems.append((record, _problem(error, where)))
        yield _batch(first, len(some), images=images, problems=problems)


def text_batches(path: Path, n: int = 256) -> Iterator[Batch]:
    """Batches of n records with a note each: of a folder every file, as image_file_batches; of a file every line.

    A file that cannot be read is a problem of its record, with the code of `read_note`. Raises ItemError for a file of
    lines that is no text, OSError for what the system does not let us read.
    """
    root = Path(os.path.realpath(path))
    found = _paths_below(root) if root.is_dir() else _lines(root)
    for first, some in _batched(found, n):
        notes, problems = [], []
        for record, text in enumerate(some):
            where = f"file {first + record}" if root.is_dir() else f"line {first + record}"
            if root.is_dir():
                try:
                    text, told = read_note(root, text)
                except ItemError as error:
                    problems.append((record, _problem(error, where)))
                    continue
                problems += [(record, problem._replace(where=where)) for problem in told]
            notes.append(NoteItem(record, text, where=where))
        yield _batch(first, len(some), notes=notes, problems=problems)


def _problem(error: ItemError, where: str) -> Problem:
    outside = "a link or device that leads out of the folder"
    return Problem(error.code, where, outside if error.code == "PATH_OUTSIDE" else "the file cannot be read as text")


def _batched(items: Iterator[str], n: int) -> Iterator[tuple[int, list[str]]]:
    """(number of the first, n items) at a time, numbered from 1."""
    first = 1
    while some := list(islice(items, n)):
        yield first, some
        first += len(some)


def _batch(first: int, n: int, **items: list) -> Batch:
    ids = np.array([str(first + record) for record in range(n)], dtype=object)
    return Batch(ids, ids, np.full(n, np.nan), np.full(n, "", dtype=object), **items)


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        encoding, _ = encoding_of(iter(lambda: stream.read(PIECE), b""))
    with path.open(encoding=encoding) as stream:
        yield from (line for line in stream if line.strip())


def _paths_below(root: Path) -> Iterator[str]:
    """The paths of the files below `root`, relative to it."""

    def refused(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(root, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), root)
