"""How many frames or pages a picture file has: counted in its bytes, since Pillow reads each page to count them."""

from __future__ import annotations

import struct

import PIL.Image

from .image import MAX_FRAMES

GIF_EXTENSION, GIF_IMAGE = 0x21, 0x2C


def frames_of(picture: PIL.Image.Image, data: bytes) -> int:
    """The frames or pages of the opened `picture`, whose bytes are `data`; counting stops above MAX_FRAMES.

    A page that is named counts, also where it is cut off. The headers of PNG, WebP and JPEG (MPO) say the number.
    """
    if picture.format == "TIFF":
        return max(1, _tiff_pages(data))
    if picture.format == "GIF":
        return max(1, _gif_frames(data))
    return getattr(picture, "n_frames", 1)


def _tiff_pages(data: bytes) -> int:
    """Each directory ends with the place of the next, 0 after the last; a circle ends the count."""
    order = "<" if data[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) <= MAX_FRAMES:
        seen.add(place)
        if place + 2 > len(data):
            break
        (entries,) = struct.unpack_from(f"{order}H", data, place)
        place += 2 + 12 * entries
        if place + 4 > len(data):
            break
        (place,) = struct.unpack_from(f"{order}I", data, place)
    return len(seen)


def _gif_frames(data: bytes) -> int:
    """The image descriptors, from block to block; anything that is no block ends the count."""
    frames, place = 0, 13 + _colour_table(data[10])
    try:
        while frames <= MAX_FRAMES and data[place] in (GIF_EXTENSION, GIF_IMAGE):
            if data[place] == GIF_IMAGE:
                frames += 1
                place += 11 + _colour_table(data[place + 9])
            else:
                place += 2
            while data[place]:
                place += data[place] + 1
            place += 1
    except IndexError:
        pass
    return frames


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
