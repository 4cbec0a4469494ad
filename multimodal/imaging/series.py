"""The folder of a series: which slice stands for it, until volumes are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from multimodal.records import ItemError

from .dicom import parse, quiet
from .files import file_bytes
from .image import MAX_FRAMES
from .sniff import format_of

UNEVEN = 0.1  # of the median gap between slices


def middle_slice(folder: Path) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
    """The bytes of the middle slice by position, the folder's digest, and warnings.

    Slices are ordered along their normal by ImagePositionPatient, never by name or InstanceNumber (ties by content);
    files that are no DICOM, hidden files and folders within are passed over.
    Raises ItemError: FILE_EMPTY for a folder without DICOM files, SERIES_MIXED for several series or orientations,
    IMAGE_TOO_LARGE for over 1,024 files, PATH_OUTSIDE for a link that leads out of the folder.
    """
    files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir())
    if len(files) > MAX_FRAMES:
        raise ItemError("IMAGE_TOO_LARGE", f"the folder has {len(files)} files; at most {MAX_FRAMES} are read.")
    home = folder.resolve()
    slices, digests = [], []
    for file in files:
        if not file.resolve().is_relative_to(home):
            raise ItemError("PATH_OUTSIDE", "a file of the series is a link that leads out of its folder.")
        data = file_bytes(file)
        if _is_dicom(data):
            with quiet():
                slices.append((parse(data, header_only=True)[0], file))
            digests.append(hashlib.sha256(data).hexdigest())
    if not slices:
        raise ItemError("FILE_EMPTY", "the folder holds no DICOM file.")
    digest = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()

    series = {str(header.get("SeriesInstanceUID", "")) for header, _ in slices}
    orientations = {_orientation(header) for header, _ in slices}
    if len(series) > 1 or len(orientations) > 1:
        raise ItemError("SERIES_MIXED", f"the folder holds {len(series)} series in {len(orientations)} orientation(s).")
    places = np.array([_place(header) for header, _ in slices])
    order = sorted(range(len(slices)), key=lambda index: (places[index], digests[index]))
    notes = [("FIRST_FRAME", f"the series has {len(slices)} slices; the middle one is read.")]
    gaps = np.diff(np.sort(places))
    usual = np.median(gaps) if len(gaps) else 0.0
    if len(gaps) and (usual <= 0 or not (np.abs(gaps - usual) <= UNEVEN * usual).all()):
        notes.append(("SERIES_INCOMPLETE", "the slices are not evenly spaced: some are missing or at one position."))
    return file_bytes(slices[order[len(order) // 2]][1]), digest, tuple(notes)


def _is_dicom(data: bytes) -> bool:
    try:
        return format_of(data) == "DICOM"
    except ItemError:
        return False


def _numbers(header: Dataset, keyword: str, count: int) -> np.ndarray:
    try:
        values = np.array([float(value) for value in header.get(keyword) or ()])
    except (TypeError, ValueError):
        values = np.empty(0)
    return values if len(values) == count else np.full(count, np.nan)


def _orientation(header: Dataset) -> tuple[float, ...] | None:
    """The direction cosines to two digits, which a scanner repeats within a series, or None where there are none."""
    cosines = _numbers(header, "ImageOrientationPatient", 6)
    return tuple(float(value) for value in np.round(cosines, 2) + 0.0) if np.isfinite(cosines).all() else None


def _place(header: Dataset) -> float:
    """Position along the slices' normal, mm; the instance number where the header has no position."""
    cosines, position = _numbers(header, "ImageOrientationPatient", 6), _numbers(header, "ImagePositionPatient", 3)
    place = float(np.cross(cosines[:3], cosines[3:]) @ position)
    return place if np.isfinite(place) else float(header.get("InstanceNumber") or 0)
