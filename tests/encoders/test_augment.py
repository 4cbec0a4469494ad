"""Augmentation."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from multimodal.encoders.augment import Augmentation, affine_matrices, augment, erased, moved_by
from multimodal.learning.torchvision_shim import torchvision  # noqa: F401  before its transforms

from torchvision.transforms import InterpolationMode  # isort: skip
from torchvision.transforms.v2 import functional as v2  # isort: skip

STILL = Augmentation(rotation=0, shear=0, shift=0, scale=0, brightness=0, contrast=0, noise=0)


def under(seed):
    return torch.Generator().manual_seed(seed)


def test_of_no_strength_it_changes_nothing():
    pictures = torch.rand(3, 1, 32, 32)

    assert_allclose(augment(pictures, STILL, under(0)), pictures, atol=1e-5)


def test_the_same_seed_gives_the_same_pictures_and_each_its_own_change():
    same = torch.rand(1, 1, 32, 32).expand(4, -1, -1, -1)
    strong = Augmentation(rotation=20, shear=8, erase=0.2, flip=True)

    assert torch.equal(augment(same, strong, under(1)), augment(same, strong, under(1)))
    assert not torch.equal(augment(same, strong, under(1)), augment(same, strong, under(2)))
    assert len({picture.sum().item() for picture in augment(same, strong, under(1))}) == 4


@given(
    angle=st.floats(-30, 30),
    shear=st.floats(-10, 10),
    scale=st.floats(0.8, 1.2),
    shift=st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    mirrored=st.booleans(),
)
def test_the_geometry_is_torchvisions(angle, shear, scale, shift, mirrored):
    """Away from the border, which the two fill in other ways."""
    smooth = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 68, 68, generator=under(0)), 5, 1)
    matrices = affine_matrices(
        angle=torch.tensor([angle]),
        shear=torch.tensor([shear]),
        scale=torch.tensor([scale]),
        shift=torch.tensor([shift]) / 64,
        mirrored=torch.tensor([mirrored]),
    )
    theirs = v2.affine(smooth, angle, list(shift), scale, [shear, 0.0], interpolation=InterpolationMode.BILINEAR)
    theirs = v2.horizontal_flip(theirs) if mirrored else theirs

    assert_allclose(moved_by(smooth, matrices)[..., 24:40, 24:40], theirs[..., 24:40, 24:40], atol=1e-4)


def test_it_does_not_flip_unless_told():
    """A bright left edge stays left under every small move; with flips about half of them go right."""
    pictures = torch.zeros(200, 1, 32, 32)
    pictures[:, :, :, :10] = 1

    def on_the_left(flip):
        moved = augment(pictures, Augmentation(noise=0, flip=flip), under(0))
        return (moved[..., :16].sum((1, 2, 3)) > moved[..., 16:].sum((1, 2, 3))).sum().item()

    assert on_the_left(False) == 200
    assert 60 <= on_the_left(True) <= 140  # outside by luck: under 1e-8


def test_brightness_contrast_and_noise_keep_to_their_strength():
    pictures = torch.randn(400, 1, 8, 8, generator=under(0)).clamp(-2, 2)
    changed = {
        name: augment(pictures, Augmentation(**{**vars(STILL), name: 0.1}), under(1)) - pictures
        for name in ("brightness", "contrast", "noise")
    }

    assert changed["brightness"].abs().max() <= 0.1 + 1e-5
    assert changed["contrast"].abs().max() <= 0.2 + 1e-5
    assert changed["noise"].std().item() == pytest.approx(0.1, rel=0.03)


def test_erasing_takes_a_rectangle_of_the_stated_area_from_half_of_the_pictures():
    left = erased(torch.ones(400, 1, 50, 50), 0.2, under(0))[:, 0]
    gone = left == 0
    area = gone.float().mean((1, 2))
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)

    assert 160 <= (area > 0).sum() <= 240  # outside by luck: under 1e-4
    assert area.max() <= 0.23  # whole pixels of a small picture
    assert torch.equal(gone.sum((1, 2)), rows * columns)
