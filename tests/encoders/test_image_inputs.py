"""Pictures, and the slices of volumes, follow their records wherever these go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from multimodal.encoders.inputs import READERS, ImageInputs
from multimodal.model import Config
from multimodal.records import Batch, ImageItem

# Picture i belongs to record RECORD[i] and has SLICES[i] slices; each slice holds 10 i + its number.
RECORD, SLICES = np.array([0, 1, 1, 3]), [1, 3, 1, 2]


def inputs() -> ImageInputs:
    values = [10 * i + j for i, count in enumerate(SLICES) for j in range(count)]
    pixels = np.array(values, np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
    names = [f"picture {i}" for i in range(4)]
    facts = [{"modality": name} for name in names]
    return ImageInputs(RECORD, pixels, np.repeat(np.arange(4), SLICES), names, names, names, facts, [], 4)


def told(found: ImageInputs) -> list[tuple[int, str, list[int]]]:
    """(record, digest, values of the slices) of each picture."""
    return [
        (int(record), digest, found.pixels[found.picture == i, 0, 0].tolist())
        for i, (record, digest) in enumerate(zip(found.record, found.digest))
    ]


@given(rows=st.lists(st.integers(0, 3), unique=True))
def test_records_take_their_pictures_and_slices_along(rows):
    found, all_pictures = inputs().take(np.array(rows, dtype=int)), told(inputs())

    expected = [(place, *one[1:]) for place, row in enumerate(rows) for one in all_pictures if one[0] == row]
    assert told(found) == expected
    assert found.provenance() == [(row, name, {"modality": name}) for row, name, _ in expected]
    assert found.fingerprints() == [(row, name) for row, name, _ in expected]
    assert (np.diff(found.picture) >= 0).all()


def test_a_dropped_picture_takes_its_slices_along():
    found = inputs().without(np.array([False, True, False, False]))

    assert told(found) == [(0, "picture 0", [0]), (1, "picture 2", [20]), (3, "picture 3", [30, 31])]
    assert found.present.tolist() == [True, True, False, True]


@pytest.mark.parametrize("slices", [3, 16])
def test_a_record_may_hold_a_radiograph_and_a_series(shared, slices):
    dicom = shared / "data" / "dicom"
    paths = dicom / "cr" / "CR-MONO1-10-chest", dicom / "series-mr-ge"
    ids = np.array(["r"], dtype=object)
    items = [ImageItem(0, path, where=f"images[{number}]") for number, path in enumerate(paths)]
    batch = Batch(ids, ids, np.array([np.nan]), np.array([""], dtype=object), images=items)
    options = Config.model_validate({"image": {"slices": slices, "size": 32}}).image.model_dump()

    found = READERS["image"](batch, options, workers=1)

    assert_array_equal(found.picture, [0] + [1] * min(slices, 5))
    assert found.pixels.shape[1:] == (32, 32)
    assert [(where, facts["modality"]) for _, where, facts in found.provenance()] == [
        ("images[0]", "CR"),
        ("images[1]", "MR"),
    ]
