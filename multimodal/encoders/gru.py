"""The GRU: a record's series of vital signs in, log-odds of every target out.

What a summary of a series loses, its course, is what a recurrent network reads. It is a GRU-D (Che et al., Scientific
Reports 8:6085, 2018): where a step has no value, the last one decays towards the middle of the training as it grows
old, and the state towards nothing; how fast is learnt for each quantity. That a value was taken at all is an input too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import linear

from ..learning.devices import pick_device, seeded
from ..learning.loop import Schedule, masked_bce, train
from ..learning.weights import load_weights, save_weights
from ..records import Evidence
from ..vitals.series import Series, SeriesPlan, Steps
from .inputs import VitalsInputs
from .prevalence import balancing_weights, base_log_odds

CELLS = 1_000_000  # records times steps times quantities, at a time in `encode`
FIRST_DECAY = 0.05  # per step: so slowly values fade before the training has found how fast they should
HIDDEN = 0.3  # the share of its quantities that each record hides whenever it is learnt from
STATIC_WIDTH = 16


class GRUD(nn.Module):
    """The recurrence: value, mask and delta, (n, S, C) each, see vitals.series.Steps -> the last state (n, H).

    Of each step, with x the value, m the mask, d the delta, h the state before it, and * element-wise:
      x' = m * x + (1 - m) * exp(-max(0, w * d + b)) * x                  0 is the middle of the training
      h' = exp(-max(0, W d + b)) * h
      r, z = sigmoid(V [x', q, m] + U h')
      n = tanh(V [x', q, m] + r * (U h'))                                 each V, W, U with a bias of its own
      h = (1 - z) * n + z * h'
    The square q = x'^2 - 1, or 0 before the first value, is not in the paper: risk that rises towards both ends is hard
    to learn without. Only h' and the gates wait for the step before; all else is computed for all steps at once.
    """

    def __init__(self, codes: int, width: int):
        super().__init__()
        self.width = width
        bound = 1 / math.sqrt(width)

        def between(bound: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))

        self.value_decay = nn.Parameter(torch.full((codes,), FIRST_DECAY))
        self.value_decay_bias = nn.Parameter(torch.zeros(codes))
        self.state_decay = between(0.02, width, codes)
        self.state_decay_bias = nn.Parameter(torch.zeros(width))
        self.input_weight, self.input_bias = between(bound, 3 * width, 3 * codes), between(bound, 3 * width)
        self.state_weight, self.state_bias = between(bound, 3 * width, width), between(bound, 3 * width)

    def forward(self, value: torch.Tensor, mask: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        fading = torch.exp(-torch.relu(delta * self.value_decay + self.value_decay_bias))
        value = torch.where(mask > 0, value, fading * value)
        square = mask.cummax(dim=1).values * (value**2 - 1)
        inputs = linear(torch.cat([value, square, mask], dim=2), self.input_weight, self.input_bias)
        kept = torch.exp(-torch.relu(linear(delta, self.state_decay, self.state_decay_bias)))
        state = value.new_zeros(len(value), self.width)
        for of_step, keep in zip(inputs.unbind(1), kept.unbind(1), strict=True):
            state = keep * state
            recurrent = linear(state, self.state_weight, self.state_bias)
            gates, new = of_step.split([2 * self.width, self.width], dim=1)
            gates_before, new_before = recurrent.split([2 * self.width, self.width], dim=1)
            reset, update = torch.sigmoid(gates + gates_before).chunk(2, dim=1)
            state = torch.lerp(torch.tanh(new + reset * new_before), state, update)
        return state


class Network(nn.Module):
    """The last state of the recurrence, and what has no time, to a log-odds per target.

    value, mask, delta float (n, S, C), static float (n, D) -> float (n, T).
    """

    def __init__(self, codes: int, static: int, targets: int, *, width: int, dropout: float):
        super().__init__()
        self.series = GRUD(codes, width)
        self.static = nn.Linear(static, STATIC_WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width + STATIC_WIDTH, targets)
        nn.init.zeros_(self.head.weight)

    def forward(
        self, value: torch.Tensor, mask: torch.Tensor, delta: torch.Tensor, static: torch.Tensor
    ) -> torch.Tensor:
        if self.training:
            value, mask, delta = hide(value, mask, delta)
        state = self.series(value, mask, delta)
        return self.head(self.dropout(torch.cat([state, torch.relu(self.static(static))], dim=1)))


def hide(value: torch.Tensor, mask: torch.Tensor, delta: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The same (n, S, C) arrays as if some quantities, others for each record, had never been measured."""
    n, steps, codes = value.shape
    shown = torch.rand(n, 1, codes, device=value.device) >= HIDDEN
    since_first = torch.arange(steps, device=value.device, dtype=delta.dtype)[:, None]
    return value * shown, mask * shown, torch.where(shown, delta, since_first)


class GRU:
    """A GRU-D as an encoder of vitals.

    width     of the state
    schedule  how long and how fast; its batch_size counts records. After some ten passes it grows over-confident.
    balance   positives and negatives of each target weigh the same in the loss; the base rate is put back after
    device    auto | cpu | cuda
    kept_in   a folder with the state of a running `fit`, from which the same one goes on after a stop, or None
    """

    def __init__(
        self,
        *,
        width: int = 64,
        schedule: Schedule = Schedule(
            epochs=7, min_steps=60, max_steps=5000, learning_rate=3e-3, weight_decay=0.05, batch_size=32
        ),
        dropout: float = 0.5,
        balance: bool = False,
        device: str = "auto",
        on_step: Callable[[], None] = lambda: None,
        kept_in: Path | None = None,
    ):
        self.width = width
        self.schedule = schedule
        self.dropout = dropout
        self.balance = balance
        self.device = device
        self.on_step = on_step
        self.kept_in = kept_in

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> GRU:
        own = {name: options[name] for name in ("dropout", "balance")}
        return cls(schedule=Schedule.of(options), device=device, on_step=on_step, **own)

    def steps(self, inputs: VitalsInputs) -> int:
        """How many steps `fit` takes on these inputs, unless it is told."""
        return self.schedule.steps(-(-int(inputs.present.sum()) // self.schedule.batch_size))

    def fit(
        self,
        inputs: VitalsInputs,
        targets: Sequence[str],
        y: np.ndarray,
        groups: np.ndarray,
        *,
        random_state: int,
        steps: int | None = None,
    ) -> GRU:
        """y: float (n, T), NaN unknown. Only records with a measurement are learnt from.

        Learned: network_, plan_ (of the series), targets_, steps_ (that it took).
        """
        del groups  # nothing is chosen inside: no inner split
        self.targets_ = tuple(targets)
        self.steps_ = steps or self.steps(inputs)
        present = np.flatnonzero(inputs.present)
        inputs, labels = inputs.take(present), torch.from_numpy(y[present]).float()
        self.plan_ = SeriesPlan.of(inputs.checked, inputs.batch)
        series = Series.of(inputs.checked, inputs.batch, self.plan_)
        device, size = pick_device(self.device), self.schedule.batch_size
        base = base_log_odds(y[present])
        weight = balancing_weights(y[present]).to(device) if self.balance else None

        def batches(generator: torch.Generator) -> Iterator[tuple[Sequence[torch.Tensor], torch.Tensor]]:
            for rows in torch.randperm(len(series), generator=generator).split(size):
                yield _on(device, series.steps(rows.numpy())), labels[rows].to(device)

        def loss_of(network: nn.Module, batch: tuple[Sequence[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            shown, of_batch = batch
            weights = None if weight is None else torch.where(of_batch == 1, *weight.unbind())
            return masked_bce(network(*shown), of_batch, weights)

        with seeded(random_state, device) as generator:
            network = self._fresh()
            with torch.no_grad():
                network.head.bias.copy_(torch.zeros_like(base) if self.balance else base)
            self.network_ = train(
                network,
                batches,
                loss_of,
                steps=self.steps_,
                schedule=self.schedule,
                device=device,
                precision="fp32",  # the matrices are so small that bf16 would only cost conversions
                generator=generator,
                on_step=self.on_step,
                checkpoint=self.kept_in and self.kept_in / "gru.safetensors",
            )
        if self.balance:
            with torch.no_grad():
                self.network_.head.bias.add_(base.to(device))
        return self

    def encode(self, inputs: VitalsInputs, *, precision: str = "fp32") -> Evidence:
        del precision  # see fit
        present = inputs.having(self.plan_.learnt)  # see tabular.py
        log_odds = np.full((len(inputs), len(self.targets_)), np.nan)
        device = pick_device(self.device)
        network = self.network_.to(device)
        series = Series.of(inputs.checked, inputs.batch, self.plan_)
        for rows in _parts(np.flatnonzero(present), self.plan_):
            with torch.inference_mode():
                log_odds[rows] = network(*_on(device, series.steps(rows))).cpu().numpy()
        return Evidence(log_odds, present)

    def save(self, folder: Path) -> None:
        state = {"targets": self.targets_, "width": self.width, "plan": json.loads(self.plan_.to_json())}
        (folder / "gru.json").write_text(json.dumps(state), encoding="utf-8")
        save_weights(self.network_, folder / "gru.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> GRU:
        state = json.loads((folder / "gru.json").read_text(encoding="utf-8"))
        model = cls(width=state["width"], device=device)
        model.targets_ = tuple(state["targets"])
        model.plan_ = SeriesPlan.from_json(json.dumps(state["plan"]))
        model.network_ = load_weights(model._fresh(), folder / "gru.safetensors")
        return model

    def _fresh(self) -> Network:
        """A network with random weights for the plan and the targets."""
        static = 2 * len(self.plan_.static_knots)
        return Network(len(self.plan_.codes), static, len(self.targets_), width=self.width, dropout=self.dropout)


def _parts(rows: np.ndarray, plan: SeriesPlan) -> Iterator[np.ndarray]:
    """`rows` in parts whose arrays hold some CELLS cells: many records of one step, fewer of many."""
    size = max(1, CELLS // (plan.steps * max(1, len(plan.codes))))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _on(device: torch.device, steps: Steps) -> list[torch.Tensor]:
    arrays = steps.value, steps.mask, steps.delta, steps.static
    return [torch.from_numpy(array).to(device) for array in arrays]
