"""The folder of a series: which slice stands for it, until volumes are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from multimodal.records import ItemError

from .dicom import parse, quiet
from .files import file_bytes, files_in
from .grey import number
from .sniff import format_of

UNEVEN = 0.1  # of the median gap between slices


def middle_slice(folder: Path) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
    """The bytes of the middle slice by position, the folder's digest, and warnings.

    Slices are ordered along their normal by ImagePositionPatient, never by name or InstanceNumber (ties by content);
    files that are no DICOM, hidden files and folders within are passed over.
    Raises ItemError: FILE_EMPTY for a folder without DICOM files, SERIES_MIXED for several series or orientations,
    IMAGE_TOO_LARGE for over 1,024 files, FILE_UNREADABLE, PATH_OUTSIDE for a link that leads out of the folder.
    """
    files = files_in(folder)
    slices, digests = [], []
    for file in files:
        data = file_bytes(file)
        if _is_dicom(data):
            with quiet():
                slices.append((parse(data, header_only=True)[0], file))
            digests.append(hashlib.sha256(data).hexdigest())
    if not slices:
        raise ItemError("FILE_EMPTY", "the folder holds no DICOM file.")
    digest = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()

    series = {str(_value(header, "SeriesInstanceUID") or "") for header, _ in slices}
    orientations = {_orientation(header) for header, _ in slices}
    if len(series) > 1 or len(orientations) > 1:
        raise ItemError("SERIES_MIXED", f"the folder holds {len(series)} series in {len(orientations)} orientation(s).")
    places = np.array([_place(header) for header, _ in slices])
    order = sorted(range(len(slices)), key=lambda index: (places[index], digests[index]))
    notes = [("FIRST_FRAME", f"the series has {len(slices)} slices; the middle one is read.")]
    if not _is_even(np.sort(places)):
        notes.append(("SERIES_INCOMPLETE", "the slices are not evenly spaced: some are missing or at one position."))
    return file_bytes(slices[order[len(order) // 2]][1]), digest, tuple(notes)


def _is_even(places: np.ndarray) -> bool:
    """Whether slices at `places`, sorted, mm, follow each other at one distance; one slice always does."""
    with np.errstate(over="ignore", invalid="ignore"):  # a header may hold 1e308
        gaps = np.diff(places)
        usual = np.median(gaps) if len(gaps) else 1.0
        return bool(usual > 0 and (np.abs(gaps - usual) <= UNEVEN * usual).all())


def _is_dicom(data: bytes) -> bool:
    try:
        return format_of(data) == "DICOM"
    except ItemError:
        return False


def _value(header: Dataset, keyword: str):
    """A header's value, or None where it is absent or damaged."""
    try:
        return header.get(keyword)
    except Exception:  # pydicom converts on access, and raises whatever its converters do
        return None


def _numbers(header: Dataset, keyword: str, count: int) -> np.ndarray:
    try:
        values = np.array([float(value) for value in _value(header, keyword) or ()])
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    return values if len(values) == count else np.full(count, np.nan)


def _orientation(header: Dataset) -> tuple[float, ...] | None:
    """The direction cosines to two digits, which a scanner repeats within a series, or None where there are none."""
    cosines = _numbers(header, "ImageOrientationPatient", 6)
    return tuple(float(value) for value in np.round(cosines, 2) + 0.0) if np.isfinite(cosines).all() else None


def _place(header: Dataset) -> float:
    """Position along the slices' normal, mm; without one the instance number, and 0 where that is no number."""
    cosines, position = _numbers(header, "ImageOrientationPatient", 6), _numbers(header, "ImagePositionPatient", 3)
    with np.errstate(over="ignore", invalid="ignore"):
        place = float(np.cross(cosines[:3], cosines[3:]) @ position)
    if not np.isfinite(place):
        place = number(_value(header, "InstanceNumber"), 0.0)
    return place if np.isfinite(place) else 0.0
