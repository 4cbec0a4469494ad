"""Making small images for the tests of the imaging room."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from multimodal.imaging import Preparation, load
from multimodal.records import Batch, ImageItem


@pytest.fixture
def write_dicom(tmp_path):
    """write(name, stored (H, W) uint8 or uint16, keyword=value …) -> path of an uncompressed DICOM file."""

    def write(name: str, stored: np.ndarray, **attributes) -> Path:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
        dataset.Modality = "DX"
        dataset.Rows, dataset.Columns = stored.shape
        dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
        dataset.BitsAllocated = dataset.BitsStored = stored.dtype.itemsize * 8
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.PixelData = stored.tobytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some tests write what the standard forbids
            for keyword, value in attributes.items():
                setattr(dataset, keyword, value)
        path = tmp_path / name
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def load_files():
    """load_files(paths, workers=…, fields of a Preparation …) -> Images of a batch with one record a path."""

    def load_them(paths, *, workers: int = 1, size: int = 16, **preparation):
        ids = np.array([f"r{index}" for index in range(len(paths))], dtype=object)
        items = [ImageItem(index, Path(path), where=f"images[{index}]") for index, path in enumerate(paths)]
        batch = Batch(ids, ids, np.full(len(ids), np.nan), np.full(len(ids), "", dtype=object), images=items)
        return load(batch, Preparation(size=size, **preparation), workers=workers)

    return load_them
