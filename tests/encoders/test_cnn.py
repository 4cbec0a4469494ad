"""The CNN and its augmentation."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from multimodal.encoders.backbones import BACKBONES, XRAYVISION_DEVIATION, pretrained
from multimodal.encoders.cnn import CNN
from multimodal.encoders.inputs import ImageInputs
from multimodal.encoders.pretrained import write_facts
from multimodal.encoders.slices import levels, standardised
from multimodal.imaging import Preparation
from multimodal.learning import checkpoint
from multimodal.learning.loop import Schedule
from multimodal.learning.torchvision_shim import torchvision
from multimodal.learning.weights import save_weights
from multimodal.records import UsageError


def steps(n):
    return Schedule(epochs=1, min_steps=n, max_steps=n, learning_rate=3e-3, weight_decay=0.05)


QUICK = {"schedule": steps(60), "device": "cpu"}


def pictures(record, pixels, n, kinds=None, picture=None):
    """Inputs of n records: one slice a picture, unless `picture` says which each slice belongs to."""
    record = np.asarray(record)
    k = len(record)
    return ImageInputs(
        record=record,
        pixels=pixels,
        picture=np.arange(k) if picture is None else np.asarray(picture),
        kind=kinds or [""] * k,
        digest=[str(i) for i in range(k)],
        where=[f"images[{i}]" for i in range(k)],
        facts=[{}] * k,
        problems=[],
        n=n,
    )


@pytest.fixture(scope="module")
def spots():
    """120 noise pictures of 100 records; half of the records have a bright spot in each of their pictures."""
    rng = np.random.default_rng(0)
    record = np.sort(np.concatenate([np.arange(100), np.arange(20)]))
    y = (np.arange(100) % 2).astype(float)
    pixels = rng.integers(60, 120, (120, 48, 48)).astype(np.uint8)
    pixels[y[record] == 1, 16:24, 20:28] += 100
    return pictures(record, pixels, 100, ["radiograph"] * 120), y[:, None]


@pytest.fixture(scope="module")
def fitted(spots):
    inputs, y = spots
    return CNN(**QUICK).fit(inputs, ["spot"], y, np.arange(100), random_state=0)


def test_it_finds_a_spot(fitted, spots):
    inputs, y = spots

    assert roc_auc_score(y[:, 0], fitted.encode(inputs).log_odds[:, 0]) > 0.95


def test_the_same_seed_gives_the_same_network_and_the_global_generator_is_left_alone(fitted, spots):
    inputs, y = spots
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = CNN(**QUICK).fit(inputs, ["spot"], y, np.arange(100), random_state=0)

    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(again.encode(inputs).log_odds, fitted.encode(inputs).log_odds)


def test_saved_and_loaded_it_says_the_same_to_the_bit(fitted, spots, tmp_path):
    fitted.save(tmp_path)

    assert_array_equal(CNN.load(tmp_path, device="cpu").encode(spots[0]).log_odds, fitted.encode(spots[0]).log_odds)


def test_a_records_log_odds_do_not_depend_on_its_neighbours(fitted, spots):
    inputs, _ = spots
    alone = np.concatenate([fitted.encode(inputs.take(np.array([row]))).log_odds for row in (0, 31, 99)])

    assert_allclose(alone, fitted.encode(inputs).log_odds[[0, 31, 99]], atol=1e-5)


def test_with_equal_attention_several_pictures_are_averaged_and_none_is_absent(fitted, spots):
    inputs, _ = spots
    model = CNN.__new__(CNN)
    model.__dict__ = {**fitted.__dict__, "network_": copy.deepcopy(fitted.network_)}
    torch.nn.init.zeros_(model.network_.attention.weight)
    two = pictures([0, 0], inputs.pixels[[0, 2]], 2)
    one_each = pictures([0, 1], inputs.pixels[[0, 2]], 2)
    found = model.encode(two)

    assert found.present.tolist() == [True, False]
    assert_allclose(found.log_odds[0], model.encode(one_each).log_odds.mean(axis=0), atol=1e-6)
    assert np.isnan(found.log_odds[1]).all()


def test_it_finds_the_one_slice_of_a_volume_that_shows_the_spot():
    """60 volumes of 8 slices; in half of them one slice, anywhere, has the spot. Attention turns to it."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    pixels = rng.integers(60, 120, (60, 8, 48, 48)).astype(np.uint8)
    spotted = rng.integers(0, 8, 60)
    for row in np.flatnonzero(y):
        pixels[row, spotted[row], 16:24, 20:28] += 100
    inputs = pictures(np.arange(60), pixels.reshape(-1, 48, 48), 60, picture=np.repeat(np.arange(60), 8))
    model = CNN(schedule=steps(150), device="cpu").fit(
        inputs, ["spot"], y[:, None].astype(float), np.arange(60), random_state=0
    )

    assert roc_auc_score(y, model.encode(inputs).log_odds[:, 0]) > 0.95


def test_the_order_of_a_records_slices_is_irrelevant(fitted, spots):
    inputs, _ = spots
    there = pictures([0], inputs.pixels[:5], 1, picture=[0] * 5)
    back = pictures([0], inputs.pixels[:5][::-1].copy(), 1, picture=[0] * 5)

    assert_allclose(fitted.encode(there).log_odds, fitted.encode(back).log_odds, atol=1e-5)


def test_a_picture_of_a_kind_it_never_saw_is_refused_by_name(fitted, spots):
    inputs, _ = spots
    found = fitted.encode(pictures([0, 1], inputs.pixels[:2], 2, ["ct", "radiograph"]))

    assert found.present.tolist() == [False, True]
    assert [(row, str(problem)) for row, problem in found.problems] == [
        (0, "WRONG_KIND: image: the picture is a ct; the model was trained on radiograph")
    ]


def test_balanced_it_answers_at_the_base_rate_where_the_pictures_tell_nothing():
    """Noise alone, one of twenty positive: without the base rate put back, the log-odds would lie near 0."""
    rng = np.random.default_rng(0)
    y = (np.arange(100) % 20 == 0).astype(float)[:, None]
    noise = pictures(np.arange(100), rng.integers(0, 255, (100, 32, 32)).astype(np.uint8), 100)
    model = CNN(schedule=steps(10), device="cpu", balance=True).fit(noise, ["rare"], y, np.arange(100), random_state=0)

    assert_allclose(model.encode(noise).log_odds.mean(), np.log(6 / 96), atol=0.5)


def test_early_stopping_takes_no_more_steps_than_it_needs_and_says_how_many(spots):
    """Labels at random: nothing can be learnt, so the validation loss soon rises."""
    inputs, _ = spots
    y = np.random.default_rng(0).integers(0, 2, (100, 1)).astype(float)
    options = {"validation": 0.3, "patience": 2, "device": "cpu"}
    model = CNN(schedule=steps(400), **options).fit(inputs, ["coin"], y, np.arange(100), random_state=0)
    told = CNN(schedule=steps(400), **options).fit(inputs, ["coin"], y, np.arange(100), random_state=0, steps=5)
    whole = CNN(schedule=steps(5), device="cpu").fit(inputs, ["coin"], y, np.arange(100), random_state=0)

    assert 0 < model.steps_ < 400
    assert told.steps_ == 5
    # Under the rates of the first 5 of 400 steps it has gone less far than in a whole training of 5.
    weights = [model.network_.head.weight.norm() for model in (told, whole)]
    assert weights[0] < weights[1] / 3


def test_an_interrupted_training_goes_on_to_the_same_network(spots, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    inputs, y = spots
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        if calls == 30:
            raise KeyboardInterrupt

    whole = CNN(**QUICK).fit(inputs, ["spot"], y, np.arange(100), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        CNN(**QUICK, on_step=stop, kept_in=tmp_path).fit(inputs, ["spot"], y, np.arange(100), random_state=0)
    resumed = CNN(**QUICK, kept_in=tmp_path).fit(inputs, ["spot"], y, np.arange(100), random_state=0)

    assert_array_equal(resumed.encode(inputs).log_odds, whole.encode(inputs).log_odds)


def test_unknown_labels_teach_nothing(spots):
    inputs, y = spots
    unknown = np.column_stack([y[:, 0], np.full(100, np.nan)])
    model = CNN(**QUICK).fit(inputs, ["spot", "none"], unknown, np.arange(100), random_state=0)

    assert np.isfinite(model.encode(inputs).log_odds).all()


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_maps_a_grey_picture_to_its_features(name):
    network = BACKBONES[name]().eval()

    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 64, 64)).shape == (2, network.features)


def saved(network, path, **more):
    save_file({name: tensor.contiguous() for name, tensor in (network.state_dict() | more).items()}, path)
    return path


@pytest.mark.parametrize(("name", "last"), [("resnet18", "fc"), ("densenet121", "classifier")])
def test_torchvisions_weights_answer_as_torchvisions_network_to_three_equal_channels(name, last, tmp_path):
    source = getattr(torchvision.models, name)(weights=None).eval()
    network = pretrained(name, saved(source, tmp_path / "w.safetensors")).eval()
    setattr(source, last, torch.nn.Identity())
    grey = torch.randn(2, 1, 64, 64)

    with torch.inference_mode():
        assert_allclose(network(grey), source(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)


def test_torchxrayvisions_weights_answer_to_pictures_of_its_scale(tmp_path):
    """Its DenseNet has torchvision's names, one grey channel, 18 classes and their thresholds."""
    source = torchvision.models.densenet121(weights=None).eval()
    source.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    source.classifier = torch.nn.Linear(1024, 18)
    path = saved(source, tmp_path / "w.safetensors", op_threshs=torch.zeros(18))  # as newer versions keep them
    network = pretrained("densenet121", path).eval()
    source.classifier = torch.nn.Identity()
    grey = torch.randn(2, 1, 64, 64)

    with torch.inference_mode():
        assert_allclose(network(grey), source(grey * XRAYVISION_DEVIATION), rtol=1e-3, atol=1e-3)


def test_weights_of_another_network_are_refused(tmp_path):
    path = saved(torchvision.models.resnet34(weights=None), tmp_path / "w.safetensors")

    with pytest.raises(UsageError, match=r"image.weights: .* is no file of resnet18: Error"):
        CNN(backbone="resnet18", weights=str(path)).check()


def test_a_pretrained_folder_is_of_one_backbone_and_one_preparation(tmp_path):
    save_weights(BACKBONES["compact"](), tmp_path / "backbone.safetensors")
    write_facts(tmp_path, backbone="compact", preparation=Preparation(enhance="clahe"), facts={})
    options = {"weights": str(tmp_path), "device": "cpu"}
    CNN(**options, preparation=Preparation(size=64, enhance="clahe")).check()

    with pytest.raises(UsageError) as other_backbone:
        CNN(**options, backbone="resnet18").check()
    assert str(other_backbone.value) == f"image.weights: {tmp_path} holds a compact; image.backbone is resnet18"
    with pytest.raises(UsageError) as other_preparation:
        CNN(**options, preparation=Preparation()).check()
    assert str(other_preparation.value) == (
        f"image.weights: {tmp_path} was trained with enhance = clahe: set image.enhance"
    )


def test_with_weights_the_first_steps_leave_the_backbone_alone_and_the_last_layers_learn_fastest(spots, tmp_path):
    inputs, y = spots
    source = BACKBONES["compact"]()
    save_weights(source, tmp_path / "w.safetensors")
    options = {"weights": str(tmp_path / "w.safetensors"), "device": "cpu"}

    def moved(**more):
        """How far the first and the last kernel of the backbone went, relative to where they were."""
        model = CNN(**options, **more).fit(inputs, ["spot"], y, np.arange(100), random_state=0)
        before, after = source.state_dict(), model.network_.backbone.state_dict()
        names = ("stem.0.weight", "stages.3.main.3.weight")
        return [((after[name] - before[name]).norm() / before[name].norm()).item() for name in names]

    assert moved(schedule=steps(6), frozen=1.0) == [0.0, 0.0]
    first, last = moved(schedule=steps(20), frozen=0.5, stem_rate=0.01)
    assert 0 < first < last / 4


def test_standardised_pictures_have_mean_0_and_deviation_1():
    pixels = np.random.default_rng(0).integers(0, 255, (4, 20, 20)).astype(np.uint8)
    shown = standardised(torch.from_numpy(pixels), levels(pixels, np.arange(4)))

    assert_allclose(shown.mean((1, 2, 3)), 0, atol=1e-5)
    assert_allclose(shown.std((1, 2, 3)), 1, atol=1e-5)


def test_the_slices_of_a_volume_keep_one_scale():
    """Against numpy over the whole volume: what is faint in one slice stays faint."""
    rng = np.random.default_rng(0)
    volume = (rng.integers(0, 255, (3, 20, 20)) * np.array([1, 0.1, 0.5])[:, None, None]).astype(np.uint8)
    pixels = np.concatenate([volume, rng.integers(0, 255, (1, 20, 20)).astype(np.uint8)])
    shown = standardised(torch.from_numpy(pixels), levels(pixels, np.array([0, 0, 0, 1]))).numpy()

    expected = (volume - volume.mean()) / volume.std()
    assert_allclose(shown[:3, 0], expected, rtol=2e-3, atol=2e-3)  # a slice's own deviation has n - 1 below it
    assert_allclose(shown[3].std(), 1, atol=2e-3)
