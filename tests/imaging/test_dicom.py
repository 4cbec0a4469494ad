"""Polarity, padding, windows, look-up tables and header checks, on files made for each."""

from __future__ import annotations

import numpy as np
import pydicom
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
    assert_array_equal(images.slices[0], images.slices[1])


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
    ("stored", "attributes", "expected"),
    [
        (RAMP.astype(np.int32) * 70_000 - 21_000_000, {"PixelRepresentation": 1}, RAMP * 70_000.0 - 21_000_000),
        (RAMP.astype(np.uint32) | 0xA0000000, {"BitsStored": 12, "HighBit": 11}, RAMP),
        ((RAMP % 200 - 100).astype(np.int8), {"PixelRepresentation": 1}, RAMP % 200 - 100.0),
        ((RAMP[:, :27] % 251).astype(np.uint8), {"PixelData": (RAMP[:, :27] % 251).astype(np.uint8).tobytes()}, None),
    ],
    ids=["32 bits signed", "12 of 32 bits, rubbish above", "8 bits signed", "an odd number of bytes"],
)
def test_every_width_of_pixel_is_read_exactly(write_dicom, stored, attributes, expected):
    image = read_image(write_dicom("a.dcm", stored, **attributes))

    assert_array_equal(image.values, stored if expected is None else expected)


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)])
def test_float_pixels_are_read_in_single_precision_and_those_that_are_no_numbers_are_padding(
    write_dicom, keyword, kind
):
    stored = (RAMP / 7 - 20).astype(kind)
    stored[3, 4] = np.nan
    path = write_dicom("a.dcm", stored, **{keyword: stored.tobytes()})
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)

    image = read_image(path)

    assert_array_equal(image.values, np.nan_to_num(stored.astype(np.float32)))
    assert image.grey[3, 4] == 0
    assert [code for code, _ in image.warnings] == ["NOT_FINITE"]


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.100", "'MPEG2 Main Profile / Main Level'"),
        ("1.2.840.10008.1.2.4.102", "'MPEG-4 AVC/H.264 High Profile / Level 4.1'"),
        ("1.2.840.10008.1.2.4.94", "'JPIP Referenced'"),
        ("1.2.840.10008.1.2.4.110", "'1.2.840.10008.1.2.4.110'"),  # JPEG XL lossless, which pydicom cannot name yet
    ],
)
def test_a_transfer_syntax_without_a_decoder_is_refused_by_its_name(write_dicom, syntax, name):
    path = write_dicom("a.dcm", RAMP)
    written, wanted = b"1.2.840.10008.1.2.1\0", syntax.encode().ljust(len(syntax) + len(syntax) % 2, b"\0")
    element = b"\x02\x00\x10\x00UI"
    content = path.read_bytes()
    content = content.replace(element + b"\x14\0" + written, element + bytes([len(wanted), 0]) + wanted)
    path.write_bytes(content)

    with pytest.raises(ItemError) as refused:
        read_image(path)

    assert str(refused.value) == f"UNSUPPORTED_SYNTAX: no decoder for the transfer syntax {name}."


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
        "view": "PA",
        "laterality": "L",
        "body_part": "CHEST",
        "lossy": "yes",
        "burned_in": "yes",
        "derived": "yes",
    }


@pytest.mark.parametrize(
    "text", ["DOE JANE", "DOE_JANE", "4711", "MRN 0815", "ROSE", "Thorax Doe", "CHEST DOE", "L" * 17]
)
def test_provenance_tells_terms_of_the_standard_and_nothing_else(write_dicom, text):
    keywords = ("Modality", "ViewPosition", "ImageLaterality", "Laterality", "BodyPartExamined")
    image = read_image(write_dicom("a.dcm", RAMP, **dict.fromkeys(keywords, text)))

    assert image.provenance == {"format": "DICOM", "transfer_syntax": "1.2.840.10008.1.2.1"}


@pytest.mark.parametrize(
    ("attributes", "facts"),
    [
        ({"Modality": "MG", "ViewPosition": "MLO"}, {"modality": "MG", "view": "MLO"}),
        ({"ViewPosition": "LLD", "BodyPartExamined": "CHESTABDPELVIS"}, {"view": "LLD", "body_part": "CHESTABDPELVIS"}),
        ({"BodyPartExamined": "Chest "}, {"body_part": "CHEST"}),
        ({"ImageLaterality": "DOE", "Laterality": "B"}, {"laterality": "B"}),
    ],
)
def test_terms_of_the_standard_are_told_in_capitals(write_dicom, attributes, facts):
    image = read_image(write_dicom("a.dcm", RAMP, **attributes))

    plain = {"format": "DICOM", "transfer_syntax": "1.2.840.10008.1.2.1", "modality": "DX"}
    assert image.provenance == plain | facts


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
