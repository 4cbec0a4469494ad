"""A multi-frame DICOM file, classic or enhanced, to an ordered stack of its frames.

Frames that have positions of their own, in the functional groups, are a volume; those that have none, or one place in
common, are a film (ultrasound, angiography): they stay in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from .dicom import kind_of, plane_of, refusing, shown_grey
from .frames import decode_frames
from .grey import sources_of_frame
from .image import Plane
from .layout import Layout
from .placing import INCOMPLETE, at_one_place, geometry_of, is_placed, placed, unplaced
from .provenance import provenance_notes, provenance_of
from .volume import Notes, Stack

PLACE = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")


def stack_of_frames(dataset: Dataset, layout: Layout, window: str) -> Stack:
    """The frames of an opened DICOM file.

    Raises ItemError: SERIES_MIXED for several orientations, and what a file is refused for.
    """
    with refusing():
        notes: Notes = provenance_notes(dataset, layout)
        frames = range(layout.frames)
        geometries = [geometry_of(sources_of_frame(dataset, frame, PLACE)) for frame in frames]
        if is_placed(geometries) and not at_one_place(geometries):
            placing = placed(geometries, frames)
            if not placing.even:
                notes.append(INCOMPLETE)
        else:
            placing = unplaced(geometries, frames)
        provenance = provenance_of(dataset, layout)
    middle = int(placing.order[layout.frames // 2])

    def decode(places: Iterable[int], notes: Notes) -> Iterator[Plane]:
        chosen = [int(placing.order[place]) for place in places]
        decoded = decode_frames(dataset, layout, chosen)
        for index in chosen:
            with refusing():
                plane = plane_of(next(decoded), dataset, layout, index, notes)
            yield plane

    def show(plane: Plane, notes: Notes):
        with refusing():
            return shown_grey(plane, dataset, layout, middle, notes, window=window)

    return Stack(
        placing=placing,
        decode=decode,
        show=show,
        kind_of=lambda plane: kind_of(dataset, plane),
        provenance=provenance,
        notes=notes,
    )
