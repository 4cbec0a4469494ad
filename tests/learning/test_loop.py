"""The training loop."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from torch import nn

from multimodal.learning.devices import pick_device, seeded
from multimodal.learning.loop import Schedule, masked_bce, train

CPU = torch.device("cpu")


def fit_line(steps, seed=0, inputs=torch.linspace(-1, 1, 64)[:, None]):
    with seeded(seed, CPU) as generator:
        return train(
            nn.Linear(1, 1),
            lambda g: (inputs[rows] for rows in torch.randperm(64, generator=g).split(16)),
            lambda network, x: ((network(x) - 3 * x - 1) ** 2).mean(),
            steps=steps,
            schedule=Schedule(epochs=1, learning_rate=0.1, weight_decay=0.0),
            device=CPU,
            precision="fp32",
            generator=generator,
        )


def test_it_finds_the_line_and_repeats_itself_under_a_seed():
    network, again, other = fit_line(300), fit_line(300), fit_line(300, seed=1)

    assert_allclose([network.weight.item(), network.bias.item()], [3, 1], atol=1e-2)
    assert torch.equal(network.weight, again.weight)
    assert not torch.equal(network.weight, other.weight)


def test_a_loss_that_is_not_finite_ends_the_training_with_a_reason():
    with pytest.raises(FloatingPointError, match="the loss is nan after 0 steps; lower the learning rate"):
        fit_line(3, inputs=torch.full((64, 1), torch.nan))


def test_the_number_of_steps_keeps_its_bounds():
    schedule = Schedule(epochs=10, learning_rate=1.0, min_steps=200, max_steps=1000)

    assert [schedule.steps(per_epoch) for per_epoch in (1, 50, 500)] == [200, 500, 1000]


def test_masked_loss_is_the_log_loss_of_the_known_labels():
    """Against scikit-learn's log_loss."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 2))
    y = (rng.random((40, 2)) < 0.4).astype(float)
    y[rng.random((40, 2)) < 0.3] = np.nan
    known = ~np.isnan(y)
    ours = masked_bce(torch.from_numpy(logits), torch.from_numpy(y))

    assert_allclose(ours.item(), log_loss(y[known], 1 / (1 + np.exp(-logits[known]))), rtol=1e-5)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="the device is auto, cpu or cuda, not 'gpu'"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="there is no CUDA device here: give auto or cpu"):
            pick_device("cuda")
