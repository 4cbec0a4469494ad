"""Pictures that are the same picture: byte for byte, or after resizing, compression, another window or a crop.

First by a perceptual hash: the signs of the 63 lowest frequencies of a 32 x 32 thumbnail's cosine transform against
their median (pHash; Zauner, Implementation and benchmarking of perceptual image hash functions, Hagenberg 2010). Chest
radiographs are all alike at that grain, so what is near by hash is confirmed by the correlation of the thumbnails'
detail, what remains when a blurred copy is taken off. Measured when the bar was set: of the 82 pictures that hannover
and covid-chestxray share 76 correlate at 0.975 and more; those of different children of composite at 0.74 at most, of
different synthetic patients, whose chests are drawn alike, at 0.95 once in half a million pairs.
Each picture is seen whole and in VIEWS, so that a copy cropped to its centre square, at dark borders or by up to a
twentieth a side is found; mirrored and inverted copies too. What is not found: copies that were turned, or cropped on
one side alone by more than some hundredths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from ..encoders.inputs import ImageInputs
from .pairs import equal_pairs, record_pairs

SIDE, FREQUENCIES = 32, 8
BITS = FREQUENCIES**2 - 1
NEAR = 8
"""Bits in which two hashes may differ, of 63."""
BLUR, SAME = 1.0, 0.96
"""The blur that takes the coarse shape off, in thumbnail pixels; the least correlation of the rest."""
DARK, LEAST = 0.2, 0.5
CHUNK = 1 << 22
"""Pairs of hashes that are compared at a time."""
CROWDED, PAIRS = 0.02, 1 << 12
"""Where more of the pairs are near by hash, a product of matrices confirms them all; else so many pairs at a time."""


def whole(picture: np.ndarray) -> np.ndarray:
    return picture


def square(picture: np.ndarray) -> np.ndarray:
    """The centre square."""
    height, width = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def lit(picture: np.ndarray) -> np.ndarray:
    """Without dark borders; the whole picture where little else is left."""
    bright = DARK * np.percentile(picture, 95)
    kept = []
    for axis in (1, 0):
        there = np.flatnonzero(np.percentile(picture, 75, axis=axis) > bright)
        kept.append(slice(there[0], there[-1] + 1) if len(there) else slice(None))
    inside = picture[tuple(kept)]
    return inside if min(inside.shape) >= LEAST * min(picture.shape) else picture


def inner(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """Without `share` of it on each side."""

    def cut(picture: np.ndarray) -> np.ndarray:
        rows, columns = (round(share * side) for side in picture.shape)
        return picture[rows : picture.shape[0] - rows, columns : picture.shape[1] - columns]

    return cut


VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "whole": whole,
    "square": square,
    "lit": lit,
    **{f"inner{share:g}": inner(share) for share in (0.01, 0.02, 0.03, 0.04, 0.05)},
}


def same_pictures(parts: list[tuple[int, ImageInputs]]) -> np.ndarray:
    """int (m, 2): the pairs of records, numbered over all parts, that hold the same picture; each pair once.

    parts  (number of the first record, pictures) each
    """
    record = np.concatenate([offset + one.record for offset, one in parts])
    digests = np.concatenate([np.array(one.digest, dtype=object) for _, one in parts])
    if len(record) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    thumbnails = [thumbnails_of(one) for _, one in parts]
    views = {name: np.concatenate([one[name] for one in thumbnails]) for name in VIEWS}
    pairs = [equal_pairs(digests), *_near_pairs(views, record)]
    return record_pairs(np.concatenate(pairs), record)


def thumbnails_of(inputs: ImageInputs) -> dict[str, np.ndarray]:
    """{view: uint8 (k, SIDE, SIDE)} of the pictures, of a volume its middle slice, without the square's padding."""
    count = len(inputs.record)
    first, last = (np.searchsorted(inputs.picture, np.arange(count), side=side) for side in ("left", "right"))
    out = {name: np.zeros((count, SIDE, SIDE), np.uint8) for name in VIEWS}
    for k, middle in enumerate(((first + last) // 2).tolist()):
        framed = _unpadded(inputs.pixels[middle], inputs.properties[k] if inputs.properties else {})
        for name, view in VIEWS.items():
            shrunk = PIL.Image.fromarray(view(framed)).resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR)
            out[name][k] = np.asarray(shrunk)
    return out


def _unpadded(square_of: np.ndarray, properties: dict) -> np.ndarray:
    """The picture in its square (size, size), see imaging.prepare; all of it where the proportions are unknown."""
    width, height = properties.get("width", 1.0), properties.get("height", 1.0)
    size, longer = len(square_of), max(width, height)
    rows, columns = (max(1, round(size * side / longer)) for side in (height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    return square_of[top : top + rows, left : left + columns]


def hashes(thumbnails: np.ndarray) -> np.ndarray:
    """uint64 (k,): BITS signs each. thumbnails: (k, SIDE, SIDE)"""
    low = dctn(thumbnails.astype(np.float32), axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
    low = low.reshape(len(low), -1)[:, 1:]
    signs = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(np.pad(signs, ((0, 0), (0, 1))), axis=1).view(np.uint64).ravel()


def detail(thumbnails: np.ndarray) -> np.ndarray:
    """float32 (k, SIDE * SIDE) of length 1: what a blur takes off. A picture without any is 0."""
    fine = thumbnails.astype(np.float32)
    fine = (fine - gaussian_filter(fine, (0, BLUR, BLUR))).reshape(len(fine), -1)
    fine -= fine.mean(axis=1, keepdims=True)
    return fine / np.maximum(np.linalg.norm(fine, axis=1, keepdims=True), 1e-9)


def _near_pairs(views: dict[str, np.ndarray], record: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of pictures, int (m, 2), that are near by hash and the same by detail, view against view."""
    of_whole = hashes(views["whole"]), detail(views["whole"])
    for name, thumbnails in {**views, "mirrored": views["whole"][:, :, ::-1]}.items():
        of_view = hashes(thumbnails), detail(thumbnails)
        yield _confirmed(of_whole, of_view, record)
        if name in ("square", "lit"):
            yield _confirmed(of_view, of_view, record)


def _confirmed(
    ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray], record: np.ndarray
) -> np.ndarray:
    """ours, theirs: hashes uint64 (k,) and detail (k, d) of the same k pictures, each in one view."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    rows = max(1, CHUNK // len(record))
    for start in range(0, len(record), rows):
        chunk = slice(start, start + rows)
        apart = np.bitwise_count(ours[0][chunk, None] ^ theirs[0])
        # An inverted picture has nearly all signs turned.
        near = ((apart <= NEAR) | (apart >= BITS - NEAR)) & (record[chunk, None] != record)
        if near.mean() > CROWDED:
            first, second = np.nonzero(near & (np.abs(ours[1][chunk] @ theirs[1].T) >= SAME))
        else:
            first, second = np.nonzero(near)
            alike = np.zeros(len(first), dtype=bool)
            for low in range(0, len(first), PAIRS):
                a, b = ours[1][start + first[low : low + PAIRS]], theirs[1][second[low : low + PAIRS]]
                alike[low : low + PAIRS] = np.abs(np.einsum("kd,kd->k", a, b)) >= SAME
            first, second = first[alike], second[alike]
        found.append(np.stack([start + first, second], axis=1))
    return np.concatenate(found)
