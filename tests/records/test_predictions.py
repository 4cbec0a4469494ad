"""Predictions are columns; an index gives a Prediction, and a frame holds what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from multimodal import Prediction
from multimodal.records import Predictions, Problem, Provenance

READ = [
    Provenance(where="images.csv row 2", facts={"modality": "DX", "view": "PA"}),
    Provenance(where="images.csv row 3", facts={"format": "PNG"}),
]


@pytest.fixture
def predictions():
    """Two records, one target, one modality: one with two images and one without anything."""
    return Predictions(
        model_id="0123456789abcdef",
        record_ids=np.array(["a", "b"], dtype=object),
        targets=("sepsis",),
        modalities=("image",),
        probability=np.array([[0.5], [np.nan]]),
        decision=np.array([[1.0], [np.nan]]),
        threshold=np.array([0.4]),
        contribution=np.array([[[1.5]], [[np.nan]]]),
        baseline=np.array([-1.5]),
        present=np.array([[True], [False]]),
        problems=[[], [Problem("FILE_MISSING", "images.csv row 4", "there is no such file")]],
        abstained=np.array([None, "NO_INPUT"], dtype=object),
        provenance=[READ, []],
    )


def test_the_provenance_of_a_record_stands_on_its_prediction_alone(predictions):
    assert [prediction.provenance for prediction in predictions] == [tuple(READ), ()]


def test_a_prediction_comes_back_from_json_as_it_was(predictions):
    for prediction in predictions:
        assert Prediction.model_validate_json(prediction.model_dump_json()) == prediction


def test_a_frame_holds_the_provenance_as_compact_json_or_nothing(predictions):
    column = predictions.to_frame()["provenance"].tolist()

    assert column == [
        '[{"where":"images.csv row 2","facts":{"modality":"DX","view":"PA"}},'
        '{"where":"images.csv row 3","facts":{"format":"PNG"}}]',
        "",
    ]
    assert [Provenance.model_validate(one) for one in json.loads(column[0])] == READ
