"""What a visitor uploads: held for one answer, in a folder that only this user can read, and then gone.

What it does: gradio's temporary files lie in a folder of our own; an upload is read into memory and its file removed
before anything looks at it; for the decoder it is written once more, and removed when the answer is there; the folder
goes when the process ends. What it does not do: it cannot clear what the system swapped out.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..records import ItemError

UPLOAD_BYTES = 32 << 20
ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

_folder: list[Path] = []


@dataclass(frozen=True)
class Picture:
    """An image file in memory. suffix: of its name, as `.dcm`, or ""; uploaded: by the visitor, not an example's."""

    data: bytes
    suffix: str
    uploaded: bool

    def __repr__(self) -> str:
        return f"Picture({len(self.data)} bytes)"


def open_private_folder() -> Path:
    """The folder for gradio's files, made on the first call, removed at exit; sets the environment for gradio."""
    if not _folder or not _folder[0].is_dir():
        _folder[:] = [Path(tempfile.mkdtemp(prefix="multimodal-page-")).resolve()]
        atexit.register(remove_private_folder)
    os.environ.update(ENVIRONMENT)
    os.environ["GRADIO_TEMP_DIR"] = os.environ["GRADIO_EXAMPLES_CACHE"] = str(_folder[0])
    return _folder[0]


def remove_private_folder() -> None:
    """Remove the folder and all that is in it; a second call does nothing."""
    while _folder:
        shutil.rmtree(_folder.pop(), ignore_errors=True)


def take_upload(upload: Mapping) -> Picture:
    """The content of one upload, whose file and folder are removed at once.

    upload  what gradio's file component holds: path, orig_name
    Raises ItemError: PATH_OUTSIDE unless the path is an upload's, FILE_MISSING, FILE_EMPTY, IMAGE_TOO_LARGE.
    """
    path = Path(str(upload["path"])).resolve()
    if not _folder or _folder[0] not in path.parents or path.is_dir():
        raise ItemError("PATH_OUTSIDE", "this is no upload")
    try:
        data = path.read_bytes() if path.stat().st_size <= UPLOAD_BYTES else None
    except OSError:
        raise ItemError("FILE_MISSING", "the upload is not here any more") from None
    finally:
        path.unlink(missing_ok=True)
        if path.parent != _folder[0]:
            with suppress(OSError):  # the same file came twice, and the other one is still there
                path.parent.rmdir()
    if data is None:
        raise ItemError("IMAGE_TOO_LARGE", f"the file is larger than {UPLOAD_BYTES >> 20} MiB")
    if not data:
        raise ItemError("FILE_EMPTY", "the file has 0 bytes")
    return Picture(data, suffix_of(str(upload.get("orig_name") or path.name)), uploaded=True)


def suffix_of(name: str) -> str:
    """The suffix of a file's name where it is a plain one, else "": nothing else of the name is kept."""
    suffix = Path(name).suffix
    return suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""


@contextmanager
def on_disk(picture: Picture | None) -> Iterator[tuple[Path, str | None]]:
    """(folder, name of the picture's file in it or None) while the block runs; then both are gone."""
    with tempfile.TemporaryDirectory(dir=open_private_folder()) as folder:
        root = Path(folder)
        if picture is None:
            yield root, None
            return
        name = f"image{picture.suffix}"
        (root / name).write_bytes(picture.data)
        yield root, name
