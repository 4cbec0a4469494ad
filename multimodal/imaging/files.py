"""Reading whole files, with every way in which that can fail named."""

from __future__ import annotations

import stat
from pathlib import Path

from multimodal.records import ItemError, shown

from .image import MAX_BYTES, MAX_FRAMES


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder. Raises ItemError: FILE_MISSING, FILE_UNREADABLE."""
    return stat.S_ISDIR(_mode(path))


def files_in(folder: Path) -> list[Path]:
    """The files in a folder, sorted by name, without hidden ones and folders within.

    Raises ItemError: FILE_UNREADABLE for a folder that the system does not let us list or enter, IMAGE_TOO_LARGE for
    over 1,024 files, PATH_OUTSIDE for a link that leads out of the folder.
    """
    try:
        home = folder.resolve()
        files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir())
        if len(files) > MAX_FRAMES:
            raise ItemError("IMAGE_TOO_LARGE", f"the folder has {len(files)} files; at most {MAX_FRAMES} are read.")
        outside = [file for file in files if not file.resolve().is_relative_to(home)]
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError up to Python 3.12
        raise ItemError("FILE_UNREADABLE", "the folder or a link in it cannot be followed.") from error
    if outside:
        raise ItemError("PATH_OUTSIDE", "a file of the series is a link that leads out of its folder.")
    return files


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
