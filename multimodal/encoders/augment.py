"""Augmentation that suits radiographs: small moves, brightness, contrast, noise, erased patches; no flips by default,
since left and right carry meaning in a chest.

Whole batches at a time, each picture with parameters of its own: torchvision's transforms draw one set for a batch, and
one picture at a time they are slower (benchmarks/images.py). The geometry is torchvision's, which the tests compare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """The strength of each step; 0 switches it off.

    rotation    degrees, either way           shear     degrees, either way
    shift       share of the side, either way scale     share, either way
    brightness  offset in standard deviations of the picture, either way
    contrast    share of the slope, either way
    noise       standard deviations           erase     the largest share of the area; half of the pictures lose a patch
    flip        whether left and right may be swapped
    """

    rotation: float = 7.0
    shear: float = 0.0
    shift: float = 0.06
    scale: float = 0.10
    brightness: float = 0.20
    contrast: float = 0.20
    noise: float = 0.03
    erase: float = 0.0
    flip: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Augmentation:
        """The augmentation in a section of the config: those of its options that are fields here."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})


def augment(pictures: torch.Tensor, strength: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Each picture of (k, 1, size, size) float, standardised, changed on its own; deterministic under the generator."""
    k = len(pictures)

    def drawn(limit: float) -> torch.Tensor:
        return (torch.rand(k, generator=generator) * 2 - 1) * limit

    matrices = affine_matrices(
        angle=drawn(strength.rotation),
        shear=drawn(strength.shear),
        scale=1 + drawn(strength.scale),
        shift=torch.stack([drawn(strength.shift), drawn(strength.shift)], dim=1),
        mirrored=torch.rand(k, generator=generator) < (0.5 if strength.flip else 0.0),
    )
    moved = moved_by(pictures, matrices.to(pictures.device))
    noise = torch.randn(moved.shape, generator=generator).to(pictures.device) * strength.noise
    slope, offset = 1 + drawn(strength.contrast), drawn(strength.brightness)
    slope, offset = (value.to(pictures.device)[:, None, None, None] for value in (slope, offset))
    return erased(moved * slope + offset + noise, strength.erase, generator)


def affine_matrices(
    *, angle: torch.Tensor, shear: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, mirrored: torch.Tensor
) -> torch.Tensor:
    """float (k, 2, 3): for each picture, where a point of the result (x, y in [-1, 1]) is taken from.

    angle, shear  degrees (k,), clockwise; shear along x     scale  (k,)     shift  share of the side (k, 2)
    mirrored      bool (k,), swapped left to right after the move
    """
    angle, shear = torch.deg2rad(angle), torch.deg2rad(shear)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # The inverse of: shear along x, then scale and rotate, then shift (as in torchvision's affine).
    a = torch.stack([cos - sin * torch.tan(shear), sin + cos * torch.tan(shear)], dim=1) / scale[:, None]
    b = torch.stack([-sin, cos], dim=1) / scale[:, None]
    linear = torch.stack([a, b], dim=1)
    offset = -(linear @ (2 * shift)[:, :, None])
    sign = torch.where(mirrored, -1.0, 1.0)
    return torch.cat([linear * torch.stack([sign, torch.ones_like(sign)], dim=1)[:, None, :], offset], dim=2)


def moved_by(pictures: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """The pictures (k, 1, size, size) resampled, bilinear; what comes from outside repeats the border."""
    grid = functional.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def erased(pictures: torch.Tensor, largest: float, generator: torch.Generator) -> torch.Tensor:
    """Half of the pictures (k, 1, size, size) lose a rectangle of 2 % to `largest` of their area, which becomes 0,
    the mean (random erasing: Zhong et al., AAAI 2020, arXiv 1708.04896)."""
    if not largest:
        return pictures
    k, size = len(pictures), pictures.shape[-1]
    area = 0.02 + torch.rand(k, generator=generator) * max(largest - 0.02, 0.0)
    ratio = torch.exp((torch.rand(k, generator=generator) * 2 - 1) * math.log(3.0))
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1).clamp(max=1.0)
    start = torch.rand(k, 2, generator=generator) * (1 - sides)
    chosen = torch.rand(k, generator=generator) < 0.5
    place = (torch.arange(size) + 0.5) / size
    inside = (place >= start[:, :, None]) & (place < (start + sides)[:, :, None])  # (k, 2, size)
    patch = inside[:, 0, :, None] & inside[:, 1, None, :] & chosen[:, None, None]
    return pictures.masked_fill(patch[:, None].to(pictures.device), 0.0)
