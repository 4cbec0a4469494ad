"""Reading whole files, with every way in which that can fail named."""

from __future__ import annotations

import stat
from pathlib import Path

from multimodal.records import ItemError, shown

from .image import MAX_BYTES


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder. Raises ItemError: FILE_MISSING, FILE_UNREADABLE."""
    return stat.S_ISDIR(_mode(path))


def file_bytes(path: Path) -> bytes:
    """The content of a regular file. Raises ItemError: FILE_MISSING, FILE_UNREADABLE, IMAGE_TOO_LARGE (1 GiB)."""
    if not stat.S_ISREG(_mode(path)):
        raise ItemError("FILE_UNREADABLE", "a folder or device stands where a file must.")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ItemError("IMAGE_TOO_LARGE", f"the file has {size} bytes; at most {MAX_BYTES} are read.")
        return path.read_bytes()
    except OSError as error:
        raise ItemError("FILE_UNREADABLE", f"the file cannot be read ({error.strerror}).") from error


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ItemError("FILE_MISSING", f"there is no file {shown(path.name)}.") from error
    except (OSError, ValueError) as error:
        raise ItemError("FILE_UNREADABLE", "the file cannot be reached.") from error
