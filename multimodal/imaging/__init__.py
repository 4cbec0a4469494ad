"""Image files to checked pixels: what each file holds, and the square picture that an encoder reads."""

from .image import Image
from .load import Images, load
from .prepare import Preparation, prepare
from .read import read_image

__all__ = ["Image", "Images", "Preparation", "load", "prepare", "read_image"]
