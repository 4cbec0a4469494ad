"""One DICOM file's bytes to an Image, and one frame of it to a Plane.

The header is checked before anything is decoded; identifiers are never looked at.
What it does not do: overlays, presentation states, real-world value maps.
"""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.processing import apply_color_lut

from multimodal.records import ItemError

from .colour import luma
from .frames import decode_frames
from .grey import find, modality_values, number, sources_of_frame, voi_grey
from .image import NOT_FINITE, Image, Plane, is_blank, over_range
from .layout import COLOURS, PALETTE, Layout, layout_of
from .provenance import provenance_notes, provenance_of, text
from .windows import NOT_USED, WINDOW_NAMES, WINDOWS, check_name

PIXEL_DATA = 0x7FE00010
INFLATED_HEADER = 16 * 2**20  # bytes of a deflated file that may come before the pixel data
KINDS = {
    "radiograph": ("CR", "DX", "RG", "MG", "PX", "IO"),
    "ct": ("CT",),
    "mr": ("MR",),
    "photo": ("XC", "GM", "ES", "OP", "DMS"),
    "": ("", "OT", "SC"),
}


def read_dicom(data: bytes, *, window: str = "file") -> Image:
    """The first frame of a DICOM file, shown through `window`, one of WINDOW_NAMES (see `voi_grey`).

    Raises ItemError with the image codes of the reason table, UsageError for an unknown window.
    """
    check_name("window", window, WINDOW_NAMES)
    return first_image(*opened(data), window)


def opened(data: bytes) -> tuple[Dataset, Layout]:
    """The data set in `data`, and the checked layout of its pixels, of which none has been decoded."""
    with refusing():
        dataset, syntax = parse(data)
        return dataset, layout_of(dataset, syntax)


@contextmanager
def refusing():
    """Turns what a damaged header or a decoder raises into an ItemError, and keeps them from printing."""
    with quiet():
        try:
            yield
        except (ItemError, MemoryError):
            raise
        except (AssertionError, NameError):  # a defect of ours, not of the file
            raise
        except RecursionError:
            raise ItemError("HEADER_MISMATCH", "the sequences of the header are nested too deep.") from None
        except Exception as error:  # a header or decoder bug of any type costs this item, never the batch
            raise ItemError("DECODE_FAILED", f"the DICOM content is damaged ({type(error).__name__}).") from error


@contextmanager
def quiet():
    """Silences what pydicom and the decoders print about dirty files; refusals are ours to word."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "pylibjpeg", "openjpeg")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.addFilter(_nothing)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(_nothing)


def _nothing(_record) -> bool:
    return False


def parse(data: bytes, *, header_only: bool = False) -> tuple[Dataset, str]:
    """The data set in `data` and its transfer syntax. Raises ItemError HEADER_MISMATCH or IMAGE_TOO_LARGE."""
    try:
        data = _inflated(data)
        dataset = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=header_only)
    except (ItemError, MemoryError, RecursionError):
        raise
    except Exception as error:
        raise ItemError("HEADER_MISMATCH", f"the DICOM header cannot be read ({type(error).__name__}).") from error
    if len(dataset) == 0:
        raise ItemError("HEADER_MISMATCH", "the DICOM header is empty or cut off.")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        implicit, little = dataset.original_encoding
        syntax = (
            (uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian)
            if little
            else uid.ExplicitVRBigEndian
        )
        dataset.file_meta.TransferSyntaxUID = syntax
    return dataset, uid.UID(str(syntax))


def _at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag == PIXEL_DATA


def _inflated(data: bytes) -> bytes:
    """`data` with a deflated data set inflated, bounded by what its own header says about the pixels."""
    source = io.BytesIO(data)
    read_preamble(source, force=True)
    # pydicom's public function wants a file name; its dcmread would inflate without a bound.
    meta = pydicom.filereader._read_file_meta_info(source)
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        return data
    start = source.tell()
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflate.decompress(data[start:], INFLATED_HEADER)
    if not inflate.eof:
        head = io.BytesIO(body)
        dataset = read_dataset(head, False, True, stop_when=_at_pixels)
        if head.tell() >= len(body):
            raise ItemError("IMAGE_TOO_LARGE", f"the deflated header inflates to over {INFLATED_HEADER} bytes.")
        dataset.PixelData = b""
        layout = layout_of(dataset, uid.DeflatedExplicitVRLittleEndian)
        bound = head.tell() + layout.frame_bits * layout.frames // 8 + INFLATED_HEADER
        body += inflate.decompress(inflate.unconsumed_tail, bound - len(body))
        if not inflate.eof:
            raise ItemError("IMAGE_TOO_LARGE", f"the deflated data set inflates to over {bound} bytes.")
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    plain = io.BytesIO()
    plain.write(bytes(128) + b"DICM")
    pydicom.filewriter.write_file_meta_info(plain, meta, enforce_standard=False)
    return plain.getvalue() + body


def first_image(dataset: Dataset, layout: Layout, window: str) -> Image:
    """The first frame of an opened file. Raises ItemError."""
    with refusing():
        notes = provenance_notes(dataset, layout)
        if layout.frames > 1:
            notes.append(("FIRST_FRAME", f"the file has {layout.frames} frames; the first is read."))
        plane = plane_of(next(decode_frames(dataset, layout)), dataset, layout, 0, notes)
        grey = shown_grey(plane, dataset, layout, 0, notes, window=window)
        if is_blank(grey):
            raise ItemError("BLANK_IMAGE", "the image is constant or has under 4 grey levels in its central half.")
        return Image(plane.values, grey, kind_of(dataset, plane), provenance_of(dataset, layout), tuple(notes))


def kind_of(dataset: Dataset, plane: Plane) -> str:
    """The kind of image that the modality and the colours tell, see Image."""
    kind = next((kind for kind, codes in KINDS.items() if text(dataset, "Modality") in codes), "other")
    return "photo" if plane.coloured and kind == "" else kind


def plane_of(frame: np.ndarray, dataset: Dataset, layout: Layout, index: int, notes: list) -> Plane:
    """The frame `index`, as it was decoded, through its modality LUT or rescale; of a colour frame the luma."""
    if layout.photometric in COLOURS or layout.photometric == PALETTE:
        white = 2**layout.stored - 1
        if layout.photometric == PALETTE:
            frame = _palette_colours(frame, dataset)
            white = 255 if frame.dtype == np.uint8 else 65535
        values, coloured = luma(frame[..., :3], white, notes)
        return Plane(values, None, white, coloured)
    padding = _padding(frame, dataset, layout)
    values = modality_values(frame, sources_of_frame(dataset, index), layout.signed)
    if not np.isfinite(values).all():
        broken = ~np.isfinite(values)
        padding = broken if padding is None else padding | broken
        values = np.where(broken, np.float32(0), values)
        notes.append(NOT_FINITE)
    return Plane(values, padding)


def _palette_colours(indices: np.ndarray, dataset: Dataset) -> np.ndarray:
    try:
        return apply_color_lut(indices, dataset)
    except (AttributeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise ItemError("LUT_INVALID", "the palette's descriptor and data disagree.") from error


def shown_grey(
    plane: Plane, dataset: Dataset, layout: Layout, index: int, notes: list, *, window: str = "file"
) -> np.ndarray:
    """The plane, or planes (S, H, W), in [0, 1], dense bright, through `window`: "file" is that of frame `index`."""
    values, padding = plane.values, plane.padding
    if plane.white:
        if window in WINDOWS:
            notes.append(NOT_USED)
        return over_range(values) if window == "range" else np.minimum(values / np.float32(plane.white), 1)
    inverted, sources = layout.photometric == "MONOCHROME1", sources_of_frame(dataset, index)
    grey = voi_grey(values, sources, padding, layout.signed, notes, inverted=inverted, window=window)
    if is_blank(grey) and not is_blank(values):
        notes.append(("WINDOW_INVALID", "the window hides the whole picture; the data range is used."))
        grey = over_range(values, padding, inverted=inverted)
    if padding is not None:
        grey[padding] = 0
    return grey


def _padding(stored: np.ndarray, dataset: Dataset, layout: Layout) -> np.ndarray | None:
    """bool (H, W): pixels that are no anatomy (PixelPaddingValue to PixelPaddingRangeLimit), or None."""
    value = number(find([dataset], "PixelPaddingValue"), np.nan)
    limit = number(find([dataset], "PixelPaddingRangeLimit"), value)
    if not (np.isfinite(value) and np.isfinite(limit)):
        return None
    if layout.signed and layout.allocated == 16:  # some writers give the unsigned reading of a negative value
        value, limit = (number - 65536 if number > 32767 else number for number in (value, limit))
    padding = (stored >= min(value, limit)) & (stored <= max(value, limit))
    return padding if padding.any() and not padding.all() else None
