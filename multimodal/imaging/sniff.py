"""Which format a file has, by its content alone; its name is never believed."""

from __future__ import annotations

import zlib
from pathlib import PurePath

from multimodal.records import ItemError

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
}
OTHERS = {
    b"PK\x03\x04": "a ZIP archive or Office document",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"II+\x00": "a BigTIFF file",
    b"MM\x00+": "a BigTIFF file",
    b"\x00\x00\x00\x0cjP": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 codestream",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL file",
    b"\xff\x0a": "a JPEG XL codestream",
    b"NRRD": "an NRRD volume",
    b"\x89HDF": "an HDF5 file",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}
GZIP = b"\x1f\x8b"
NAMES = {
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".nii": "NIFTI",
}


def format_of(data: bytes) -> str:
    """The format of a file's bytes: DICOM, PNG, JPEG, TIFF, GIF, BMP, WEBP or NIFTI, compressed by gzip or not.

    DICOM is also known without its preamble (old ACR-NEMA files) by a plausible first element.
    Raises ItemError FILE_EMPTY, or NOT_AN_IMAGE, which names what the content is.
    """
    if not data:
        raise ItemError("FILE_EMPTY", "the file has 0 bytes.")
    if data[128:132] == b"DICM":
        return "DICOM"
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if is_nifti(data if data[:2] != GZIP else gzip_head(data, 352)):
        return "NIFTI"
    for signature, name in OTHERS.items():
        if data.startswith(signature):
            raise ItemError("NOT_AN_IMAGE", f"the content is {name}.")
    if data[344:348] == b"ni1\0":
        raise ItemError("NOT_AN_IMAGE", "the content is the header of a NIfTI pair; the single file .nii is read.")
    if _starts_with_an_element(data):
        return "DICOM"
    head = data[:4096]
    text = not any(byte < 9 or 13 < byte < 32 for byte in head)
    raise ItemError("NOT_AN_IMAGE", f"the content is {'text' if text else 'of no known format'}.")


def is_nifti(head: bytes) -> bool:
    """Whether the first 352 bytes of a file are the header of a single-file NIfTI-1 or NIfTI-2."""
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def gzip_head(data: bytes, length: int) -> bytes:
    """The first `length` bytes of a gzip file, fewer where it is cut off, none where it is damaged."""
    try:
        return zlib.decompressobj(31).decompress(data[: 64 * length], length)
    except zlib.error:
        return b""


def _starts_with_an_element(data: bytes) -> bool:
    """Whether a DICOM data set begins at byte 0: group 2 or 8, little endian, a length that fits in the file."""
    group, element = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
    if group not in (0x0002, 0x0008) or element > 0x0100 or len(data) < 16:
        return False
    if data[4:6].isalpha() and data[4:6].isupper():
        return True
    return int.from_bytes(data[4:8], "little") <= len(data) - 8


def mislabelled(path: PurePath, found: str) -> tuple[tuple[str, str], ...]:
    """The warning that `path` is named as another format than its content `found`, or nothing."""
    named = NAMES.get(path.suffix.lower(), found)
    return () if named == found else (("MISLABELLED", f"the name says {named}, the content is {found}."),)
