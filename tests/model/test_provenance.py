"""What was read of each image stands on the answer: the same in Python, JSONL, CSV and Parquet, and no identifier."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from multimodal import ClinicalModel, Cohort, PatientRecord, Prediction
from multimodal.model.scoring_files import score_to_file
from multimodal.records import Provenance

PLAIN = {"format": "DICOM", "transfer_syntax": "1.2.840.10008.1.2.1"}
FILM = PLAIN | {"modality": "DX", "view": "PA", "laterality": "R", "body_part": "CHEST", "lossy": "yes"}
FILM |= {"burned_in": "yes", "derived": "yes"}
PICTURE = {"format": "PNG", "mode": "L"}
SERIES = PLAIN | {"modality": "CT", "slices": "3 of 3", "spacing_mm": "2.5 x 0.7 x 0.8", "orientation": "axial"}


@pytest.fixture(scope="module")
def model(tiny_model):
    return ClinicalModel.load(tiny_model[0])


def write_dicom(path: Path, modality: str, **attributes) -> None:
    """A grey ramp as an uncompressed DICOM file with these header attributes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    stored = np.add.outer(np.arange(64, dtype=np.uint8), np.arange(64, dtype=np.uint8))
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = stored.tobytes()
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some values are what the standard forbids
        for keyword, value in {"Modality": modality, **attributes}.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """both: a radiograph and a broken file, then a picture; none: a note alone; ct: a series of three slices."""
    root = tmp_path_factory.mktemp("images")
    film = {"ViewPosition": "PA", "Laterality": "R", "BodyPartExamined": "CHEST", "LossyImageCompression": "01"}
    write_dicom(root / "film.dcm", "DX", **film, BurnedInAnnotation="YES", ImageType=["DERIVED", "SECONDARY"])
    PIL.Image.linear_gradient("L").save(root / "picture.png")
    (root / "broken.png").write_text("no picture")
    (root / "series").mkdir()
    for place in range(3):
        position = {"ImagePositionPatient": [0, 0, 2.5 * place], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        series = {"SeriesInstanceUID": "1.2.4", "PixelSpacing": [0.7, 0.8], "InstanceNumber": 9 - place}
        write_dicom(root / "series" / f"{place}.dcm", "CT", **position, **series)
    records = [
        PatientRecord(
            record_id="both",
            patient_id="a",
            images=[{"path": name} for name in ("film.dcm", "broken.png", "picture.png")],
        ),
        PatientRecord(record_id="note", patient_id="b", notes=[{"text": "Findings: No effusion. Clear."}]),
        PatientRecord(record_id="ct", patient_id="c", images=[{"path": "series"}]),
        PatientRecord(record_id="none", patient_id="d", images=[{"path": "broken.png"}]),
    ]
    return Cohort.from_records(records, root=root)


EXPECTED = {
    "both": [{"where": "images[0]", "facts": FILM}, {"where": "images[2]", "facts": PICTURE}],
    "note": [{"where": "notes[0]", "facts": {"sentences": "2", "sections": "findings"}}],
    "ct": [{"where": "images[0]", "facts": SERIES}],
    "none": [],
}


def told(prediction: Prediction) -> list[dict]:
    return [found.model_dump() for found in prediction.provenance]


def test_each_image_that_was_read_says_what_it_is_and_a_refused_one_nothing(model, cohort):
    found = {prediction.record_id: told(prediction) for prediction in model.predict(cohort)}

    assert found == EXPECTED


def test_the_files_say_what_python_says(model, cohort, tmp_path):
    """In two batches: the parts of a run keep it too."""
    for suffix in (".jsonl", ".csv", ".parquet"):
        score_to_file(model, cohort, tmp_path / f"answers{suffix}", batch_size=2)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as stream:
        tables = [list(csv.DictReader(stream)), pq.read_table(tmp_path / "answers.parquet").to_pylist()]

    assert {line["record_id"]: line["provenance"] for line in lines} == EXPECTED
    for rows in tables:
        assert {row["record_id"]: json.loads(row["provenance"] or "[]") for row in rows} == EXPECTED
        assert rows[3]["provenance"] == ""
        assert rows[2]["provenance"].startswith('[{"where":"images[0]","facts":{"format":"DICOM",')


def test_the_order_of_the_records_is_irrelevant(model, cohort):
    found = model.predict(cohort.take([3, 2, 1, 0]), batch_size=2)

    assert {prediction.record_id: told(prediction) for prediction in found} == EXPECTED


def test_a_prediction_comes_back_from_json_with_it(model, cohort):
    prediction = model.predict(cohort)[0]

    assert Prediction.model_validate_json(prediction.model_dump_json()) == prediction
    assert prediction.provenance[0] == Provenance(where="images[0]", facts=FILM)


@pytest.mark.parametrize("text", ["Doe^Jane", "jane doe", "MÜLLER", "CHEST\nDOE", "DOE, JANE", "DOE JANE 1950-02-03"])
def test_what_is_no_code_string_does_not_get_through(model, tmp_path, text):
    """DICOM PS3.5, 6.2: a code string is at most 16 capitals, digits, blanks and underscores."""
    names = ("ViewPosition", "Laterality", "ImageLaterality", "BodyPartExamined", "BurnedInAnnotation")
    names += ("LossyImageCompression", "ImageType")
    write_dicom(tmp_path / "film.dcm", "DX", SpecificCharacterSet="ISO_IR 192", **dict.fromkeys(names, text))
    record = PatientRecord(record_id="r", patient_id="p", images=[{"path": "film.dcm"}])
    prediction = model.predict(Cohort.from_records([record], root=tmp_path))[0]

    assert told(prediction) == [{"where": "images[0]", "facts": PLAIN | {"modality": "DX"}}]
    assert text not in prediction.model_dump_json()


def test_files_full_of_identifiers_tell_their_modality_alone(model, shared):
    """Names in seven character sets, identifiers in comments, nested sequences and private tags."""
    root = shared / "data" / "dicom" / "phi"
    names = sorted(path.name for path in root.glob("*.dcm"))
    records = [PatientRecord(record_id=name, patient_id=name, images=[{"path": name}]) for name in names]

    assert len(names) == 7
    for prediction in model.predict(Cohort.from_records(records, root=root)):
        assert told(prediction) == [{"where": "images[0]", "facts": PLAIN | {"modality": "CT"}}]
