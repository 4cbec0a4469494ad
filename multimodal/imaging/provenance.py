"""What a DICOM header says about the picture's origin, as far as it cannot name a person."""

from __future__ import annotations

import re

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset

from .layout import Layout

LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless}
# DICOM PS3.5, 6.2, CS. Anything else is free text, which could hold a name.
CODE_STRING = re.compile(r"[A-Z0-9 _]{1,16}")
CODES = {
    "modality": ("Modality",),
    "view": ("ViewPosition",),
    "laterality": ("ImageLaterality", "Laterality"),
    "body_part": ("BodyPartExamined",),
}


def provenance_of(dataset: Dataset, layout: Layout) -> dict[str, str]:
    """Text by name, see Image; what is absent, or no code string, is left out."""
    facts = {"format": "DICOM", "transfer_syntax": str(layout.syntax)}
    for name, keywords in CODES.items():
        facts[name] = next((code for keyword in keywords if (code := _code(dataset, keyword))), "")
    facts["lossy"] = "yes" if _is_lossy(dataset, layout) else ""
    facts["burned_in"] = "yes" if text(dataset, "BurnedInAnnotation") == "YES" else ""
    facts["derived"] = "yes" if _image_type(dataset) == "DERIVED" else ""
    return {name: value for name, value in facts.items() if value}


def provenance_notes(dataset: Dataset, layout: Layout) -> list[tuple[str, str]]:
    """The warnings LOSSY, BURNED_IN and DERIVED, each where the header says so."""
    notes = []
    if _is_lossy(dataset, layout):
        notes.append(("LOSSY", "the image was compressed with loss."))
    if text(dataset, "BurnedInAnnotation") == "YES":
        notes.append(("BURNED_IN", "the file says that annotation is burned into the image."))
    if _image_type(dataset) == "DERIVED":
        notes.append(("DERIVED", "the file says that the image is derived from another."))
    return notes


def text(source: Dataset, keyword: str) -> str:
    """A header's value as text in capitals, "" where it is absent or damaged."""
    try:
        value = source.get(keyword)
    except Exception:  # a value that pydicom cannot convert tells nothing
        return ""
    return "" if value is None else str(value).strip().upper()


def _code(dataset: Dataset, keyword: str) -> str:
    try:
        value = str(dataset.get(keyword) or "").strip()
    except Exception:  # as above
        return ""
    return value if CODE_STRING.fullmatch(value) else ""


def _is_lossy(dataset: Dataset, layout: Layout) -> bool:
    return text(dataset, "LossyImageCompression") == "01" or layout.syntax in LOSSY


def _image_type(dataset: Dataset) -> str:
    value = dataset.get("ImageType")
    return str(value[0] if isinstance(value, pydicom.multival.MultiValue) and len(value) else value or "").upper()
