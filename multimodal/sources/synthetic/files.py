"""A drawn radiograph as the bytes of a file: DICOM, PNG or JPEG, the same bytes for the same pixels."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian


def encode_png8(image: np.ndarray) -> bytes:
    return _pillow(Image.fromarray(np.round(image * 255).astype(np.uint8)), "PNG", compress_level=1)


def encode_png16(image: np.ndarray) -> bytes:
    return _pillow(Image.fromarray(np.round(image * 65535).astype(np.uint16)), "PNG", compress_level=1)


def encode_jpeg(image: np.ndarray) -> bytes:
    return _pillow(Image.fromarray(np.round(image * 255).astype(np.uint8)), "JPEG", quality=92)


def encode_dicom2(image: np.ndarray) -> bytes:
    return _dicom(np.round(image * 4095).astype("<u2"), "MONOCHROME2")


def encode_dicom1(image: np.ndarray) -> bytes:
    return _dicom(np.round((1 - image) * 4095).astype("<u2"), "MONOCHROME1")


# By name: (encoder of float32 (rows, columns) in [0, 1], suffix of the file).
FORMATS = {
    "png8": (encode_png8, ".png"),
    "png16": (encode_png16, ".png"),
    "jpeg": (encode_jpeg, ".jpg"),
    "dicom2": (encode_dicom2, ".dcm"),
    "dicom1": (encode_dicom1, ".dcm"),
}


def _pillow(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _dicom(pixels: np.ndarray, photometric: str) -> bytes:
    """A computed radiograph of 12 bits, without any identifier or time."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    uid = _uid(pixels)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1"
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{uid}.2", f"{uid}.3"
    data.Modality = "CR"
    data.PatientIdentityRemoved = "YES"
    data.BurnedInAnnotation = "NO"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.BodyPartExamined = "CHEST"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = photometric
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.WindowCenter, data.WindowWidth = 2048, 4096
    data.RescaleIntercept, data.RescaleSlope = 0, 1
    data.PixelData = pixels.tobytes()
    stream = BytesIO()
    dcmwrite(stream, data, enforce_file_format=True)
    return stream.getvalue()


def _uid(pixels: np.ndarray) -> str:
    """A UID under 2.25 made from the pixels, so that the same picture has the same one."""
    return f"2.25.{int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:14], 'big')}"
