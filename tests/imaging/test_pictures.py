"""Pictures keep their values, their orientation and their polarity; what is hidden stays hidden."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import PIL.Image
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.imaging import read_image
from multimodal.records import ItemError

RAMP = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def saved(folder, name, pixels, **options):
    path = folder / name
    picture = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_read_exactly(tmp_path, name):
    path = saved(tmp_path, name, RAMP * 109)

    image = read_image(path)

    assert_array_equal(image.values, RAMP * 109)
    assert_allclose(image.grey, RAMP / 599, atol=1e-6)
    assert image.warnings == ()


def test_eight_bits_are_read_exactly(tmp_path):
    pixels = (RAMP % 256).astype(np.uint8)

    for name in ("a.png", "a.tif", "a.bmp", "a.gif"):
        assert_array_equal(read_image(saved(tmp_path, name, pixels)).values, pixels, err_msg=name)


def test_a_sixteen_bit_tiff_whose_zero_is_white_comes_out_inverted(tmp_path):
    path = saved(tmp_path, "a.tif", RAMP * 109, tiffinfo={262: 0})

    assert_allclose(read_image(path).grey, 1 - RAMP / 599, atol=1e-6)


def test_pixels_of_a_float_tiff_that_are_no_numbers_are_padding(tmp_path):
    pixels = RAMP.astype(np.float32)
    pixels[:, 0] = np.nan

    image = read_image(saved(tmp_path, "a.tif", pixels))

    assert [code for code, _ in image.warnings] == ["NOT_FINITE"]
    assert (image.grey[:, 0] == 0).all()
    assert_allclose(image.grey[:, 1:], (RAMP[:, 1:] - 1) / 598, atol=1e-6)


def test_exif_orientation_is_applied(tmp_path):
    """Orientation 6: the row that is stored first is shown at the right."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    pixels = (RAMP % 256).astype(np.uint8)

    image = read_image(saved(tmp_path, "a.png", pixels, exif=exif))

    assert_array_equal(image.values, np.rot90(pixels, -1))


def test_transparent_pixels_are_padding_whatever_colour_they_hide(tmp_path):
    grey = (RAMP % 200 + 50).astype(np.uint8)
    alpha = np.where(np.arange(30) < 6, 0, 255).astype(np.uint8) * np.ones((20, 1), np.uint8)
    for mode, channels in (("LA", [grey, alpha]), ("RGBA", [grey, grey, grey, alpha])):
        image = read_image(saved(tmp_path, f"{mode}.png", PIL.Image.fromarray(np.stack(channels, axis=-1), mode=None)))

        assert (image.grey[:, :6] == 0).all()
        assert_array_equal(image.values[:, 6:], grey[:, 6:])
        assert ("COLOUR_CONVERTED", "transparent pixels are read as padding.") in image.warnings


def test_equal_channels_are_grey_exactly_and_others_are_luma_with_a_warning(tmp_path):
    grey = (RAMP % 256).astype(np.uint8)
    same = read_image(saved(tmp_path, "same.png", np.stack([grey] * 3, axis=-1)))
    colours = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    other = read_image(saved(tmp_path, "other.png", colours))

    assert_array_equal(same.values, grey)
    assert same.warnings == ()
    assert_allclose(other.values, colours @ [0.299, 0.587, 0.114], atol=1e-3)  # ITU-R BT.601
    assert other.warnings == (("COLOUR_CONVERTED", "the colours are read as grey (luma)."),)
    assert (same.kind, other.kind) == ("", "photo")


def test_palette_indices_are_not_grey_values(tmp_path):
    grey = (RAMP % 256).astype(np.uint8)
    picture = PIL.Image.fromarray(255 - grey, mode=None).convert("P")
    picture.putpalette([255 - level for level in range(256) for _ in range(3)])

    assert_array_equal(read_image(saved(tmp_path, "a.png", picture)).values, grey)


def test_the_first_frame_of_an_animation_and_the_first_page_are_read_with_a_warning(tmp_path):
    first, second = (PIL.Image.fromarray(((RAMP + shift) % 256).astype(np.uint8)) for shift in (0, 99))
    for name in ("a.gif", "a.tif", "a.png", "a.webp"):
        path = saved(tmp_path, name, first, save_all=True, append_images=[second], lossless=True)

        image = read_image(path)

        assert ("FIRST_FRAME", "the file has several frames or pages; the first is read.") in image.warnings, name
        assert_array_equal(image.values, np.asarray(first), err_msg=name)


def tiff(page: bytes, *, pages: int) -> bytes:
    """A TIFF of `pages` pages: the one of the TIFF file `page`, and its directory again and again."""
    (first,) = struct.unpack_from("<I", page, 4)
    (entries,) = struct.unpack_from("<H", page, first)
    directory = page[first : first + 2 + 12 * entries]
    data = bytearray(page)
    link = first + len(directory)
    for _ in range(pages - 1):
        data[link : link + 4] = struct.pack("<I", len(data))
        data += directory + bytes(4)
        link = len(data) - 4
    return bytes(data)


def gif(frame: bytes, *, frames: int) -> bytes:
    """A GIF that shows `frame`, a GIF file of one frame, again and again."""
    header = 13 + (3 << ((frame[10] & 7) + 1))
    return frame[:header] + frame[header:-1] * frames + b";"


@pytest.mark.parametrize(
    ("name", "repeated"),
    [("a.tif", lambda page, n: tiff(page, pages=n)), ("a.gif", lambda frame, n: gif(frame, frames=n))],
)
def test_more_than_1024_frames_or_pages_are_refused_and_not_walked(tmp_path, name, repeated):
    path = saved(tmp_path, name, (RAMP % 256).astype(np.uint8))
    page = path.read_bytes()
    path.write_bytes(repeated(page, 1024))
    assert ("FIRST_FRAME", "the file has several frames or pages; the first is read.") in read_image(path).warnings
    path.write_bytes(repeated(page, 100_000))
    start = time.perf_counter()

    with pytest.raises(ItemError) as refused:
        read_image(path)

    assert str(refused.value) == "IMAGE_TOO_LARGE: the header says 1025 frames; at most 1024 are read."
    assert time.perf_counter() - start < 0.5


def test_pages_that_go_in_a_circle_or_out_of_the_file_end_the_count(tmp_path):
    path = saved(tmp_path, "a.tif", (RAMP % 256).astype(np.uint8))
    two = tiff(path.read_bytes(), pages=2)
    first = two[4:8]
    for last in (first, b"\xff\xff\xff\x7f"):
        path.write_bytes(two[:-4] + last)

        assert [code for code, _ in read_image(path).warnings] == ["FIRST_FRAME"]


def test_photographs_are_known_and_tinted_or_annotated_radiographs_are_not(shared):
    """hubble_deep_field is black with few coloured stars; 000005-5-b is a film that was photographed, blue all over."""
    data = shared / "data"
    natural = sorted((data / "other-images" / "natural").glob("*.jpg"))
    kinds = {path.name: read_image(path).kind for path in natural}
    film = next((data / "covid-chestxray").rglob("000005-5-b.jpg"))

    assert [name for name, kind in kinds.items() if kind != "photo"] == ["sk_hubble_deep_field.jpg"]
    assert read_image(film).kind == ""
    for path in (data / "other-images" / "medical").glob("graz_*"):
        assert read_image(path).kind == ""


@pytest.mark.parametrize(("size", "code"), [((7, 500), "IMAGE_TOO_SMALL"), ((65535, 65535), "IMAGE_TOO_LARGE")])
def test_a_size_in_the_header_is_refused_before_anything_is_allocated(tmp_path, size, code):
    """A PNG of 45 bytes without pixels: signature, header chunk, an empty data chunk."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0), b"IDAT")
    path = tmp_path / "a.png"
    packed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))

    with pytest.raises(ItemError) as refusal:
        read_image(path)

    assert refusal.value.code == code
