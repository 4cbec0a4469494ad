"""A NIfTI file is read as the DICOM series would be that it was made from."""

from __future__ import annotations

import gzip
import math
import struct
import subprocess
import sys

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.imaging import client, read_image, read_volume
from multimodal.records import REASONS, ItemError

CODES = np.arange(12 * 10 * 9, dtype=np.int16).reshape(12, 10, 9)
# Voxel axes to the patient's right, front and head, 2 x 3 x 4 mm.
RAS = np.diag([2.0, 3.0, 4.0, 1.0])


def write(path, array, affine, **header):
    image = nibabel.Nifti1Image(array, affine)
    for name, value in header.items():
        image.header[name] = value
    image.to_filename(path)
    return path


def refusal(path) -> str:
    with pytest.raises(ItemError) as refused:
        read_volume(path)
    return str(refused.value)


def as_nifti(folder):
    """By DICOM PS3.3 C.7.6.2.1.1, not by the reader: array (column, row, slice) and affine to NIfTI's world."""
    slices = sorted((pydicom.dcmread(file) for file in folder.iterdir()), key=lambda one: one.ImagePositionPatient[2])
    first, last = slices[0], slices[-1]
    row, column = np.array(first.ImageOrientationPatient[:3], float), np.array(first.ImageOrientationPatient[3:], float)
    start, end = np.array(first.ImagePositionPatient, float), np.array(last.ImagePositionPatient, float)
    affine = np.eye(4)
    affine[:3, 0] = row * float(first.PixelSpacing[1])
    affine[:3, 1] = column * float(first.PixelSpacing[0])
    affine[:3, 2] = (end - start) / (len(slices) - 1)
    affine[:3, 3] = start
    return np.stack([one.pixel_array.T for one in slices], axis=2), np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize("name", ["series-ct-philips", "series-mr-ge"])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_nifti_of_a_series_equals_the_series(shared, tmp_path, name, ending):
    folder = shared / "data" / "dicom" / name
    array, affine = as_nifti(folder)
    slope_and_intercept = {"scl_inter": -1024, "scl_slope": 1} if "ct" in name else {}
    path = write(tmp_path / f"series.{ending}", array, affine, **slope_and_intercept)
    series, volume = read_volume(folder, window="range"), read_volume(path, window="range")

    assert_array_equal(volume.values, series.values)
    assert_array_equal(volume.grey, series.grey)
    assert_allclose(volume.spacing_mm, series.spacing_mm, rtol=1e-5)
    assert volume.orientation == series.orientation
    assert volume.warnings == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(axes=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
def test_how_the_array_is_stored_is_irrelevant(tmp_path, axes, flips):
    """Independent: nibabel reorients array and affine."""
    first = write(tmp_path / "first.nii", CODES, RAS)
    wanted = np.array([[axis, -1 if flip else 1] for axis, flip in zip(axes, flips)])
    image = nibabel.Nifti1Image(CODES, RAS).as_reoriented(wanted)
    stored = write(tmp_path / "stored.nii", np.asanyarray(image.dataobj), image.affine)

    assert_array_equal(read_volume(stored).values, read_volume(first).values)
    assert read_volume(stored).spacing_mm == (4, 3, 2)


@pytest.mark.parametrize(
    ("coarse", "orientation", "expected"),
    [
        # columns to the left, rows to the back, slices to the head
        (2, "axial", CODES[::-1, ::-1, :].transpose(2, 1, 0)),
        # columns to the left, rows to the feet, slices to the back
        (1, "coronal", CODES[::-1, ::-1, ::-1].transpose(1, 2, 0)),
        # columns to the back, rows to the feet, slices to the right
        (0, "sagittal", CODES[:, ::-1, ::-1].transpose(0, 2, 1)),
    ],
)
def test_slices_lie_across_the_coarsest_axis(tmp_path, coarse, orientation, expected):
    affine = np.diag([5.0 if axis == coarse else 1.0 for axis in range(3)] + [1.0])
    volume = read_volume(write(tmp_path / "a.nii", CODES, affine))

    assert_array_equal(volume.values, expected)
    assert volume.orientation == orientation
    assert volume.spacing_mm == (5, 1, 1)


def test_the_slice_axis_of_the_header_comes_first(tmp_path):
    image = nibabel.Nifti1Image(CODES, np.eye(4))
    image.header.set_dim_info(freq=1, phase=2, slice=0)
    image.to_filename(tmp_path / "a.nii")

    assert read_volume(tmp_path / "a.nii").orientation == "sagittal"


def test_a_slope_that_is_no_number_means_no_scaling(tmp_path):
    assert read_volume(write(tmp_path / "a.nii", CODES, RAS, scl_slope=np.nan)).values.max() == CODES.max()


def test_slope_and_intercept_are_applied(tmp_path):
    volume = read_volume(write(tmp_path / "a.nii", CODES, RAS, scl_slope=2.5, scl_inter=-7))

    assert (volume.values.min(), volume.values.max()) == (-7, CODES.max() * 2.5 - 7)


def test_values_that_are_not_finite_are_padding(tmp_path):
    array = CODES.astype(np.float32)
    array[:3] = np.nan
    volume = read_volume(write(tmp_path / "a.nii", array, RAS))

    assert np.isfinite(volume.values).all()
    assert volume.warnings == (("NOT_FINITE", "pixels that are not finite numbers are read as padding."),)


def test_of_several_volumes_the_first_is_read(tmp_path):
    volume = read_volume(write(tmp_path / "a.nii", np.stack([CODES, CODES + 5], axis=3), RAS))

    assert_array_equal(np.sort(volume.values, axis=None), np.sort(CODES, axis=None))
    assert volume.warnings == (("FIRST_FRAME", "the file has 2 volumes; the first is read."),)


def test_version_2_and_big_endian_are_read(tmp_path):
    image = nibabel.Nifti2Image(CODES, RAS, nibabel.Nifti2Header(endianness=">"))
    image.to_filename(tmp_path / "two.nii")
    first = write(tmp_path / "one.nii", CODES, RAS)

    assert_array_equal(read_volume(tmp_path / "two.nii").values, read_volume(first).values)


def test_a_preview_is_the_middle_slice(tmp_path):
    path = write(tmp_path / "a.nii", CODES, RAS)
    image = read_image(path)

    assert_array_equal(image.values, read_volume(path).values[4])
    assert image.warnings == (("FIRST_FRAME", "the volume has 9 slices; the middle one is read."),)


def test_a_header_that_claims_gigabytes_is_refused_before_anything_is_inflated(tmp_path):
    """All within 2 MB of gzip: 1,024 x 1,024 x 1,024 of 16 bits are claimed, 2 GiB of zeros follow in no time."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((1024, 1024, 1024))
    header.set_data_dtype(np.int16)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4) + bytes(2**24)))

    assert refusal(path) == (
        "IMAGE_TOO_LARGE: 1024 frame(s) of 1024 x 1024 pixels take 2147483648 bytes; at most 1073741824 are decoded."
    )


def test_no_more_is_inflated_than_the_header_says(tmp_path):
    path = write(tmp_path / "a.nii", CODES, RAS)
    longer = tmp_path / "longer.nii.gz"
    longer.write_bytes(gzip.compress(path.read_bytes()) + gzip.compress(bytes(2**26)))

    assert_array_equal(read_volume(longer).values, read_volume(path).values)


def test_a_file_of_one_slice_is_read_as_a_picture_without_a_warning(tmp_path):
    assert read_image(write(tmp_path / "a.nii", CODES[:, :, :1], RAS)).warnings == ()


def test_damaged_files_are_refused_by_name(tmp_path):
    path = write(tmp_path / "a.nii", CODES, RAS)
    content = path.read_bytes()
    (tmp_path / "cut.nii").write_bytes(content[:-10])
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(content)[:-100])
    (tmp_path / "hdr.nii").write_bytes(content[:344] + b"ni1\0" + content[348:])
    colours = np.zeros((9, 9, 9), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colours, RAS).to_filename(tmp_path / "rgb.nii")
    array_bytes = CODES.nbytes

    assert refusal(tmp_path / "cut.nii") == (
        f"HEADER_MISMATCH: the file has {352 + array_bytes - 10} bytes; its header says {352 + array_bytes}: cut off?"
    )
    assert refusal(tmp_path / "cut.nii.gz") == "DECODE_FAILED: the gzip content is cut off or damaged."
    assert refusal(tmp_path / "hdr.nii") == (
        "NOT_AN_IMAGE: the content is the header of a NIfTI pair; the single file .nii is read."
    )
    assert refusal(tmp_path / "rgb.nii") == (
        "UNSUPPORTED_SYNTAX: the values are colours or complex numbers; real numbers are read."
    )


@pytest.mark.parametrize(
    ("offset", "told"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (-5, "-5"),
        (0, "0"),
        (351, "351"),
        (2**25, "33554432"),
    ],
)
def test_values_that_would_begin_within_the_header_or_nowhere_are_refused(tmp_path, offset, told):
    path = write(tmp_path / "a.nii", CODES, RAS)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 108, offset)  # vox_offset
    path.write_bytes(content)

    assert refusal(path) == f"HEADER_MISMATCH: the values begin at byte {told}, not between 352 and 16777216."


@pytest.mark.parametrize("offset", [-1, 0, 352, 543])
def test_values_that_would_begin_within_the_longer_header_of_version_2_are_refused(tmp_path, offset):
    path = tmp_path / "a.nii"
    nibabel.Nifti2Image(CODES, RAS).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<q", content, 168, offset)  # vox_offset
    path.write_bytes(content)

    assert refusal(path) == f"HEADER_MISMATCH: the values begin at byte {offset}, not between 544 and 16777216."


def test_an_affine_without_volume_is_refused(tmp_path):
    path = write(tmp_path / "a.nii", CODES, RAS)
    content = bytearray(path.read_bytes())
    content[280:328] = struct.pack("<12f", *[0] * 12)  # srow_x, srow_y, srow_z
    path.write_bytes(content)

    assert refusal(path) == "HEADER_MISMATCH: the NIfTI affine is not finite or has no volume."


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=3))
def test_flipped_header_bytes_give_a_volume_or_a_typed_refusal(tmp_path, flips):
    content = bytearray(write(tmp_path / "a.nii", CODES, RAS).read_bytes())
    for place, byte in flips:
        content[place] = byte
    (tmp_path / "flipped.nii").write_bytes(content)

    assert outcome(tmp_path / "flipped.nii") in {"read", *REASONS}


def outcome(path) -> str:
    """The code of the refusal, or "read"."""
    try:
        return "read" if read_volume(path).grey.ndim == 3 else "wrong shape"
    except ItemError as error:
        return error.code


def test_without_the_extra_the_message_names_it(tmp_path):
    path = write(tmp_path / "a.nii", CODES, RAS)
    code = (
        "import sys; sys.modules['nibabel'] = None\n"
        "from multimodal.imaging import read_volume\n"
        "try: read_volume(sys.argv[1])\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, cwd=client.ROOT, check=True
    )

    assert done.stdout == "UNSUPPORTED_SYNTAX: NIfTI needs nibabel: pip install multimodal-clinical[nifti].\n"
