"""Malformed files get what their manifest says; real files agree with pydicom and among themselves.

That every file's values are exact is in test_exactness.py.
"""

from __future__ import annotations

import csv
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.imaging import read_image, read_volume
from multimodal.records import ItemError

# file: (code, or the shape, least and greatest value that the manifest's column `truth` gives, and the warnings)
MALFORMED = {
    "truncated_native.dcm": "HEADER_MISMATCH",
    "rows_cols_65535.dcm": "IMAGE_TOO_LARGE",
    "frames_huge.dcm": "IMAGE_TOO_LARGE",
    "frames_negative.dcm": "HEADER_MISMATCH",
    "j2k_header_60000.dcm": "HEADER_MISMATCH",
    "deflate_bomb.dcm": "IMAGE_TOO_LARGE",
    "nesting_2000.dcm": "HEADER_MISMATCH",
    "undefined_length_no_delimiter.dcm": "HEADER_MISMATCH",
    "wrong_vr_rows.dcm": "HEADER_MISMATCH",
    "bits_allocated_7.dcm": "HEADER_MISMATCH",
    "bits_allocated_0.dcm": "HEADER_MISMATCH",
    "bits_stored_gt_allocated.dcm": "HEADER_MISMATCH",
    "no_photometric.dcm": "HEADER_MISMATCH",
    "window_width_zero.dcm": ((16, 16), -1024, -4, ["WINDOW_INVALID"]),
    "window_nan_inf.dcm": ((16, 16), -1024, -4, ["WINDOW_INVALID"]),
    "rescale_slope_zero.dcm": "RESCALE_INVALID",
    "rescale_slope_nan.dcm": "RESCALE_INVALID",
    "empty.dcm": "FILE_EMPTY",
    "text_named.dcm": "NOT_AN_IMAGE",
    "png_named.dcm": ((16, 16), 0, 255, ["MISLABELLED"]),
    "dicom_named.png": ((16, 16), -1024, -4, ["MISLABELLED"]),
    "zip_named.dcm": "NOT_AN_IMAGE",
    "path_traversal_tags.dcm": ((16, 16), -1024, -4, []),
    "one_by_one.dcm": "IMAGE_TOO_SMALL",
    "constant.dcm": "BLANK_IMAGE",
    "non_image_rtplan.dcm": "NO_PIXELS",
    "encapsulated_no_fragments.dcm": "HEADER_MISMATCH",
    "jpeg_3_components_declared_mono.dcm": "HEADER_MISMATCH",
    "element_length_4gb.dcm": "HEADER_MISMATCH",
    "truncated.png": "DECODE_FAILED",
    "truncated.jpg": "DECODE_FAILED",
    "bomb_30000.png": "IMAGE_TOO_LARGE",
    "animated.gif": "BLANK_IMAGE",  # its first frame is 10 everywhere
    "cmyk.jpg": ((16, 16), 161.5, 225, ["LOSSY", "COLOUR_CONVERTED"]),
    "gray16.png": ((16, 16), 0, 65280, []),
    "exif_rotated.jpg": "BLANK_IMAGE",  # two flat bands
    "rgba_transparent.png": "BLANK_IMAGE",  # the hidden colour is not shown, and nothing else is there
    "float32.tif": ((16, 16), -100.25, 154.75, []),
    "multipage.tif": "BLANK_IMAGE",
    "extra/jpeg_smaller_than_dataset.dcm": "HEADER_MISMATCH",
    "extra/jpeg_gray_declared_ybr.dcm": "HEADER_MISMATCH",
    "extra/rle_overlong.dcm": "HEADER_MISMATCH",
    "extra/samples_65535.dcm": "HEADER_MISMATCH",
    "extra/fragment_length_2gb.dcm": "HEADER_MISMATCH",
    "extra/frames_3_of_1.dcm": "HEADER_MISMATCH",
    "extra/slope_nan.nii": ((4, 4), 32, 47, ["FIRST_FRAME"]),  # the middle slice; the whole volumes: see below
    "extra/truncated.nii.gz": "DECODE_FAILED",
    "extra/slope_2_5.nii": ((4, 4), 73, 110.5, ["FIRST_FRAME"]),
}


def rows_of(folder):
    with open(folder / "manifest.csv", newline="") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def dicom(shared):
    return shared / "data" / "dicom"


def test_every_malformed_file_gets_what_its_manifest_expects(shared):
    folder = shared / "data" / "dicom-malformed"
    assert sorted(MALFORMED) == sorted(row["file"] for row in rows_of(folder))
    wrong = {}
    for row in rows_of(folder):
        expected = MALFORMED[row["file"]]
        start = time.perf_counter()
        try:
            image = read_image(folder / row["file"])
            low, high = float(np.floor(image.values.min() * 4) / 4), float(np.floor(image.values.max() * 4) / 4)
            got = image.values.shape, low, high, [code for code, _ in image.warnings]
        except ItemError as error:
            got = error.code
        if got != expected or time.perf_counter() - start > 2:
            wrong[row["file"]] = got
        # What the manifest wants refused is refused.
        assert row["expected"] != "refuse" or isinstance(expected, str), row["file"]

    assert wrong == {}


@pytest.mark.parametrize(("name", "values"), [("slope_nan", np.arange(64)), ("slope_2_5", np.arange(64) * 2.5 - 7)])
def test_the_small_nifti_volumes_hold_what_their_manifest_says(shared, name, values):
    """0..63, and -7..150.5: every value once, whatever the order of the axes."""
    volume = read_volume(shared / "data" / "dicom-malformed" / "extra" / f"{name}.nii")

    assert_array_equal(np.sort(volume.values, axis=None), values)


def test_one_ct_slice_is_the_same_in_every_lossless_transfer_syntax(dicom):
    """Expected: the last bytes of the uncompressed file, read by numpy; slope 1, intercept -1024."""
    plain = dicom / "ct13" / "ct_1.2.840.10008.1.2.dcm"
    stored = np.frombuffer(plain.read_bytes()[-512 * 512 * 2 :], "<i2").reshape(512, 512)
    first = read_image(plain).values
    assert_array_equal(first, stored - 1024.0)
    for end in (".1.99", ".5", ".4.57", ".4.70", ".4.80", ".4.90"):
        assert_array_equal(read_image(dicom / "ct13" / f"ct_1.2.840.10008.1.2{end}.dcm").values, first, err_msg=end)

    for end, tolerance in ((".4.81", 1), (".4.91", 5), (".4.51", 36), (".4.50", 65)):
        values = read_image(dicom / "ct13" / f"ct_1.2.840.10008.1.2{end}.dcm").values
        assert np.abs(values - first).max() <= tolerance, end  # measured bounds, data/dicom/README.md


def test_an_enhanced_file_is_the_same_in_every_transfer_syntax(dicom):
    names = ["emri_small.dcm", "emri_small_RLE.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm"]
    first, *others = [read_image(dicom / "enhanced" / name) for name in names]

    for other in others:
        assert_array_equal(other.values, first.values)
    assert ("FIRST_FRAME", "the file has 10 frames; the first is read.") in first.warnings


def test_rescale_and_window_of_an_enhanced_file_come_from_its_functional_groups(dicom):
    import pydicom

    path = dicom / "enhanced" / "emr_siemens_6frames.dcm"
    dataset = pydicom.dcmread(path)
    group = dataset.PerFrameFunctionalGroupsSequence[0]
    rescale, window = group.PixelValueTransformationSequence[0], group.FrameVOILUTSequence[0]
    stored = dataset.pixel_array[0].astype(float)
    values = stored * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept)
    centre, width = float(window.WindowCenter), float(window.WindowWidth)

    image = read_image(path)

    assert_allclose(image.values, values, rtol=1e-6)
    assert_allclose(image.grey, np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1), atol=1e-5)


@pytest.mark.parametrize("name", ["cr_mono1_modality_lut_small.dcm", "modality_lut_signed_small.dcm"])
def test_a_modality_lut_gives_what_pydicom_gives(dicom, name):
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut

    dataset = pydicom.dcmread(dicom / "lut" / name)

    assert_array_equal(
        read_image(dicom / "lut" / name).values, apply_modality_lut(dataset.pixel_array, dataset).astype(np.float32)
    )


@pytest.mark.parametrize(
    "name",
    ["lut/voi_lut_small.dcm", "lut/mr_slope_voifn.dcm", "ct13/ct_1.2.840.10008.1.2.dcm", "series-ct-philips/I10"],
)
def test_the_voi_lut_or_first_window_gives_what_pydicom_gives(dicom, name):
    """pydicom's output range is the stored one, ours is [0, 1]: compared after scaling both to their own range."""
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = pydicom.dcmread(dicom / name)
    shown = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(float)
    padding = dataset.pixel_array == dataset.get("PixelPaddingValue", -(10**6))
    image = read_image(dicom / name)

    seen = ~padding
    expected = (shown - shown[seen].min()) / (shown[seen].max() - shown[seen].min())
    grey = (image.grey - image.grey[seen].min()) / (image.grey[seen].max() - image.grey[seen].min())
    assert_allclose(grey[seen], expected[seen], atol=2e-3)
    assert (image.grey[padding] == 0).all()


def test_the_same_colour_bars_come_out_of_every_encoding(dicom):
    reference = read_image(dicom / "colour" / "TestPattern_JPEG-LS-Lossless.dcm").grey
    for name in ("TestPattern_Palette_16.dcm", "TestPattern_JPEG-Baseline_YBRFull.dcm"):
        grey = read_image(dicom / "colour" / name).grey
        assert np.abs(grey - reference).mean() < 0.01, name


def test_the_same_colours_come_out_of_both_planar_configurations(dicom):
    planes, pixels = (read_image(dicom / "colour" / f"color-p{end}.dcm") for end in "lx")

    assert_array_equal(planes.values, pixels.values)


def test_a_series_folder_gives_the_middle_slice_by_position(dicom):
    """I50 is the fifth of ten by InstanceNumber and by name order it is not: I10, I100, I20 …"""
    import pydicom

    folder = dicom / "series-ct-philips"
    heights = {file.name: float(pydicom.dcmread(file).ImagePositionPatient[2]) for file in folder.iterdir()}
    middle = sorted(heights, key=heights.get)[5]

    image = read_image(folder)

    assert_array_equal(image.values, read_image(folder / middle).values)
    assert image.warnings[0] == ("FIRST_FRAME", "the series has 10 slices; the middle one is read.")
    assert "SERIES_INCOMPLETE" not in dict(image.warnings)


@pytest.mark.parametrize("folder", ["series-ct-missing-slice", "series-ct-ge-tilt", "series-ct-same-position"])
def test_a_series_with_missing_or_uneven_slices_is_read_with_a_warning(dicom, folder):
    assert "SERIES_INCOMPLETE" in dict(read_image(dicom / folder).warnings)


@pytest.mark.parametrize("folder", ["series-mr-localizer", "cr"])
def test_several_series_or_orientations_in_one_folder_are_refused(dicom, folder):
    with pytest.raises(ItemError) as refusal:
        read_image(dicom / folder)

    assert refusal.value.code == "SERIES_MIXED"
