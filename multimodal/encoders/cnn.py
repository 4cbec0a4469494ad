"""The CNN: a record's pictures and slices in, log-odds of every target out, pooled by a learnt attention.

A radiograph is one slice, a volume several (2.5-D: the network sees slices, the attention the volume); a record may
hold any number of both. With a single slice the attention says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from ..imaging import Preparation
from ..learning.devices import autocast, pick_device, seeded, training_precision
from ..learning.early_stopping import EarlyStopping
from ..learning.loop import Schedule, masked_bce, train
from ..learning.weights import load_weights, save_weights
from ..records import Evidence, Problem, UsageError
from .augment import Augmentation, augment
from .backbones import BACKBONES, layer_rates, pretrained
from .inputs import ImageInputs, preparation_of
from .picture_novelty import PictureNovelty
from .pooling import pooled
from .prevalence import balancing_weights, base_log_odds
from .slice_network import Network
from .slices import Slices, levels, standardised
from .validation_part import validation_part

_TRAINED_ON = "the model was trained on"


class CNN:
    """A convolutional network as an encoder of images.

    backbone     a name of BACKBONES
    weights      a safetensors file (see backbones.pretrained), a folder of `pretrain-images`, or None: from nothing
    preparation  how the pictures were prepared, where that is known: with a folder, as there but for size and slices
    schedule     how long and how fast; its batch_size counts slices, of whole records
    augmentation see augment.Augmentation
    frozen       with weights: the share of the steps in which only the last layers learn
    stem_rate    with weights: the first layer's share of the learning rate; those between follow geometrically
                 (discriminative rates: Howard & Ruder, ACL 2018, arXiv 1801.06146)
    balance      positives and negatives of each target weigh the same in the loss; the base rate is put back after
    validation   the share of the groups that decides when to stop, 0: all are learnt from, for all steps
    patience     passes without a better validation loss before the training ends
    device       auto | cpu | cuda
    kept_in      a folder with the state of a running `fit`, from which the same one goes on after a stop, or None
    """

    def __init__(
        self,
        *,
        backbone: str = "compact",
        weights: str | None = None,
        preparation: Preparation | None = None,
        schedule: Schedule = Schedule(
            epochs=25, min_steps=300, max_steps=5000, learning_rate=3e-3, weight_decay=0.05, batch_size=32
        ),
        augmentation: Augmentation = Augmentation(),
        dropout: float = 0.2,
        frozen: float = 0.2,
        stem_rate: float = 0.1,
        balance: bool = False,
        validation: float = 0.0,
        patience: int = 5,
        device: str = "auto",
        on_step: Callable[[], None] = lambda: None,
        kept_in: Path | None = None,
    ):
        self.backbone = backbone
        self.weights = weights
        self.preparation = preparation
        self.schedule = schedule
        self.augmentation = augmentation
        self.dropout = dropout
        self.frozen = frozen
        self.stem_rate = stem_rate
        self.balance = balance
        self.validation = validation
        self.patience = patience
        self.device = device
        self.on_step = on_step
        self.kept_in = kept_in

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, device: str, on_step: Callable[[], None]) -> CNN:
        own = ("backbone", "weights", "dropout", "frozen", "stem_rate", "balance", "validation", "patience")
        return cls(
            **{name: options[name] for name in own},
            preparation=preparation_of(options),
            schedule=Schedule.of(options),
            augmentation=Augmentation.of(options),
            device=device,
            on_step=on_step,
        )

    def check(self) -> None:
        """Raise UsageError if the weights are not there or are another network's."""
        try:
            self._backbone()
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"image.weights: {self.weights} is no file of {self.backbone}: {reason}") from None

    def steps(self, inputs: ImageInputs) -> int:
        """How many steps `fit` takes, unless it is told or stops early; a pass is counted in slices."""
        return self.schedule.steps(-(-len(inputs.pixels) // self.schedule.batch_size))

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
        """y: float (n, T), NaN unknown. Told the steps, it learns from all records and takes just so many; where folds
        stopped early, under the learning rates of the whole way.

        Learned: network_, targets_, kinds_ (of the pictures it saw), steps_ (that it took), novelty_.
        """
        self.targets_ = tuple(targets)
        self.kinds_ = tuple(sorted(set(inputs.kind) - {""}))
        device = pick_device(self.device)
        usable = np.flatnonzero(inputs.present & ~np.isnan(y).all(axis=1))
        stops = self.validation > 0 and (self.weights is None or self.frozen < 1)
        learnt, held = validation_part(
            usable, groups, self.validation if stops and steps is None else 0.0, random_state
        )
        planned = self.steps(inputs.take(learnt))
        planned = max(planned, steps or 0) if stops else steps or planned
        self.steps_ = steps or planned
        parts = Slices(inputs, y, learnt), Slices(inputs, y, held)
        with seeded(random_state, device) as generator:
            self.network_ = self._trained(*parts, planned, device, generator)
        seen = inputs.take(usable)
        # No longer than the network: what is quick to train stays quick.
        self.novelty_ = PictureNovelty.of(
            seen, self._of_slices(seen)[2], steps=self.steps_, random_state=random_state, device=device
        )
        return self

    def _trained(
        self, learnt: Slices, held: Slices, planned: int, device: torch.device, generator: torch.Generator
    ) -> Network:
        weight = balancing_weights(learnt.y) if self.balance else torch.ones(2, learnt.y.shape[1])

        def batches(generator: torch.Generator) -> Iterator[tuple[torch.Tensor, ...]]:
            for rows in learnt.batches(self.schedule.batch_size, generator):
                slices, scale, owner, labels = (part.to(device) for part in learnt.shown(rows))
                yield augment(standardised(slices, scale), self.augmentation, generator), owner, labels

        def loss_of(network: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
            slices, owner, labels = batch
            log_odds, attention, _ = network(slices)
            weights = torch.where(labels == 1, *weight.to(device).unbind())
            return masked_bce(pooled(log_odds, attention, owner, len(labels)), labels, weights)

        def held_out_loss(network: nn.Module) -> float:
            losses, sizes = [], []
            for rows in held.batches(2 * self.schedule.batch_size, None):
                slices, scale, owner, labels = (part.to(device) for part in held.shown(rows))
                losses.append(loss_of(network, (standardised(slices, scale), owner, labels)).item())
                sizes.append(len(rows))
            return float(np.average(losses, weights=sizes))

        def phase(network: Network, steps: int, name: str, **options: Any) -> Network:
            return train(
                network,
                batches,
                loss_of,
                steps=steps,
                schedule=self.schedule,
                device=device,
                precision=training_precision(device),
                generator=generator,
                on_step=self.on_step,
                checkpoint=self.kept_in and self.kept_in / f"{name}.safetensors",
                **options,
            )

        network = Network(self._backbone(), len(self.targets_), self.dropout).to(memory_format=torch.channels_last)
        base = base_log_odds(learnt.y)
        with torch.no_grad():
            network.head.bias.copy_(torch.zeros_like(base) if self.balance else base)
        warming = min(round(self.frozen * planned), self.steps_) if self.weights else 0
        if warming:
            network.freeze(True)
            network = phase(network, warming, "frozen")
            network.freeze(False)
        if self.steps_ > warming:
            stopping = EarlyStopping(held_out_loss, patience=self.patience) if len(held) else None
            rates = layer_rates(network.backbone, self.stem_rate if self.weights else 1.0)
            network = phase(
                network,
                planned - warming,
                "whole",
                last_step=self.steps_ - warming,
                rate_of={f"backbone.{name}": rate for name, rate in rates.items()},
                stopping=stopping,
            )
            self.steps_ = warming + stopping.steps_ if stopping else self.steps_
        if self.balance:
            with torch.no_grad():
                network.head.bias.add_(base.to(device))
        return network

    def encode(self, inputs: ImageInputs, *, precision: str = "fp32", batch_size: int = 64) -> Evidence:
        inputs, problems = self._of_known_kinds(inputs)
        log_odds, attention, features = self._of_slices(inputs, precision, batch_size)
        novelty = self.novelty_.measures(inputs, features, pick_device(self.device)) if self.novelty_ else {}
        owner, n = torch.from_numpy(inputs.record[inputs.picture]), len(inputs)
        log_odds, attention, features = (torch.from_numpy(part) for part in (log_odds, attention, features))
        answer = pooled(log_odds, attention, owner, n).numpy()
        mean = pooled(features, torch.zeros_like(features), owner, n).numpy()
        return Evidence(answer, inputs.present, problems, embedding=mean, novelty=novelty)

    def _of_slices(self, inputs: ImageInputs, precision: str = "fp32", batch_size: int = 64) -> tuple[np.ndarray, ...]:
        """Log-odds (s, T), attention (s, T) and features (s, D) of every slice."""
        device = pick_device(self.device)
        network = self.network_.to(device)
        s, targets = len(inputs.pixels), len(self.targets_)
        log_odds, attention = np.zeros((2, s, targets))
        features, scale = np.zeros((s, network.backbone.features)), levels(inputs.pixels, inputs.picture)
        for start in range(0, s, batch_size):
            rows = slice(start, start + batch_size)
            shown = standardised(torch.from_numpy(inputs.pixels[rows]).to(device), scale[rows].to(device))
            with torch.inference_mode(), autocast(device, precision):
                parts = network(shown)
            for whole, part in zip((log_odds, attention, features), parts, strict=True):
                whole[rows] = part.cpu().numpy()
        return log_odds, attention, features

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
        state = {"targets": self.targets_, "kinds": self.kinds_, "backbone": self.backbone, "dropout": self.dropout}
        (folder / "cnn.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        save_weights(self.network_, folder / "cnn.safetensors")
        if self.novelty_:
            self.novelty_.save(folder)

    @classmethod
    def load(cls, folder: Path, *, device: str) -> CNN:
        state = json.loads((folder / "cnn.json").read_text(encoding="utf-8"))
        model = cls(backbone=state["backbone"], dropout=state["dropout"], device=device)
        model.targets_, model.kinds_ = tuple(state["targets"]), tuple(state["kinds"])
        network = Network(BACKBONES[model.backbone](), len(model.targets_), model.dropout)
        model.novelty_ = PictureNovelty.load(folder) if (folder / "novelty.safetensors").is_file() else None
        model.network_ = load_weights(network, folder / "cnn.safetensors").to(memory_format=torch.channels_last)
        return model

    def _backbone(self) -> nn.Module:
        if self.weights is None:
            return BACKBONES[self.backbone]()
        return pretrained(self.backbone, Path(self.weights), self.preparation)
