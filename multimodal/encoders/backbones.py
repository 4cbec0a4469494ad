"""The CNNs: a compact one that trains from nothing on hundreds of pictures, and torchvision's, by name.

Each maps grey pictures (k, 1, size, size), standardised, to features (k, D). Weights come from a local safetensors
file, with the names of torchvision, of TorchXRayVision or of `pretrain-images`; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ..imaging import Preparation
from ..learning.torchvision_shim import torchvision
from ..records import UsageError
from .pretrained import load_pretrained

# TorchXRayVision's networks read pictures in [-1024, 1024] over the whole range of grey values; the standard deviation
# of a radiograph is about 0.21 of that range.
XRAYVISION_DEVIATION = 2048 * 0.21
LEFT_OUT = ("network.fc.", "network.classifier.", "network.op_threshs")


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
    """A residual network of about 0.7 million weights; D = 192."""

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
    """A torchvision classifier without its last layer, its first one for a single channel."""

    def __init__(self, name: str, first: str, classifier: str):
        super().__init__()
        network = getattr(torchvision.models, name)(weights=None)
        colour = network.get_submodule(first)
        grey = nn.Conv2d(
            1, colour.out_channels, colour.kernel_size, colour.stride, colour.padding, bias=colour.bias is not None
        )
        nn.init.kaiming_normal_(grey.weight, mode="fan_out", nonlinearity="relu")
        network.set_submodule(first, grey)
        last = getattr(network, classifier)
        if isinstance(last, nn.Sequential):
            last = last[-1]
        self.features = last.in_features
        setattr(network, classifier, nn.Identity())
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "compact": Compact,
    "resnet18": lambda: FromTorchvision("resnet18", "conv1", "fc"),
    "resnet50": lambda: FromTorchvision("resnet50", "conv1", "fc"),
    "densenet121": lambda: FromTorchvision("densenet121", "features.conv0", "classifier"),
    "efficientnet_b0": lambda: FromTorchvision("efficientnet_b0", "features.0.0", "classifier"),
}


def pretrained(name: str, weights: Path, preparation: Preparation | None = None) -> nn.Module:
    """The backbone `name` with the weights of a safetensors file, or of a folder that `pretrain-images` wrote.

    preparation  how the pictures were prepared, where that is known: with a folder, as there but for size and slices
    The file holds the state of the backbone itself (as `pretrain-images` writes it), of torchvision's network of that
    name, or of TorchXRayVision's (its classifier is passed over). A first layer for three colours becomes one for
    grey, the sum over its channels: what it answers to three equal ones. TorchXRayVision's, known by its one channel,
    reads pictures of another scale, by which its first layer is multiplied.
    Raises RuntimeError, with the names that do not fit, if the file is another network's; UsageError if the folder is
    of another backbone or preparation.
    """
    if weights.is_dir():
        weights = _weights_of_folder(weights, name, preparation)
    backbone = BACKBONES[name]()
    state = load_file(weights)
    own = backbone.state_dict()
    if not set(state) >= set(own):
        state = {f"network.{key.removeprefix('model.')}": tensor for key, tensor in state.items()}
        first = next(iter(own))
        if first in state and state[first].ndim == 4:
            colours = state[first].shape[1]
            state[first] = state[first].sum(dim=1, keepdim=True) * (XRAYVISION_DEVIATION if colours == 1 else 1)
    backbone.load_state_dict({key: tensor for key, tensor in state.items() if not key.startswith(LEFT_OUT)})
    return backbone


def _weights_of_folder(folder: Path, name: str, preparation: Preparation | None) -> Path:
    found = load_pretrained(folder)
    if found.backbone != name:
        raise UsageError(f"image.weights: {folder} holds a {found.backbone}; image.backbone is {name}")
    for step in ("window", "denoise", "enhance") if preparation else ():
        theirs = getattr(found.preparation, step)
        if theirs != getattr(preparation, step):
            raise UsageError(f"image.weights: {folder} was trained with {step} = {theirs}: set image.{step}")
    return found.weights


def layer_rates(backbone: nn.Module, stem_rate: float) -> dict[str, float]:
    """Each parameter's share of the learning rate: `stem_rate` for the first, towards 1 for the last, geometric between
    (discriminative rates: Howard & Ruder, ACL 2018, arXiv 1801.06146)."""
    names = [name for name, _ in backbone.named_parameters()]
    return {name: stem_rate ** (1 - place / len(names)) for place, name in enumerate(names)}
