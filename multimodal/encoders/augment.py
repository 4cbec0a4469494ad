"""Augmentation that suits radiographs: small turns, shifts, scalings, contrast and noise; no flips by default,
since left and right carry meaning in a chest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """The strength of each step; 0 switches it off.

    rotation  degrees, either way        shift     share of the side, either way
    scale     share, either way          contrast  share, either way, of slope and offset (in standard deviations)
    noise     standard deviations        flip      whether left and right may be swapped
    """

    rotation: float = 7.0
    shift: float = 0.06
    scale: float = 0.10
    contrast: float = 0.20
    noise: float = 0.03
    flip: bool = False


def augment(pictures: torch.Tensor, strength: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Each picture of (k, 1, size, size) float, standardised, changed on its own; deterministic under the generator."""
    k = len(pictures)

    def drawn(limit: float) -> torch.Tensor:
        return ((torch.rand(k, generator=generator) * 2 - 1) * limit).to(pictures.device)

    angle, zoom = torch.deg2rad(drawn(strength.rotation)), 1 + drawn(strength.scale)
    mirrored = torch.where(torch.rand(k, generator=generator) < (0.5 if strength.flip else 0.0), -1.0, 1.0)
    mirrored = mirrored.to(pictures.device)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = drawn(2 * strength.shift), drawn(2 * strength.shift)
    top = torch.stack([cos * mirrored, -sin, shift_x], dim=1)
    bottom = torch.stack([sin * mirrored, cos, shift_y], dim=1)
    grid = functional.affine_grid(torch.stack([top, bottom], dim=1), list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    noise = torch.randn(moved.shape, generator=generator).to(pictures.device) * strength.noise
    slope, offset = 1 + drawn(strength.contrast), drawn(strength.contrast)
    return moved * slope[:, None, None, None] + offset[:, None, None, None] + noise
