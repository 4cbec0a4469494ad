"""A series folder costs at most its own item, whatever its files' headers hold and its links lead to."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from multimodal.imaging import Preparation, client, read_image, read_volume
from multimodal.records import ItemError

RAMP = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


@pytest.fixture
def series(write_dicom, tmp_path):
    """series(attributes of a slice …) -> the folder of the slices 0, 1, …; slice i holds RAMP + 1000 i."""

    def write(*slices: dict):
        (tmp_path / "series").mkdir()
        for index, attributes in enumerate(slices):
            write_dicom(f"series/{index}.dcm", RAMP + 1000 * index, **attributes)
        return tmp_path / "series"

    return write


def test_slices_without_a_position_are_ordered_by_instance_number(series):
    image = read_image(series({"InstanceNumber": 3}, {"InstanceNumber": 2}, {"InstanceNumber": 1}))

    assert_array_equal(image.values, RAMP + 1000)
    assert image.warnings == (
        ("FIRST_FRAME", "the series has 3 slices; the middle one is read."),
        ("SERIES_INCOMPLETE", "the slices have no positions: their instance numbers order them."),
    )


@pytest.mark.parametrize("name", ["cr/CR-MONO1-10-chest", "enhanced/emr_siemens_6frames.dcm"])
def test_a_folder_with_one_file_is_read_as_the_file(shared, tmp_path, name):
    path = shared / "data" / "dicom" / name
    shutil.copyfile(path, tmp_path / "0.dcm")
    folder, file = read_image(tmp_path), read_image(path)

    assert_array_equal(folder.values, file.values)
    assert_array_equal(folder.grey, file.grey)
    assert (folder.kind, folder.provenance, folder.warnings) == (file.kind, file.provenance, file.warnings)


@pytest.mark.parametrize("number", ["x", "1e999", "9" * 400, "nan"])
def test_an_instance_number_that_is_no_number_is_taken_as_0(series, number):
    """So the third file comes before the first and second, whose numbers are 1 and 2."""
    folder = series({"InstanceNumber": 1}, {"InstanceNumber": 2}, {"InstanceNumber": 7})
    path = folder / "2.dcm"
    content, written = path.read_bytes(), b"\x20\x00\x13\x00IS\x02\x007 "
    assert content.count(written) == 1
    value = number.encode().ljust(len(number) + len(number) % 2)
    replaced = b"\x20\x00\x13\x00IS" + len(value).to_bytes(2, "little") + value
    path.write_bytes(content.replace(written, replaced))

    assert_array_equal(read_volume(folder).values[:, 0, 0], [2000, 0, 1000])


def test_positions_beyond_all_measure_are_uneven(series):
    """1e308 twice over is no number: no warning of numpy's, no crash."""
    cosines = [1, 0, 0, 0, 1, 0]
    heights = ["-1e308", "0", "1e308"]
    slices = [{"ImageOrientationPatient": cosines, "ImagePositionPatient": [0, 0, height]} for height in heights]

    image = read_image(series(*slices))

    assert_array_equal(image.values, RAMP + 1000)


def refusal(folder) -> str:
    with pytest.raises(ItemError) as refused:
        client.decode(folder, Preparation(size=16))
    return str(refused.value)


def test_a_link_that_leads_to_itself_is_refused(series):
    folder = series({})
    (folder / "1.dcm").symlink_to("1.dcm")

    assert refusal(folder) == "FILE_UNREADABLE: the folder or a link in it cannot be followed."


def test_a_link_that_leads_out_of_the_folder_is_refused(series):
    folder = series({})
    (folder / "1.dcm").symlink_to("../elsewhere.dcm")

    assert refusal(folder) == "PATH_OUTSIDE: a file of the series is a link that leads out of its folder."


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_folder_that_may_not_be_read_is_refused(series, mode):
    """Nothing; names without the files; files without the names."""
    folder = series({})
    folder.chmod(mode)

    try:
        assert refusal(folder) == "FILE_UNREADABLE: the folder or a link in it cannot be followed."
    finally:
        folder.chmod(0o700)


def test_a_folder_of_more_than_1024_files_is_refused(tmp_path):
    for index in range(1025):
        (tmp_path / f"{index}.dcm").touch()

    assert refusal(tmp_path) == "IMAGE_TOO_LARGE: the folder has 1025 files; at most 1024 are read."


AXIAL = [1, 0, 0, 0, 1, 0]


def at(height: float, **others) -> dict:
    return {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [0, 0, height], **others}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"SeriesInstanceUID": "1.3"}, "the folder holds 2 series."),
        (
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
            "the slices have several orientations, as those of a localizer have.",
        ),
        (
            {"PhotometricInterpretation": "MONOCHROME1"},
            "the folder holds slices of 2 sizes or photometric kinds.",
        ),
        ({"NumberOfFrames": 2, "PixelData": bytes(20 * 30 * 4)}, "the folder holds a multi-frame file and others."),
    ],
)
def test_what_is_no_single_series_is_refused(series, second, message):
    folder = series(at(0, SeriesInstanceUID="1.2"), at(5, **({"SeriesInstanceUID": "1.2"} | second)))

    assert refusal(folder) == f"SERIES_MIXED: {message}"


def test_files_of_the_folder_that_are_no_image_are_passed_over(series):
    folder = series(at(0), at(5), at(10))
    (folder / "notes.txt").write_text("to be called back")
    (folder / ".hidden").write_bytes((folder / "0.dcm").read_bytes())
    without_pixels = pydicom.dcmread(folder / "0.dcm")
    del without_pixels.Rows, without_pixels.PixelData
    without_pixels.SeriesInstanceUID = "1.9"
    without_pixels.save_as(folder / "report.dcm")

    assert len(read_volume(folder)) == 3


def test_a_folder_of_nothing_but_reports_has_no_pixels(series):
    folder = series({})
    report = pydicom.dcmread(folder / "0.dcm")
    del report.Rows, report.PixelData
    report.save_as(folder / "0.dcm")

    assert refusal(folder) == "NO_PIXELS: the DICOM files of the folder have no pixel data."


def test_the_size_of_all_slices_is_checked_before_any_is_decoded(series):
    """Each header claims 8,000 x 8,000 of 16 bits, 122 MiB; the pixel data that are there have 1,200 bytes."""
    folder = series(*(at(index, Rows=8000, Columns=8000) for index in range(9)))

    assert refusal(folder) == (
        "IMAGE_TOO_LARGE: 9 frame(s) of 8000 x 8000 pixels take 1152000000 bytes; at most 1073741824 are decoded."
    )


def test_a_slice_that_cannot_be_decoded_refuses_the_series(series):
    folder = series(at(0), at(5), at(10))
    path = folder / "1.dcm"
    path.write_bytes(path.read_bytes()[:-100])

    assert refusal(folder) == "HEADER_MISMATCH: the pixel data have 1100 bytes; the header says 1200: cut off?"
