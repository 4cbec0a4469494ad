"""A small convolutional autoencoder of pictures: what it cannot draw again is not like what it was trained on.

Without labels: reconstruction through a narrow middle, and the error as novelty (Japkowicz, Myers & Gluck, IJCAI 1995,
518; Hinton & Salakhutdinov, Science 313:504, 2006). The middle is dense, so that where things lie counts too: a purely
convolutional one copies any picture, patch by patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ..learning.devices import seeded
from ..learning.loop import Schedule, train

SIDE = 64  # pixels: coarse enough to be quick, fine enough for ribs
CODE = 64  # numbers in the middle, of 4,096 pixels
CHANNELS = (8, 16, 32)  # at 32, 16 and 8 pixels
MOST_STEPS = 800
SCHEDULE = Schedule(epochs=1, learning_rate=3e-3, weight_decay=1e-4, batch_size=32)


class Autoencoder(nn.Module):
    """Thumbnails float (s, 1, SIDE, SIDE) -> the same, drawn again."""

    def __init__(self) -> None:
        super().__init__()
        narrow, wide = SIDE // 2 ** len(CHANNELS), CHANNELS[-1]
        down = [_stage(nn.Conv2d(*pair, 3, 2, 1, bias=False)) for pair in _pairs((1, *CHANNELS))]
        up = [_stage(nn.ConvTranspose2d(*pair, 4, 2, 1, bias=False)) for pair in _pairs(CHANNELS[::-1])]
        self.encode = nn.Sequential(*down, nn.Flatten(), nn.Linear(wide * narrow**2, CODE))
        self.decode = nn.Sequential(
            nn.Linear(CODE, wide * narrow**2),
            nn.Unflatten(1, (wide, narrow, narrow)),
            *up,
            nn.ConvTranspose2d(CHANNELS[0], 1, 4, 2, 1),
        )

    def forward(self, thumbnails: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(thumbnails))


def thumbnails(slices: torch.Tensor) -> torch.Tensor:
    """Standardised slices float (s, 1, size, size) -> float (s, 1, SIDE, SIDE), each pixel the mean of its area."""
    return nn.functional.interpolate(slices, (SIDE, SIDE), mode="area")


def train_autoencoder(shown: torch.Tensor, *, steps: int, random_state: int, device: torch.device) -> Autoencoder:
    """shown: thumbnails float (s, 1, SIDE, SIDE), s >= 2, on the CPU; the same seed gives the same weights."""

    def batches(generator: torch.Generator) -> Iterator[torch.Tensor]:
        order = torch.randperm(len(shown), generator=generator)
        for rows in order.split(SCHEDULE.batch_size):
            # Batch normalisation cannot learn from a single slice.
            if len(rows) > 1:
                yield shown[rows].to(device)

    with seeded(random_state, device) as generator:
        return train(
            Autoencoder(),
            batches,
            lambda network, batch: (network(batch) - batch).square().mean(),
            steps=min(steps, MOST_STEPS),
            schedule=SCHEDULE,
            device=device,
            precision="fp32",
            generator=generator,
        )


def reconstruction_error(network: Autoencoder, shown: torch.Tensor) -> np.ndarray:
    """The root mean square of what is drawn wrongly in each thumbnail, in its own standard deviations: float (s,).

    shown: thumbnails float (s, 1, SIDE, SIDE)
    """
    with torch.inference_mode():
        return (network(shown) - shown).square().mean(dim=(1, 2, 3)).sqrt().cpu().double().numpy()


def _stage(convolution: nn.Module) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.SiLU())


def _pairs(channels: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(pairwise(channels))
