"""From a picture of any size to the square that an image encoder reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import PIL.Image

PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Preparation:
    """How a picture is made ready for an encoder.

    size      side of the square, pixels
    window    "file": the file's own first window, or a name of WINDOWS
    denoise   none | median | nlm
    contrast  none | clahe
    slices    at most so many slices of a volume are read, evenly spaced
    """

    size: int = 128
    window: str = "file"
    denoise: str = "none"
    contrast: str = "none"
    slices: int = 16


def prepare(grey: np.ndarray, size: int) -> np.ndarray:
    """`grey` resized with its aspect kept, normalised, and padded to a square.

    grey     float (H, W) in [0, 1], finite
    size     side of the square, pixels
    Returns  uint8 (size, size): the picture's percentiles 0.5 and 99.5 became 0 and 255, its longer side is `size`, it
             is centred and the rest is 0. Reduced with an antialiasing triangle filter.
    """
    height, width = grey.shape
    # About a million pixels tell the percentiles of a larger picture.
    step = max(1, math.isqrt(grey.size // 1_000_000))
    low, high = np.percentile(grey[::step, ::step], PERCENTILES)
    if not high > low:
        low, high = float(grey.min()), float(grey.max())

    scale = size / max(height, width)
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    picture = PIL.Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    resized = np.asarray(picture.resize(shape[::-1], PIL.Image.Resampling.BILINEAR, reducing_gap=3.0))
    levels = np.clip((resized - low) / (high - low), 0, 1) * 255 if high > low else np.zeros(shape)

    square = np.zeros((size, size), np.uint8)
    top, left = (size - shape[0]) // 2, (size - shape[1]) // 2
    square[top : top + shape[0], left : left + shape[1]] = np.rint(levels).astype(np.uint8)
    return square
