"""Image files to checked pixels: what each file holds, and the square pictures that an encoder reads."""

from .image import Image
from .load import Images, load
from .prepare import Preparation, prepare
from .read import read_image, read_volume
from .volume import Volume

__all__ = ["Image", "Images", "Preparation", "Volume", "load", "prepare", "read_image", "read_volume"]
