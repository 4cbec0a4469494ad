"""A NIfTI file (.nii, .nii.gz; versions 1 and 2) to an ordered stack of slices, as a DICOM series would hold them.

The affine decides: slices lie across the axis that the header calls the slice axis, else the coarsest one, else the one
nearest to head and feet. Rows and columns run as radiologists look at them: axial from the patient's right to left and
front to back; coronal right to left and head to feet; sagittal front to back and head to feet.
What it does not do: the first of several volumes (time) is read alone; colours and complex numbers are refused; the
display range of the header (cal_min, cal_max), which most writers leave out, is not used; the unit of the values is not
known, so no named window applies. Needs nibabel, the extra `nifti`.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimodal.records import ItemError

from .image import NOT_FINITE, Plane, check_size, over_range
from .placing import Placing, plane_across, tilt_of
from .sniff import GZIP, gzip_head
from .volume import Notes, Stack
from .windows import NOT_USED, WINDOWS

HEADER = 544  # bytes that hold the header of either version
EXTENSIONS = 16 * 2**20  # bytes that may lie before the values
COARSEST = 1.1  # times the next spacing
MIN_SIDE = 4  # voxels of a slice: such small volumes are published as tests, and their central half has 2 x 2
# World axes are the patient's left, back and head (LPS, as in DICOM). The axis across which the slices lie:
# (direction of the slices, world axis and direction of the columns, then of the rows); the normal is row x column.
LOOKS = {
    2: (1, (0, 1), (1, 1)),
    1: (1, (0, 1), (2, -1)),
    0: (-1, (1, 1), (2, -1)),
}


@dataclass(frozen=True)
class View:
    """How an array is looked at: the array's axes of slices, rows and columns, and 1 or -1 for the way along each."""

    axes: tuple[int, int, int]
    steps: tuple[int, int, int]
    placing: Placing


def stack_of_nifti(data: bytes, window: str) -> Stack:
    """The volume in the NIfTI file `data`, compressed by gzip or not.

    Raises ItemError: UNSUPPORTED_SYNTAX without nibabel, or for values that are no real numbers; HEADER_MISMATCH;
    IMAGE_TOO_SMALL, IMAGE_TOO_LARGE before anything is inflated or allocated; DECODE_FAILED for a damaged gzip.
    """
    header = _header(data)
    shape = tuple(int(side) for side in header.get_data_shape())
    kind, offset = header.get_data_dtype(), float(header["vox_offset"])
    if len(shape) < 2 or min(shape) < 1:
        raise ItemError("HEADER_MISMATCH", f"the header's dimensions are {shape}.")
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise ItemError("UNSUPPORTED_SYNTAX", "the values are colours or complex numbers; real numbers are read.")
    least = header.single_vox_offset  # of a file that holds header and values
    if not least <= offset <= EXTENSIONS:  # nor NaN
        raise ItemError(
            "HEADER_MISMATCH", f"the values begin at byte {offset:.9g}, not between {least} and {EXTENSIONS}."
        )
    volumes = math.prod(shape[3:])
    sides = (*shape[:3], 1)[:3]
    view = _view(header, sides)
    slices, rows, columns = (sides[axis] for axis in view.axes)
    check_size(columns, rows, slices, kind.itemsize, least=MIN_SIDE)
    slope, intercept = _scaling(header)
    stored = _stored(data, int(offset), sides, kind).transpose(view.axes)
    stored = stored[tuple(np.s_[::step] for step in view.steps)]

    def decode(places: Iterable[int], notes: Notes) -> Iterator[Plane]:
        for place in places:
            values = stored[place]
            if (slope, intercept) != (1.0, 0.0):
                values = values * np.float64(slope) + intercept
            with np.errstate(over="ignore"):
                values = np.ascontiguousarray(values, dtype=np.float32)
            broken = ~np.isfinite(values)
            if broken.any():
                notes.append(NOT_FINITE)
                yield Plane(np.where(broken, np.float32(0), values), broken)
            else:
                yield Plane(values)

    def show(plane: Plane, notes: Notes) -> np.ndarray:
        if window in WINDOWS:
            notes.append(NOT_USED)
        grey = over_range(plane.values, plane.padding)
        if plane.padding is not None:
            grey[plane.padding] = 0
        return grey

    return Stack(
        placing=view.placing,
        decode=decode,
        show=show,
        kind_of=lambda plane: "",
        provenance={"format": "NIfTI"},
        notes=[("FIRST_FRAME", f"the file has {volumes} volumes; the first is read.")] if volumes > 1 else [],
    )


def _header(data: bytes) -> Any:
    """nibabel's header of either version; its own checks, which mend and print, are left out."""
    try:
        import nibabel
    except ImportError:
        raise ItemError("UNSUPPORTED_SYNTAX", "NIfTI needs nibabel: pip install multimodal-clinical[nifti].") from None
    head = gzip_head(data, HEADER) if data[:2] == GZIP else data[:HEADER]
    kind = nibabel.Nifti2Header if head[4:8] == b"n+2\0" else nibabel.Nifti1Header
    try:
        header = kind.from_fileobj(io.BytesIO(head), check=False)
        header.get_data_shape(), header.get_data_dtype()
        return header
    except Exception as error:  # nibabel raises whatever its arrays do
        raise ItemError("HEADER_MISMATCH", f"the NIfTI header cannot be read ({type(error).__name__}).") from error


def _scaling(header: Any) -> tuple[float, float]:
    """Slope and intercept; without a usable slope there is no scaling, as the format says."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise ItemError("RESCALE_INVALID", f"the slope is {slope:g} and the intercept {intercept:g}.")
    return slope, intercept


def _view(header: Any, sides: tuple[int, ...]) -> View:
    """How the volume is looked at, see the module."""
    from nibabel.orientations import io_orientation

    try:
        slice_axis = header.get_dim_info()[2]
        # NIfTI's world is right, front and head positive.
        affine = np.diag([-1.0, -1.0, 1.0]) @ header.get_best_affine()[:3, :3]
        nearest = io_orientation(np.block([[affine, np.zeros((3, 1))], [np.zeros((1, 3)), 1]]))
    except Exception as error:  # as above
        raise ItemError("HEADER_MISMATCH", f"the NIfTI affine cannot be read ({type(error).__name__}).") from error
    spacing = np.linalg.norm(affine, axis=0)
    if not (np.isfinite(affine).all() and np.isfinite(nearest).all() and (spacing > 0).all()):
        raise ItemError("HEADER_MISMATCH", "the NIfTI affine is not finite or has no volume.")
    world = [int(axis) for axis in nearest[:, 0]]
    if slice_axis is None:
        widest = int(np.argmax(spacing))
        is_coarse = spacing[widest] > COARSEST * np.partition(spacing, 1)[1]
        slice_axis = 2 if sides[2] == 1 else widest if is_coarse else world.index(2)
    way, (column_world, column_way), (row_world, row_way) = LOOKS[world[slice_axis]]
    axes = slice_axis, world.index(row_world), world.index(column_world)
    ways = way, row_way, column_way
    steps = tuple(int(nearest[axis, 1]) * direction for axis, direction in zip(axes, ways))
    line, down, along = (affine[:, axis] * step for axis, step in zip(axes, steps))
    normal = np.cross(along, down)
    normal = normal / np.linalg.norm(normal)
    count = sides[slice_axis]
    between = abs(float(line @ normal)) if count > 1 else math.nan
    placing = Placing(
        order=np.arange(count),
        spacing_mm=(between, float(spacing[axes[1]]), float(spacing[axes[2]])),
        orientation=plane_across(normal),
        tilt_deg=tilt_of(line, normal),
    )
    return View(axes, steps, placing)


def _stored(data: bytes, offset: int, sides: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """The stored values of the first volume, unscaled; of a compressed file no more is inflated."""
    size = math.prod(sides) * kind.itemsize
    if data[:2] == GZIP:
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(offset + size)
        except (OSError, EOFError, zlib.error) as error:
            raise ItemError("DECODE_FAILED", "the gzip content is cut off or damaged.") from error
    if len(data) < offset + size:
        raise ItemError("HEADER_MISMATCH", f"the file has {len(data)} bytes; its header says {offset + size}: cut off?")
    return np.frombuffer(data, kind, math.prod(sides), offset).reshape(sides, order="F")
