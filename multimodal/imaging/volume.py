"""An ordered volume: all its slices, or some of them evenly spaced, decoded on one scale of grey."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from multimodal.records import ItemError

from .image import Image, Plane, is_blank
from .placing import Placing

Notes = list[tuple[str, str]]


@dataclass(frozen=True)
class Volume:
    """The slices of one series, multi-frame file, multi-page TIFF or NIfTI file, in the order in which they lie.

    values       float32 (S, H, W), as in Image
    grey         float32 (S, H, W) in [0, 1], as in Image; one window or range for all slices, and so one scale
    spacing_mm   (between slices, between rows, between columns); NaN where unknown. Between slices it is measured from
                 the positions, whatever was left out; SliceThickness says something else
    orientation  axial | coronal | sagittal | oblique, "" where unknown, and of films
    kind, warnings  as in Image
    provenance   as in Image, and text for slices, spacing_mm, orientation, gantry_tilt_deg
    """

    values: np.ndarray
    grey: np.ndarray
    spacing_mm: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    orientation: str = ""
    kind: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.grey)


@dataclass(frozen=True)
class Stack:
    """A volume that is ordered, and of which no pixel has been decoded.

    placing     of all slices
    decode      places in the order -> their planes, one after the other; appends to the notes
    show        a Plane of stacked slices -> grey, float32 of its shape; appends to the notes
    kind_of     a Plane -> kind
    provenance  and notes: of the whole
    """

    placing: Placing
    decode: Callable[[Iterable[int], Notes], Iterator[Plane]]
    show: Callable[[Plane, Notes], np.ndarray]
    kind_of: Callable[[Plane], str]
    provenance: dict[str, str]
    notes: Notes

    def __len__(self) -> int:
        return len(self.placing.order)


def evenly_spaced(count: int, slices: int | None) -> list[int]:
    """The middles of `slices` equal parts of `count` slices; all where there are no more, or None is asked for."""
    if slices is None or slices >= count:
        return list(range(count))
    return [(2 * part + 1) * count // (2 * slices) for part in range(slices)]


def read_stack(stack: Stack, slices: int | None = None, on_slice: Callable[[], None] = lambda: None) -> Volume:
    """The volume of all slices, or of `slices` evenly spaced ones; `on_slice` is called after each.

    Raises ItemError: SERIES_MIXED for slices of several sizes, BLANK_IMAGE where every slice is blank, and what
    decoding raises.
    """
    chosen = evenly_spaced(len(stack), slices)
    notes: Notes = list(stack.notes)
    if len(chosen) < len(stack):
        notes.append(("SLICES_CHOSEN", f"{len(chosen)} of {len(stack)} slices are read."))
    planes = []
    for plane in stack.decode(chosen, notes):
        if planes and plane.values.shape != planes[0].values.shape:
            raise ItemError("SERIES_MIXED", "the slices have several sizes.")
        planes.append(plane)
        on_slice()
    stacked = _stacked(planes)
    kind = stack.kind_of(stacked)
    planes.clear()
    grey = stack.show(stacked, notes)
    if is_blank(grey):
        raise ItemError("BLANK_IMAGE", "every slice is constant or has under 4 grey levels in its central half.")
    placing = stack.placing
    facts = {
        "slices": f"{len(chosen)} of {len(stack)}",
        "spacing_mm": _spacing_text(placing.spacing_mm),
        "orientation": placing.orientation,
        "gantry_tilt_deg": f"{placing.tilt_deg:.3g}" if placing.tilt_deg else "",
    }
    provenance = stack.provenance | {name: text for name, text in facts.items() if text}
    warnings = tuple(dict.fromkeys(notes))
    return Volume(stacked.values, grey, placing.spacing_mm, placing.orientation, kind, provenance, warnings)


def volume_of(image: Image) -> Volume:
    """The volume that has this picture as its one slice."""
    return Volume(
        image.values[None], image.grey[None], kind=image.kind, provenance=image.provenance, warnings=image.warnings
    )


def middle_image(stack: Stack, name: str) -> Image:
    """The middle slice alone, shown as within the volume, with the warning FIRST_FRAME where there are others.

    name  what the slices are called together, in the warning
    """
    volume = read_stack(stack, 1)
    others = [note for note in volume.warnings if note[0] != "SLICES_CHOSEN"]
    if len(stack) > 1:
        others.insert(0, ("FIRST_FRAME", f"the {name} has {len(stack)} slices; the middle one is read."))
    return Image(volume.values[0], volume.grey[0], volume.kind, volume.provenance, tuple(others))


def _stacked(planes: list[Plane]) -> Plane:
    paddings = [plane.padding for plane in planes]
    padding = None
    if any(one is not None for one in paddings):
        none = np.zeros(planes[0].values.shape, bool)
        padding = np.stack([none if one is None else one for one in paddings])
    coloured = any(plane.coloured for plane in planes)
    first = planes[0]
    return Plane(np.stack([plane.values for plane in planes]), padding, first.white, coloured, first.inverted)


def _spacing_text(spacing_mm: tuple[float, float, float]) -> str:
    """For example "2.5 x 0.7 x 0.7", a "?" for what is unknown; "" where nothing is known."""
    known = [math.isfinite(number) for number in spacing_mm]
    return " x ".join(f"{number:.3g}" if is_known else "?" for number, is_known in zip(spacing_mm, known)) * any(known)
