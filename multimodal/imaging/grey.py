"""DICOM stored values to values and grey: rescale, look-up tables, windows, polarity, padding.

Enhanced multi-frame files keep these in functional groups, which pydicom's own functions do not read; so each function
here takes `sources`: the data sets in which an attribute is looked up, the nearest first. None writes to its argument.
Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.16 (functional groups).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from multimodal.records import ItemError

from .image import over_range
from .windows import NOT_USED, WINDOWS


def sources_of_frame(
    dataset: Dataset, index: int, names: Sequence[str] = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
) -> list[Dataset]:
    """Where a frame's attributes stand: the macros `names` of its own functional groups, of the shared ones, and the
    data set itself."""
    sources = []
    for keyword, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        for groups in list(dataset.get(keyword) or [])[place : place + 1]:
            for name in names:
                sources.extend(list(groups.get(name) or [])[:1])
    return [*sources, dataset]


def find(sources: Sequence[Dataset], keyword: str):
    """The first value of `keyword` that is not empty, NaN where it cannot be read, or None where there is none."""
    for source in sources:
        try:
            value = source.get(keyword)
        except (TypeError, ValueError, OverflowError):  # pydicom converts on access
            return math.nan
        if value is not None and value != "" and (not hasattr(value, "__len__") or len(value)):
            return value
    return None


def number(value, default: float) -> float:
    """The first number of a DICOM value; `default` where there is none; NaN where it is no number."""
    if value is None or value == "":
        return default
    try:
        first = value if isinstance(value, str | bytes | int | float) or not hasattr(value, "__len__") else value[0]
        return float(first)
    except (TypeError, ValueError, IndexError, OverflowError):
        return math.nan


def modality_values(stored: np.ndarray, sources: Sequence[Dataset], signed: bool) -> np.ndarray:
    """Stored values (H, W) through the modality LUT or the rescale, as float32.

    Raises ItemError RESCALE_INVALID for a slope of 0 or not finite, LUT_INVALID for a broken table.
    """
    table = find(sources, "ModalityLUTSequence")
    if table is not None:
        return look_up(stored, _item(table), signed, "modality")[0]
    slope = number(find(sources, "RescaleSlope"), 1.0)
    intercept = number(find(sources, "RescaleIntercept"), 0.0)
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        raise ItemError("RESCALE_INVALID", f"the rescale slope is {slope:g} and the intercept {intercept:g}.")
    if (slope, intercept) == (1.0, 0.0):
        return stored.astype(np.float32)
    # In double, then rounded once: a 16 bit value times a fractional slope is not exact in single precision.
    scaled = stored * np.float64(slope)
    scaled += intercept
    return scaled.astype(np.float32)


def _item(sequence) -> Dataset | None:
    return sequence[0] if isinstance(sequence, Sequence) and len(sequence) else None


def look_up(values: np.ndarray, item: Dataset | None, signed: bool, kind: str) -> tuple[np.ndarray, int]:
    """`values` (H, W) through the table of one LUT sequence item, as float32, and the largest value of its bits.

    Raises ItemError LUT_INVALID where descriptor and data disagree.
    """
    try:
        descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
        entries, first, bits = (int(part) for part in descriptor)
    except (TypeError, ValueError, AttributeError):
        raise ItemError("LUT_INVALID", f"the {kind} LUT has no descriptor of three numbers.") from None
    entries = entries % 65536 or 65536
    if signed and first > 32767:
        first -= 65536
    if not signed and kind == "modality" and first < 0:
        first += 65536
    table = _table(data, entries, bits)
    if table is None:
        raise ItemError(
            "LUT_INVALID", f"the {kind} LUT's data are not the {entries} entries of {bits} bits it describes."
        )
    place = np.clip(np.rint(values) - first, 0, entries - 1).astype(np.int32)
    return table[place], 2**bits - 1


def _table(data, entries: int, bits: int) -> np.ndarray | None:
    """LUT data as float32 (entries,), or None where they disagree with the descriptor."""
    if data is None or not 1 <= bits <= 16:
        return None
    if isinstance(data, bytes):
        if len(data) in (entries, entries + entries % 2) and bits <= 8 and len(data) != 2 * entries:
            return np.frombuffer(data, np.uint8)[:entries].astype(np.float32)
        if len(data) != 2 * entries:
            return None
        table = np.frombuffer(data, "<u2")
    else:
        try:
            table = np.asarray(data, dtype=np.int64).reshape(-1) & 0xFFFF
        except (TypeError, ValueError, OverflowError):
            return None
        if len(table) == (entries + 1) // 2 and bits <= 8 and entries > 1:
            table = np.stack([table & 0xFF, table >> 8], axis=1).reshape(-1)[:entries]  # two entries a word
    if len(table) != entries or table.max() >= 2**bits:
        return None
    return table.astype(np.float32)


def window_of(sources: Sequence[Dataset]) -> tuple[float, float, str] | None:
    """The file's first window: centre, width, function (LINEAR, LINEAR_EXACT, SIGMOID); None where there is none."""
    centre, width = find(sources, "WindowCenter"), find(sources, "WindowWidth")
    if centre is None or width is None:
        return None
    return number(centre, math.nan), number(width, math.nan), str(find(sources, "VOILUTFunction") or "LINEAR").upper()


def windowed(values: np.ndarray, centre: float, width: float, function: str, *, inverted: bool = False) -> np.ndarray:
    """`values` (H, W) through one window, float32 in [0, 1] (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

    inverted  1 less that, measured from the window's upper end: a value and its mirror image give the same bits
    """
    if function == "SIGMOID":
        steepness = 4 if inverted else -4
        return (1 / (1 + np.exp(steepness * (values - np.float32(centre)) / np.float32(width)))).astype(np.float32)
    if function == "LINEAR_EXACT":
        low, high = centre - width / 2, centre + width / 2
    else:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    if not high > low:  # a width of 1 is a threshold
        return (values <= low if inverted else values > low).astype(np.float32)
    above = np.float32(high) - values if inverted else values - np.float32(low)
    return np.clip(above / np.float32(high - low), 0, 1).astype(np.float32, copy=False)


def in_hounsfield_units(sources: Sequence[Dataset]) -> bool:
    """Whether the values after the rescale are HU: by Rescale Type, else by the modality CT.

    Then it must have a rescale, which a screenshot filed as CT lacks, and be no localizer, whose values are no HU.
    Source: DICOM PS3.3 C.8.2.1 (CT Image), C.11.1.1.2 (Rescale Type).
    """
    kind = str(find(sources, "RescaleType") or "").strip().upper()
    if kind:  # of a CT it must be given where it is not HU: perfusion maps have US, unspecified
        return kind == "HU"
    has_rescale = find(sources, "RescaleIntercept") is not None and find(sources, "ModalityLUTSequence") is None
    is_localizer = "LOCALIZER" in str(find(sources, "ImageType")).upper()
    return str(find(sources, "Modality")).strip().upper() == "CT" and has_rescale and not is_localizer


def voi_grey(
    values: np.ndarray,
    sources: Sequence[Dataset],
    padding: np.ndarray | None,
    signed: bool,
    notes: list,
    *,
    inverted: bool = False,
    window: str = "file",
) -> np.ndarray:
    """The picture in [0, 1], shown through `window`, one of WINDOW_NAMES; 1 less that where it is `inverted`.

    "file" is what the file wants: its VOI LUT, else its first window, else the data range. A named window replaces all
    of these where the values are HU; where they are not, WINDOW_NOT_USED is noted and the file's own is taken.
    Raises ItemError LUT_INVALID. A window that is not finite or not above 0 is noted as WINDOW_INVALID.
    """
    if window == "range":
        return over_range(values, padding, inverted=inverted)
    if window in WINDOWS:
        if in_hounsfield_units(sources):
            return windowed(values, *WINDOWS[window], "LINEAR", inverted=inverted)
        notes.append(NOT_USED)
    table = find(sources, "VOILUTSequence")
    if table is not None:
        shown, _ = look_up(values, _item(table), signed, "VOI")
        return over_range(shown, padding, inverted=inverted)
    own = window_of(sources)
    if own is not None:
        centre, width, function = own
        least = 1 if function == "LINEAR" else 0
        if math.isfinite(centre) and math.isfinite(width) and width > 0 and width >= least:
            return windowed(values, centre, width, function, inverted=inverted)
        notes.append(
            ("WINDOW_INVALID", f"the window's centre is {centre:g} and its width {width:g}; the data range is used.")
        )
    return over_range(values, padding, inverted=inverted)
