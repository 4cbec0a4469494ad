"""Numbers that describe any grey picture without a label: how fine its texture is, its grey levels, and its layout.

Energies by scale: a Laplacian pyramid (Burt & Adelson, IEEE Trans. Communications 31(4):532, 1983). Photographs follow
one spectrum, radiographs another, noise a third, and what was scaled up has nothing fine.
"""

from __future__ import annotations

import torch
from torch.nn.functional import adaptive_avg_pool2d, interpolate

GRID = 4  # fields a side in which the fine texture is measured apart: a pasted region has another
LAYOUT = 16  # pixels a side of the thumbnail
FAINTEST = 1e-7  # of the squared grey range: far below what 8 bits can show, so that a blank picture has a logarithm
QUANTILES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)


def texture(grey: torch.Tensor) -> torch.Tensor:
    """Log energies by scale and direction, of the finest two by field too, their sparseness, and the grey levels.

    grey: float (s, 1, size, size) in [0, 1] -> float (s, F); F depends on the size alone
    """
    parts = []
    bands = _bands(grey)
    for band in bands:
        energy = band.square().mean(dim=(1, 2, 3))
        parts.append(_log(energy)[:, None])
        # Below 1 for texture in few places, about 0.8 for Gaussian noise.
        parts.append((band.abs().mean(dim=(1, 2, 3)) / (energy + FAINTEST).sqrt())[:, None])
    parts += [_log(adaptive_avg_pool2d(band.square(), GRID)).flatten(1) for band in bands[:2]]
    across, along = grey.diff(dim=3), grey.diff(dim=2)
    parts += [_log(slope.square().mean(dim=(1, 2, 3)))[:, None] for slope in (across, along, across.diff(dim=2))]
    levels = torch.tensor(QUANTILES, dtype=grey.dtype, device=grey.device)
    # Every second pixel tells the same, in a third of the time.
    parts.append(torch.quantile(grey[..., ::2, ::2].flatten(1), levels, dim=1).T)
    return torch.cat(parts, dim=1)


def layout(slices: torch.Tensor) -> torch.Tensor:
    """Where it is bright and dark: a thumbnail. Standardised slices float (s, 1, size, size) -> (s, LAYOUT ** 2)."""
    return adaptive_avg_pool2d(slices, LAYOUT).flatten(1)


def _bands(grey: torch.Tensor) -> list[torch.Tensor]:
    """What each halving of the picture loses, finest first, down to some 8 pixels."""
    bands = []
    while min(grey.shape[-2:]) >= 16:
        half = adaptive_avg_pool2d(grey, [side // 2 for side in grey.shape[-2:]])
        bands.append(grey - interpolate(half, grey.shape[-2:], mode="bilinear", align_corners=False))
        grey = half
    return [*bands, grey - grey.mean(dim=(2, 3), keepdim=True)]


def _log(energy: torch.Tensor) -> torch.Tensor:
    return (energy + FAINTEST).log()
