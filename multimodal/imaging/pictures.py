"""PNG, JPEG, TIFF, GIF, BMP and WebP to a picture of grey, with nothing clipped, hidden or turned in silence."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import PIL.Image
import PIL.ImageOps

from multimodal.records import ItemError

from .colour import luma
from .image import NOT_FINITE, Image, Plane, check_size, is_blank, over_range
from .pages import frames_of
from .windows import NOT_USED, WINDOWS

BITS = 258  # the TIFF tag BitsPerSample
PHOTOMETRIC = 262  # the TIFF tag; 0 is WhiteIsZero


def read_picture(data: bytes, found: str, *, window: str = "file") -> Image:
    """The picture in `data`, whose format `found` is one of Pillow's names.

    Values are the file's own (8 and 16 bit, float); EXIF orientation is applied, transparent pixels are padding, the
    first frame or page is read with the warning FIRST_FRAME, colour becomes luma with COLOUR_CONVERTED.
    Raises ItemError: IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, DECODE_FAILED, BLANK_IMAGE.
    """
    notes: list[tuple[str, str]] = []
    picture, pages = opened(data, found)
    if pages > 1:
        notes.append(("FIRST_FRAME", "the file has several frames or pages; the first is read."))
    plane, mode = page_plane(picture, data, 0, notes)
    grey = page_grey(plane, window, notes)
    if is_blank(grey):
        raise ItemError("BLANK_IMAGE", "the picture is constant or has under 4 grey levels in its central half.")
    kind = "photo" if plane.coloured else ""
    return Image(plane.values, grey, kind, {"format": found, "mode": mode} | lossy_fact(data, found), tuple(notes))


def opened(data: bytes, found: str) -> tuple[PIL.Image.Image, int]:
    """The picture, of which only headers have been read, and its number of frames or pages; the limits are checked."""
    with _refusing(found):
        picture = PIL.Image.open(io.BytesIO(data), formats=[found])
        pages = frames_of(picture, data)
        check_size(*picture.size, pages, _bytes_per_pixel(picture.mode))
        return picture, pages


def page_shapes(picture: PIL.Image.Image, pages: int) -> set[tuple]:
    """The sizes, modes and polarities of the pages of an opened picture, from their headers."""
    shapes = set()
    with _refusing(picture.format):
        for page in range(pages):
            picture.seek(page)
            shapes.add((picture.size, picture.mode, _white_is_zero(picture)))
    return shapes


def page_plane(picture: PIL.Image.Image, data: bytes, page: int, notes: list) -> tuple[Plane, str]:
    """The plane of one frame or page of an opened picture, and its mode of colour, a name of Pillow's."""
    found = picture.format
    with _refusing(found):
        picture.seek(page)
        white_is_zero = _white_is_zero(picture)
        picture.load()
        if _has_wide_colours(picture, data):
            notes.append(("COLOUR_CONVERTED", "colour channels of 16 bits are read as grey, with 8 bits."))
        picture = PIL.ImageOps.exif_transpose(picture)
    if lossy_fact(data, found):
        notes.append(("LOSSY", f"the picture is {found} with lossy compression."))
    values, padding, coloured = _grey_values(picture, notes)
    if not np.isfinite(values).all():
        padding = ~np.isfinite(values) if padding is None else padding | ~np.isfinite(values)
        notes.append(NOT_FINITE)
        values = np.where(padding, np.float32(0), values)
    eight_bit = picture.mode not in ("I", "F", "1") and not picture.mode.startswith("I;")
    inverted = white_is_zero and not eight_bit and picture.mode != "1"  # Pillow inverts WhiteIsZero for 8 bits only
    return Plane(values, padding, 255 if eight_bit else 0, coloured, inverted), picture.mode


def page_grey(plane: Plane, window: str, notes: list) -> np.ndarray:
    """The plane, or planes (S, H, W), in [0, 1]: over the range of 8 bits, or over that of the values."""
    if window in WINDOWS:
        notes.append(NOT_USED)
    whole = plane.white and window != "range"
    grey = np.minimum(plane.values / np.float32(255), 1) if whole else over_range(plane.values, plane.padding)
    if plane.inverted:
        grey = 1 - grey
    if plane.padding is not None:
        grey[plane.padding] = 0
    return grey


def lossy_fact(data: bytes, found: str) -> dict[str, str]:
    """What the provenance says where the format compresses with loss."""
    return {"lossy": "yes"} if found == "JPEG" or (found == "WEBP" and b"VP8 " in data) else {}


@contextmanager
def _refusing(found: str):
    """Turns what Pillow raises into an ItemError, and keeps it from warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ItemError, MemoryError):
        raise
    except PIL.Image.DecompressionBombError as error:
        raise ItemError("IMAGE_TOO_LARGE", "the picture is above the size limit of its decoder.") from error
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, AttributeError) as error:
        raise ItemError("DECODE_FAILED", f"the {found} content is cut off or damaged.") from error
    except (struct.error, zlib.error, OverflowError, ZeroDivisionError, RecursionError, RuntimeError) as error:
        raise ItemError("DECODE_FAILED", f"the {found} content is cut off or damaged.") from error


def _white_is_zero(picture: PIL.Image.Image) -> bool:
    return picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC) == 0


def _has_wide_colours(picture: PIL.Image.Image, data: bytes) -> bool:
    """Whether the file has several channels of 16 bits, of which Pillow reads the upper 8."""
    if picture.mode not in ("LA", "RGB", "RGBA", "CMYK"):
        return False
    return (
        data[24] == 16 if picture.format == "PNG" else picture.format == "TIFF" and 16 in picture.tag_v2.get(BITS, ())
    )


def _bytes_per_pixel(mode: str) -> int:
    return {"1": 1, "L": 1, "P": 1, "LA": 2, "PA": 2, "I": 4, "F": 4}.get(mode, 2 if mode.startswith("I;") else 4)


def _grey_values(picture: PIL.Image.Image, notes: list) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """values float32 (H, W), padding bool (H, W) or None, and whether it is clearly a coloured picture."""
    padding = None
    transparent = picture.info.get("transparency")
    if picture.mode == "P":
        picture = picture.convert("RGBA" if transparent is not None else "RGB")
    elif transparent is not None and picture.mode == "RGB":
        picture = picture.convert("RGBA")
    elif picture.mode in ("PA", "La", "RGBa"):
        picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
    elif picture.mode not in ("1", "L", "LA", "RGB", "RGBA", "I", "F") and not picture.mode.startswith("I;"):
        notes.append(("COLOUR_CONVERTED", f"{picture.mode} colours are read as grey."))
        picture = picture.convert("RGB")  # CMYK, YCbCr, LAB, HSV
    pixels = np.asarray(picture)
    if picture.mode in ("LA", "RGBA"):
        padding, pixels = pixels[..., -1] == 0, pixels[..., :-1]
    elif transparent is not None and isinstance(transparent, int):
        padding = pixels == transparent
    coloured = False
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        values, coloured = luma(pixels, 255, notes)
    else:
        values = pixels.reshape(pixels.shape[:2]).astype(np.float32)
    if padding is not None and padding.any():
        notes.append(("COLOUR_CONVERTED", "transparent pixels are read as padding."))
        values = np.where(padding, np.float32(0), values)
        return values, padding, coloured
    return values, None, coloured
