"""Copies of a picture are found after what happens to pictures on their way; different pictures are not."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from multimodal.encoders.inputs import ImageInputs
from multimodal.imaging import Preparation, prepare
from multimodal.leakage.picture_twins import same_pictures
from multimodal.sources.synthetic.radiograph import draw_radiograph

COUNT = 40


@pytest.fixture(scope="module")
def radiographs() -> list[np.ndarray]:
    """Drawn radiographs (H, W) in [0, 1], 150 wide and high or a little more; all have one anatomy."""
    random = np.random.default_rng(0)
    shapes = random.integers(150, 193, (COUNT, 2))
    return [draw_radiograph(random.random(3), (int(h), int(w)), random).astype(np.float32) for h, w in shapes]


def inputs(pictures: list[np.ndarray], name: str) -> ImageInputs:
    """One picture a record, prepared as an encoder would see it, each file with a digest of its own."""
    k = len(pictures)
    return ImageInputs(
        record=np.arange(k),
        pixels=np.stack([prepare(picture, Preparation(size=128)) for picture in pictures]),
        picture=np.arange(k),
        kind=[""] * k,
        digest=[f"{name} {i}" for i in range(k)],
        where=[""] * k,
        facts=[{}] * k,
        problems=[],
        n=k,
        properties=[{"height": float(p.shape[0]), "width": float(p.shape[1])} for p in pictures],
    )


def jpeg(picture: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.uint8(picture * 255)).save(stream, "JPEG", quality=30)
    return np.asarray(PIL.Image.open(stream), dtype=np.float32) / 255


def half(picture: np.ndarray) -> np.ndarray:
    return np.asarray(PIL.Image.fromarray(picture).resize((picture.shape[1] // 2, picture.shape[0] // 2)))


def cropped(picture: np.ndarray) -> np.ndarray:
    """By 3 % on each side."""
    rows, columns = (round(0.03 * side) for side in picture.shape)
    return picture[rows:-rows, columns:-columns]


def square(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    side = min(height, width)
    return picture[(height - side) // 2 :, (width - side) // 2 :][:side, :side]


CHANGES = {
    "the same": lambda picture: picture,
    "JPEG of quality 30": jpeg,
    "half the size": half,
    "brighter, less contrast": lambda picture: 0.6 * picture + 0.3,
    "another gamma": lambda picture: picture**1.4,
    "cropped by 3 % a side": cropped,
    "cropped to the centre square": square,
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "inverted": lambda picture: 1 - picture,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_copy_is_found_and_nothing_else(radiographs, change):
    parts = [(0, inputs(radiographs, "original")), (COUNT, inputs([change(one) for one in radiographs], "copy"))]

    assert same_pictures(parts).tolist() == [[i, COUNT + i] for i in range(COUNT)]


def test_the_same_file_is_found_whatever_its_pixels_are(radiographs):
    twins = inputs(radiographs[:2], "file")

    assert same_pictures([(0, twins), (2, twins)]).tolist() == [[0, 2], [1, 3]]


def test_different_children_are_not_taken_for_one(shared):
    """composite: each image is used once (its README), 647 can be read, all of children's chests."""
    from multimodal import Cohort
    from multimodal.encoders.inputs import read_images
    from multimodal.model import Config

    batch = Cohort.open(shared / "data" / "composite").batch()
    images = read_images(batch, Config().image.model_dump(), workers=2)

    assert len(images.digest) == 647
    assert same_pictures([(0, images)]).tolist() == []
