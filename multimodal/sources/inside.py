"""Files of a cohort: only what lies inside it is read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ..records import ItemError, Problem, shown
from ..records.encoding import decode

LONGEST_NOTE = 1 << 20  # bytes of UTF-8


def inside(root: Path, path: str) -> Path:
    """The absolute path of the cohort's file `path`, which need not exist; nothing is opened.

    root  the cohort's folder, absolute and without links
    Raises ItemError PATH_OUTSIDE (absolute, `..`, a link leading out, a device), BAD_VALUE (no path at all).
    """
    if not path or "\0" in path:
        raise ItemError("BAD_VALUE", "no path" if not path else "a path with a NUL character")
    parts = re.split(r"[/\\]", path)
    if os.path.isabs(path) or path[0] == "\\" or re.match(r"[A-Za-z]:", path):
        raise ItemError("PATH_OUTSIDE", f"{shown(path)} is an absolute path")
    if ".." in parts:
        raise ItemError("PATH_OUTSIDE", f"{shown(path)} leads upwards")
    whole = os.path.join(root, path)
    real = os.path.realpath(whole)
    if not Path(real).is_relative_to(root):
        raise ItemError("PATH_OUTSIDE", f"{shown(path)} is a link that leads out of the cohort")
    try:
        mode = os.stat(real).st_mode
    except (OSError, ValueError):
        return Path(whole)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ItemError("PATH_OUTSIDE", f"{shown(path)} is a device, not a file")
    return Path(whole)


def read_note(root: Path, path: str) -> tuple[str, list[Problem]]:
    """The text of a note file, and a warning where its encoding is a guess.

    Raises ItemError: those of `inside`; FILE_MISSING, FILE_EMPTY, FILE_UNREADABLE; BAD_ENCODING; NOTE_TOO_LONG, before
    the whole of it is read.
    """
    file = inside(root, path)
    try:
        with file.open("rb") as stream:
            # UTF-16 takes at most twice the bytes of UTF-8, and a mark.
            data = stream.read(2 * LONGEST_NOTE + 3)
    except (FileNotFoundError, NotADirectoryError):
        raise ItemError("FILE_MISSING", f"{shown(path)} is not there") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ItemError("FILE_UNREADABLE", f"{shown(path)} cannot be read ({reason})") from None
    if not data:
        raise ItemError("FILE_EMPTY", f"{shown(path)} has 0 bytes")
    if len(data) > 2 * LONGEST_NOTE + 2:
        raise ItemError("NOTE_TOO_LONG", f"{shown(path)} holds more than 1 MiB of text")
    text, problems = decode(data)
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_NOTE:
        raise ItemError("NOTE_TOO_LONG", f"{shown(path)} holds more than 1 MiB of text")
    return text, problems
