"""Every DICOM file at hand is decoded as an independent decoder does it, or refused for a known reason.

Independent: uncompressed and run-length pixels are unpacked here by hand. JPEG (Pillow decodes it for us), JPEG 2000
(openjpeg) and JPEG-LS (pyjpegls) are compared with GDCM. Lossless JPEG is decoded for us by GDCM: it, and what GDCM
cannot read, is compared with the digest of what imagecodecs 2026.3.6 decodes (JPEGSOF3; CharLS 2.4.3; OpenJPH 0.26.3).
Then values: rescale, look-up tables, palettes and luma, worked out here from the header.
"""

from __future__ import annotations

import csv
import hashlib
import struct
from itertools import pairwise
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.encaps import generate_frames

from multimodal.imaging import Preparation, prepare, read_image
from multimodal.records import ItemError

SHIPPED = Path(pydicom.__file__).parent / "data"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "dicom"
UID = "1.2.840.10008.1.2"
NATIVE = {UID: "<", f"{UID}.1": "<", f"{UID}.1.99": "<", f"{UID}.2": ">"}
RLE = f"{UID}.5"

# Files that are refused, and why; those that have neither pixels nor the size of any are refused with NO_PIXELS.
REFUSED = {
    "UNSUPPORTED_SYNTAX": (
        "ct13/ct_1.2.840.10008.1.2.4.53.dcm",  # retired
        "ct13/ct_1.2.840.10008.1.2.4.55.dcm",
        "seg/liver_deflate.dcm",
    ),
    "BLANK_IMAGE": (  # two levels, or white
        *("enhanced/sm_tiled_25frames.dcm", "seg/liver.dcm", "seg/liver_j2k.dcm", "seg/liver_nonbyte_aligned.dcm"),
        *("seg/seg_fractional.dcm", "seg/seg_overlap.dcm"),
        *("test_files/ExplVR_BigEnd.dcm", "test_files/liver_1frame.dcm", "test_files/liver_expb_1frame.dcm"),
        *(f"charset_files/chr{name}.dcm" for name in "Arab Fren FrenMulti Germ Greek H31 H32".split()),
        *(f"charset_files/chr{name}.dcm" for name in "Hbrw I2 Russ X1 X2".split()),
    ),
    "HEADER_MISMATCH": (
        "real-broken/acr_12bit_allocated.dcm",  # 12 bits allocated, and no photometric interpretation
        "real-broken/emri_small_jpeg_2k_lossless_too_short.dcm",
        # A size and no pixels.
        *(f"charset_files/chr{name}.dcm" for name in ("JapMulti", "JapMultiExplicitIR6", "KoreanMulti")),
        "test_files/JPEG2000-embedded-sequence-delimiter.dcm",  # written over the width in the codestream
        "test_files/MR_truncated.dcm",
        "test_files/badVR.dcm",  # the number of frames is '1A'
        "test_files/meta_missing_tsyntax.dcm",  # pixel data, and nothing else of an image
        "test_files/nested_priv_SQ.dcm",
    ),
    "IMAGE_TOO_SMALL": tuple(f"test_files/SC_rgb_small_odd{end}.dcm" for end in ("", "_big_endian", "_jpeg")),  # 3 x 3
    "NOT_AN_IMAGE": (  # no preamble, and no first element of group 2 or 8 in little endian
        *("test_files/ExplVR_BigEndNoMeta.dcm", "test_files/no_meta.dcm"),
    ),
}
CODES = {name: code for code, names in REFUSED.items() for name in names}
# The first 16 digits of the SHA-256 of the stored values, row by row, little endian, or of 1000 times their luma.
CT13 = "1bee432808f49770"
DIGESTS = {
    "bits/JLSL_08_07_0_1F.dcm": "210dc401f95db43b",  # GDCM gives nothing
    "bits/JLSL_16_15_1_1F.dcm": "4727d64f164a4a8d",  # GDCM loses the sign
    "enhanced/ect_fragmented_no_bot_jpeg_ls.80.dcm": "fd4b6d58bc02947d",  # GDCM gives nothing
    "us/us_jpegls_burned_in.dcm": "be9f931da9650d6a",  # GDCM cannot read it
    "ct13/ct_1.2.840.10008.1.2.4.57.dcm": CT13,
    "ct13/ct_1.2.840.10008.1.2.4.70.dcm": CT13,
    "mg/mg_overlay_out_of_bounds.dcm": "32ceae3b3310f6e8",
    "multiwindow/ct_two_windows_jpegll.dcm": "e5357afb62bb2b2d",
    "real-broken/bad_sequence.dcm": "ef7120ddfc77c166",
    "us/JPGLosslessP14SV1_1s_1f_8b.dcm": "36e27e4f1e87a7d5",
    "test_files/SC_rgb_jpeg_gdcm.dcm": "ab09a1e07023c81e",
    "test_files/J2K_pixelrep_mismatch.dcm": "9408934a5b0684e4",  # signed by its header, unsigned by its codestream
    "test_files/SC_rgb_jpeg.dcm": "b0f09b057c1ea6b5",  # GDCM of its twin SC_jpeg_no_color_transform; of itself in 5 s
    "ts/HTJ2KLossless_08_RGB.dcm": "3854d0c2ef036a7e",
    # 12 bit JPEG: GDCM is our decoder; libjpeg-turbo 3.1.3 gives the same.
    "ct13/ct_1.2.840.10008.1.2.4.51.dcm": "85e3b617e00dc755",
    "test_files/JPEG-lossy.dcm": "d30242775a414c01",
    "test_files/JPGExtended.dcm": "d30242775a414c01",
}
# Lossy JPEG: decoders differ by up to 7 counts (data/dicom/README.md). All but one of these files agree exactly.
COUNTS = {"us/us_cine_ybrfull_8frames.dcm": 1}


def names_of_files() -> list[str]:
    shipped = (Path(path) for path in get_testdata_files() + get_charset_files())
    names = [str(path.relative_to(SHIPPED)) for path in shipped if path.is_file()]
    names = [name for name in names if Path(name).suffix in ("", ".dcm") and Path(name).name != "README"]
    manifest = DATA / "manifest.csv"
    if manifest.is_file():
        with manifest.open(newline="") as table:
            names += [row["file"] for row in csv.DictReader(table)]
    return sorted(names)


def place_of(name: str) -> Path:
    return (SHIPPED if name.startswith(("test_files", "charset_files")) else DATA) / name


def element_of(dataset) -> pydicom.DataElement | None:
    keywords = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    return next((dataset[keyword] for keyword in keywords if keyword in dataset), None)


@pytest.mark.parametrize("name", names_of_files())
def test_a_file_is_read_exactly_or_refused_for_its_known_reason(name):
    path = place_of(name)
    dataset = pydicom.dcmread(path, force=True)
    code = CODES.get(name, "NO_PIXELS" if element_of(dataset) is None else None)
    if code is not None:
        with pytest.raises(ItemError) as refused:
            read_image(path)

        assert refused.value.code == code
        return

    image = read_image(path)

    assert image.values.dtype == image.grey.dtype == np.float32
    assert 0 <= image.grey.min() < image.grey.max() <= 1
    if name in DIGESTS:
        assert digest_of(image.values, dataset) == DIGESTS[name]
    else:
        expected = expected_values(independent(path, dataset), dataset)
        assert_allclose(image.values, expected, rtol=1e-6, atol=COUNTS.get(name, 0))


def test_every_known_refusal_and_digest_is_of_a_file_at_hand(shared):
    assert {*CODES, *DIGESTS, *COUNTS} <= set(names_of_files())


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("ct13/ct_1.2.840.10008.1.2.dcm", 0),
        ("series-ct-ge-tilt/269e0d37.dcm", 0),  # with padding
        ("cr/dx_mono1_veterinary_small.dcm", 0),  # turned into MONOCHROME2
        ("lut/mr_slope_voifn.dcm", 1),  # the slope is a fraction: values are rounded before they meet the window
    ],
)
def test_a_copy_of_the_other_polarity_gives_the_same_tensor(shared, tmp_path, name, levels):
    """The stored s becomes K - s, the polarity is turned over, and so is each number that speaks of stored values."""
    dataset = pydicom.dcmread(DATA / name)
    slope, intercept = rescale(dataset)
    signed, kind = dataset.PixelRepresentation, f"<{'ui'[dataset.PixelRepresentation]}{dataset.BitsAllocated // 8}"
    turned = -1 if signed else 2**dataset.BitsStored - 1
    dataset.PixelData = (turned - np.frombuffer(dataset.PixelData, kind).astype(np.int64)).astype(kind).tobytes()
    others = {"MONOCHROME1": "MONOCHROME2", "MONOCHROME2": "MONOCHROME1"}
    dataset.PhotometricInterpretation = others[dataset.PhotometricInterpretation]
    if "PixelPaddingValue" in dataset:
        padding = turned - dataset.PixelPaddingValue
        dataset.PixelPaddingValue = padding % 65536 if dataset["PixelPaddingValue"].VR == "US" else padding
    # x becomes slope * turned + 2 * intercept - x; the linear window is symmetric about its centre less 0.5.
    dataset.WindowCenter = slope * turned + 2 * intercept - float(dataset.WindowCenter) + 1
    copy = tmp_path / "copy.dcm"
    dataset.save_as(copy)

    first, second = (prepare(read_image(path).grey, Preparation(size=64)) for path in (DATA / name, copy))

    assert np.abs(first.astype(int) - second).max() <= levels


def independent(path: Path, dataset) -> np.ndarray:
    """The first frame's stored values (H, W), or (H, W, 3) in RGB; unused bits cut off, the sign spread."""
    syntax = dataset.file_meta.get("TransferSyntaxUID") or UID
    if syntax in NATIVE:
        stored = unpacked(dataset, NATIVE[syntax])
    elif syntax == RLE:
        stored = run_lengths(dataset)
    else:
        stored = by_gdcm(path, dataset)
    ybr = dataset.PhotometricInterpretation in ("YBR_FULL", "YBR_FULL_422")
    if ybr or (stored.ndim == 3 and dataset.PhotometricInterpretation == "RGB" and is_jfif(dataset)):
        return rgb_of(stored)
    bits = dataset.get("BitsStored")
    if stored.dtype.kind == "f" or bits == dataset.BitsAllocated:
        return stored
    low = stored.astype(np.int64) & (2**bits - 1)
    return np.where(low >> (bits - 1), low - 2**bits, low) if dataset.PixelRepresentation else low


def unpacked(dataset, order: str) -> np.ndarray:
    """Uncompressed pixels, DICOM PS3.5 8.1 and PS3.3 C.7.6.3.1."""
    rows, columns, samples = dataset.Rows, dataset.Columns, dataset.get("SamplesPerPixel", 1)
    element, width = element_of(dataset), dataset.BitsAllocated // 8
    if dataset.PhotometricInterpretation == "YBR_FULL_422":  # two luminances, then one of each chrominance
        pairs = np.frombuffer(element.value, np.uint8)[: rows * columns * 2].reshape(-1, 4)
        channels = [pairs[:, :2].reshape(-1), np.repeat(pairs[:, 2], 2), np.repeat(pairs[:, 3], 2)]
        return np.stack(channels, axis=-1).reshape(rows, columns, 3)
    kind = "f" if element.keyword != "PixelData" else "i" if dataset.PixelRepresentation else "u"
    pixels = np.frombuffer(element.value, f"{order}{kind}{width}", count=rows * columns * samples)
    if samples == 1:
        return pixels.reshape(rows, columns)
    planar = dataset.get("PlanarConfiguration", 0)
    return pixels.reshape(3, rows, columns).transpose(1, 2, 0) if planar else pixels.reshape(rows, columns, 3)


def run_lengths(dataset) -> np.ndarray:
    """DICOM PS3.5 annex G: a segment a byte of each sample, the most significant first."""
    frame = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
    count, *offsets = struct.unpack("<16I", frame[:64])
    segments = [frame[start:end] for start, end in pairwise([*offsets[:count], len(frame)])]
    planes = [np.frombuffer(expanded(part)[: dataset.Rows * dataset.Columns], np.uint8) for part in segments]
    width = dataset.BitsAllocated // 8
    kind = f">{'i' if dataset.PixelRepresentation else 'u'}{width}"
    samples = [np.stack(planes[at : at + width], axis=-1).copy().view(kind) for at in range(0, count, width)]
    return np.concatenate(samples, axis=-1).reshape(dataset.Rows, dataset.Columns, -1).squeeze()


def expanded(segment: bytes) -> bytes:
    out, place = bytearray(), 0
    while place < len(segment):
        head = segment[place]
        if head < 128:
            out += segment[place + 1 : place + head + 2]
            place += head + 2
        else:
            out += segment[place + 1 : place + 2] * (257 - head if head > 128 else 0)
            place += 2 if head > 128 else 1
    return bytes(out)


def by_gdcm(path: Path, dataset) -> np.ndarray:
    """The components as GDCM decodes them, of YBR_FULL without conversion."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    picture = reader.GetImage()
    signed, bits = picture.GetPixelFormat().GetPixelRepresentation(), picture.GetPixelFormat().GetBitsAllocated()
    buffer = picture.GetBuffer().encode("utf-8", "surrogateescape")
    shape = (dataset.Rows, dataset.Columns) + ((3,) if dataset.SamplesPerPixel == 3 else ())
    pixels = np.frombuffer(buffer, f"{'i' if signed else 'u'}{bits // 8}", count=int(np.prod(shape)))
    if dataset.SamplesPerPixel == 3 and picture.GetPlanarConfiguration():
        return pixels.reshape(3, dataset.Rows, dataset.Columns).transpose(1, 2, 0)
    return pixels.reshape(shape)


def is_jfif(dataset) -> bool:
    """Whether the frame is a JFIF file, whose components are YCbCr whatever the data set says (JFIF 1.02)."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    return syntax in (f"{UID}.4.50", f"{UID}.4.51") and b"JFIF\0" in dataset.PixelData[:64]


def rgb_of(ybr: np.ndarray) -> np.ndarray:
    """DICOM PS3.3 C.7.6.3.1.2, YBR_FULL, turned round."""
    y, cb, cr = np.moveaxis(ybr.astype(float) - [0, 128, 128], -1, 0)
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(np.rint(rgb), 0, 255)


def expected_values(stored: np.ndarray, dataset) -> np.ndarray:
    """Modality values of grey pixels, the luma (ITU-R BT.601) of colours, those of a palette looked up."""
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = np.stack([looked_up(stored, dataset, colour) for colour in ("Red", "Green", "Blue")], axis=-1)
    if stored.ndim == 3:
        grey = (stored == stored[..., :1]).all()
        return stored[..., 0].astype(float) if grey else stored @ np.array([0.299, 0.587, 0.114])
    if "ModalityLUTSequence" in dataset:
        table = dataset.ModalityLUTSequence[0]
        first = np.array(table.LUTDescriptor[1]).astype(np.int16 if dataset.PixelRepresentation else np.uint16)
        data = np.array(table.LUTData) if not isinstance(table.LUTData, bytes) else np.frombuffer(table.LUTData, "<u2")
        return data.astype(float)[np.clip(stored.astype(np.int64) - first, 0, len(data) - 1)]
    slope, intercept = rescale(dataset)
    return stored.astype(float) * slope + intercept


def looked_up(indices: np.ndarray, dataset, colour: str) -> np.ndarray:
    entries, first, bits = dataset[f"{colour}PaletteColorLookupTableDescriptor"].value
    keyword = f"{colour}PaletteColorLookupTableData"
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    if keyword in dataset:
        table = np.frombuffer(dataset[keyword].value, kind)[: entries or 65536]
    else:
        table = unsegmented(np.frombuffer(dataset[f"Segmented{keyword}"].value, kind).tolist())
        assert len(table) == (entries or 65536)
    return table[np.clip(indices.astype(np.int64) - first, 0, len(table) - 1)].astype(float)


def unsegmented(words: list[int]) -> np.ndarray:
    """DICOM PS3.3 C.7.9.2: segments that list values (0) or go straight from the last value to another (1)."""
    table, place = [], 0
    while place < len(words):
        kind, length = words[place : place + 2]
        if kind == 0:
            table += words[place + 2 : place + 2 + length]
            place += 2 + length
        else:
            assert kind == 1
            start, end = table[-1], words[place + 2]
            table += [start + (end - start) * step / length for step in range(1, length + 1)]
            place += 3
    return np.rint(table)


def rescale(dataset) -> tuple[float, float]:
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        if groups in dataset and "PixelValueTransformationSequence" in dataset[groups].value[0]:
            dataset = dataset[groups].value[0].PixelValueTransformationSequence[0]
            break
    return float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)


def digest_of(values: np.ndarray, dataset) -> str:
    """Of the stored values: the rescale undone, unused bits cut off, in the least whole bytes; of colours the luma."""
    if dataset.SamplesPerPixel == 3:
        return hashlib.sha256(np.rint(values.astype(float) * 1000).astype("<u4").tobytes()).hexdigest()[:16]
    slope, intercept = rescale(dataset)
    stored = np.rint((values.astype(float) - intercept) / slope).astype(np.int64) & (2**dataset.BitsStored - 1)
    return hashlib.sha256(stored.astype(f"<u{dataset.BitsAllocated // 8}").tobytes()).hexdigest()[:16]
