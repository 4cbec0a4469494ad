"""Frames of a DICOM image, decoded by a named decoder, exact to the bit.

pydicom tries its plugins in alphabetical order, so that installing one changes which decoder runs: here each transfer
syntax names its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from multimodal.records import ItemError, shown

from .codestream import Codestream, codestream_of, is_sound_jpeg
from .layout import COLOURS, NATIVE, Layout

DECODERS = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pillow",  # 8 bit; GDCM for 12
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.RLELossless: "pydicom",
}
PACKAGES = {"gdcm": "python-gdcm", "pillow": "pillow", "pyjpegls": "pyjpegls", "pylibjpeg": "pylibjpeg-openjpeg"}
ITEM = b"\xfe\xff\x00\xe0"  # the tag (FFFE,E000), little endian


def decode_frames(dataset: Dataset, layout: Layout, indices: Iterable[int] = (0,)) -> Iterator[np.ndarray]:
    """Stored values (H, W), or (H, W, 3) in RGB of a colour image, of the frames `indices`, one after the other.

    Raises ItemError: HEADER_MISMATCH, UNSUPPORTED_SYNTAX, DECODE_FAILED.
    """
    if layout.syntax in NATIVE:
        _check_native_length(dataset, layout)
        for index in indices:
            yield _corrected(_decoded(dataset, layout, index, ""), layout, layout.stored)
        return
    if layout.syntax not in DECODERS:
        name = uid.UID(layout.syntax).name
        raise ItemError("UNSUPPORTED_SYNTAX", f"no decoder for the transfer syntax {shown(name, 60)}.")
    _check_encapsulated(dataset, layout)
    for index in indices:
        frame = _frame_bytes(dataset, layout, index)
        stream = _check_frame(frame, layout)
        stored = max(layout.stored, stream.bits) if stream else layout.stored
        wide = layout.syntax == uid.JPEGExtended12Bit and stream is not None and stream.bits > 8
        if (wide or DECODERS[layout.syntax] == "gdcm") and not is_sound_jpeg(frame):
            raise ItemError("DECODE_FAILED", "the header of the compressed frame is damaged.")
        if wide:
            yield _corrected(_gdcm_12_bit(frame, layout), layout, stored)
        else:
            yield _corrected(_decoded(dataset, layout, index, DECODERS[layout.syntax]), layout, stored)


def _decoded(dataset: Dataset, layout: Layout, index: int, plugin: str) -> np.ndarray:
    """One frame through pydicom with one named plugin; YBR colours become RGB."""
    decoder = get_decoder(uid.UID(layout.syntax))
    if plugin and plugin not in decoder.available_plugins:
        raise ItemError("UNSUPPORTED_SYNTAX", f"its decoder is not installed: pip install {PACKAGES[plugin]}.")
    try:
        # pydicom takes the stored bits for the lowest ones; where they lie higher, `_corrected` cuts them out.
        lowest = layout.high < layout.stored
        # Frames lie where their fragments do, which have been checked, and not where the Extended Offset Table says:
        # it is for files with one fragment a frame (PS3.3, C.7.6.3.1.8), so that nothing is lost without it.
        frame, _ = decoder.as_array(
            dataset, index=index, decoding_plugin=plugin, correct_unused_bits=lowest, extended_offsets=None
        )
    except MemoryError:
        raise
    except Exception as error:  # plugins raise whatever their C code maps to
        raise ItemError("DECODE_FAILED", f"the decoder refused the pixel data ({type(error).__name__}).") from error
    expected = (layout.rows, layout.columns) + ((3,) if layout.photometric in COLOURS else ())
    if frame.shape != expected:
        raise ItemError("HEADER_MISMATCH", f"the decoded frame is {frame.shape}, the header says {expected}.")
    return frame


def _corrected(frame: np.ndarray, layout: Layout, stored: int) -> np.ndarray:
    """The stored bits alone: what stands above or below them (overlays, garbage) is cut off, the sign is spread."""
    if frame.dtype.kind == "f" or layout.photometric in COLOURS:
        return frame
    width = frame.dtype.itemsize * 8
    low = layout.high + 1 - layout.stored
    if low == 0 and stored >= width:
        return frame
    frame = frame.astype(frame.dtype.newbyteorder("="), copy=False)
    # Left, so that the highest stored bit is on top; right again, spreading the sign if there is one.
    shifted = np.left_shift(frame.view(f"u{frame.dtype.itemsize}"), width - stored - low)
    return np.right_shift(shifted.view(f"{'i' if layout.signed else 'u'}{frame.dtype.itemsize}"), width - stored)


def _check_native_length(dataset: Dataset, layout: Layout) -> None:
    element = dataset[layout.keyword]
    if element.is_undefined_length or not isinstance(element.value, bytes):
        raise ItemError("HEADER_MISMATCH", "uncompressed pixel data of undefined length.")
    frame = layout.frame_bits / 8
    expected = int(-(-layout.frame_bits * layout.frames // 8))
    if len(element.value) < expected:
        raise ItemError(
            "HEADER_MISMATCH", f"the pixel data have {len(element.value)} bytes; the header says {expected}: cut off?"
        )
    if len(element.value) >= expected + max(frame, 2):
        raise ItemError(
            "HEADER_MISMATCH",
            f"the pixel data have {len(element.value)} bytes; the header says {expected}: lost frames?",
        )


def _check_encapsulated(dataset: Dataset, layout: Layout) -> None:
    """Counts the compressed frames by their headers; run-length frames have none."""
    data = dataset.PixelData
    if not dataset["PixelData"].is_undefined_length and data[:4] != ITEM:
        raise ItemError("HEADER_MISMATCH", "compressed pixel data that are not encapsulated.")
    fragments = _fragments(data)
    if layout.syntax == uid.RLELossless:
        return
    starts = sum(codestream_of(fragment) is not None for fragment in fragments)
    if starts != layout.frames:
        raise ItemError("HEADER_MISMATCH", f"the header says {layout.frames} frame(s); {starts} are there.")


def _frame_bytes(dataset: Dataset, layout: Layout, index: int) -> bytes:
    try:
        return get_frame(dataset.PixelData, index, number_of_frames=layout.frames)
    except MemoryError:
        raise
    except Exception as error:
        raise ItemError("HEADER_MISMATCH", "the compressed pixel data are empty, cut off or wrongly framed.") from error


def _check_frame(frame: bytes, layout: Layout) -> Codestream | None:
    """Compares a frame's own header with the data set, before a decoder sees it; None of a run-length frame."""
    if layout.syntax == uid.RLELossless:
        _check_rle(frame, layout)
        return None
    stream = codestream_of(frame)
    if stream is None:
        raise ItemError("HEADER_MISMATCH", "the compressed frame has no header of its own.")
    found = (stream.height, stream.width, stream.components)
    if found != (layout.rows, layout.columns, layout.samples) or stream.bits > layout.allocated:
        raise ItemError(
            "HEADER_MISMATCH",
            f"the data set says {layout.rows} x {layout.columns} x {layout.samples} of {layout.allocated} bits, "
            f"the compressed frame {' x '.join(map(str, found))} of {stream.bits}.",
        )
    return stream


def _fragments(data: bytes) -> list[bytes]:
    """The fragments after the basic offset table. Raises ItemError HEADER_MISMATCH where an item is cut off."""
    fragments, place = [], 0
    while data[place : place + 4] == ITEM:
        start = place + 8
        place = start + int.from_bytes(data[place + 4 : start], "little")
        if place > len(data):
            raise ItemError("HEADER_MISMATCH", "a fragment of the compressed pixel data is longer than what is there.")
        fragments.append(data[start:place])
    if len(fragments) < 2:
        raise ItemError("HEADER_MISMATCH", "the compressed pixel data have no fragment.")
    return fragments[1:]


def _check_rle(frame: bytes, layout: Layout) -> None:
    """Counts what each run-length segment expands to, without expanding it."""
    header = np.frombuffer(frame[:64].ljust(64, b"\0"), "<u4")
    segments, plane = int(header[0]), layout.rows * layout.columns
    if segments != layout.samples * layout.allocated // 8:
        raise ItemError("HEADER_MISMATCH", f"the run-length frame has {segments} segments.")
    bounds = [int(offset) for offset in header[1 : segments + 1]] + [len(frame)]
    for start, end in itertools.pairwise(bounds):
        length = _run_length(frame[start:end], plane + 128)
        if not plane <= length <= plane + 127:  # up to one run of padding is seen in practice
            raise ItemError("HEADER_MISMATCH", f"a run-length segment expands to {length} bytes or more, not {plane}.")


def _run_length(segment: bytes, limit: int) -> int:
    """Bytes that a PackBits segment expands to; counting stops above `limit`."""
    place, total = 0, 0
    while place < len(segment) and total <= limit:
        head = segment[place]
        if head < 128:
            place, total = place + head + 2, total + head + 1
        else:
            place, total = place + (2 if head > 128 else 1), total + (257 - head if head > 128 else 0)
    return total


def _gdcm_12_bit(frame: bytes, layout: Layout) -> np.ndarray:
    """One 12 bit JPEG Extended frame, which pydicom's plugin for GDCM refuses, and GDCM decodes."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(layout.photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(layout.syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(layout.samples, 16, 12, 11, int(layout.signed)))
    # GDCM gives its char* as text; this gives the bytes back.
    pixels = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), np.uint16)
    if len(pixels) != layout.rows * layout.columns * layout.samples:
        raise ItemError("DECODE_FAILED", "the decoder returned another number of pixels than the header says.")
    return pixels.reshape(layout.rows, layout.columns)
