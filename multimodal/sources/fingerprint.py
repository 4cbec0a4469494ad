"""What tells a resumed run that its input is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..records import ItemError
from .inside import inside


def hash_files(files: Iterable[Path]) -> str:
    """SHA-256, in hex, over the name and the bytes of each file in turn."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def marks(root: Path, rows: pa.Table | None) -> bytes:
    """What tells that the files of raw rows have changed: path, size and time of change of each; of a folder, of each
    file in it. Nothing is opened; a path that is not there, or leads out of `root`, has neither."""
    lines = []
    for path in [] if rows is None else pc.unique(rows["path"]).to_pylist():
        try:
            place = inside(root, path)
            items = sorted(place.iterdir()) if place.is_dir() else [place]
            found = [(item.name, item.stat()) for item in items]
        except (ItemError, OSError):
            found = []
        known = "".join(f"\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}" for name, stat in found)
        lines.append(f"{path}{known}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")
