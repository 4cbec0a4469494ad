"""The late-fusion head: calibrated log-odds of the modalities that are present -> one log-odds per target.

    logit_t = b_t + sum_i m_i (c_ti + w_ti z_ti) + g_t(z, m)

b is the log-odds of the base rate, z the calibrated log-odds of a modality minus b, m the presence mask. With one
modality present w = 1, c = 0 and g = 0: z is calibrated already. With none the logit is b. Three variants:
sum (w = 1, c = 0, g = 0: naive Bayes), additive (w, c learnt, shrunk to the sum) and gated (g too, shrunk to 0).
What an absent modality's slot holds is never read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import nn

from ..learning.devices import pick_device, seeded
from .subsets import all_sets

VARIANTS = ("sum", "additive", "gated")
SHRINKAGE_SLOPE = 10.0
SHRINKAGE_SHIFT = 20.0
SHRINKAGE_GATE = 5.0
GATE_HIDDEN = 16
GATE_STEPS = 150


@dataclass(frozen=True)
class Head:
    """base: (T,); slope, shift: (M, T); gate: the weights of the small network, by name, or {}."""

    base: np.ndarray
    slope: np.ndarray
    shift: np.ndarray
    gate: dict[str, np.ndarray]

    def logits(self, z: np.ndarray, present: np.ndarray, variant: str) -> np.ndarray:
        """z: float (n, M, T), anything where absent; present: bool (n, M) -> float (n, T)."""
        shown = np.where(present[:, :, None], z, 0.0)
        mask = present[:, :, None].astype(float)
        several = present.sum(axis=1) >= 2
        plain = self.base + shown.sum(axis=1)
        if variant == "sum":
            return plain
        weighted = self.base + (mask * self.shift + shown * self.slope).sum(axis=1)
        if variant == "gated" and self.gate:
            weighted = weighted + _gate(self.gate, shown, present)
        return np.where(several[:, None], weighted, plain)


def fit_head(
    z: np.ndarray, present: np.ndarray, y: np.ndarray, base: np.ndarray, *, random_state: int, device: str
) -> Head:
    """Fit on the out-of-fold evidence, each record shown with every set of two or more of its modalities.

    z: float (n, M, T); present: bool (n, M); y: float (n, T), NaN unknown; base: float (T,)
    Thus one head answers for every set of modalities: modality dropout with every subset equally likely, taken
    exactly instead of drawn.
    """
    _, modalities, targets = z.shape
    rows, masks, weight = _shown_sets(present)
    slope, shift = np.ones((modalities, targets)), np.zeros((modalities, targets))
    if not len(rows):
        return Head(base, slope, shift, {})
    shown = np.where(masks[:, :, None], z[rows], 0.0)
    for t in range(targets):
        known = ~np.isnan(y[rows, t])
        if len(np.unique(y[rows[known], t])) == 2:
            slope[:, t], shift[:, t] = _fit_additive(
                shown[known, :, t], masks[known].astype(float), y[rows[known], t], weight[known], base[t]
            )
    additive = base + (masks[:, :, None] * shift + shown * slope).sum(axis=1)
    gate = _fit_gate(shown, masks, additive, y[rows], weight, random_state=random_state, device=device)
    return Head(base, slope, shift, gate)


def _shown_sets(present: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every record with every set of two or more of its modalities: rows (k,), masks (k, M), weights (k,), each
    record's summing to 1."""
    rows, masks = [], []
    for held in all_sets(present.shape[1]):
        if held.sum() >= 2:
            having = np.flatnonzero(present[:, held].all(axis=1))
            rows.append(having)
            masks.append(np.repeat(held[None], len(having), axis=0))
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, present.shape[1]), bool), np.zeros(0)
    row = np.concatenate(rows)
    return row, np.concatenate(masks), 1 / np.bincount(row, minlength=len(present))[row]


def _fit_additive(
    shown: np.ndarray, masks: np.ndarray, y: np.ndarray, weight: np.ndarray, base: float
) -> tuple[np.ndarray, np.ndarray]:
    modalities = shown.shape[1]
    design = np.hstack([shown, masks])
    centre = np.append(np.ones(modalities), np.zeros(modalities))
    strength = np.append(np.full(modalities, SHRINKAGE_SLOPE), np.full(modalities, SHRINKAGE_SHIFT))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        away = parameters - centre
        logits = base + design @ parameters
        error = weight * (expit(logits) - y)
        value = weight @ (np.logaddexp(0, logits) - y * logits) + (strength * away**2).sum() / 2
        return value, design.T @ error + strength * away

    bounds = [(0, None)] * modalities + [(None, None)] * modalities
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:modalities], found[modalities:]


def _gate_inputs(shown: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The z of all targets and the mask, (k, M * T + M)."""
    return np.hstack([shown.reshape(len(shown), -1), masks]).astype(np.float32)


def _gate(gate: dict[str, np.ndarray], shown: np.ndarray, masks: np.ndarray) -> np.ndarray:
    hidden = np.tanh(_gate_inputs(shown, masks) @ gate["inner.weight"].T + gate["inner.bias"])
    opened = expit(hidden @ gate["opens.weight"].T + gate["opens.bias"])
    return opened * (hidden @ gate["says.weight"].T + gate["says.bias"])


def _fit_gate(
    shown: np.ndarray,
    masks: np.ndarray,
    additive: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    *,
    random_state: int,
    device: str,
) -> dict[str, np.ndarray]:
    """A gated layer on top of the additive logits, its weights drawn to 0."""
    place = pick_device(device)
    inputs = torch.from_numpy(_gate_inputs(shown, masks)).to(place)
    below = torch.from_numpy(additive).float().to(place)
    labels = torch.from_numpy(np.nan_to_num(y)).float().to(place)
    of_each = torch.from_numpy(weight[:, None] * ~np.isnan(y)).float().to(place)
    with seeded(random_state, place):
        layers = nn.ModuleDict(
            {
                "inner": nn.Linear(inputs.shape[1], GATE_HIDDEN),
                "opens": nn.Linear(GATE_HIDDEN, y.shape[1]),
                "says": nn.Linear(GATE_HIDDEN, y.shape[1]),
            }
        ).to(place)
        nn.init.zeros_(layers["says"].weight)
        nn.init.zeros_(layers["says"].bias)
        optimizer = torch.optim.Adam(layers.parameters(), lr=0.01)
        for _ in range(GATE_STEPS):
            hidden = torch.tanh(layers["inner"](inputs))
            extra = torch.sigmoid(layers["opens"](hidden)) * layers["says"](hidden)
            loss = nn.functional.binary_cross_entropy_with_logits(below + extra, labels, of_each, reduction="sum")
            weights = sum((parameter**2).sum() for parameter in layers.parameters())
            loss = (loss + SHRINKAGE_GATE / 2 * weights) / of_each.sum().clamp(min=1e-6)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return {name: tensor.detach().cpu().numpy() for name, tensor in layers.state_dict().items()}
