"""Named windows: where they apply, what they show, and what is said where they do not apply."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing
from pydicom.sequence import Sequence

from multimodal.imaging import read_image
from multimodal.imaging.dicom import read_dicom
from multimodal.imaging.grey import voi_grey, windowed
from multimodal.imaging.windows import NOT_USED, WINDOW_NAMES, WINDOWS
from multimodal.records import REASONS, UsageError

CT = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024", "WindowCenter": "50", "WindowWidth": "350"}
STORED = np.arange(924, 924 + 20 * 30, dtype=np.uint16).reshape(20, 30)  # -100 to 499 HU


def test_the_windows_are_those_of_the_radiology_reference():
    """(centre, width) as Radiopaedia's article "Windowing (CT)" gives them, W:x L:y; angio as Orthanc's viewer."""
    assert WINDOWS["lung"] == (-600, 1500)
    assert WINDOWS["mediastinum"] == (50, 350)
    assert WINDOWS["brain"] == (40, 80)
    assert WINDOWS["stroke"] == (40, 40)
    assert WINDOWS["abdomen"] == (50, 400)
    assert WINDOWS["liver"] == (30, 150)
    assert WINDOWS["spine"] == (50, 250)
    assert WINDOWS["bone"] == (400, 1800)
    assert WINDOWS["temporal-bone"] == (600, 2800)
    assert WINDOWS["angio"] == (300, 600)
    centre, width = WINDOWS["subdural"]
    assert 50 <= centre <= 100
    assert 130 <= width <= 300
    assert list(WINDOW_NAMES) == ["file", "range", *WINDOWS]


def test_the_brain_window_is_the_formula_of_the_standard_worked_by_hand(write_dicom):
    """PS3.3 C.11.2.1.2.1, centre 40, width 80: black up to 40 - 0.5 - 79/2 = 0 HU, white above 40 - 0.5 + 79/2 = 79 HU,
    between them ((x - 39.5) / 79 + 0.5); so 39.5 would be the middle, and 20 HU is 20/79."""
    image = read_image(write_dicom("a.dcm", STORED, **CT), window="brain")

    at = dict(zip(image.values.ravel().tolist(), image.grey.ravel().tolist()))
    assert (at[-100], at[-1], at[0], at[79], at[80], at[499]) == (0, 0, 0, 1, 1, 1)
    assert_allclose([at[1], at[20], at[39], at[40], at[78]], [1 / 79, 20 / 79, 39 / 79, 40 / 79, 78 / 79], atol=1e-6)
    assert image.warnings == ()


@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_a_real_ct_through_each_window_equals_pydicoms_windowing(shared, window):
    path = shared / "data" / "dicom" / "ct13" / "ct_1.2.840.10008.1.2.dcm"
    dataset = pydicom.dcmread(path)
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    ours = Dataset()  # pydicom's function takes the window from a data set, and its output range from these
    ours.WindowCenter, ours.WindowWidth = WINDOWS[window]
    ours.BitsStored, ours.PixelRepresentation, ours.PhotometricInterpretation = 16, 0, "MONOCHROME2"
    expected = apply_windowing(values, ours) / 65535
    padding = dataset.pixel_array == dataset.PixelPaddingValue

    grey = read_image(path, window=window).grey

    assert_allclose(grey[~padding], expected[~padding], atol=1e-6)
    assert (grey[padding] == 0).all()


def test_a_named_window_replaces_the_files_window_and_look_up_table(write_dicom):
    table = Dataset()
    table.add_new(0x00283002, "US", [600, 0, 16])
    table.add_new(0x00283006, "US", [0] * 300 + [65535] * 300)
    path = write_dicom("a.dcm", STORED, **CT)
    with_table = write_dicom("b.dcm", STORED, **CT, VOILUTSequence=Sequence([table]))

    assert_array_equal(read_image(with_table, window="liver").grey, read_image(path, window="liver").grey)
    assert not np.array_equal(read_image(with_table).grey, read_image(path).grey)


def test_the_window_of_the_file_by_default(write_dicom):
    path = write_dicom("a.dcm", STORED, **CT)

    assert_array_equal(read_image(path).grey, read_image(path, window="file").grey)
    assert_array_equal(read_image(path).grey, read_image(path, window="mediastinum").grey)  # 50/350, as in the file


@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
def test_the_range_goes_from_the_least_to_the_greatest_value_without_the_padding(write_dicom, polarity):
    stored = STORED.copy()
    stored[:, :3] = 60000
    attributes = {**CT, "PixelPaddingValue": 60000, "PhotometricInterpretation": polarity}
    image = read_image(write_dicom("a.dcm", stored, **attributes), window="range")

    low, high = STORED[:, 3:].min(), STORED[:, 3:].max()
    expected = (STORED[:, 3:] - low) / float(high - low)
    assert_allclose(image.grey[:, 3:], 1 - expected if polarity == "MONOCHROME1" else expected, atol=1e-6)
    assert (image.grey[:, :3] == 0).all()
    assert image.warnings == ()


def test_the_range_of_a_picture_without_a_window(tmp_path):
    pixels = np.arange(100, 200, dtype=np.uint8).reshape(10, 10)
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")

    assert_allclose(read_image(tmp_path / "a.png").grey, pixels / 255, atol=1e-6)
    assert_allclose(read_image(tmp_path / "a.png", window="range").grey, (pixels - 100.0) / 99, atol=1e-6)


HU_OR_NOT = {
    "a CT with a rescale": ({}, True),
    "a PET/CT's CT filed as another modality, that says HU": ({"Modality": "OT", "RescaleType": "HU"}, True),
    "a CT that says HU": ({"RescaleType": "HU"}, True),
    "a CT of modified HU": ({"RescaleType": "HU_MOD"}, False),
    "a CT that says its unit is unspecified": ({"RescaleType": "US"}, False),
    "a screenshot filed as CT": ({"RescaleSlope": None, "RescaleIntercept": None, "WindowCenter": "1200"}, False),
    "a CT localizer": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, False),
    "a radiograph": ({"Modality": "DX"}, False),
    "an MR": ({"Modality": "MR"}, False),
}


@pytest.mark.parametrize("case", HU_OR_NOT)
def test_a_named_window_applies_to_hounsfield_units_alone(write_dicom, case):
    attributes, in_hu = HU_OR_NOT[case]
    path = write_dicom("a.dcm", STORED, **{**CT, **attributes})

    named, own = read_image(path, window="brain"), read_image(path)

    assert named.warnings == (() if in_hu else (NOT_USED,))
    assert np.array_equal(named.grey, own.grey) is not in_hu


def test_what_is_said_of_a_window_that_does_not_apply():
    assert NOT_USED == (
        "WINDOW_NOT_USED",
        "the values are not in Hounsfield units: the named window does not apply.",
    )
    assert REASONS["WINDOW_NOT_USED"].severity == "warn"


# Real files whose values are no HU, though the modality of the first two is CT.
OTHERS = {
    "enhanced/ect_fragmented_no_bot_jpeg_ls.80.dcm": "a map of cerebral blood flow, Rescale Type US",
    "colour/ct_as_ybr422_two_windows.dcm": "in colour, though it has windows",
    "cr/rsna_chest_mono2.dcm": "a radiograph",
}


@pytest.mark.parametrize("name", OTHERS)
def test_real_files_without_hounsfield_units_keep_their_own_window(shared, name):
    path = shared / "data" / "dicom" / name

    named, own = read_image(path, window="lung"), read_image(path)

    assert_array_equal(named.grey, own.grey)
    assert set(named.warnings) == {*own.warnings, NOT_USED}


def test_a_png_keeps_its_own_picture(tmp_path):
    PIL.Image.fromarray(np.arange(100, 200, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "a.png")

    named, own = (read_image(tmp_path / "a.png", window=window) for window in ("bone", "file"))

    assert_array_equal(named.grey, own.grey)
    assert named.warnings == (NOT_USED,)


def test_a_named_window_that_hides_the_whole_picture_is_ignored_with_a_warning(write_dicom):
    image = read_image(write_dicom("a.dcm", STORED - 900, **CT), window="brain")  # -1000 to -401 HU: lung and air

    assert image.warnings == (("WINDOW_INVALID", "the window hides the whole picture; the data range is used."),)
    assert_allclose(image.grey, (STORED - 924.0) / 599, atol=1e-6)


def test_a_monochrome1_twin_gives_the_same_picture_over_its_range(write_dicom):
    plain = write_dicom("a.dcm", STORED, **CT)
    twin = write_dicom("b.dcm", STORED.max() + STORED.min() - STORED, **CT, PhotometricInterpretation="MONOCHROME1")

    assert_allclose(read_image(twin, window="range").grey, read_image(plain, window="range").grey, atol=1e-6)


def test_an_unknown_window_is_refused_with_the_nearest_name(write_dicom):
    path = write_dicom("a.dcm", STORED, **CT)
    message = f"window: 'lungs' is none of {', '.join(WINDOW_NAMES)}; did you mean 'lung'?"

    with pytest.raises(UsageError) as of_image:
        read_image(path, window="lungs")
    with pytest.raises(UsageError) as of_data:
        read_dicom(path.read_bytes(), window="lungs")

    assert str(of_image.value) == str(of_data.value) == message


@given(value=st.integers(-1024, 3071), window=st.sampled_from(sorted(WINDOWS)))
def test_a_window_is_black_below_and_white_above_and_rises_between(value, window):
    centre, width = WINDOWS[window]
    here, next_up = windowed(np.array([[value, value + 1]], np.float32), centre, width, "LINEAR")[0]

    assert (here == 0) == (value <= centre - 0.5 - (width - 1) / 2)
    assert (here == 1) == (value >= centre - 0.5 + (width - 1) / 2)
    assert here < next_up or here in (0, 1)


@pytest.mark.parametrize("window", ["file", "range", "lung"])
def test_no_window_is_written_into_the_data_set(shared, window):
    path = shared / "data" / "dicom" / "ct13" / "ct_1.2.840.10008.1.2.dcm"
    dataset, untouched = pydicom.dcmread(path), pydicom.dcmread(path)

    voi_grey(dataset.pixel_array.astype(np.float32), [dataset], None, True, [], window=window)

    assert dataset == untouched
