"""The network that the CNN trains: what it says of one slice."""

from __future__ import annotations

import torch
from torch import nn


class Network(nn.Module):
    """A backbone, and per target a log-odds and an attention.

    Slices float (s, 1, size, size) -> log-odds (s, T), attention (s, T), features (s, D).
    """

    def __init__(self, backbone: nn.Module, targets: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.features, targets)
        self.attention = nn.Linear(backbone.features, targets)
        self.frozen = False
        for layer in (self.head, self.attention):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, slices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.backbone(slices.contiguous(memory_format=torch.channels_last))
        shown = self.dropout(features)
        return self.head(shown).float(), self.attention(shown).float(), features.float()

    def freeze(self, frozen: bool) -> None:
        """Whether the backbone stays as it is, its normalisation too."""
        self.frozen = frozen
        self.backbone.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> Network:
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self
