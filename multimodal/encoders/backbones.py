"""The CNNs: a compact one that trains from nothing on hundreds of pictures, and torchvision's, by name.

Each maps grey pictures (k, 1, size, size) to features (k, D). Weights for torchvision's come from a local
safetensors file with torchvision's own names; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ..learning.torchvision_shim import torchvision


class Residual(nn.Module):
    """Two 3 x 3 convolutions with a short cut (He et al., CVPR 2016)."""

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.short = nn.Sequential(
            nn.AvgPool2d(stride, stride, ceil_mode=True) if stride > 1 else nn.Identity(),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.main(x) + self.short(x))


class Compact(nn.Module):
    """A residual network of about 1 million weights; D = 192."""

    features = 192

    def __init__(self):
        super().__init__()
        widths = (24, 48, 96, 192)
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        stages = []
        for before, width in zip((widths[0], *widths), widths, strict=False):
            stages.append(Residual(before, width, 2))
        self.stages = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(self.stem(x)).mean(dim=(2, 3))


class FromTorchvision(nn.Module):
    """A torchvision classifier without its last layer; the grey channel is shown three times."""

    def __init__(self, name: str, classifier: str, weights: Path | None):
        super().__init__()
        network = getattr(torchvision.models, name)(weights=None)
        if weights is not None:
            network.load_state_dict(load_file(weights))
        last = getattr(network, classifier)
        if isinstance(last, nn.Sequential):
            last = last[-1]
        self.features = last.in_features
        setattr(network, classifier, nn.Identity())
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x.expand(-1, 3, -1, -1))


BACKBONES: dict[str, Callable[[Path | None], nn.Module]] = {
    "compact": lambda _: Compact(),
    "resnet18": lambda weights: FromTorchvision("resnet18", "fc", weights),
    "resnet50": lambda weights: FromTorchvision("resnet50", "fc", weights),
    "densenet121": lambda weights: FromTorchvision("densenet121", "classifier", weights),
    "efficientnet_b0": lambda weights: FromTorchvision("efficientnet_b0", "classifier", weights),
}
