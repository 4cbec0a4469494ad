"""The model folder: a manifest that is checked before anything is parsed; safetensors, skops and JSON inside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..records import ModelError, UsageError

SCHEMA = 1
MANIFEST = "manifest.json"


def refuse_existing_model(folder: Path, overwrite: bool, *, mark: str = MANIFEST, what: str = "model") -> None:
    """Raise UsageError if `folder` exists, unless it holds a model (`what`, known by its file `mark`) and `overwrite`
    is set."""
    if os.path.lexists(folder) and not overwrite:
        raise UsageError(f"{folder} exists: choose another folder or give --overwrite")
    if os.path.lexists(folder) and (folder.is_symlink() or not (folder / mark).is_file()):
        raise UsageError(f"{folder} exists and is no {what}: it is not overwritten")


@contextmanager
def written_whole(folder: Path, *, overwrite: bool, mark: str = MANIFEST, what: str = "model") -> Iterator[Path]:
    """A new folder to write into, which takes the place of `folder` at the end: whole or absent.

    Raises UsageError as `refuse_existing_model`.
    """
    refuse_existing_model(folder, overwrite, mark=mark, what=what)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    replaced = beside.with_name(f"{beside.name}.old")
    try:
        yield beside
        beside.chmod(0o755)
        if folder.exists():
            os.rename(folder, replaced)
        os.rename(beside, folder)
    finally:
        if replaced.exists() and not folder.exists():
            os.rename(replaced, folder)
        for left in (beside, replaced):
            shutil.rmtree(left, ignore_errors=True)


def write_manifest(folder: Path) -> str:
    """Write manifest.json (each file's SHA-256 and size) and return the model_id: 16 hex digits of its SHA-256."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({"schema": SCHEMA, "files": files}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_manifest(folder: Path) -> str:
    """Compare every file with the manifest, before any is parsed; returns the model_id.

    Raises ModelError, which names the file, if one is missing, added, cut off or changed, or the schema is newer.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelError(f"{folder} is no model folder: it has no {MANIFEST}")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        manifest = json.loads(text)
        schema, files = manifest["schema"], manifest["files"]
        expected = {name: (entry["sha256"], entry["bytes"]) for name, entry in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ModelError(f"{MANIFEST} of {folder} is damaged: save the model again") from None
    if schema != SCHEMA:
        raise ModelError(f"{folder} has schema {schema!r}, this version reads {SCHEMA}: update multimodal-clinical")
    there = {found.relative_to(folder).as_posix() for found in folder.rglob("*") if not found.is_dir()} - {MANIFEST}
    for name in sorted(there ^ set(expected)):
        raise ModelError(f"{name} {'was added to' if name in there else 'is missing from'} {folder}")
    for name, (digest, size) in sorted(expected.items()):
        found = folder / name
        if found.is_symlink() or found.stat().st_size != size or _sha256(found) != digest:
            raise ModelError(f"{name} in {folder} is damaged or was edited: its content is not what was saved")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
