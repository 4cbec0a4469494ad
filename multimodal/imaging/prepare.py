"""From a picture of any size to the square that an image encoder reads, step by step.

The order: denoise, take the percentiles, resize with the aspect kept, normalise between them and clip, enhance the
contrast, pad. Denoising and enhancing are by choice, named in DENOISERS and ENHANCERS; scikit-image is imported when
one of them is first used, so that a worker starts fast.
What it does not do: look at other pictures. The same picture and preparation give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.Image

from multimodal.records import UsageError

from .windows import WINDOW_NAMES, check_name

PERCENTILES = (0.5, 99.5)
CLIP_LIMIT = 0.01  # of CLAHE, the share of a tile's pixels that one of its 256 levels may have
# Of non-local means: pixels, and times the noise, as scikit-image's documentation has it for the fast variant. Within a
# distance of 3 it does as well as within 6 (a CR and a CT, 256 pixels, with noise added), in a third of the time.
PATCH, DISTANCE, STRENGTH = 5, 3, 0.8


@dataclass(frozen=True)
class Preparation:
    """How a picture is made ready for an encoder. Raises UsageError for a name or number that is not possible.

    size      side of the square, pixels
    window    "file": the file's own first window, or a name of WINDOW_NAMES
    denoise   a name of DENOISERS: none | median | nlm
    enhance   a name of ENHANCERS: none | clahe
    slices    at most so many slices of a volume are read, evenly spaced
    """

    size: int = 128
    window: str = "file"
    denoise: str = "none"
    enhance: str = "none"
    slices: int = 16

    def __post_init__(self) -> None:
        check_name("window", self.window, WINDOW_NAMES)
        check_name("denoise", self.denoise, DENOISERS)
        check_name("enhance", self.enhance, ENHANCERS)
        for name in ("size", "slices"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: {getattr(self, name)} is below 1")


def prepare(grey: np.ndarray, preparation: Preparation) -> np.ndarray:
    """`grey` denoised, resized with its aspect kept, normalised, its contrast enhanced, and padded to a square.

    grey     float (H, W) in [0, 1], finite
    Returns  uint8 (size, size): what was at or beyond the percentiles 0.5 and 99.5 of the denoised picture, before it
             was resized, is 0 and 255; the longer side is `size`, the picture is centred and the rest is 0.
    """
    return prepare_slices(grey[None], preparation)[0]


def prepare_slices(
    grey: np.ndarray, preparation: Preparation, on_slice: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Each slice of `grey` (S, H, W) as by `prepare`, but between percentiles of all together, so that a grey level
    means the same in each: uint8 (S, size, size). `on_slice` is called after each slice and step."""
    slices = []
    for one in grey:
        slices.append(denoised(one, preparation))
        on_slice()
    low, high = percentiles(np.stack(slices) if preparation.denoise != "none" else grey)
    slices = [resized(one, preparation.size) for one in slices]
    ends = np.array([min(one.min() for one in slices), max(one.max() for one in slices)])
    least, greatest = normalised(ends, low, high)
    squares = np.zeros((len(grey), preparation.size, preparation.size), np.uint8)
    for place, one in enumerate(slices):
        levels = enhanced(normalised(one, low, high), least, greatest, preparation)
        squares[place] = padded(levels, preparation.size)
        on_slice()
    return squares


def denoised(grey: np.ndarray, preparation: Preparation) -> np.ndarray:
    """`grey` (H, W), unchanged without a denoiser; else filtered at about the size at which it will be seen."""
    if preparation.denoise == "none":
        return grey
    # A filter looks at a few pixels around each: those of the picture as it will be seen, not of the original, of
    # which the reduction averages many anyway. Twice the size, so that what it leaves is still averaged.
    return DENOISERS[preparation.denoise](reduced(grey, 2 * preparation.size))


def enhanced(levels: np.ndarray, least: float, greatest: float, preparation: Preparation) -> np.ndarray:
    """A slice (H, W) of a volume whose levels reach from `least` to `greatest`, unchanged without an enhancer.

    An enhancer stretches what it sees to [0, 1]: here the slice gets the part of the volume's range that it had before,
    so that a faint one stays faint. A single picture has all of it.
    """
    if preparation.enhance == "none" or not greatest > least:
        return levels
    share = np.ptp(levels) / (greatest - least)
    return (levels.min() - least) / (greatest - least) + ENHANCERS[preparation.enhance](levels) * share


def percentiles(grey: np.ndarray) -> tuple[float, float]:
    """The percentiles 0.5 and 99.5 of a picture (H, W) or of slices (S, H, W), or where these are equal its least and
    greatest value."""
    # About a million pixels tell the percentiles of a larger picture.
    step = max(1, math.isqrt(grey.size // 1_000_000))
    levels = grey[..., ::step, ::step].ravel()
    low, high = (percentile(levels, percent) for percent in PERCENTILES)
    return (low, high) if high > low else (float(grey.min()), float(grey.max()))


def percentile(levels: np.ndarray, percent: float) -> np.float64:
    """What np.percentile says of `levels` float (n,), to the bit, from one selection, which is several times faster.

    As np.percentile's, the result is a float64: a Python number would let what follows be computed in single precision.
    """
    place = (len(levels) - 1) * (percent / 100)
    below = int(place)
    parted = np.partition(levels, below)
    low, high = parted[below], parted[below + 1 :].min(initial=np.inf)
    if not high < np.inf:  # the last one
        return np.float64(low)
    share = np.float64(place - below)
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)


def normalised(grey: np.ndarray, low: float, high: float) -> np.ndarray:
    """`grey` (H, W) with `low` at 0, `high` at 1 and clipped beyond, as float (H, W); 0 where `high` is not above."""
    return np.clip((grey - low) / (high - low), 0, 1) if high > low else np.zeros(grey.shape)


def resized(grey: np.ndarray, side: int) -> np.ndarray:
    """`grey` (H, W) as float32 with `side` pixels on its longer side, reduced by an antialiasing triangle filter."""
    height, width = grey.shape
    scale = side / max(height, width)
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    picture = PIL.Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    return np.asarray(picture.resize(shape[::-1], PIL.Image.Resampling.BILINEAR, reducing_gap=3.0))


def reduced(grey: np.ndarray, side: int) -> np.ndarray:
    """`grey` (H, W) as float32, resized if its longer side is above `side` pixels."""
    return resized(grey, side) if max(grey.shape) > side else grey.astype(np.float32, copy=False)


def padded(levels: np.ndarray, size: int) -> np.ndarray:
    """`levels` (H, W) in [0, 1] in the centre of a black square, as uint8 (size, size)."""
    height, width = levels.shape
    square = np.zeros((size, size), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = np.rint(levels * 255).astype(np.uint8)
    return square


def unchanged(picture: np.ndarray) -> np.ndarray:
    """`picture` itself."""
    return picture


def median(grey: np.ndarray) -> np.ndarray:
    """Each pixel of `grey` (H, W) as the median of the 3 x 3 around it, the border repeated."""
    from skimage.filters import median as median_filter

    return median_filter(grey, footprint=np.ones((3, 3), bool))


def nlm(grey: np.ndarray) -> np.ndarray:
    """`grey` (H, W) by non-local means: each pixel as the mean of those around it that have a like neighbourhood.

    What counts as like depends on the noise that the picture itself shows; without any it stays as it is.
    Source: Buades, Coll and Morel, CVPR 2005, 2:60; fast variant: Darbon et al., ISBI 2008, 1331.
    """
    from skimage.restoration import denoise_nl_means

    sigma = noise(grey)
    if sigma == 0:
        return grey
    return denoise_nl_means(grey, PATCH, DISTANCE, h=STRENGTH * sigma, sigma=sigma, fast_mode=True)


def noise(grey: np.ndarray) -> float:
    """The standard deviation of the noise in `grey` (H, W), in its unit, 0 below 3 x 3 pixels.

    The mean size of the difference of two Laplacians, which flat and evenly sloped parts do not have.
    Source: Immerkaer, Computer Vision and Image Understanding 64(2):300, 1996.
    """
    if min(grey.shape) < 3:
        return 0.0
    rows = grey[:-2] - 2.0 * grey[1:-1] + grey[2:]
    both = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    return float(math.sqrt(math.pi / 2) / 6 * np.abs(both, dtype=np.float64).mean())


def clahe(levels: np.ndarray) -> np.ndarray:
    """`levels` (H, W) in [0, 1] with its contrast equalised within tiles of an eighth of each side, in [0, 1].

    A picture of one level stays as it is.
    Source: Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 474, 1994.
    """
    from skimage.exposure import equalize_adapthist

    return equalize_adapthist(levels, clip_limit=CLIP_LIMIT) if np.ptp(levels) > 0 else levels


DENOISERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"none": unchanged, "median": median, "nlm": nlm}
ENHANCERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"none": unchanged, "clahe": clahe}
