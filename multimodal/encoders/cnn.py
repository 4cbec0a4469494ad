"""The CNN: one picture in, log-odds of every target out; a record's are the mean over its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from ..learning.devices import autocast, pick_device, seeded, training_precision
from ..learning.loop import Schedule, masked_bce, train
from ..learning.weights import load_weights, save_weights
from ..records import Evidence, Problem, UsageError
from .augment import Augmentation, augment
from .backbones import BACKBONES
from .inputs import ImageInputs

_TRAINED_ON = "the model was trained on"


class Network(nn.Module):
    """A backbone and one linear layer: pictures uint8 (k, size, size) or float (k, 1, size, size) -> logits (k, T)."""

    def __init__(self, backbone: nn.Module, targets: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.features, targets)
        nn.init.zeros_(self.head.weight)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.backbone(pictures.contiguous(memory_format=torch.channels_last))
        return self.head(self.dropout(features)), features


class CNN:
    """A convolutional network as an encoder of images.

    backbone     a name of BACKBONES
    weights      a local safetensors file for a torchvision backbone, or None: trained from nothing
    epochs, learning_rate, batch_size, min_steps, max_steps    see learning.loop.Schedule
    augmentation see augment.Augmentation
    device       auto | cpu | cuda
    """

    def __init__(
        self,
        *,
        backbone: str = "compact",
        weights: str | None = None,
        epochs: int = 25,
        min_steps: int = 300,
        max_steps: int = 1000,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.05,
        dropout: float = 0.2,
        batch_size: int = 32,
        augmentation: Augmentation = Augmentation(),
        device: str = "auto",
        on_step: Callable[[], None] = lambda: None,
    ):
        self.backbone = backbone
        self.weights = weights
        self.epochs = epochs
        self.min_steps = min_steps
        self.max_steps = max_steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.device = device
        self.on_step = on_step

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> CNN:
        names = {field.name for field in fields(Augmentation)}
        own = {key: value for key, value in options.items() if key not in names | {"encoders", "size"}}
        augmentation = Augmentation(**{key: options[key] for key in names})
        return cls(**own, augmentation=augmentation, device=device, on_step=on_step)

    def check(self) -> None:
        """Raise UsageError if the weights are not there or are another network's."""
        try:
            self._network(1, np.zeros(1, dtype=np.float32))
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"image.weights: {self.weights} is no file of {self.backbone}: {reason}") from None

    def steps(self, inputs: ImageInputs) -> int:
        """How many steps `fit` takes on these inputs, unless it is told."""
        return self._schedule.steps(-(-len(inputs.pixels) // self.batch_size))

    def fit(
        self,
        inputs: ImageInputs,
        targets: Sequence[str],
        y: np.ndarray,
        groups: np.ndarray,
        *,
        random_state: int,
        steps: int | None = None,
    ) -> CNN:
        """y: float (n, T), NaN unknown. Every image carries its record's labels; those of one
        record share a weight of 1."""
        del groups  # nothing is chosen inside: no inner split
        self.targets_ = tuple(targets)
        self.kinds_ = tuple(sorted(set(inputs.kind) - {""}))
        device = pick_device(self.device)
        pictures = torch.from_numpy(inputs.pixels)
        labels = torch.from_numpy(y[inputs.record]).float()
        weights = torch.from_numpy(1 / np.bincount(inputs.record, minlength=len(inputs))[inputs.record]).float()

        def batches(generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
            order = torch.randperm(len(pictures), generator=generator)
            for rows in order.split(self.batch_size):
                # Batch normalisation cannot learn from a single picture.
                if len(rows) > 1 or len(order) == 1:
                    shown = augment(standardised(pictures[rows].to(device)), self.augmentation, generator)
                    yield shown, labels[rows].to(device), weights[rows].to(device)

        with seeded(random_state, device) as generator:
            self.network_ = train(
                self._network(len(targets), _base_log_odds(y)).to(memory_format=torch.channels_last),
                batches,
                lambda network, batch: masked_bce(network(batch[0])[0], batch[1], batch[2]),
                steps=steps or self.steps(inputs),
                schedule=self._schedule,
                device=device,
                precision=training_precision(device),
                generator=generator,
                on_step=self.on_step,
            )
        return self

    def encode(self, inputs: ImageInputs, *, precision: str = "fp32", batch_size: int = 64) -> Evidence:
        inputs, problems = self._of_known_kinds(inputs)
        device = pick_device(self.device)
        network = self.network_.to(device)
        n, k = len(inputs), len(inputs.pixels)
        logits = np.zeros((k, len(self.targets_)))
        features = np.zeros((k, network.backbone.features), dtype=np.float32)
        for start in range(0, k, batch_size):
            rows = slice(start, start + batch_size)
            shown = standardised(torch.from_numpy(inputs.pixels[rows]).to(device))
            with torch.inference_mode(), autocast(device, precision):
                out, inner = network(shown)
            logits[rows], features[rows] = out.float().cpu().numpy(), inner.float().cpu().numpy()
        return Evidence(
            mean_by_record(logits, inputs.record, n),
            inputs.present,
            problems,
            embedding=mean_by_record(features, inputs.record, n),
        )

    def _of_known_kinds(self, inputs: ImageInputs) -> tuple[ImageInputs, list[tuple[int, Problem]]]:
        """Without the pictures that are known to be of a kind that no training picture was of."""
        known = {"", *self.kinds_}
        kept = np.array([kind in known or not self.kinds_ for kind in inputs.kind], dtype=bool)
        seen = " or ".join(sorted(self.kinds_))
        problems = [
            (int(inputs.record[i]), Problem("WRONG_KIND", "image", f"the picture is a {kind}; {_TRAINED_ON} {seen}"))
            for i, kind in enumerate(inputs.kind)
            if not kept[i]
        ]
        return inputs.without(~kept), problems

    def save(self, folder: Path) -> None:
        options = {"backbone": self.backbone, "dropout": self.dropout, "batch_size": self.batch_size}
        options |= {"epochs": self.epochs, "min_steps": self.min_steps, "max_steps": self.max_steps}
        options |= {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        state = {"targets": self.targets_, "kinds": self.kinds_, "options": options}
        state["augmentation"] = asdict(self.augmentation)
        (folder / "cnn.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        save_weights(self.network_, folder / "cnn.safetensors")

    @classmethod
    def load(cls, folder: Path, *, device: str) -> CNN:
        state = json.loads((folder / "cnn.json").read_text(encoding="utf-8"))
        model = cls(**state["options"], augmentation=Augmentation(**state["augmentation"]), device=device)
        model.targets_, model.kinds_ = tuple(state["targets"]), tuple(state["kinds"])
        network = Network(BACKBONES[model.backbone](None), len(model.targets_), model.dropout)
        model.network_ = load_weights(network, folder / "cnn.safetensors").to(memory_format=torch.channels_last)
        return model

    def _network(self, targets: int, base_log_odds: np.ndarray) -> Network:
        backbone = BACKBONES[self.backbone](Path(self.weights) if self.weights else None)
        network = Network(backbone, targets, self.dropout)
        with torch.no_grad():
            network.head.bias.copy_(torch.from_numpy(base_log_odds))
        return network

    @property
    def _schedule(self) -> Schedule:
        return Schedule(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            min_steps=self.min_steps,
            max_steps=self.max_steps,
        )


def standardised(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (k, size, size) -> float (k, 1, size, size), each picture with mean 0 and standard deviation 1."""
    pictures = pixels[:, None].float()
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    return (pictures - mean) / pictures.std(dim=(2, 3), keepdim=True).clamp(min=1.0)


def mean_by_record(values: np.ndarray, record: np.ndarray, n: int) -> np.ndarray:
    """The mean of the rows of each record, (n, columns); NaN where a record has none."""
    counts = np.bincount(record, minlength=n)
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, record, values)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)


def _base_log_odds(y: np.ndarray) -> np.ndarray:
    """The log-odds of each target's base rate, one positive and one negative added; float32 (T,)."""
    positives, known = np.nansum(y, axis=0), (~np.isnan(y)).sum(axis=0)
    return np.log((positives + 1) / (known - positives + 1)).astype(np.float32)
