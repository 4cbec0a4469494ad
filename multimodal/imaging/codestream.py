"""What a compressed frame's own header says: read before a decoder allocates what it claims."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Start-of-frame markers: all JPEG processes but DHT (C4), JPG (C8) and DAC (CC), and JPEG-LS (F7).
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
SCAN = 0xDA


@dataclass(frozen=True)
class Codestream:
    """Width and height in pixels, number of components, bits per sample."""

    width: int
    height: int
    components: int
    bits: int


def codestream_of(frame: bytes) -> Codestream | None:
    """The header of a JPEG, JPEG-LS or JPEG 2000 codestream (raw or in a JP2 box), or None where there is none."""
    try:
        if frame[:2] == b"\xff\xd8":
            return _jpeg(frame)
        if frame[:4] == b"\xff\x4f\xff\x51":
            return _jpeg2000(frame, 2)
        if frame[4:8] == b"jP  ":
            return _jpeg2000(frame, frame.index(b"\xff\x4f\xff\x51") + 2)
    except (IndexError, ValueError, struct.error):
        pass
    return None


def is_sound_jpeg(frame: bytes) -> bool:
    """Whether a JPEG's header is one that GDCM reads without a warning: on some of these it ends the process.

    The segments follow one another up to the scan, without stray bytes; a JFIF marker is of version 1; an Adobe marker
    names a colour transform of up to three components.
    """
    try:
        for marker, body in _jpeg_segments(frame):
            if marker == 0xE0 and body[:5] == b"JFIF\0" and body[5] != 1:
                return False
            if marker == 0xEE and body[:5] == b"Adobe" and body[11] > 1:
                return False
            if marker == SCAN:
                return True
    except (IndexError, ValueError, struct.error):
        pass
    return False


def _jpeg(frame: bytes) -> Codestream:
    for marker, body in _jpeg_segments(frame):
        if marker in JPEG_FRAMES:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            return Codestream(width, height, components, bits)
    raise ValueError("no frame header")


def _jpeg_segments(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with the body of its segment. Raises ValueError where no marker stands, or past the scan's header."""
    place = 2
    while True:
        if frame[place] != 0xFF:
            raise ValueError("no marker where one must stand")
        while frame[place] == 0xFF:
            place += 1
        marker, place = frame[place], place + 1
        if marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            (length,) = struct.unpack_from(">H", frame, place)
            yield marker, frame[place + 2 : place + length]
            place += length


def _jpeg2000(frame: bytes, siz: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">IIII", frame, siz + 6)
    components, depth = struct.unpack_from(">HB", frame, siz + 38)
    return Codestream(right - left, bottom - top, components, (depth & 0x7F) + 1)
