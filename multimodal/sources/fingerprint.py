"""What tells a resumed run that its input is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def hash_files(files: Iterable[Path]) -> str:
    """SHA-256, in hex, over the name, size and bytes of each file in turn."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()
