"""Bytes to text: UTF-8, UTF-16 with a byte order mark, or Windows-1252 with a warning. Nothing else is guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from .errors import ItemError
from .reasons import Problem

# What no Windows-1252 text holds: controls other than tab, line feed, form feed and carriage return, and the five bytes
# that the code page leaves undefined.
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(pieces: Iterable[bytes]) -> tuple[str, list[Problem]]:
    """The codec that reads the joined `pieces` (each of two bytes at least, but the last), and a warning where it is a
    guess; holds one piece at a time.

    UTF-8 with or without mark, UTF-16 with one, else cp1252 with ENCODING_GUESSED.
    Raises ItemError BAD_ENCODING where the bytes are neither, or hold control bytes that are no text.
    """
    decoder = None
    encoding, readable, possibly_1252 = "utf-8-sig", True, True
    for piece in pieces:
        if decoder is None:
            encoding = "utf-16" if piece[:2] in UTF16_MARKS else "utf-8-sig"
            decoder = codecs.getincrementaldecoder(encoding)()
        readable = readable and _decodes(decoder, piece)
        # Bytes undefined in Windows-1252 also continue characters of UTF-8: they count only where UTF-8 fails.
        possibly_1252 = possibly_1252 and not _NOT_TEXT.search(piece)
    if decoder is None or (readable and _decodes(decoder, b"", final=True)):
        return encoding, []
    if encoding == "utf-16":
        raise ItemError("BAD_ENCODING", "it begins with a UTF-16 mark but is no UTF-16")
    if not possibly_1252:
        raise ItemError("BAD_ENCODING", "it is not UTF-8, and has bytes that no Windows-1252 text holds")
    return "cp1252", [Problem("ENCODING_GUESSED", "", "not UTF-8: read as Windows-1252")]


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes) -> tuple[str, list[Problem]]:
    """`data` as text without its byte order mark, and a warning where the encoding is a guess.

    Raises ItemError BAD_ENCODING.
    """
    encoding, problems = encoding_of([data])
    return data.decode(encoding), problems
