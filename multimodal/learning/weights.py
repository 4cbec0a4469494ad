"""Weights on disk: safetensors, and nothing that runs code."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn


def save_weights(network: nn.Module, path: Path) -> None:
    """Write all parameters and buffers, on the CPU."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}, path)


def load_weights(network: nn.Module, path: Path) -> nn.Module:
    """Read what `save_weights` wrote into `network`; every name must fit."""
    network.load_state_dict(load_file(path))
    return network.eval()
