"""When to end a training: by the loss on patients that it does not learn from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import nn


class EarlyStopping:
    """Ends a training whose validation loss has not fallen for `patience` passes; the best weights are kept.

    loss_of  the loss of a network on the validation part, a float
    Learned: steps_, the number of batches after which the loss was lowest; loss_, that loss.
    Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.
    """

    def __init__(self, loss_of: Callable[[nn.Module], float], *, patience: int):
        self.loss_of = loss_of
        self.patience = patience
        self.steps_ = 0
        self.loss_ = math.inf
        self.waited_ = 0
        self.weights_: dict[str, torch.Tensor] = {}

    @property
    def is_over(self) -> bool:
        return self.waited_ >= self.patience

    def look(self, network: nn.Module, steps: int) -> None:
        """One pass is over: `network`, in its evaluation mode, after so many steps."""
        with torch.inference_mode():
            loss = self.loss_of(network)
        if loss < self.loss_:
            self.loss_, self.steps_, self.waited_ = loss, steps, 0
            self.weights_ = copy.deepcopy(network.state_dict())
        else:
            self.waited_ += 1

    def best(self, network: nn.Module) -> nn.Module:
        """`network` with the weights of the lowest loss."""
        network.load_state_dict(self.weights_)
        return network
