"""A TIFF file of several pages to a stack: the pages are the slices, in the order of the file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from .image import Plane
from .pictures import lossy_fact, opened, page_grey, page_plane, page_shapes
from .placing import Placing
from .volume import Notes, Stack


def stack_of_pages(data: bytes, window: str) -> Stack | None:
    """The pages of a TIFF file, or None where it has one, or pages of several sizes, modes or polarities, such as
    thumbnails.

    Raises ItemError: IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, DECODE_FAILED.
    """
    picture, pages = opened(data, "TIFF")
    if pages == 1 or len(page_shapes(picture, pages)) > 1:
        return None

    def decode(places: Iterable[int], notes: Notes) -> Iterator[Plane]:
        for place in places:
            yield page_plane(picture, data, place, notes)[0]

    return Stack(
        placing=Placing(np.arange(pages), (math.nan,) * 3),
        decode=decode,
        show=lambda plane, notes: page_grey(plane, window, notes),
        kind_of=lambda plane: "photo" if plane.coloured else "",
        provenance={"format": "TIFF", "mode": picture.mode} | lossy_fact(data, "TIFF"),
        notes=[],
    )
