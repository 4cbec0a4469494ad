"""Several items of a record become one answer: the mean of their log-odds under a learnt attention per target.

Attention pooling of multiple instances: Ilse, Tomczak & Welling, ICML 2018, arXiv 1802.04712.
"""

from __future__ import annotations

import torch


def pooled(log_odds: torch.Tensor, attention: torch.Tensor, owner: torch.Tensor, n: int) -> torch.Tensor:
    """The mean of the items' log-odds of each record under the softmax of their attention.

    log_odds, attention: float (k, T); owner: int (k,), the record of each item -> float (n, T), NaN where a record
    has no item. With equal attention it is the plain mean.
    """
    index = owner[:, None].expand_as(attention)
    highest = attention.new_full((n, attention.shape[1]), -torch.inf)
    highest = highest.scatter_reduce(0, index, attention.detach(), "amax")
    weight = torch.exp(attention - highest.gather(0, index))
    total = torch.zeros_like(highest).scatter_add(0, index, weight)
    return torch.zeros_like(highest).scatter_add(0, index, weight * log_odds) / total
