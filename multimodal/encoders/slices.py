"""The slices that a network is trained on, in batches of whole records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch

from .inputs import ImageInputs


class Slices:
    """The slices of some records, by record, with their labels y, float (n, T). len: records that have any."""

    def __init__(self, inputs: ImageInputs, y: np.ndarray, rows: np.ndarray):
        taken = inputs.take(rows)
        self.y = y[rows]
        self.pixels, self.labels = taken.pixels, torch.from_numpy(self.y).float()
        self.levels = levels(taken.pixels, taken.picture)
        self.bounds = np.searchsorted(taken.record[taken.picture], np.arange(len(rows) + 1))
        self.counts = np.diff(self.bounds)
        self.present = np.flatnonzero(self.counts)

    def __len__(self) -> int:
        return len(self.present)

    def batches(self, size: int, generator: torch.Generator | None) -> Iterator[np.ndarray]:
        """Rows of whole records with at most `size` slices (one record may have more), shuffled by the generator."""
        order = self.present
        if generator is not None:
            order = order[torch.randperm(len(order), generator=generator).numpy()]
        start, held = 0, 0
        for place, count in enumerate(self.counts[order]):
            if held and held + count > size:
                yield order[start:place]
                start, held = place, 0
            held += count
        # Batch normalisation cannot learn from a single slice.
        if held > 1 or start == 0 or generator is None:
            yield order[start:]

    def shown(self, rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Slices uint8 (s, size, size), their levels (s, 2), their place in rows int (s,), labels (len(rows), T)."""
        places = np.concatenate([np.arange(self.bounds[row], self.bounds[row + 1]) for row in rows])
        owner = np.repeat(np.arange(len(rows)), self.counts[rows])
        return torch.from_numpy(self.pixels[places]), self.levels[places], torch.from_numpy(owner), self.labels[rows]


def levels(pixels: np.ndarray, picture: np.ndarray) -> torch.Tensor:
    """Mean and standard deviation of the picture of each slice, float (s, 2): one scale for all slices of a volume.

    pixels: uint8 (s, size, size); picture: int (s,), ascending, which picture each slice is of
    """
    out = torch.zeros(len(pixels), 2)
    for start in range(0, len(pixels), 64):
        part = torch.from_numpy(pixels[start : start + 64]).float()
        out[start : start + 64] = torch.stack([part.mean(dim=(1, 2)), part.std(dim=(1, 2))], dim=1)
    for first, last in itertools.pairwise([*np.flatnonzero(np.diff(picture, prepend=-1)), len(picture)]):
        if last - first > 1:
            mean, deviation = out[first:last].unbind(dim=1)
            spread = (deviation.square() + (mean - mean.mean()).square()).mean().sqrt()
            out[first:last] = torch.stack([mean.mean(), spread])
    return out


def standardised(pixels: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """uint8 (k, size, size) -> float (k, 1, size, size), each picture with mean 0 and standard deviation 1.

    levels: float (k, 2), mean and standard deviation of each
    """
    mean, deviation = (value[:, None, None, None] for value in levels.unbind(dim=1))
    return (pixels[:, None].float() - mean) / deviation.clamp(min=1.0)
