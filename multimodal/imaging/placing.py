"""Where the slices of a volume lie in the patient: their order, distance and orientation, from the positions alone.

Sources: DICOM PS3.3 C.7.6.2.1.1 (image position and orientation) and C.7.6.16.2 (functional groups).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from multimodal.records import ItemError

from .grey import find, number

UNEVEN = 0.1  # of the median gap between slices
PARALLEL = 0.01  # by so much a series' direction cosines may differ: scanners round them
SAME_PLACE = 1e-3  # mm
TILTED = 1.0  # degrees
OBLIQUE = 0.9  # cosine: farther than 26 degrees from the body's planes
PLANES = ("sagittal", "coronal", "axial")

INCOMPLETE = ("SERIES_INCOMPLETE", "the slices are not evenly spaced: some are missing or at one position.")
UNPLACED = ("SERIES_INCOMPLETE", "the slices have no positions: their instance numbers order them.")


@dataclass(frozen=True)
class Geometry:
    """What one slice's header says: direction cosines (6,), position (3,) mm, pixel spacing (row, column) mm.

    NaN where a value is absent or no number.
    """

    cosines: np.ndarray
    position: np.ndarray
    pixel_spacing: np.ndarray


@dataclass(frozen=True)
class Placing:
    """order        int (S,): the slices along their normal, that is row direction x column direction
    spacing_mm   between slices (the median distance along the normal), row, column; NaN where unknown
    orientation  axial | coronal | sagittal | oblique, "" where unknown
    tilt_deg     between the normal and the line on which the slices lie: the gantry's tilt; 0 where there is none
    even         whether the slices follow each other at one distance, and none shares its place
    """

    order: np.ndarray
    spacing_mm: tuple[float, float, float]
    orientation: str = ""
    tilt_deg: float = 0.0
    even: bool = True


def geometry_of(sources: Sequence[Dataset]) -> Geometry:
    """The geometry of the slice whose attributes stand in `sources`, the nearest first."""
    names = (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3), ("PixelSpacing", 2))
    return Geometry(*(_numbers(find(sources, name), count) for name, count in names))


def is_placed(slices: Sequence[Geometry]) -> bool:
    """Whether every slice has a position and an orientation."""
    return all(np.isfinite(one.cosines).all() and np.isfinite(one.position).all() for one in slices)


def placed(slices: Sequence[Geometry], ties: Sequence) -> Placing:
    """The slices, all with position and orientation, in their order; where two share a place, `ties` decide.

    Raises ItemError SERIES_MIXED for slices that are not parallel.
    """
    # The median of each number does not depend on the order in which the slices come.
    all_cosines = np.array([one.cosines for one in slices])
    cosines = np.median(all_cosines, axis=0)
    if (np.abs(all_cosines - cosines) > PARALLEL).any():
        raise ItemError("SERIES_MIXED", "the slices have several orientations, as those of a localizer have.")
    with np.errstate(all="ignore"):  # a header may hold 1e308
        normal = np.cross(cosines[:3], cosines[3:])
        normal = normal / np.linalg.norm(normal)
        positions = np.array([one.position for one in slices])
        places = positions @ normal
        if not np.isfinite(normal).all():
            return unplaced(slices, ties)
        order = np.array(sorted(range(len(slices)), key=lambda index: (places[index], ties[index])))
        gaps = np.diff(places[order])
        between = float(np.median(gaps)) if len(gaps) else math.nan
        even = bool(len(gaps) == 0 or (between > SAME_PLACE and (np.abs(gaps - between) <= UNEVEN * between).all()))
        tilt = tilt_of(positions[order[-1]] - positions[order[0]], normal)
    return Placing(
        order=order,
        spacing_mm=(between if math.isfinite(between) and between > SAME_PLACE else math.nan, *_in_plane(slices)),
        orientation=plane_across(normal),
        tilt_deg=tilt,
        even=even,
    )


def unplaced(slices: Sequence[Geometry], ties: Sequence) -> Placing:
    """The slices in the order of `ties`; nothing is known of the distance between them."""
    order = np.array(sorted(range(len(slices)), key=lambda index: ties[index]))
    return Placing(order, (math.nan, *_in_plane(slices)))


def at_one_place(slices: Sequence[Geometry]) -> bool:
    """Whether all slices lie where the first lies, as the frames of a film do."""
    with np.errstate(all="ignore"):
        return all(np.abs(one.position - slices[0].position).max() < SAME_PLACE for one in slices)


def plane_across(normal: np.ndarray) -> str:
    """axial | coronal | sagittal: the plane of the body to which the unit vector `normal` is upright; else oblique."""
    axis = int(np.argmax(np.abs(normal)))
    return PLANES[axis] if abs(normal[axis]) > OBLIQUE else "oblique"


def tilt_of(line: np.ndarray, normal: np.ndarray) -> float:
    """Degrees between the line on which slices lie and their unit normal, 0 up to one degree."""
    length = float(np.linalg.norm(line))
    tilt = math.degrees(math.acos(np.clip(line @ normal / length, -1, 1))) if length > SAME_PLACE else 0.0
    return tilt if tilt > TILTED else 0.0


def _in_plane(slices: Sequence[Geometry]) -> tuple[float, float]:
    row, column = np.median([one.pixel_spacing for one in slices], axis=0)
    return float(row), float(column)


def _numbers(value, count: int) -> np.ndarray:
    try:
        values = np.array([float(one) for one in value or ()])
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    return values if len(values) == count else np.full(count, np.nan)


def instance_number(header: Dataset) -> float:
    """The instance number, 0 where it is absent or no number."""
    found = number(find([header], "InstanceNumber"), 0.0)
    return found if math.isfinite(found) else 0.0
