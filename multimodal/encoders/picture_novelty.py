"""How unlike the training pictures a picture is, in four measures; each is larger for what is stranger.

reconstruction  what an autoencoder cannot draw again            (see autoencoder)
embedding       the distance in the space of the network's features
texture         the distance in fineness and grey levels
layout          the distance in where it is bright and dark       (see picture_statistics)
The distances are Mahalanobis's. No measure has seen a label, but for the embedding, whose network has. The training
pictures themselves lie nearer than others of their kind: a threshold has to come from pictures left out of `of`.
What it does not do: tell what the picture is, or find a change that leaves all four as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from ..learning.weights import load_weights, save_weights
from .autoencoder import Autoencoder, reconstruction_error, thumbnails, train_autoencoder
from .inputs import ImageInputs
from .mahalanobis import Mahalanobis
from .picture_statistics import layout, texture
from .slices import levels, standardised

BATCH = 64
LEAST = 1e-2  # of the mean standard deviation of the features
ENOUGH = 4000  # slices: more of a large cohort's volumes would not tell more


@dataclass(frozen=True)
class PictureNovelty:
    """autoencoder: fitted; spaces: {"embedding" | "texture" | "layout": the training slices' distribution}."""

    autoencoder: Autoencoder
    spaces: Mapping[str, Mahalanobis]

    @classmethod
    def of(
        cls, inputs: ImageInputs, features: np.ndarray, *, steps: int, random_state: int, device: torch.device
    ) -> PictureNovelty:
        """inputs: the training pictures; features: float (s, D), of each slice; steps: of the autoencoder, at most."""
        rows = np.arange(len(inputs.pixels))
        if len(rows) > ENOUGH:
            rows = np.sort(np.random.default_rng(random_state).choice(rows, ENOUGH, replace=False))
        seen = _described(inputs, rows, device)
        shown = torch.from_numpy(seen.pop("thumbnails"))
        spaces = {name: space_of(values) for name, values in {"embedding": features[rows], **seen}.items()}
        return cls(train_autoencoder(shown, steps=steps, random_state=random_state, device=device), spaces)

    def measures(self, inputs: ImageInputs, features: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
        """{measure: float (n,)}, NaN for a record without a picture.

        The strangest picture of a record counts, of a volume its slice of median strangeness: the ends of any volume
        are unlike its middle.
        features: float (s, D), of each slice
        """
        of_slices: dict[str, list[np.ndarray]] = {name: [] for name in ("reconstruction", *self.spaces)}
        network = self.autoencoder.to(device)
        for start in range(0, len(inputs.pixels), BATCH):
            rows = np.arange(start, min(start + BATCH, len(inputs.pixels)))
            seen = _described(inputs, rows, device) | {"embedding": features[rows]}
            shown = torch.from_numpy(seen.pop("thumbnails")).to(device)
            of_slices["reconstruction"].append(reconstruction_error(network, shown))
            for name, space in self.spaces.items():
                of_slices[name].append(space.distance(seen[name]))
        return {name: _of_records(np.concatenate([np.zeros(0), *parts]), inputs) for name, parts in of_slices.items()}

    def save(self, folder: Path) -> None:
        save_weights(self.autoencoder, folder / "autoencoder.safetensors")
        arrays = [space.arrays(f"{name}.") for name, space in self.spaces.items()]
        save_file({name: array for part in arrays for name, array in part.items()}, folder / "novelty.safetensors")

    @classmethod
    def load(cls, folder: Path) -> PictureNovelty:
        arrays = load_file(folder / "novelty.safetensors")
        names = sorted({name.partition(".")[0] for name in arrays})
        spaces = {name: Mahalanobis.from_arrays(arrays, f"{name}.") for name in names}
        return cls(load_weights(Autoencoder(), folder / "autoencoder.safetensors"), spaces)


def space_of(values: np.ndarray) -> Mahalanobis:
    """The distribution of float (s, F), each feature in its own standard deviation, as shrinking needs a common one.

    A feature that hardly varied, as of a unit that never fired, stays small: its own noise says nothing.
    """
    spread = values.std(axis=0)
    spread = np.maximum(spread, LEAST * spread.mean() + np.finfo(float).tiny)
    space = Mahalanobis.of(values / spread)
    return Mahalanobis(space.mean * spread, space.whitening / spread[:, None])


def _described(inputs: ImageInputs, rows: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
    """thumbnails, texture and layout of the slices at `rows`, each float64 (len(rows), …) but for the thumbnails."""
    parts: dict[str, list[np.ndarray]] = {"thumbnails": [], "texture": [], "layout": []}
    scale = levels(inputs.pixels[rows], inputs.picture[rows])
    for start in range(0, len(rows), BATCH):
        some = slice(start, start + BATCH)
        pixels = torch.from_numpy(inputs.pixels[rows[some]]).to(device)
        even = standardised(pixels, scale[some].to(device))
        parts["thumbnails"].append(thumbnails(even).cpu().numpy())
        parts["texture"].append(texture(pixels[:, None].float() / 255).cpu().double().numpy())
        parts["layout"].append(layout(even).cpu().double().numpy())
    return {name: np.concatenate(found) for name, found in parts.items()}


def _of_records(of_slices: np.ndarray, inputs: ImageInputs) -> np.ndarray:
    """float (s,) -> (n,): the median over the slices of a picture, the maximum over the pictures of a record."""
    found = np.full(len(inputs), np.nan)
    starts = np.searchsorted(inputs.picture, np.arange(len(inputs.record) + 1))
    for picture, record in enumerate(inputs.record):
        found[record] = np.fmax(found[record], np.median(of_slices[starts[picture] : starts[picture + 1]]))
    return found
