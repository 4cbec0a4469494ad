"""The CNN and its augmentation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from multimodal.encoders.augment import Augmentation, augment
from multimodal.encoders.backbones import BACKBONES
from multimodal.encoders.cnn import CNN, mean_by_record, standardised
from multimodal.encoders.inputs import ImageInputs
from multimodal.learning.torchvision_shim import torchvision

QUICK = {"epochs": 1, "min_steps": 60, "max_steps": 60, "device": "cpu"}


@pytest.fixture(scope="module")
def spots():
    """120 noise pictures of 100 records; half of the records have a bright spot in each of their pictures."""
    rng = np.random.default_rng(0)
    record = np.sort(np.concatenate([np.arange(100), np.arange(20)]))
    y = (np.arange(100) % 2).astype(float)
    pixels = rng.integers(60, 120, (120, 48, 48)).astype(np.uint8)
    pixels[y[record] == 1, 16:24, 20:28] += 100
    kinds, digests = ["radiograph"] * 120, [str(i) for i in range(120)]
    return ImageInputs(record, pixels, kinds, digests, [], 100), y[:, None]


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


def test_several_pictures_are_averaged_and_none_is_absent(fitted, spots):
    inputs, _ = spots
    two = ImageInputs(np.array([0, 0]), inputs.pixels[[0, 2]], ["", ""], ["a", "b"], [], 2)
    one_each = ImageInputs(np.array([0, 1]), inputs.pixels[[0, 2]], ["", ""], ["a", "b"], [], 2)
    found = fitted.encode(two)

    assert found.present.tolist() == [True, False]
    assert_allclose(found.log_odds[0], fitted.encode(one_each).log_odds.mean(axis=0), atol=1e-6)
    assert np.isnan(found.log_odds[1]).all()


def test_a_picture_of_a_kind_it_never_saw_is_refused_by_name(fitted, spots):
    inputs, _ = spots
    ct = ImageInputs(np.array([0, 1]), inputs.pixels[:2], ["ct", "radiograph"], ["a", "b"], [], 2)
    found = fitted.encode(ct)

    assert found.present.tolist() == [False, True]
    assert [(row, str(problem)) for row, problem in found.problems] == [
        (0, "WRONG_KIND: image: the picture is a ct; the model was trained on radiograph")
    ]


def test_unknown_labels_teach_nothing(spots):
    inputs, y = spots
    unknown = np.column_stack([y[:, 0], np.full(100, np.nan)])
    model = CNN(**QUICK).fit(inputs, ["spot", "none"], unknown, np.arange(100), random_state=0)

    assert np.isfinite(model.encode(inputs).log_odds).all()


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_maps_a_grey_picture_to_its_features(name):
    network = BACKBONES[name](None).eval()

    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 64, 64)).shape == (2, network.features)


def test_local_weights_are_taken_over(tmp_path):
    source = torchvision.models.resnet18(weights=None)
    save_file({name: tensor.contiguous() for name, tensor in source.state_dict().items()}, tmp_path / "w.safetensors")
    network = BACKBONES["resnet18"](tmp_path / "w.safetensors")

    assert torch.equal(network.network.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


def test_augmentation_of_no_strength_changes_nothing():
    pictures = torch.rand(3, 1, 32, 32)
    still = Augmentation(rotation=0, shift=0, scale=0, contrast=0, noise=0)

    assert_allclose(augment(pictures, still, torch.Generator().manual_seed(0)), pictures, atol=1e-5)


def test_augmentation_does_not_flip_unless_told():
    """A bright left edge stays left under every small move; with flips about half of them go right."""
    pictures = torch.zeros(200, 1, 32, 32)
    pictures[:, :, :, :10] = 1

    def on_the_left(flip):
        moved = augment(pictures, Augmentation(noise=0, flip=flip), torch.Generator().manual_seed(0))
        return (moved[..., :16].sum((1, 2, 3)) > moved[..., 16:].sum((1, 2, 3))).sum().item()

    assert on_the_left(False) == 200
    assert 60 <= on_the_left(True) <= 140  # outside by luck: under 1e-8


def test_standardised_pictures_have_mean_0_and_deviation_1():
    pixels = torch.randint(0, 255, (4, 20, 20), dtype=torch.uint8)
    pictures = standardised(pixels)

    assert_allclose(pictures.mean((1, 2, 3)), 0, atol=1e-5)
    assert_allclose(pictures.std((1, 2, 3)), 1, atol=1e-5)


def test_mean_by_record_by_hand():
    found = mean_by_record(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 2]), 3)

    assert_array_equal(found, [[2.0], [np.nan], [5.0]])
