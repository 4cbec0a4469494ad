"""The training loop."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from torch import nn

from multimodal.learning import checkpoint
from multimodal.learning.devices import pick_device, seeded
from multimodal.learning.early_stopping import EarlyStopping
from multimodal.learning.loop import Schedule, masked_bce, parameter_groups, train

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


def test_weights_of_the_loss_count_an_item_as_often_whatever_else_is_in_the_batch():
    """Weight 2 is the item twice in the sum, which is divided by the items: scikit-learn's sum, not its mean."""
    rng = np.random.default_rng(1)
    logits, y = rng.normal(size=(30, 1)), (rng.random((30, 1)) < 0.3).astype(float)
    weights = np.where(y == 1, 2.0, 1.0)
    ours = masked_bce(*(torch.from_numpy(part) for part in (logits, y, weights)))

    expected = log_loss(y[:, 0], 1 / (1 + np.exp(-logits[:, 0])), sample_weight=weights[:, 0], normalize=False)
    assert_allclose(ours.item(), expected / 30, rtol=1e-5)


def test_weights_that_balance_the_classes_balance_them_over_batches_that_lack_one():
    """One of twenty positive in batches of 16: a constant comes to even odds. Divided by each batch's own weights, it
    would come to -0.5 or so."""
    labels = (torch.arange(400) % 20 == 0).float()[:, None]
    weights = torch.where(labels == 1, 10.0, 10 / 19)
    with seeded(0, CPU) as generator:
        constant = train(
            nn.Linear(1, 1),
            lambda g: torch.randperm(400, generator=g).split(16),
            lambda network, rows: masked_bce(network(torch.zeros(len(rows), 1)), labels[rows], weights[rows]),
            steps=1500,
            schedule=Schedule(epochs=1, learning_rate=0.02, weight_decay=0.0),
            device=CPU,
            precision="fp32",
            generator=generator,
        )

    assert_allclose(constant.bias.item(), 0.0, atol=0.1)


def test_each_parameter_learns_at_its_own_rate_and_only_kernels_decay():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight.requires_grad_(False)
    schedule = Schedule(epochs=1, learning_rate=0.1, weight_decay=0.5)
    groups = parameter_groups(network, schedule, {"0.weight": 0.1, "0.bias": 0.1})

    found = [(len(group["params"]), round(group["lr"], 6), group["weight_decay"]) for group in groups]
    assert found == [(1, 0.01, 0.5), (1, 0.01, 0.0), (1, 0.1, 0.0)]


class Stopped(Exception):
    pass


def fit_with_everything(path=None, stop_after=None, losses=None):
    """A network with dropout and batch normalisation, 13 passes of 4 steps; `losses` are what validation sees."""
    inputs = torch.linspace(-1, 1, 64)[:, None]
    stopping = EarlyStopping(lambda network: losses.pop(0), patience=3) if losses else None
    done = 0

    def on_step():
        nonlocal done
        done += 1
        if done == stop_after:
            raise Stopped

    with seeded(0, CPU) as generator:
        network = train(
            nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)),
            lambda g: (inputs[rows] for rows in torch.randperm(64, generator=g).split(16)),
            lambda network, x: ((network(x) - 3 * x - 1) ** 2).mean(),
            steps=50,
            schedule=Schedule(epochs=1, learning_rate=0.05),
            device=CPU,
            precision="fp32",
            generator=generator,
            on_step=on_step,
            stopping=stopping,
            checkpoint=path,
        )
    return network, done, stopping


@pytest.mark.parametrize("stop_after", [3, 23, 50])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights_to_the_bit(tmp_path, monkeypatch, stop_after):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    path = tmp_path / "state.safetensors"
    whole, _, _ = fit_with_everything()
    with pytest.raises(Stopped):
        fit_with_everything(path, stop_after)
    resumed, steps, _ = fit_with_everything(path)

    assert steps == 50
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values()))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    fit_with_everything(path)

    with pytest.raises(ValueError, match="the checkpoint is of a training of 50 steps, not 7"), seeded(0, CPU) as g:
        train(
            nn.Linear(1, 1),
            lambda g: [],
            lambda network, x: x,
            steps=7,
            schedule=Schedule(epochs=1, learning_rate=0.1),
            device=CPU,
            precision="fp32",
            generator=g,
            checkpoint=path,
        )


def test_early_stopping_waits_for_its_patience_and_gives_the_best_weights():
    """Passes of 4 steps; the second is the best, and three worse ones follow."""
    early, steps, stopping = fit_with_everything(losses=[0.5, 0.2, 0.4, 0.3, 0.25, 0.1])

    assert (steps, stopping.steps_, stopping.loss_) == (20, 8, 0.2)
    assert all(torch.equal(early.state_dict()[name], best) for name, best in stopping.weights_.items())


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="the device is auto, cpu or cuda, not 'gpu'"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="there is no CUDA device here: give auto or cpu"):
            pick_device("cuda")
