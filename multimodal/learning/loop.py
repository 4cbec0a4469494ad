"""The one training loop: AdamW under a one-cycle schedule, with an exponential mean of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from .checkpoint import Checkpoint
from .devices import autocast
from .early_stopping import EarlyStopping


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    epochs      passes over the data, but at least min_steps and at most max_steps batches in all
    batch_size  items at a time
    warm_up     the share of the steps in which the learning rate rises
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    batch_size: int = 32
    min_steps: int = 0
    max_steps: int = 1_000_000
    warm_up: float = 0.15

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Schedule:
        """The schedule in a section of the config: those of its options that are fields here."""
        return cls(**{field.name: options[field.name] for field in fields(cls) if field.name in options})

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
    last_step: int | None = None,
    rate_of: Mapping[str, float] = MappingProxyType({}),
    stopping: EarlyStopping | None = None,
    checkpoint: Path | None = None,
) -> nn.Module:
    """Train `network` for `steps` batches and return the mean of its weights over the last part of the way.

    epoch_of    the batches of one pass, shuffled by the generator; called again until the steps are done
    loss_of     the mean loss of one batch, a scalar tensor
    last_step   ends the training there, before the schedule of `steps` is over
    rate_of     {name of a parameter: its share of the learning rate}, 1 for others; what needs no gradient stays
    stopping    looks at the mean after every pass, ends the training where it grows worse, and gives the best one
    checkpoint  a file that keeps the state after a pass; a training that finds its own goes on from there, to the same
                weights to the bit on one machine
    Raises FloatingPointError if the loss is not finite: the data or the learning rate are at fault.
    One cycle: Smith & Topin, arXiv 1708.07120. Mean of weights: Polyak & Juditsky, SIAM J. Control 30(4):838, 1992.
    """
    network.to(device).train()
    groups = parameter_groups(network, schedule, rate_of)
    optimizer = torch.optim.AdamW(groups)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in groups],
        total_steps=steps,
        pct_start=schedule.warm_up,
        anneal_strategy="cos",
    )
    # The mean reaches back over about a twentieth of the way.
    decay = 1 - 1 / max(steps / 20, 1)
    averaged = copy.deepcopy(network)
    kept = Checkpoint(checkpoint, steps, network, averaged, optimizer, rate, generator, stopping)
    done = kept.restore()
    for _ in range(done):
        on_step()
    last = min(last_step or steps, steps)
    while done < last and not (stopping and stopping.is_over):
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
            if done == last:
                break
        if done == before:
            raise ValueError("an epoch without batches: there is nothing to train on")
        if stopping:
            stopping.look(averaged.eval(), done)
        kept.save(done)
    return (stopping.best(averaged) if stopping else averaged).eval()


def parameter_groups(network: nn.Module, schedule: Schedule, rate_of: Mapping[str, float]) -> list[dict[str, Any]]:
    """AdamW's groups: weight decay for matrices and kernels, none for biases and norms; one rate each."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decay = schedule.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((schedule.learning_rate * rate_of.get(name, 1.0), decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def masked_bce(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean binary cross-entropy over the known labels, each times its weight.

    labels: 0, 1 or NaN, (n, T); weights: (n, T) or None. The sum is divided by the number of known labels, not by their
    weights: those of a batch without positives would else count as much as those of any other.
    """
    known = ~torch.isnan(labels)
    loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.nan_to_num(0.0), reduction="none")
    weight = known.float() if weights is None else known * weights
    return (loss * weight).sum() / known.sum().clamp(min=1)


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)
    for mean, now in zip(averaged.buffers(), network.buffers(), strict=True):
        mean.copy_(now)
