"""A CT or MR is an ordered volume on one scale of grey, whatever its files are called."""

from __future__ import annotations

import shutil
import struct

import gdcm
import numpy as np
import PIL.Image
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.imaging import Preparation, prepare, read_image, read_volume
from multimodal.records import ItemError

RAMP = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
AXIAL = [1, 0, 0, 0, 1, 0]
PHOTOMETRIC = 262  # the TIFF tag


@pytest.fixture(scope="module")
def dicom(shared):
    return shared / "data" / "dicom"


@pytest.fixture
def series(write_dicom, tmp_path):
    """series(attributes of a slice …) -> the folder of the slices 0, 1, … at 0, 5, … mm; slice i is RAMP + 1000 i."""

    def write(*slices: dict):
        (tmp_path / "series").mkdir()
        for index, attributes in enumerate(slices):
            place = {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [0, 0, 5 * index]}
            write_dicom(f"series/{index}.dcm", RAMP + 1000 * index, **(place | attributes))
        return tmp_path / "series"

    return write


def from_feet_to_head(folder) -> list:
    """By hand, of slices that are axial or nearly: the files by the third number of ImagePositionPatient."""
    return sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])


def rescaled(path) -> np.ndarray:
    """Independent: pydicom's pixels, its slope and intercept."""
    dataset = pydicom.dcmread(path)
    slope, intercept = (
        float(dataset.get(name, default)) for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    return dataset.pixel_array * slope + intercept


@pytest.mark.parametrize("name", ["series-ct-philips", "series-mr-ge", "series-ct-missing-slice", "series-ct-ge-tilt"])
def test_slices_lie_in_the_order_of_their_positions(dicom, name):
    expected = np.stack([rescaled(path) for path in from_feet_to_head(dicom / name)])

    assert_allclose(read_volume(dicom / name).values, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["series-ct-philips", "series-mr-ge"])
def test_the_order_is_that_of_gdcm(dicom, name):
    """The other series are uneven, which GDCM's sorter refuses."""
    sorter, directory = gdcm.IPPSorter(), gdcm.Directory()
    directory.Load(str(dicom / name))
    assert sorter.Sort(directory.GetFilenames())

    assert [str(path) for path in from_feet_to_head(dicom / name)] == list(sorter.GetFilenames())


def test_two_slices_at_one_place_are_both_read_and_the_spacing_is_unknown(dicom):
    volume = read_volume(dicom / "series-ct-same-position")

    assert len(volume) == 2
    assert np.isnan(volume.spacing_mm[0])
    assert [code for code, _ in volume.warnings] == ["SERIES_INCOMPLETE"]


@pytest.mark.parametrize(
    ("name", "spacing_mm", "orientation", "tilt", "codes"),
    [
        # SpacingBetweenSlices of the headers; the last two from positions by hand.
        ("series-ct-philips", (5, 1.804688, 1.804688), "axial", "", []),
        ("series-mr-ge", (5, 3.75, 3.75), "axial", "", []),
        # 4.22 mm along the table, GantryDetectorTilt 18.5: 4.22 cos 18.5°; slices of 4 and of 7 mm.
        ("series-ct-ge-tilt", (4.0019, 1.953125, 1.953125), "axial", "18.5", ["SERIES_INCOMPLETE"]),
        # 0.778 mm along the table, 0.9636 of it along the normal; one gap is twice as wide.
        ("series-ct-missing-slice", (0.7497, 4.09375, 4.09375), "axial", "15.5", ["SERIES_INCOMPLETE"]),
    ],
)
def test_spacing_orientation_and_tilt_are_measured(dicom, name, spacing_mm, orientation, tilt, codes):
    volume = read_volume(dicom / name)

    assert_allclose(volume.spacing_mm, spacing_mm, rtol=1e-4)
    assert volume.orientation == orientation
    assert volume.provenance.get("gantry_tilt_deg", "") == tilt
    assert [code for code, _ in volume.warnings] == codes


def test_an_enhanced_file_is_ordered_by_the_positions_of_its_frames(dicom):
    """Expected: InStackPositionNumber, 2 of the first frame and 1 of the second, which lies 10 mm nearer the head."""
    path = dicom / "enhanced" / "ect_fragmented_no_bot_jpeg_ls.80.dcm"
    dataset = pydicom.dcmread(path)
    transform = dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    values = dataset.pixel_array * float(transform.RescaleSlope) + float(transform.RescaleIntercept)
    volume = read_volume(path)

    assert_allclose(volume.values, values[::-1], rtol=1e-6)
    assert_allclose(volume.spacing_mm, (10, 0.388672, 0.388672), rtol=1e-6)


def test_rescale_of_an_enhanced_file_is_each_frames_own(dicom):
    path = dicom / "enhanced" / "emr_siemens_6frames.dcm"
    dataset = pydicom.dcmread(path)
    groups = [frame.PixelValueTransformationSequence[0] for frame in dataset.PerFrameFunctionalGroupsSequence]
    expected = [
        frame * float(group.RescaleSlope) + float(group.RescaleIntercept)
        for frame, group in zip(dataset.pixel_array, groups)
    ]
    volume = read_volume(path)

    assert_allclose(volume.values, expected, rtol=1e-6)
    assert_allclose(volume.spacing_mm, (2.4, 3.375, 3.375), rtol=1e-6)
    assert volume.provenance["slices"] == "6 of 6"


@pytest.mark.parametrize("name", ["emri_small.dcm", "emri_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm"])
def test_every_frame_of_every_encoding_is_that_of_pydicom(dicom, name):
    path = dicom / "enhanced" / name

    assert_array_equal(read_volume(path).values, pydicom.dcmread(dicom / "enhanced" / "emri_small.dcm").pixel_array)


def test_the_frames_of_a_film_stay_in_their_order_and_have_no_spacing(dicom):
    volume = read_volume(dicom / "us" / "us_cine_ybrfull_8frames.dcm")

    assert volume.values.shape == (8, 240, 320)
    assert np.isnan(volume.spacing_mm).all()
    assert_array_equal(volume.values[0], read_image(dicom / "us" / "us_cine_ybrfull_8frames.dcm").values)


def test_a_localizer_is_no_volume(dicom):
    with pytest.raises(ItemError) as refusal:
        read_volume(dicom / "series-mr-localizer")

    assert str(refusal.value) == "SERIES_MIXED: the slices have several orientations, as those of a localizer have."


def test_so_many_slices_evenly_spaced_are_read(dicom):
    """Of ten slices the middles of four parts are 1.25, 3.75, 6.25 and 8.75."""
    all_slices, four = read_volume(dicom / "series-ct-philips"), read_volume(dicom / "series-ct-philips", slices=4)

    assert_array_equal(four.values, all_slices.values[[1, 3, 6, 8]])
    assert four.warnings == (("SLICES_CHOSEN", "4 of 10 slices are read."),)
    assert four.provenance["slices"] == "4 of 10"
    assert four.spacing_mm == all_slices.spacing_mm


def test_one_slice_is_the_middle_one_that_a_preview_shows(dicom):
    one, preview = read_volume(dicom / "series-ct-philips", slices=1), read_image(dicom / "series-ct-philips")

    assert_array_equal(one.grey[0], preview.grey)


def test_all_slices_are_shown_through_the_middle_ones_window(series):
    folder = series(*({"WindowCenter": 1000 * index, "WindowWidth": 2001} for index in range(3)))
    volume = read_volume(folder)

    assert_allclose(volume.grey, np.clip((volume.values - 999.5) / 2000 + 0.5, 0, 1), atol=1e-6)


def test_without_a_window_all_slices_share_one_range(series):
    """Slice by slice, each would be stretched to [0, 1]."""
    volume = read_volume(series({}, {}, {}))

    assert_allclose(volume.grey, volume.values / volume.values.max(), atol=1e-6)


def test_a_slope_per_slice_is_respected_as_pet_has_it(series):
    """Stored values are RAMP + 1000 i."""
    volume = read_volume(
        series({"RescaleSlope": 2, "RescaleIntercept": 0}, {"RescaleSlope": 0.5, "RescaleIntercept": 1})
    )

    assert_array_equal(volume.values, [2.0 * RAMP, (RAMP + 1000) * 0.5 + 1])


def test_a_named_window_holds_for_all_slices(dicom):
    """Brain: centre 40, width 80, LINEAR of DICOM PS3.3 C.11.2.1.2.1."""
    volume = read_volume(dicom / "series-ct-philips", window="brain")

    assert_allclose(volume.grey, np.clip((volume.values - 39.5) / 79 + 0.5, 0, 1), atol=1e-6)


def test_the_padding_value_is_no_anatomy(dicom):
    folder = dicom / "series-ct-ge-tilt"
    stored = np.stack([pydicom.dcmread(path).pixel_array for path in from_feet_to_head(folder)])
    volume = read_volume(folder, window="range")

    assert (stored == -1500).any()
    assert (volume.grey[stored == -1500] == 0).all()
    assert_allclose(volume.grey[stored > -1500].max(), 1)
    seen = stored[stored > -1500]
    assert_allclose(volume.grey[stored > -1500], (seen - seen.min()) / np.ptp(seen), atol=1e-6)


def test_a_volume_of_which_some_slices_are_blank_is_read(series, write_dicom):
    folder = series({}, {})
    place = {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [0, 0, 10]}
    write_dicom("series/2.dcm", np.zeros_like(RAMP), **place)

    assert_array_equal(read_volume(folder).grey[2], 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)))
def test_what_the_files_are_called_is_irrelevant(dicom, tmp_path, order):
    source = sorted((dicom / "series-mr-ge").iterdir())
    folder = tmp_path / "-".join(map(str, order))
    folder.mkdir(exist_ok=True)
    for file, name in zip(source, order):
        shutil.copyfile(file, folder / str(name))
    renamed, first = read_volume(folder, slices=3), read_volume(dicom / "series-mr-ge", slices=3)

    assert_array_equal(renamed.grey, first.grey)
    assert renamed.spacing_mm == first.spacing_mm
    assert renamed.provenance == first.provenance


# Pages


def write_pages(path, *pages, **options):
    first, *others = [PIL.Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=others, **options)
    return path


def test_the_pages_of_a_tiff_are_slices(tmp_path):
    pages = [RAMP * 10, RAMP * 20, RAMP * 30]
    volume = read_volume(write_pages(tmp_path / "pages.tif", *pages))

    assert_array_equal(volume.values, pages)
    assert_allclose(volume.grey, volume.values / volume.values.max(), atol=1e-6)
    assert volume.provenance == {"format": "TIFF", "mode": "I;16", "slices": "3 of 3"}


def test_pages_of_several_sizes_are_a_picture_and_its_thumbnail(tmp_path):
    path = write_pages(tmp_path / "pages.tif", RAMP, RAMP[::2, ::2])
    volume = read_volume(path)

    assert_array_equal(volume.values, [RAMP])
    assert volume.warnings == (("FIRST_FRAME", "the file has several frames or pages; the first is read."),)


@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_pages_whose_zero_is_white_are_shown_as_the_picture_of_the_first(tmp_path, kind):
    """Both pages have one range, and so one scale."""
    page = (RAMP * 10).astype(kind)
    path = write_pages(tmp_path / "pages.tif", page, page[:, ::-1], tiffinfo={PHOTOMETRIC: 0})
    volume = read_volume(path)

    assert len(volume) == 2
    assert_array_equal(volume.grey[0], read_image(path).grey)
    assert_allclose(volume.grey[0], 1 - RAMP / 599, atol=1e-6)


def test_pages_of_two_polarities_are_not_stacked(tmp_path):
    path = write_pages(tmp_path / "pages.tif", RAMP, RAMP)
    content = bytearray(path.read_bytes())
    entry = struct.Struct("<HHI")  # tag, SHORT, one of them; the value follows
    content[content.index(entry.pack(PHOTOMETRIC, 3, 1)) + entry.size] = 0  # of the first page, WhiteIsZero
    path.write_bytes(content)
    volume = read_volume(path)

    assert len(volume) == 1
    assert volume.warnings == (("FIRST_FRAME", "the file has several frames or pages; the first is read."),)


# Guarded


def test_a_batch_holds_radiographs_and_volumes(dicom, load_files):
    radiograph = dicom / "cr" / "CR-MONO1-10-chest"
    images = load_files([radiograph, dicom / "series-ct-philips", dicom / "series-mr-localizer", radiograph], slices=4)

    assert images.picture.tolist() == [0, 1, 1, 1, 1, 2]
    assert images.record.tolist() == images.item.tolist() == [0, 1, 3]
    assert images.kind == ["radiograph", "ct", "radiograph"]
    assert [(row, str(problem)) for row, problem in images.problems] == [
        (1, "SLICES_CHOSEN: images[1]: 4 of 10 slices are read."),
        (2, "SERIES_MIXED: images[2]: the slices have several orientations, as those of a localizer have."),
    ]
    assert images.facts[1] == {
        "format": "DICOM",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "modality": "CT",
        "body_part": "BRAIN",
        "slices": "4 of 10",
        "spacing_mm": "5 x 1.8 x 1.8",
        "orientation": "axial",
    }


def test_a_radiograph_is_prepared_as_a_picture(dicom, load_files):
    path = dicom / "cr" / "CR-MONO1-10-chest"

    assert_array_equal(load_files([path]).slices, prepare(read_image(path).grey, Preparation(size=16))[None])


def test_the_slices_of_a_volume_are_normalised_together(series, load_files):
    """Means of the ramps rise by 1000 a slice; on its own each would fill the same range."""
    means = load_files([series({}, {}, {})]).slices.mean(axis=(1, 2))

    assert_allclose(np.diff(means), np.diff(means)[0], rtol=0.02)
    assert means[2] > 2.5 * means[0]


def test_the_digest_of_a_series_does_not_depend_on_names(dicom, tmp_path, load_files):
    for number, file in enumerate(sorted((dicom / "series-mr-ge").iterdir(), reverse=True)):
        shutil.copyfile(file, tmp_path / f"{number}.dcm")
    one, other = load_files([dicom / "series-mr-ge", tmp_path]).digest

    assert one == other


def test_free_text_where_a_code_must_stand_is_left_out(write_dicom):
    path = write_dicom("a.dcm", RAMP, BodyPartExamined="THORAX DOE", ViewPosition="PA", Laterality="L" * 17)
    provenance = read_image(path).provenance

    assert provenance == {
        "format": "DICOM",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "modality": "DX",
        "view": "PA",
    }
