"""Messages between the reader and its worker processes: a JSON header and raw bytes, each with its length."""

from __future__ import annotations

import json
import struct
from typing import BinaryIO

LENGTHS = struct.Struct(">II")
QUIET = 0.05  # of a time limit: so long may a worker keep to itself that it goes on


def write_message(stream: BinaryIO, header: dict, body: bytes = b"") -> None:
    """Writes one message and flushes it."""
    text = json.dumps(header).encode("ascii")
    stream.write(LENGTHS.pack(len(text), len(body)) + text + body)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[dict, bytes] | None:
    """The next message, or None at the end of the stream, also in the middle of a message."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    text_length, body_length = LENGTHS.unpack(lengths)
    text, body = stream.read(text_length), stream.read(body_length)
    return (json.loads(text), body) if len(text) == text_length and len(body) == body_length else None
