"""What a compressed frame's own header says: read before a decoder allocates what it claims."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Start-of-frame markers: all JPEG processes but DHT (C4), JPG (C8) and DAC (CC), and JPEG-LS (F7).
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


@dataclass(frozen=True)
class Codestream:
    """Width and height in pixels, number of components, bits per sample."""

    width: int
    height: int
    components: int
    bits: int
    signed: bool = False


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


def _jpeg(frame: bytes) -> Codestream:
    place = 2
    while True:
        while frame[place] != 0xFF:
            raise ValueError("no marker where one must stand")
        while frame[place] == 0xFF:
            place += 1
        marker, place = frame[place], place + 1
        if marker in JPEG_FRAMES:
            bits, height, width, components = struct.unpack_from(">xxBHHB", frame, place)
            return Codestream(width, height, components, bits)
        if marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            place += struct.unpack_from(">H", frame, place)[0]


def _jpeg2000(frame: bytes, siz: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">IIII", frame, siz + 6)
    components, depth = struct.unpack_from(">HB", frame, siz + 38)
    return Codestream(right - left, bottom - top, components, (depth & 0x7F) + 1, bool(depth & 0x80))
