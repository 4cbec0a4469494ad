"""Predictions are columns; an index gives a Prediction, and a frame holds what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from multimodal import Prediction
from multimodal.records import RULES, Predictions, Problem, Provenance, RuleScore, RuleScores

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
        prediction_set=np.array([[3], [-1]]),
        threshold=np.array([0.4]),
        contribution=np.array([[[1.5]], [[np.nan]]]),
        baseline=np.array([-1.5]),
        present=np.array([[True], [False]]),
        problems=[[], [Problem("FILE_MISSING", "images.csv row 4", "there is no such file")]],
        abstained=np.array([None, "NO_INPUT"], dtype=object),
        provenance=[READ, []],
        scores=scores(),
        decided_by=np.array([None, "news2"], dtype=object),
    )


def scores() -> RuleScores:
    """Record a has none; b a NEWS2 of 6 without oxygen and consciousness, a qSOFA of 1 and a shock index of 0.9."""
    found = RuleScores.none(2)
    found.value[1, :3] = 6, 1, 0.9
    found.missing[1, 0, [2, 5]] = True
    return found


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


def test_a_prediction_has_the_scores_that_could_be_computed_and_names_what_was_missing(predictions):
    a, b = predictions

    assert a.scores == {}
    assert b.scores == {
        "news2": RuleScore(value=6, threshold=5, alert=1, missing=("oxygen", "consciousness")),
        "qsofa": RuleScore(value=1, threshold=2, alert=0),
        "shock_index": RuleScore(value=0.9, threshold=0.9, alert=1),
    }
    assert (a.decided_by, b.decided_by) == (None, "news2")


def test_a_frame_has_a_column_a_rule_and_who_decided(predictions):
    frame = predictions.to_frame()

    assert [name for name in frame if name.startswith("score.")] == [f"score.{rule}" for rule in RULES]
    assert frame["score.news2"].tolist()[1:] == [6]
    assert frame[["score.news2", "score.sofa"]].isna().to_numpy().tolist() == [[True, True], [False, True]]
    assert frame["decided_by"].fillna("").tolist() == ["", "news2"]


def test_a_prediction_set_names_the_labels_that_cannot_be_ruled_out(predictions):
    a, b = predictions

    assert (a.targets["sepsis"].prediction_set, b.targets["sepsis"].prediction_set) == ((0, 1), None)
    assert predictions.to_frame()["sepsis.prediction_set"].fillna("").tolist() == ["0+1", ""]


def test_scores_of_several_parts_are_joined_in_order():
    joined = RuleScores.joined([scores(), RuleScores.none(1), scores()])

    assert joined.value[:, 0].tolist()[1::3] == [6, 6]
    assert joined.missing.shape == (5, len(RULES), 7)
    assert joined.alert[1].tolist()[:3] == [1, 0, 1]
