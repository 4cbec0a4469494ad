"""Self-supervised pretraining of a backbone on unlabelled pictures, by LeJEPA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from ..learning.devices import pick_device, seeded, training_precision
from ..learning.loop import Schedule, train
from .backbones import BACKBONES
from .lejepa import Views, directions, global_views, lejepa, local_views
from .slices import levels, standardised

PROJECTED = 32  # dimensions in which embeddings are compared
HIDDEN = 256
DIRECTIONS = 256  # drawn afresh each step
MEASURED = 2000  # pictures, at most, drawn for batch normalisation and the effective rank


@dataclass(frozen=True)
class Pretrained:
    """backbone: trained, in eval mode; losses: of each step; effective_rank: see `effective_rank`, of the features."""

    backbone: nn.Module
    losses: list[float]
    effective_rank: float


class Projected(nn.Module):
    """A backbone and a small projector, which is thrown away: pictures (k, 1, side, side) -> embeddings (k, d)."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.projector = nn.Sequential(
            nn.Linear(backbone.features, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, PROJECTED),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.projector(self.backbone(pictures.contiguous(memory_format=torch.channels_last)))


def schedule_of(
    epochs: int,
    *,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    min_steps: int = 300,
    max_steps: int = 5000,
) -> Schedule:
    """The schedule of `pretrain`."""
    return Schedule(epochs, learning_rate, 0.05, batch_size, min_steps, max_steps)


def steps_of(n: int, schedule: Schedule) -> int:
    """How many steps `pretrain` takes on n pictures: only full batches are shown."""
    return schedule.steps(n // min(schedule.batch_size, n))


def pretrain(
    pixels: np.ndarray,
    *,
    backbone: str = "compact",
    schedule: Schedule = schedule_of(50),
    trade_off: float = 0.05,
    views: Views = Views(),
    random_state: int = 0,
    device: str = "auto",
    on_step: Callable[[], None] = lambda: None,
) -> Pretrained:
    """Train a backbone of BACKBONES on pictures alone.

    pixels     uint8 (k, size, size), k >= 2; slices of one volume may stand beside each other
    trade_off  the weight of SIGReg against prediction, in (0, 1); 0.05 is the paper's
    The same seed, threads and machine give the same weights to the bit.
    Raises FloatingPointError if the loss is not finite, ValueError for a device that is not there.
    """
    target = pick_device(device)
    pictures = torch.from_numpy(pixels)
    scale = levels(pixels, np.arange(len(pixels)))
    per_batch = min(schedule.batch_size, len(pictures))
    losses: list[float] = []

    def batches(generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(pictures), generator=generator)
        for rows in order.split(per_batch):
            # SIGReg compares a batch with a Gaussian: a remainder of a few pictures tells it nothing.
            if len(rows) == per_batch:
                shown = standardised(pictures[rows].to(target), scale[rows].to(target))
                along = directions(PROJECTED, DIRECTIONS, generator).to(target)
                yield global_views(shown, views, generator), local_views(shown, views, generator), along

    def loss_of(network: nn.Module, batch: Any) -> torch.Tensor:
        wide, narrow, along = batch
        embeddings = torch.cat([network(shown) for shown in (wide, narrow) if len(shown)])
        loss = lejepa(embeddings.unflatten(0, (-1, per_batch)), views.global_views, along, trade_off)
        losses.append(loss.item())
        return loss

    with seeded(random_state, target) as generator:
        trained = train(
            Projected(BACKBONES[backbone]()).to(memory_format=torch.channels_last),
            batches,
            loss_of,
            steps=steps_of(len(pictures), schedule),
            schedule=schedule,
            device=target,
            precision=training_precision(target),
            generator=generator,
            on_step=on_step,
        ).backbone
        # The means and variances of batch normalisation came from crops, and from other weights than their mean.
        batches_measured = max(min(len(pictures), MEASURED) // per_batch, 1)
        drawn = torch.randperm(len(pictures), generator=generator)[: batches_measured * per_batch]
        measured = [standardised(pictures[rows], scale[rows]) for rows in drawn.split(per_batch)]
        update_bn(measured, trained, device=target)
    trained.eval()
    return Pretrained(trained, losses, effective_rank(features_of(trained, pictures[drawn], target)))


def features_of(backbone: nn.Module, pictures: torch.Tensor, device: torch.device) -> torch.Tensor:
    """float (k, D) on the CPU: the features of pictures uint8 (k, size, size)."""
    scale = levels(pictures.numpy(), np.arange(len(pictures)))
    parts = zip(pictures.split(64), scale.split(64), strict=True)
    with torch.inference_mode():
        return torch.cat([backbone(standardised(shown, level).to(device)).cpu() for shown, level in parts])


def effective_rank(features: torch.Tensor) -> float:
    """exp of the entropy of the normalised singular values of `features` (k, D), centred: 1 if they lie on a line, D if
    they spread evenly; 0 if all are the same. Roy & Vetterli, EUSIPCO 2007."""
    singular = torch.linalg.svdvals((features - features.mean(dim=0)).double())
    if singular.sum() < 1e-9:
        return 0.0
    share = singular / singular.sum()
    return float(torch.exp(torch.special.entr(share).sum()))
