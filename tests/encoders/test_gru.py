"""The GRU over series of vital signs."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from multimodal.encoders import gru
from multimodal.encoders.gru import GRU, GRUD, hide
from multimodal.encoders.inputs import READERS
from multimodal.learning import checkpoint
from multimodal.learning.loop import Schedule
from multimodal.records import Batch

HEART, TEMPERATURE = ("heart_rate", "/min"), ("temperature", "Cel")


def read(rows, n):
    """The inputs of n records, by the real reader; rows: (record, (code, unit), value, hours)."""
    columns = ["record", "code", "value", "unit", "hours", "where"]
    items = [(row, code, str(value), unit, hours, "") for row, (code, unit), value, hours in rows]
    table = pd.DataFrame(items, columns=columns)
    ids = np.array([f"r{row}" for row in range(n)], dtype=object)
    sexes = np.array(["female", "male", ""], dtype=object)[np.arange(n) % 3]
    ages = np.where(np.arange(n) % 7, 50.0 + np.arange(n) % 40, np.nan)
    batch = Batch(ids, ids, ages, sexes, table.sort_values("record", kind="stable"))
    return READERS["vitals"](batch, {"convert_suspect": False}, workers=1)


@pytest.fixture(scope="module")
def trends():
    """200 records whose heart rate rises, or falls, through the same values; every tenth has no measurement."""
    rng = np.random.default_rng(0)
    y = (np.arange(200) // 2 % 2).astype(float)
    rows = []
    for row in np.flatnonzero(np.arange(200) % 10):
        course = np.sort(rng.uniform(60, 120, 6))
        hours = np.sort(rng.choice(24, 6, replace=False) / -2)
        rows += [(row, HEART, *pair) for pair in zip(course if y[row] else course[::-1], hours, strict=True)]
        rows.append((row, TEMPERATURE, rng.normal(37, 0.5), -1.0))
    return read(rows, 200), y[:, None]


def quick(**options):
    schedule = Schedule(epochs=1, min_steps=120, max_steps=120, learning_rate=1e-2, weight_decay=0.05)
    return GRU(width=16, schedule=schedule, dropout=0.2, device="cpu", **options)


@pytest.fixture(scope="module")
def fitted(trends):
    inputs, y = trends
    return quick().fit(inputs, ["rising"], y, np.arange(200), random_state=0)


def test_it_tells_rising_from_falling_in_records_it_has_not_seen(trends):
    """The values are the same in both: 90 records that nothing else parts reach 0.75 by luck once in 40,000 times."""
    inputs, y = trends
    learnt, held = np.arange(100), np.arange(100, 200)
    model = quick().fit(inputs.take(learnt), ["rising"], y[learnt], learnt, random_state=0)
    found = model.encode(inputs.take(held))

    assert roc_auc_score(y[held][found.present, 0], found.log_odds[found.present, 0]) > 0.9


def test_a_record_without_a_measurement_is_absent(fitted, trends):
    found = fitted.encode(trends[0])

    assert_array_equal(found.present, np.arange(200) % 10 > 0)
    assert np.isnan(found.log_odds[~found.present]).all()
    assert np.isfinite(found.log_odds[found.present]).all()
    assert not fitted.encode(trends[0].take(np.array([0, 10]))).present.any()


def test_saved_and_loaded_it_says_the_same_to_the_bit(fitted, trends, tmp_path):
    fitted.save(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["gru.json", "gru.safetensors"]
    assert_array_equal(GRU.load(tmp_path, device="cpu").encode(trends[0]).log_odds, fitted.encode(trends[0]).log_odds)


def test_a_records_log_odds_depend_neither_on_its_neighbours_nor_on_the_order(fitted, trends, monkeypatch):
    inputs, _ = trends
    whole = fitted.encode(inputs).log_odds
    order = np.random.default_rng(1).permutation(200)
    alone = np.concatenate([fitted.encode(inputs.take(np.array([row]))).log_odds for row in (1, 31, 199)])

    assert_allclose(alone, whole[[1, 31, 199]], atol=1e-5)
    assert_allclose(fitted.encode(inputs.take(order)).log_odds, whole[order], atol=1e-5)
    monkeypatch.setattr(gru, "CELLS", 100)  # four records at a time
    assert_allclose(fitted.encode(inputs).log_odds, whole, atol=1e-5)


def test_the_order_in_which_measurements_are_given_is_irrelevant(fitted):
    rows = [(0, HEART, 80, -3.0), (0, HEART, 95, -1.0), (0, TEMPERATURE, 38.5, -2.0), (0, HEART, 70, -1.0)]

    assert_array_equal(fitted.encode(read(rows, 1)).log_odds, fitted.encode(read(rows[::-1], 1)).log_odds)


def test_the_same_seed_gives_the_same_network_and_the_global_generator_is_left_alone(fitted, trends):
    inputs, y = trends
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = quick().fit(inputs, ["rising"], y, np.arange(200), random_state=0)

    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(again.encode(inputs).log_odds, fitted.encode(inputs).log_odds)


def test_an_unknown_label_carries_no_loss(trends):
    """A target without labels leaves its log-odds at the even start; the other's are learnt all the same."""
    inputs, y = trends
    unknown = np.column_stack([y, np.full(200, np.nan)])
    model = quick().fit(inputs, ["rising", "none"], unknown, np.arange(200), random_state=0)
    found = model.encode(inputs)

    assert roc_auc_score(y[found.present, 0], found.log_odds[found.present, 0]) > 0.9
    assert_array_equal(found.log_odds[found.present, 1], 0)


def test_an_interrupted_training_goes_on_to_the_same_weights(fitted, trends, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    inputs, y = trends
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        if calls == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(on_step=stop, kept_in=tmp_path).fit(inputs, ["rising"], y, np.arange(200), random_state=0)
    assert load_file(tmp_path / "gru.safetensors")
    resumed = quick(kept_in=tmp_path).fit(inputs, ["rising"], y, np.arange(200), random_state=0)

    whole = fitted.network_.state_dict()
    assert all(torch.equal(weights, whole[name]) for name, weights in resumed.network_.state_dict().items())


def test_told_the_steps_it_takes_just_so_many(trends):
    inputs, y = trends
    options = {"epochs": 2, "min_steps": 0, "max_steps": 100, "batch_size": 32, "learning_rate": 1e-3}
    model = GRU.from_options(
        options | {"weight_decay": 0.0, "dropout": 0.1, "balance": False}, device="cpu", on_step=lambda: None
    )

    assert model.steps(inputs) == 2 * 6  # 180 records are present
    assert model.fit(inputs, ["rising"], y, np.arange(200), random_state=0, steps=3).steps_ == 3


def test_one_moment_a_record_is_one_step():
    """No time passes: neither decay nor course; what was measured is learnt from all the same."""
    y = (np.arange(60) % 2).astype(float)
    inputs = read([(row, HEART, 70 + 30 * y[row] + row % 5, -float(row % 4)) for row in range(60)], 60)
    model = quick().fit(inputs, ["fast"], y[:, None], np.arange(60), random_state=0)

    assert model.plan_.steps == 1
    assert roc_auc_score(y, model.encode(inputs).log_odds[:, 0]) > 0.95


def test_records_with_nothing_but_categories_are_learnt_from_too(tmp_path):
    y = (np.arange(60) % 2).astype(float)
    inputs = read([(row, ("consciousness_acvpu", ""), "VA"[int(y[row])], 0.0) for row in range(60)], 60)
    model = quick().fit(inputs, ["alert"], y[:, None], np.arange(60), random_state=0)
    model.save(tmp_path)

    assert model.plan_.codes == ()
    assert roc_auc_score(y, GRU.load(tmp_path, device="cpu").encode(inputs).log_odds[:, 0]) > 0.95


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_recurrence_is_that_of_the_paper():
    """The equations of Che et al., Scientific Reports 8:6085, 2018, step by step, with the square as an input more.
    As in torch's GRU the reset gate acts on U h + b, and the update gate keeps the old state."""
    torch.manual_seed(0)
    n, steps, codes, width = 3, 5, 2, 4
    network = GRUD(codes, width)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    generator = np.random.default_rng(0)
    mask = (generator.random((n, steps, codes)) < 0.5).astype(np.float32)
    given = generator.normal(size=(n, steps, codes))
    p = {name: parameter.detach().double().numpy() for name, parameter in network.named_parameters()}

    h, last, delta = np.zeros((n, width)), np.zeros((n, codes)), np.zeros((n, codes))
    seen = np.zeros((n, codes))
    values, deltas = [], []
    for t in range(steps):
        delta = np.where(mask[:, t - 1] > 0, 1.0, 1.0 + delta) if t else delta
        last = np.where(mask[:, t] > 0, given[:, t], last)
        seen = np.maximum(seen, mask[:, t])
        values.append(last)
        deltas.append(delta)
        decay = np.exp(-np.maximum(0, p["value_decay"] * delta + p["value_decay_bias"]))
        x = mask[:, t] * last + (1 - mask[:, t]) * decay * last
        h = np.exp(-np.maximum(0, delta @ p["state_decay"].T + p["state_decay_bias"])) * h
        shown = np.hstack([x, seen * (x**2 - 1), mask[:, t]]) @ p["input_weight"].T + p["input_bias"]
        before = h @ p["state_weight"].T + p["state_bias"]
        r, z = (sigmoid(shown[:, i] + before[:, i]) for i in (slice(0, width), slice(width, 2 * width)))
        new = np.tanh(shown[:, 2 * width :] + r * before[:, 2 * width :])
        h = z * h + (1 - z) * new
    arrays = (torch.from_numpy(np.stack(part, axis=1)).float() for part in (values, list(mask.swapaxes(0, 1)), deltas))

    assert_allclose(network(*arrays).detach(), h, atol=1e-5)


def test_a_hidden_quantity_looks_as_if_it_had_never_been_measured():
    torch.manual_seed(0)
    value, mask, delta = torch.ones(50, 3, 4), torch.ones(50, 3, 4), torch.tensor([0.0, 1, 1])[:, None].expand(50, 3, 4)
    value, mask, delta = hide(value, mask, delta)
    hidden = mask[:, 0] == 0

    assert 0 < hidden.sum() < 200
    assert (value == mask).all()
    assert (mask.amin(1) == mask.amax(1)).all()
    assert (delta.movedim(1, 2)[hidden] == torch.tensor([0.0, 1, 2])).all()
    assert (delta.movedim(1, 2)[~hidden] == torch.tensor([0.0, 1, 1])).all()
