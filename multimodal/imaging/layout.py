"""The shape of a DICOM image, read from its header and checked before any pixel is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom import uid
from pydicom.dataset import Dataset

from multimodal.records import ItemError, shown

from .image import check_size

COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"}
GREYS = {"MONOCHROME1", "MONOCHROME2"}
PALETTE = "PALETTE COLOR"
PIXELS = {"PixelData": {1, 8, 16, 32}, "FloatPixelData": {32}, "DoubleFloatPixelData": {64}}
RGB = ("Red", "Green", "Blue")
NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
}


@dataclass(frozen=True)
class Layout:
    """What the header says about the pixels; `keyword` names the element that holds them."""

    keyword: str
    syntax: str
    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; YBR_FULL_422 stores two of three samples."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.allocated


def layout_of(dataset: Dataset, syntax: str) -> Layout:
    """The checked layout of `dataset`, in transfer syntax `syntax`.

    Raises ItemError: NO_PIXELS; HEADER_MISMATCH for a value that is missing or impossible; IMAGE_TOO_SMALL and
    IMAGE_TOO_LARGE. Nothing is allocated.
    """
    keyword = next((name for name in PIXELS if name in dataset), None)
    if keyword is None:
        if "Rows" in dataset and "BitsAllocated" in dataset:
            raise ItemError("HEADER_MISMATCH", "the header describes an image, but the pixel data are missing.")
        modality = shown(dataset.get("Modality", "") or "none", 16)
        raise ItemError("NO_PIXELS", f"the DICOM file has no pixel data (modality {modality}).")
    rows, columns = integer(dataset, "Rows", 1, 65535), integer(dataset, "Columns", 1, 65535)
    frames = integer(dataset, "NumberOfFrames", 1, 2**31 - 1, default=1)
    samples = integer(dataset, "SamplesPerPixel", 1, 4, default=1)
    allocated = integer(dataset, "BitsAllocated", 1, 64)
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    if allocated not in PIXELS[keyword]:
        raise ItemError("HEADER_MISMATCH", f"BitsAllocated is {allocated}, which {keyword} cannot have.")
    if not photometric:
        raise ItemError("HEADER_MISMATCH", "PhotometricInterpretation is missing: bright could mean dense or thin.")
    if photometric not in COLOURS | GREYS | {PALETTE}:
        raise ItemError("HEADER_MISMATCH", f"PhotometricInterpretation {shown(photometric, 20)} is not known.")
    if samples != (3 if photometric in COLOURS else 1):
        raise ItemError("HEADER_MISMATCH", f"{photometric} cannot have {samples} sample(s) per pixel.")
    if photometric == PALETTE and not _has_palette(dataset):
        raise ItemError("HEADER_MISMATCH", "a palette image without its palette.")
    check_size(columns, rows, frames, math.ceil(samples * allocated / 8))

    is_float = keyword != "PixelData"
    stored = allocated if is_float else integer(dataset, "BitsStored", 1, 64, default=allocated)
    high = stored - 1 if is_float else integer(dataset, "HighBit", 0, 63, default=stored - 1)
    signed = not is_float and bool(integer(dataset, "PixelRepresentation", 0, 1, default=0))
    if stored > allocated:
        raise ItemError("HEADER_MISMATCH", f"BitsStored is {stored}, over BitsAllocated {allocated}.")
    # Only in ACR-NEMA, the standard before DICOM, grey and uncompressed, may the stored bits lie higher.
    old = _is_acr_nema(dataset) and photometric in GREYS and syntax in NATIVE
    if high != stored - 1 and not (old and stored - 1 < high < allocated):
        raise ItemError("HEADER_MISMATCH", f"HighBit is {high} with BitsStored {stored}.")
    return Layout(keyword, syntax, rows, columns, frames, samples, allocated, stored, high, signed, photometric)


def _is_acr_nema(dataset: Dataset) -> bool:
    try:
        return str(dataset.get("RecognitionCode") or "").strip().upper().startswith("ACR-NEMA")
    except Exception:  # pydicom converts on access, and raises whatever its converters do
        return False


def _has_palette(dataset: Dataset) -> bool:
    tables = [f"{colour}PaletteColorLookupTable" for colour in RGB]
    return all(
        dataset.get(f"{table}Descriptor") is not None
        and (dataset.get(f"{table}Data") is not None or dataset.get(f"Segmented{table}Data") is not None)
        for table in tables
    )


def integer(dataset: Dataset, keyword: str, low: int, high: int, default: int | None = None) -> int:
    """A header value that is a whole number in [low, high]; HEADER_MISMATCH where it is not."""
    try:
        value = dataset.get(keyword)
    except Exception as error:  # pydicom converts on access, and raises whatever its converters do
        raise ItemError("HEADER_MISMATCH", f"{keyword} cannot be read.") from error
    if value is None and default is not None:
        return default
    if value is None or isinstance(value, str | bytes | float) or hasattr(value, "__len__"):
        raise ItemError("HEADER_MISMATCH", f"{keyword} is missing or no whole number.")
    if not low <= int(value) <= high:
        raise ItemError("HEADER_MISMATCH", f"{keyword} is {int(value)}.")
    return int(value)
