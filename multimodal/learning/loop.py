"""The one training loop: AdamW under a one-cycle schedule, with an exponential mean of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .devices import autocast


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. epochs: passes over the data, but at least min_steps and at most max_steps in all."""

    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    warm_up: float = 0.15
    min_steps: int = 0
    max_steps: int = 1_000_000

    def steps(self, steps_per_epoch: int) -> int:
        return min(max(self.epochs * steps_per_epoch, self.min_steps), self.max_steps)


def train(
    network: nn.Module,
    epoch_of: Callable[[torch.Generator], Iterable[Any]],
    loss_of: Callable[[nn.Module, Any], torch.Tensor],
    *,
    steps: int,
    schedule: Schedule,
    device: torch.device,
    precision: str,
    generator: torch.Generator,
    on_step: Callable[[], None] = lambda: None,
) -> nn.Module:
    """Train `network` for `steps` batches and return the mean of its weights over the last part of the way.

    epoch_of  the batches of one pass, shuffled by the generator; called again until the steps are done
    loss_of   the mean loss of one batch, a scalar tensor
    Raises FloatingPointError if the loss is not finite: the data or the learning rate are at fault.
    One cycle: Smith & Topin, arXiv 1708.07120. Mean of weights: Polyak & Juditsky, SIAM J. Control 30(4):838, 1992.
    """
    network.to(device).train()
    optimizer = torch.optim.AdamW(_decayed(network, schedule.weight_decay), lr=schedule.learning_rate)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=schedule.learning_rate, total_steps=steps, pct_start=schedule.warm_up, anneal_strategy="cos"
    )
    # The mean reaches back over about a twentieth of the way.
    decay = 1 - 1 / max(steps / 20, 1)
    averaged = copy.deepcopy(network)
    done = 0
    while done < steps:
        before = done
        for batch in epoch_of(generator):
            with autocast(device, precision):
                loss = loss_of(network, batch)
            value = loss.item()
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} after {done} steps; lower the learning rate")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            rate.step()
            _average(averaged, network, decay)
            on_step()
            done += 1
            if done == steps:
                break
        if done == before:
            raise ValueError("an epoch without batches: there is nothing to train on")
    return averaged.eval()


def masked_bce(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean binary cross-entropy over the known labels. labels: 0, 1 or NaN, (n, T); weights: (n,) or None."""
    known = ~torch.isnan(labels)
    loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.nan_to_num(0.0), reduction="none")
    weight = known.float() if weights is None else known * weights[:, None]
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)


def _decayed(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay for matrices and kernels; none for biases and norms."""
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)
    for mean, now in zip(averaged.buffers(), network.buffers(), strict=True):
        mean.copy_(now)
