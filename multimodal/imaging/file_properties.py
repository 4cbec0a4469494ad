"""What a file is beside its picture: size, format, how it was compressed. No model reads these; the leakage audit asks
whether they tell the label."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pydicom

HEADER = ("BitsStored", "Manufacturer")


def file_properties(data: bytes, found: str, shape: tuple[int, ...]) -> dict[str, float | str]:
    """The properties of a file that has been decoded.

    data   the file's bytes; found  its format, see sniff.format_of; shape  (S, H, W) of what was read
    Returns bytes, width and height in pixels; of JPEG jpeg_step, the mean step of the luminance quantisation (small:
    high quality); of DICOM bits and manufacturer, where the header tells them. The manufacturer is free text of the
    file: compare it, never print it.
    """
    properties: dict[str, float | str] = {**_size(shape), "bytes": float(len(data))}
    if found == "JPEG":
        with PIL.Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            properties["jpeg_step"] = float(np.mean(picture.quantization[0]))
    if found == "DICOM":
        header = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True, specific_tags=list(HEADER))
        bits, manufacturer = (header.get(name) for name in HEADER)
        properties |= {"bits": float(bits)} if isinstance(bits, int) else {}
        properties |= {"manufacturer": str(manufacturer)} if manufacturer else {}
    return properties


def series_properties(sizes: list[int], shape: tuple[int, ...]) -> dict[str, float | str]:
    """The same of a series, whose files have these sizes in bytes."""
    return {**_size(shape), "bytes": float(sum(sizes)), "files": float(len(sizes))}


def _size(shape: tuple[int, ...]) -> dict[str, float]:
    return {"width": float(shape[-1]), "height": float(shape[-2])}
