"""Colour pictures: their luma, and whether they are photographs rather than tinted or annotated radiographs."""

from __future__ import annotations

import math

import numpy as np

# ITU-R BT.601, as JPEG and Pillow's convert("L") weigh the channels.
LUMA = (0.299, 0.587, 0.114)
# Measured on 723 radiographs of covid-chestxray and 34 pictures of other-images. A pixel is coloured if its channels
# differ by over 24 of 255: annotations colour at most 9 % of a radiograph, photographs 13 % or more. A film that was
# photographed has one tint: given the luma, its channel differences scatter by 2.3 of 255; photographs by 4.1 or more.
COLOURED, COLOURED_SHARE, SCATTER = 24, 0.10, 3.0
SAMPLE = 100_000  # pixels that are looked at


def luma(rgb: np.ndarray, white: int, notes: list) -> tuple[np.ndarray, bool]:
    """Luma of `rgb` (H, W, 3) in [0, white] as float32 (H, W), and whether it is clearly a colour photograph.

    Where the channels are equal everywhere, that channel is the picture, exactly, and nothing was converted;
    elsewhere COLOUR_CONVERTED is noted.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    if all(np.array_equal(red[part], other[part]) for part in (slice(0, 1), slice(None)) for other in (green, blue)):
        return red.astype(np.float32), False
    if not any(code == "COLOUR_CONVERTED" for code, _ in notes):
        notes.append(("COLOUR_CONVERTED", "the colours are read as grey (luma)."))
    values = red * np.float32(LUMA[0])
    values += green * np.float32(LUMA[1])
    values += blue * np.float32(LUMA[2])
    return values.astype(np.float32, copy=False), is_photograph(rgb, white)


def is_photograph(rgb: np.ndarray, white: int) -> bool:
    """Whether `rgb` (H, W, 3) in [0, white] has many coloured pixels, and more than one tint."""
    step = max(1, math.isqrt(rgb.shape[0] * rgb.shape[1] // SAMPLE))
    sample = rgb[::step, ::step].reshape(-1, 3).astype(np.float64) * (255 / white)
    red, green, blue = sample.T  # numpy is slow along an axis of three
    greatest, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    coloured = greatest - least > COLOURED
    if coloured.mean() <= COLOURED_SHARE:
        return False
    level = np.clip(sample @ np.array(LUMA) // 8, 0, 31).astype(np.int64)
    count = np.maximum(np.bincount(level, minlength=32), 1)
    scatters = []
    for difference in (sample[:, 0] - sample[:, 1], sample[:, 2] - sample[:, 1]):
        usual = np.bincount(level, difference, minlength=32) / count
        scatters.append(np.abs(difference - usual[level]).mean())
    return max(scatters) > SCATTER
