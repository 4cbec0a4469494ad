"""From a picture to the square that an encoder reads: each step by itself, then all of them in order."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import median_filter
from skimage.exposure import equalize_adapthist
from skimage.restoration import denoise_nl_means

from multimodal.imaging import Preparation, prepare, read_image
from multimodal.imaging.prepare import (
    DENOISERS,
    ENHANCERS,
    clahe,
    median,
    nlm,
    noise,
    normalised,
    padded,
    percentile,
    percentiles,
    prepare_slices,
    reduced,
    resized,
)
from multimodal.imaging.windows import WINDOW_NAMES
from multimodal.records import UsageError

sides = st.integers(1, 24)
pictures = arrays.arrays(np.uint8, st.tuples(sides, sides)).map(lambda levels: levels / np.float32(255))
choices = st.builds(
    Preparation,
    size=st.integers(1, 48),
    denoise=st.sampled_from(sorted(DENOISERS)),
    enhance=st.sampled_from(sorted(ENHANCERS)),
)


@pytest.fixture(scope="module")
def radiograph(shared) -> np.ndarray:
    """float32 (1024, 1024) in [0, 1]"""
    return read_image(shared / "data" / "dicom" / "cr" / "rsna_chest_mono2.dcm").grey


def test_by_default_a_picture_is_normalised_resized_and_padded_and_nothing_else(radiograph):
    """The same in Pillow and numpy alone."""
    wide = radiograph[:700]
    low, high = np.percentile(wide, (0.5, 99.5))
    small = np.asarray(PIL.Image.fromarray(wide).resize((96, 66), PIL.Image.Resampling.BILINEAR, reducing_gap=3.0))
    expected = np.rint(np.clip((small - low) / (high - low), 0, 1) * 255)

    square = prepare(wide, Preparation(size=96))

    assert (square.shape, square.dtype) == ((96, 96), np.uint8)
    assert_array_equal(square[15:81], expected)
    assert not square[:15].any()
    assert not square[81:].any()


def test_the_steps_come_in_the_order_of_the_documentation(radiograph):
    wide = radiograph[:700]
    quiet = median(reduced(wide, 2 * 96))
    levels = normalised(resized(quiet, 96), *percentiles(quiet))

    square = prepare(wide, Preparation(size=96, denoise="median", enhance="clahe"))

    assert_array_equal(square, padded(clahe(levels), 96))


@given(grey=pictures, preparation=choices)
@settings(max_examples=50, deadline=None)
def test_every_picture_and_choice_give_a_square_of_the_size_and_the_same_one_again(grey, preparation):
    before = grey.copy()
    square = prepare(grey, preparation)

    assert (square.shape, square.dtype) == ((preparation.size, preparation.size), np.uint8)
    assert_array_equal(prepare(grey, preparation), square)
    assert_array_equal(grey, before)


@given(grey=pictures, exponent=st.integers(-6, 0), preparation=choices)
@settings(max_examples=50, deadline=None)
def test_darkening_the_whole_picture_changes_nothing(grey, exponent, preparation):
    """By powers of two, which are exact: percentiles, filters and resizing all follow."""
    darker = grey * np.float32(2.0**exponent)
    levels = prepare(darker, preparation).astype(int)

    # Pillow sums in double and rounds to single; non-local means weigh by the ratio to the noise.
    assert_allclose(levels, prepare(grey, preparation).astype(int), atol=1)


@given(grey=pictures, scale=st.floats(0.05, 1.0), offset=st.floats(0.0, 0.5))
@settings(max_examples=50, deadline=None)
def test_percentile_normalisation_undoes_every_rising_line(grey, scale, offset):
    grey = grey.astype(np.float64)
    low, high = percentiles(grey)
    assume(high == low or high - low > 1e-6)  # between two pixels, an index may be off by a rounding
    line = grey * scale + offset

    assert_allclose(normalised(line, *percentiles(line)), normalised(grey, low, high), atol=1e-6)


@given(grey=pictures)
@settings(max_examples=50, deadline=None)
def test_percentile_normalisation_keeps_the_order_of_the_levels(grey):
    levels = normalised(grey, *percentiles(grey))

    assert (np.diff(levels.ravel()[np.argsort(grey, axis=None)]) >= 0).all()
    assert levels.min() == 0
    assert levels.max() == (1 if np.ptp(grey) > 0 else 0)


@pytest.mark.parametrize("denoise", DENOISERS)
@pytest.mark.parametrize("enhance", ENHANCERS)
def test_a_monochrome1_twin_is_prepared_to_the_same_picture(write_dicom, denoise, enhance):
    stored = np.random.default_rng(0).integers(0, 4096, (60, 40)).astype(np.uint16)
    twin = (stored.max() + stored.min() - stored).astype(np.uint16)
    paths = write_dicom("a.dcm", stored), write_dicom("b.dcm", twin, PhotometricInterpretation="MONOCHROME1")
    preparation = Preparation(size=24, denoise=denoise, enhance=enhance)

    plain, turned = (prepare(read_image(path).grey, preparation).astype(int) for path in paths)

    # 1 - x is rounded once more than x: non-local means and tiles' histograms may tip over by a level.
    assert_allclose(turned, plain, atol=0 if (denoise, enhance) == ("none", "none") else 2)


@given(
    grey=arrays.arrays(np.float32, st.tuples(sides, sides), elements=st.floats(0, 1, width=32)),
    preparation=choices,
)
@settings(max_examples=50, deadline=None)
def test_every_level_in_range_is_accepted(grey, preparation):
    assert prepare(grey, preparation).shape == (preparation.size, preparation.size)


@given(gain=st.floats(0.1, 1), offset=st.floats(0, 0.5))
@settings(max_examples=50, deadline=None)
def test_exposure_does_not_change_the_prepared_picture(gain, offset):
    grey = np.random.default_rng(0).random((50, 40), dtype=np.float32)
    exposed = (grey * np.float32(gain) + np.float32(offset)).astype(np.float32)

    plain, again = (prepare(picture, Preparation(size=32)).astype(int) for picture in (grey, exposed))

    assert np.abs(again - plain).max() <= 1


def test_the_percentiles_are_those_of_numpy_and_of_a_nearly_flat_picture_its_range():
    ramp = np.arange(1001, dtype=np.float64).reshape(7, 143) / 1000
    speck = np.zeros((40, 40), np.float32)
    speck[3, 4] = 0.25

    assert_allclose(percentiles(ramp), (0.005, 0.995))
    assert percentiles(speck) == (0, 0.25)


@given(
    st.sampled_from((np.float32, np.float64)).flatmap(
        lambda kind: arrays.arrays(kind, st.integers(1, 300), elements=st.floats(0, 1, width=32))
    ),
    st.sampled_from((0.0, 0.5, 37.5, 99.5, 100.0)),
)
def test_a_percentile_is_that_of_numpy_to_the_bit(levels, percent):
    assert percentile(levels, percent) == np.percentile(levels, np.array([percent]))[0]


def test_a_flat_picture_becomes_black():
    for enhance in ENHANCERS:
        assert not prepare(np.full((9, 12), 0.5, np.float32), Preparation(size=8, enhance=enhance)).any()


def test_resizing_keeps_the_aspect_and_reducing_leaves_small_pictures_alone():
    grey = np.zeros((300, 200), np.float32)

    assert resized(grey, 60).shape == (60, 40)
    assert resized(grey, 600).shape == (600, 400)
    assert reduced(grey, 60).shape == (60, 40)
    assert reduced(grey, 600) is grey
    assert resized(np.zeros((1000, 1), np.float32), 10).shape == (10, 1)


def test_reduction_does_not_alias():
    """A fine checkerboard becomes its mean, not stripes (the border apart)."""
    board = (np.indices((256, 256)).sum(axis=0) % 2).astype(np.float32)

    assert np.ptp(resized(board, 32)[2:-2, 2:-2]) <= 2 / 255


def test_padding_centres_and_rounds_to_the_nearest_level():
    levels = np.array([[0.0, 0.5, 1.0], [0.1, 0.9, 1 / 3]])

    assert_array_equal(
        padded(levels, 5), [[0] * 5, [0, 0, 128, 255, 0], [0, 26, 230, 85, 0], [0] * 5, [0] * 5]
    )  # 127.5 is rounded to the even 128, 25.5 to 26, 229.5 to 230


@given(grey=pictures)
@settings(max_examples=50, deadline=None)
def test_the_median_is_that_of_scipy(grey):
    assert_array_equal(median(grey), median_filter(grey, size=3, mode="nearest"))


def test_the_median_takes_specks_away_and_keeps_an_edge():
    edge = np.zeros((12, 12), np.float32)
    edge[:, 6:] = 1
    specked = edge.copy()
    specked[3, 3], specked[8, 9] = 1, 0

    assert_array_equal(median(specked), edge)


def test_non_local_means_are_those_of_scikit_image_at_the_noise_of_the_picture(radiograph):
    grey = reduced(radiograph, 128)
    expected = denoise_nl_means(
        grey, patch_size=5, patch_distance=3, h=0.8 * noise(grey), sigma=noise(grey), fast_mode=True
    )

    assert_array_equal(nlm(grey), expected)


@pytest.mark.parametrize("denoise", ["median", "nlm"])
def test_denoising_takes_most_of_added_noise_away(radiograph, denoise):
    """Over half of the mean square: a seeded draw of 65,536 pixels, so that luck plays no part."""
    clean = reduced(radiograph, 256)
    noisy = clean + np.random.default_rng(0).normal(0, 0.05, clean.shape).astype(np.float32)

    left = ((DENOISERS[denoise](noisy) - clean) ** 2).mean()

    assert left < 0.5 * ((noisy - clean) ** 2).mean()


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.2])
def test_the_noise_of_a_sloped_picture_is_what_was_added_to_it(sigma):
    """Over 200 x 300 pixels the estimate scatters by under 1 %."""
    slope = np.add.outer(np.linspace(0, 1, 200), np.linspace(0, 2, 300))

    assert noise(slope) == pytest.approx(0, abs=1e-12)
    assert noise(slope + np.random.default_rng(0).normal(0, sigma, slope.shape)) == pytest.approx(sigma, rel=0.04)
    assert noise(slope[:2]) == 0


def test_a_picture_without_noise_is_left_alone_by_non_local_means():
    slope = np.add.outer(np.arange(8), np.arange(9)).astype(np.float32) / 16

    assert_array_equal(nlm(slope), slope)


def test_clahe_is_that_of_scikit_image(radiograph):
    levels = normalised(resized(radiograph, 128), *percentiles(radiograph))

    assert_array_equal(clahe(levels), equalize_adapthist(levels, clip_limit=0.01))


def test_clahe_spreads_a_dull_part_of_the_picture():
    """Its left half has all levels, its right half a scatter of 0.02; the limit is twice the slope here."""
    rng = np.random.default_rng(0)
    picture = np.hstack([rng.random((128, 64)), rng.normal(0.5, 0.02, (128, 64))])

    assert clahe(picture)[:, 80:].std() > 1.5 * picture[:, 80:].std()


def test_a_faint_slice_of_a_volume_stays_faint_under_clahe():
    """The slices share one range; each keeps the part of it that it has, 0 to its own greatest level."""
    ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    factors = np.array([1, 0.02, 0.5])
    plain, clearer = (
        prepare_slices(ramp * factors[:, None, None], Preparation(size=64, enhance=enhance))
        for enhance in ("none", "clahe")
    )

    assert_array_equal(clearer.max(axis=(1, 2)), plain.max(axis=(1, 2)))
    assert_array_equal(clearer.min(axis=(1, 2)), plain.min(axis=(1, 2)))
    assert (clearer != plain).any(axis=(1, 2)).all()


@given(grey=pictures, size=st.integers(8, 48))
@settings(max_examples=50, deadline=None)
def test_a_single_picture_has_what_clahe_makes_of_it_to_the_byte(grey, size):
    levels = normalised(resized(grey, size), *percentiles(grey))

    square = prepare(grey, Preparation(size=size, enhance="clahe"))

    assert_array_equal(square, padded(clahe(levels), size))


@given(grey=pictures, size=st.integers(8, 48))
@settings(max_examples=50, deadline=None)
def test_clahe_leaves_the_padding_black_and_does_not_see_it(grey, size):
    levels = resized(normalised(grey, *percentiles(grey)), size)
    height, width = levels.shape
    top, left = (size - height) // 2, (size - width) // 2

    square = padded(clahe(levels), size)
    inside = np.zeros((size, size), bool)
    inside[top : top + height, left : left + width] = True

    assert not square[~inside].any()
    if np.ptp(levels) > 0:
        expected = np.rint(equalize_adapthist(levels, clip_limit=0.01) * 255)
        assert_array_equal(square[inside].reshape(height, width), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"denoise": "medain"}, "denoise: 'medain' is none of none, median, nlm; did you mean 'median'?"),
        ({"enhance": "CLAHE"}, "enhance: 'CLAHE' is none of none, clahe; did you mean 'clahe'?"),
        ({"window": "bones"}, f"window: 'bones' is none of {', '.join(WINDOW_NAMES)}; did you mean 'bone'?"),
        ({"size": 0}, "size: 0 is below 1"),
        ({"slices": 0}, "slices: 0 is below 1"),
    ],
)
def test_an_impossible_preparation_is_refused(options, message):
    with pytest.raises(UsageError) as caught:
        Preparation(**options)

    assert str(caught.value) == message


def test_scikit_image_is_imported_when_a_step_first_needs_it():
    """In a fresh process, as a worker is."""
    script = """
import sys
import numpy as np
from multimodal.imaging import Preparation, prepare
grey = np.arange(100.0).reshape(10, 10) / 100
prepare(grey, Preparation(size=8))
before = "skimage" in sys.modules or "scipy" in sys.modules
prepare(grey, Preparation(size=8, enhance="clahe"))
print(before, "skimage" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == "False True\n"
