"""Polarity, padding, windows, look-up tables and header checks, on files made for each."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from multimodal.imaging import read_image
from multimodal.records import ItemError

RAMP = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def lut(*, descriptor, data) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "US", data)
    return Sequence([item])


def test_a_monochrome1_copy_gives_the_same_picture(write_dicom, load_files):
    """Stored values are turned over, and so is what they mean."""
    plain = write_dicom("plain.dcm", RAMP)
    turned = write_dicom("turned.dcm", RAMP.max() - RAMP, PhotometricInterpretation="MONOCHROME1")

    images = load_files([plain, turned])

    assert_allclose(read_image(plain).grey, read_image(turned).grey, atol=1e-6)
    assert_array_equal(images.pixels[0], images.pixels[1])


def test_the_same_pixels_labelled_monochrome1_come_out_inverted(shared):
    folder = shared / "data" / "dicom" / "cr"
    plain, fake = (read_image(folder / f"rsna_chest_{name}.dcm") for name in ("mono2", "fake_mono1"))

    assert_array_equal(fake.values, plain.values)
    assert_allclose(fake.grey, 1 - plain.grey, atol=1e-6)


def test_padding_is_dark_and_does_not_enter_the_range(write_dicom):
    stored = RAMP + 1000
    stored[:, :3] = 65000
    for polarity in ("MONOCHROME1", "MONOCHROME2"):
        image = read_image(write_dicom("a.dcm", stored, PhotometricInterpretation=polarity, PixelPaddingValue=65000))

        assert (image.grey[:, :3] == 0).all()
        assert (image.grey[:, 3:].min(), image.grey[:, 3:].max()) == (0, 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x: np.clip((x - (300 - 0.5)) / (200 - 1) + 0.5, 0, 1)),
        ("LINEAR_EXACT", lambda x: np.clip((x - 300) / 200 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 300) / 200))),
    ],
)
def test_windows_follow_the_formulas_of_the_standard(write_dicom, function, expected):
    """DICOM PS3.3 C.11.2.1.2.1, C.11.2.1.3.2 and C.11.2.1.3.1; the first of several windows counts."""
    path = write_dicom("a.dcm", RAMP, WindowCenter=[300, 1], WindowWidth=[200, 2], VOILUTFunction=function)

    assert_allclose(read_image(path).grey, expected(RAMP.astype(float)), atol=1e-5)


def test_a_window_that_hides_the_whole_picture_is_ignored_with_a_warning(write_dicom):
    image = read_image(write_dicom("a.dcm", RAMP, WindowCenter=60000, WindowWidth=10))

    assert image.warnings == (("WINDOW_INVALID", "the window hides the whole picture; the data range is used."),)
    assert_allclose(image.grey, RAMP / RAMP.max(), atol=1e-6)


def test_a_fractional_rescale_is_exact_to_single_precision(write_dicom):
    image = read_image(write_dicom("a.dcm", RAMP * 100, RescaleSlope="0.1", RescaleIntercept="-7.25"))

    assert_array_equal(image.values, (RAMP * 100 * 0.1 - 7.25).astype(np.float32))


@pytest.mark.parametrize("slope", ["0", "NaN", "Inf"])
def test_a_slope_that_means_nothing_is_refused(write_dicom, slope):
    assert refusal(write_dicom("a.dcm", RAMP, RescaleSlope=slope, RescaleIntercept="0")) == "RESCALE_INVALID"


def test_a_modality_lut_is_looked_up_and_clipped_at_its_ends(write_dicom):
    table = [int(value) for value in np.arange(500) * 3]
    image = read_image(write_dicom("a.dcm", RAMP, ModalityLUTSequence=lut(descriptor=[500, 50, 16], data=table)))

    assert_array_equal(image.values, np.clip(RAMP.astype(int) - 50, 0, 499) * 3)


@pytest.mark.parametrize("descriptor", [[400, 0, 16], [500, 0, 8], [500, 0, 99]])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_table_that_is_not_what_its_descriptor_says_is_refused(write_dicom, descriptor, keyword):
    table = [int(value) for value in np.arange(500) * 3]
    path = write_dicom("a.dcm", RAMP, **{keyword: lut(descriptor=descriptor, data=table)})

    assert refusal(path) == "LUT_INVALID"


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"PixelData": RAMP.tobytes()[:-2]}, "HEADER_MISMATCH"),
        ({"PixelData": RAMP.tobytes() * 2}, "HEADER_MISMATCH"),
        ({"HighBit": 7}, "HEADER_MISMATCH"),
        ({"SamplesPerPixel": 3}, "HEADER_MISMATCH"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "HEADER_MISMATCH"),
        ({"PhotometricInterpretation": "HSV"}, "HEADER_MISMATCH"),
        ({"BitsAllocated": 24}, "HEADER_MISMATCH"),
        ({"NumberOfFrames": 2000}, "IMAGE_TOO_LARGE"),
    ],
)
def test_a_header_that_does_not_fit_its_pixels_is_refused(write_dicom, attributes, code):
    assert refusal(write_dicom("a.dcm", RAMP, **attributes)) == code


def test_stored_bits_that_lie_high_are_refused_but_in_acr_nema(write_dicom):
    """12 bits in the upper end of 16, as some scanners wrote before DICOM; (0008,0010) names the old standard."""
    layout = {"BitsStored": 12, "HighBit": 15}
    with pytest.raises(ItemError) as refused:
        read_image(write_dicom("dicom.dcm", RAMP << 4, **layout))

    assert str(refused.value) == "HEADER_MISMATCH: HighBit is 15 with BitsStored 12."
    old = write_dicom("acr.dcm", RAMP << 4, RecognitionCode="ACR-NEMA 2.0", **layout)
    assert_array_equal(read_image(old).values, RAMP)


@pytest.mark.parametrize("high", [10, 16])
def test_stored_bits_that_lie_too_low_or_outside_are_refused_in_acr_nema_too(write_dicom, high):
    attributes = {"BitsStored": 12, "HighBit": high, "RecognitionCode": "ACR-NEMA 2.0"}

    assert refusal(write_dicom("a.dcm", RAMP, **attributes)) == "HEADER_MISMATCH"


def test_bits_above_the_stored_ones_are_cut_off(write_dicom):
    dirty = RAMP | np.uint16(0xA000)

    assert_array_equal(read_image(write_dicom("a.dcm", dirty, BitsStored=12, HighBit=11)).values, RAMP)


def test_signed_values_keep_their_sign(write_dicom):
    signed = RAMP.astype(np.int16) - 300
    stored = (signed & 0x0FFF).astype(np.uint16)
    path = write_dicom("a.dcm", stored, BitsStored=12, HighBit=11, PixelRepresentation=1)

    assert_array_equal(read_image(path).values, signed)


@pytest.mark.parametrize(
    ("modality", "kind"),
    [("CR", "radiograph"), ("DX", "radiograph"), ("CT", "ct"), ("MR", "mr"), ("US", "other"), ("OT", "")],
)
def test_the_kind_comes_from_the_modality(write_dicom, modality, kind):
    assert read_image(write_dicom("a.dcm", RAMP, Modality=modality)).kind == kind


def test_provenance_is_on_record_and_what_matters_is_a_warning(write_dicom):
    path = write_dicom(
        "a.dcm",
        RAMP,
        ViewPosition="PA",
        ImageLaterality="L",
        BodyPartExamined="CHEST",
        LossyImageCompression="01",
        BurnedInAnnotation="YES",
        ImageType=["DERIVED", "PRIMARY"],
    )
    image = read_image(path)

    assert [code for code, _ in image.warnings] == ["LOSSY", "BURNED_IN", "DERIVED"]
    assert image.provenance == {
        "format": "DICOM",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "modality": "DX",
        "view_position": "PA",
        "laterality": "L",
        "body_part": "CHEST",
        "lossy": "yes",
        "burned_in": "yes",
        "derived": "yes",
    }


def test_no_identifier_of_the_header_reaches_image_or_refusal(write_dicom):
    names = {"PatientName": "Doe^Jane", "PatientID": "MRN-4711", "AccessionNumber": "ACC-0815"}
    image = read_image(write_dicom("a.dcm", RAMP, **names))
    with pytest.raises(ItemError) as refused:
        read_image(write_dicom("b.dcm", RAMP, PixelData=b"", **names))

    told = f"{image.provenance} {image.warnings} {refused.value}"
    assert not any(part in told for part in ("Doe", "Jane", "4711", "0815"))


def refusal(path) -> str:
    with pytest.raises(ItemError) as refused:
        read_image(path)
    return refused.value.code
