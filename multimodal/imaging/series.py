"""The folder of a series to an ordered stack of slices.

Slices are ordered along their normal by ImagePositionPatient, never by name; where no file has a position, by
InstanceNumber, with a warning. Files that are no DICOM image, hidden files and folders within are passed over.
What it does not do: tell the echoes or times of a series apart, whose slices share a place (SERIES_INCOMPLETE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from multimodal.records import ItemError

from .dicom import kind_of, opened, parse, plane_of, refusing, shown_grey
from .files import file_bytes, files_in
from .frames import decode_frames
from .image import Plane, check_size
from .layout import Layout, layout_of
from .multiframe import stack_of_frames
from .placing import INCOMPLETE, UNPLACED, geometry_of, instance_number, is_placed, placed, unplaced
from .provenance import provenance_notes, provenance_of
from .sniff import format_of
from .volume import Notes, Stack


@dataclass(frozen=True)
class Slice:
    """One file of a series: its header without the pixels, and the layout of these."""

    path: Path
    digest: str
    header: Dataset
    layout: Layout


def series_in(folder: Path, on_file: Callable[[], None] = lambda: None) -> list[Slice]:
    """The files of the one series in `folder`, in no order of meaning; a multi-frame file is alone.

    on_file  called after each file that was read
    Raises ItemError: FILE_EMPTY for a folder without DICOM files, NO_PIXELS for one without images, SERIES_MIXED for
    several series, sizes or multi-frame files, IMAGE_TOO_LARGE for over 1,024 files or 1 GiB decoded, and what a file's
    header is refused for.
    """
    slices, others = [], 0
    for file in files_in(folder):
        data = file_bytes(file)
        if _is_dicom(data):
            with refusing():
                header, syntax = parse(data, header_only=True)
                if "Rows" in header:
                    header.PixelData = b""  # they are there, and not read
                    slices.append(Slice(file, hashlib.sha256(data).hexdigest(), header, layout_of(header, syntax)))
                else:
                    others += 1
        on_file()
    if not slices:
        if others:
            raise ItemError("NO_PIXELS", "the DICOM files of the folder have no pixel data.")
        raise ItemError("FILE_EMPTY", "the folder holds no DICOM file.")
    with refusing():
        _check_one_series(slices)
    return slices


def digest_of_series(slices: list[Slice]) -> str:
    """The SHA-256 (hexadecimal) of the files' sorted digests."""
    return hashlib.sha256("".join(sorted(one.digest for one in slices)).encode()).hexdigest()


def stack_of_series(slices: list[Slice], window: str) -> Stack:
    """The files of a series, ordered. Raises ItemError: SERIES_MIXED for several orientations."""
    if len(slices) == 1 and slices[0].layout.frames > 1:
        return stack_of_frames(*opened(file_bytes(slices[0].path)), window)
    notes: Notes = []
    with refusing():
        geometries = [geometry_of([one.header]) for one in slices]
        if is_placed(geometries):
            placing = placed(geometries, [one.digest for one in slices])
            notes += [] if placing.even else [INCOMPLETE]
        else:
            placing = unplaced(geometries, [(instance_number(one.header), one.digest) for one in slices])
            notes += [UNPLACED] if len(slices) > 1 else []
    ordered = [slices[index] for index in placing.order]
    middle = ordered[len(ordered) // 2]
    with refusing():
        provenance = provenance_of(middle.header, middle.layout)

    def decode(places: Iterable[int], notes: Notes) -> Iterator[Plane]:
        for place in places:
            dataset, layout = opened(file_bytes(ordered[place].path))
            with refusing():
                notes.extend(provenance_notes(dataset, layout))
                plane = plane_of(next(decode_frames(dataset, layout)), dataset, layout, 0, notes)
            yield plane

    def show(plane: Plane, notes: Notes):
        with refusing():
            return shown_grey(plane, middle.header, middle.layout, 0, notes, window=window)

    return Stack(
        placing=placing,
        decode=decode,
        show=show,
        kind_of=lambda plane: kind_of(middle.header, plane),
        provenance=provenance,
        notes=notes,
    )


def _check_one_series(slices: list[Slice]) -> None:
    series = {str(_value(one.header, "SeriesInstanceUID") or "") for one in slices}
    if len(series) > 1:
        raise ItemError("SERIES_MIXED", f"the folder holds {len(series)} series.")
    if len(slices) > 1 and any(one.layout.frames > 1 for one in slices):
        raise ItemError("SERIES_MIXED", "the folder holds a multi-frame file and others.")
    formats = {(one.layout.rows, one.layout.columns, one.layout.photometric) for one in slices}
    if len(formats) > 1:
        raise ItemError("SERIES_MIXED", f"the folder holds slices of {len(formats)} sizes or photometric kinds.")
    largest = max((one.layout for one in slices), key=lambda layout: layout.frame_bits)
    if len(slices) > 1:
        check_size(largest.columns, largest.rows, len(slices), -(-largest.samples * largest.allocated // 8))


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
