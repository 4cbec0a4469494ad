"""One read image, and the limits that every image keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from multimodal.records import ItemError

MAX_PIXELS = 64_000_000  # of one frame
MAX_FRAMES = 1024
MAX_BYTES = 2**30  # of all frames, decoded
MIN_SIDE = 8
MIN_LEVELS = 4  # different values in the central half

NOT_FINITE = ("NOT_FINITE", "pixels that are not finite numbers are read as padding.")


@dataclass(frozen=True)
class Image:
    """The picture of one file.

    values      float32 (H, W), the file's own values: stored values after rescale or modality LUT (CT: HU), polarity
                as stored; of a colour picture the luma. 24 bits are exact, wider integers are rounded
    grey        float32 (H, W) in [0, 1], the picture to learn from: after the file's first VOI LUT or window where it
                is valid, else over the data range; MONOCHROME1 inverted, so that dense is bright; padding is 0
    kind        "radiograph" | "ct" | "mr" | "photo" | "other", or "" where the file does not tell
    provenance  text by name: format, and where it is known transfer_syntax, modality, view, laterality, body_part,
                mode (of a picture file); "yes" for lossy, burned_in and derived
    warnings    (reason code, message), in the order in which they were found
    """

    values: np.ndarray
    grey: np.ndarray
    kind: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plane:
    """Decoded values before they are shown as grey; or several of one size, stacked.

    values    float32 (H, W) or (S, H, W), as in Image
    padding   bool, the shape of values, what is no anatomy; or None
    white     the value that is white, of a colour picture; 0 of any other
    coloured  whether it is clearly a colour photograph
    inverted  whether low values are bright, of a picture file
    """

    values: np.ndarray
    padding: np.ndarray | None = None
    white: float = 0
    coloured: bool = False
    inverted: bool = False


def check_size(width: int, height: int, frames: int = 1, bytes_per_pixel: int = 1, *, least: int = MIN_SIDE) -> None:
    """Refuses a size that a header claims, before anything is allocated.

    Raises ItemError: IMAGE_TOO_SMALL for a side under `least` pixels; IMAGE_TOO_LARGE over 64 megapixels a frame, 1,024
    frames or 1 GiB in all.
    """
    if min(width, height) < least:
        raise ItemError("IMAGE_TOO_SMALL", f"the image is {width} x {height} pixels; a side has at least {least}.")
    if width * height > MAX_PIXELS:
        raise ItemError(
            "IMAGE_TOO_LARGE", f"the header says {width} x {height} pixels; {MAX_PIXELS // 10**6} megapixels are read."
        )
    if frames > MAX_FRAMES:
        raise ItemError("IMAGE_TOO_LARGE", f"the header says {frames} frames; at most {MAX_FRAMES} are read.")
    if width * height * frames * bytes_per_pixel > MAX_BYTES:
        raise ItemError(
            "IMAGE_TOO_LARGE",
            f"{frames} frame(s) of {width} x {height} pixels take {width * height * frames * bytes_per_pixel} bytes; "
            f"at most {MAX_BYTES} are decoded.",
        )


def is_blank(picture: np.ndarray) -> bool:
    """Whether `picture` (H, W) has under 4 levels in its central half, each way a quarter from the border.

    Slices (S, H, W) are blank where each of them is.
    """
    if picture.ndim == 3:
        return all(is_blank(one) for one in picture)
    height, width = picture.shape
    centre = picture[height // 4 : height - height // 4, width // 4 : width - width // 4]
    # A thinned grid tells almost always; only a nearly blank picture is sorted in full.
    step = max(1, math.isqrt(centre.size // 10_000 + 1))
    return all(len(np.unique(part)) < MIN_LEVELS for part in (centre[::step, ::step], centre))


def over_range(values: np.ndarray, ignore: np.ndarray | None = None, *, inverted: bool = False) -> np.ndarray:
    """`values` (H, W) scaled to [0, 1] over their own range, as float32.

    ignore    bool (H, W), pixels that do not enter the range (they are clipped), or None
    inverted  the greatest value becomes 0, the least 1
    """
    seen = values if ignore is None or ignore.all() else values[~ignore]
    low, high = float(seen.min()), float(seen.max())
    if not high > low:
        return np.zeros(values.shape, np.float32)
    scaled = (np.float32(high) - values if inverted else values - np.float32(low)).astype(np.float32, copy=False)
    scaled /= np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled)
