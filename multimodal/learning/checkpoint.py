"""The state of a training on disk, between two passes over the data: safetensors, so that nothing runs on reading."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from .early_stopping import EarlyStopping

SECONDS = 20.0  # between two writings


class Checkpoint:
    """What a training needs to go on: weights, their mean, the optimizer's moments, the schedule, the generators.

    `restore` puts it all back and gives the steps that were done (0 where there is no file, or no path); `save` writes
    a whole file or none, at most every 20 seconds.
    """

    def __init__(
        self,
        path: Path | None,
        steps: int,
        network: nn.Module,
        averaged: nn.Module,
        optimizer: torch.optim.Optimizer,
        rate: torch.optim.lr_scheduler.LRScheduler,
        generator: torch.Generator,
        stopping: EarlyStopping | None,
    ):
        self.path, self.steps, self.generator = path, steps, generator
        self.network, self.averaged = network, averaged
        self.optimizer, self.rate, self.stopping = optimizer, rate, stopping
        self.written = time.monotonic()

    def save(self, done: int) -> None:
        if self.path is None or (time.monotonic() - self.written < SECONDS and done < self.steps):
            return
        parts = {"network": self.network.state_dict(), "averaged": self.averaged.state_dict()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            parts[f"moments {index}"] = moments
        parts["random"] = {"generator": self.generator.get_state(), "torch": torch.get_rng_state()}
        if torch.cuda.is_available():
            parts["random"]["cuda"] = torch.cuda.get_rng_state()
        notes: dict[str, Any] = {"done": done, "steps": self.steps}
        notes["groups"] = [
            {key: value for key, value in group.items() if key != "params"} for group in self.optimizer.param_groups
        ]
        notes["rate"] = {key: value for key, value in self.rate.state_dict().items() if _is_plain(value)}
        if self.stopping:
            parts["best"] = self.stopping.weights_
            notes["stopping"] = [self.stopping.steps_, self.stopping.loss_, self.stopping.waited_]
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            partial,
            metadata={"notes": json.dumps(notes)},
        )
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, self.path)
        self.written = time.monotonic()

    def restore(self) -> int:
        """Raises ValueError if the file is of a training with another number of steps."""
        if self.path is None or not self.path.exists():
            return 0
        parts: dict[str, dict[str, torch.Tensor]] = {}
        with safe_open(self.path, "pt") as file:
            notes = json.loads(file.metadata()["notes"])
            for name in list(file.keys()):
                part, _, key = name.partition("/")
                parts.setdefault(part, {})[key] = file.get_tensor(name)
        if notes["steps"] != self.steps:
            raise ValueError(f"the checkpoint is of a training of {notes['steps']} steps, not {self.steps}")
        self.network.load_state_dict(parts["network"])
        self.averaged.load_state_dict(parts["averaged"])
        state = self.optimizer.state_dict()
        state["state"] = {
            int(part.removeprefix("moments ")): moments
            for part, moments in parts.items()
            if part.startswith("moments ")
        }
        self.optimizer.load_state_dict(state)
        for group, values in zip(self.optimizer.param_groups, notes["groups"], strict=True):
            group.update({key: tuple(value) if key == "betas" else value for key, value in values.items()})
        self.rate.load_state_dict(notes["rate"])
        self.generator.set_state(parts["random"]["generator"])
        torch.set_rng_state(parts["random"]["torch"])
        if "cuda" in parts["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(parts["random"]["cuda"])
        if self.stopping:
            self.stopping.weights_ = parts["best"]
            self.stopping.steps_, self.stopping.loss_, self.stopping.waited_ = notes["stopping"]
        return notes["done"]


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str | bool | list) or value is None
