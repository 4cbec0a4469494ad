"""One path, file or series folder, to an Image or a Volume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import dicom, pictures
from .file_properties import file_properties, series_properties
from .files import file_bytes, is_folder
from .image import Image
from .multiframe import stack_of_frames
from .multipage import stack_of_pages
from .nifti import stack_of_nifti
from .series import digest_of_series, series_in, stack_of_series
from .sniff import format_of, mislabelled
from .volume import Stack, Volume, middle_image, read_stack, volume_of
from .windows import WINDOW_NAMES, check_name


def read_image(path: Path, *, window: str = "file") -> Image:
    """The image in a file, decoded in this process; of several frames the first, of a series or NIfTI the middle slice.

    A folder with the one file of a series is read as that file.

    window  "file": as the file wants to be shown; "range": over the range of its values; or a name of WINDOWS, for
            values in Hounsfield units (others are shown as by "file", with the warning WINDOW_NOT_USED)

    Use `load` for many files, and for files that nobody has looked at: it decodes in a guarded process of its own.
    Raises ItemError with an image code of the reason table, UsageError for an unknown window.
    """
    check_name("window", window, WINDOW_NAMES)
    path = Path(path)
    if is_folder(path):
        slices = series_in(path)
        if len(slices) == 1:
            return read_image(slices[0].path, window=window)
        return middle_image(stack_of_series(slices, window), "series")
    data = file_bytes(path)
    found = format_of(data)
    if found == "DICOM":
        image = dicom.read_dicom(data, window=window)
    elif found == "NIFTI":
        image = middle_image(stack_of_nifti(data, window), "volume")
    else:
        image = pictures.read_picture(data, found, window=window)
    return replace(image, warnings=(*mislabelled(path, found), *image.warnings))


def read_volume(path: Path, *, slices: int | None = None, window: str = "file") -> Volume:
    """The ordered slices of a series folder, a multi-frame DICOM file, a multi-page TIFF or a NIfTI file, decoded in
    this process; of any other image its one picture.

    slices  so many are decoded at most, evenly spaced (SLICES_CHOSEN); None: all, in up to 8 bytes a pixel
    window  as of `read_image`; where slices differ in theirs, the middle one's is used for all
    Raises ItemError with an image code of the reason table, UsageError for an unknown window.
    """
    check_name("window", window, WINDOW_NAMES)
    return volume_and_file(Path(path), slices, window)[0]


def volume_and_file(
    path: Path, slices: int | None, window: str, on_step: Callable[[], None] = lambda: None
) -> tuple[Volume, str, dict[str, float | str]]:
    """The volume; the SHA-256 (hexadecimal) of the file's bytes, of a folder that of its sorted files' digests; and
    the file's properties.

    on_step  called after each file that was read and each slice that was decoded
    """
    if is_folder(path):
        files = series_in(path, on_step)
        volume = read_stack(stack_of_series(files, window), slices, on_step)
        sizes = [file.path.stat().st_size for file in files]
        return volume, digest_of_series(files), series_properties(sizes, volume.grey.shape)
    data = file_bytes(path)
    found = format_of(data)
    read = _read_file(data, found, window)
    volume = volume_of(read) if isinstance(read, Image) else read_stack(read, slices, on_step)
    volume = replace(volume, warnings=(*mislabelled(path, found), *volume.warnings))
    return volume, hashlib.sha256(data).hexdigest(), file_properties(data, found, volume.grey.shape)


def _read_file(data: bytes, found: str, window: str) -> Image | Stack:
    """A stack where the file holds several slices, else its one picture."""
    if found == "DICOM":
        dataset, layout = dicom.opened(data)
        if layout.frames > 1:
            return stack_of_frames(dataset, layout, window)
        return dicom.first_image(dataset, layout, window)
    if found == "NIFTI":
        return stack_of_nifti(data, window)
    if found == "TIFF" and (stack := stack_of_pages(data, window)):
        return stack
    return pictures.read_picture(data, found, window=window)
