"""One path, file or series folder, to an Image."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from .dicom import read_dicom
from .files import file_bytes, is_folder
from .image import Image
from .pictures import read_picture
from .series import middle_slice
from .sniff import format_of, mislabelled


def read_image(path: Path) -> Image:
    """The image in a file, or the middle slice of a series folder, decoded in this process.

    Use `load` for many files, and for files that nobody has looked at: it decodes in a guarded process of its own.
    Raises ItemError with an image code of the reason table.
    """
    return read_with_digest(Path(path))[0]


def read_with_digest(path: Path) -> tuple[Image, str]:
    """The image, and the SHA-256 (hexadecimal) of the file's bytes; of a folder, that of its sorted files' digests."""
    if is_folder(path):
        data, digest, notes = middle_slice(path)
    else:
        data = file_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        notes = mislabelled(path, format_of(data))
    found = format_of(data)
    image = read_dicom(data) if found == "DICOM" else read_picture(data, found)
    return replace(image, warnings=(*notes, *image.warnings)), digest
