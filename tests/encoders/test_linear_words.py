"""The linear word model."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.encoders.linear_words import LinearWords, character_terms, word_terms
from multimodal.notes import Notes

POSITIVE = ["Small pleural effusion.", "Large right effusion.", "Effusion on the left.", "There is pleural effusion."]
NEGATIVE = ["No pleural effusion.", "No right effusion.", "Without effusion.", "There is no pleural effusion."]


@pytest.fixture(scope="module")
def fitted():
    texts = (POSITIVE + NEGATIVE) * 10
    y = np.array(([1.0] * 4 + [0.0] * 4) * 10)[:, None]
    notes = Notes(np.arange(80), texts, [], 80)
    return LinearWords().fit(notes, ["effusion"], y, np.arange(80), random_state=0)


def said(model, *texts):
    return model.encode(Notes(np.arange(len(texts)), list(texts), [], len(texts))).log_odds[:, 0]


def test_terms_are_marked_words_pairs_and_characters():
    assert word_terms("No effusion. Clear lungs.") == [
        "no", "not_effusion", "clear", "lungs", "no not_effusion", "clear lungs",
    ]  # fmt: skip
    assert character_terms("Ab c") == [" ab", "ab ", " ab ", " c "]


def test_a_negated_finding_speaks_against_it(fitted):
    """Each pair differs by the negation alone; none of these sentences was trained on."""
    found = said(fitted, "A right pleural effusion.", "No right pleural effusion or other finding.")

    assert found[0] > 0 > found[1]


def test_saved_and_loaded_it_says_the_same_to_the_bit(fitted, tmp_path):
    fitted.save(tmp_path)

    loaded = LinearWords.load(tmp_path, device="cpu")
    assert_array_equal(said(loaded, *POSITIVE, *NEGATIVE), said(fitted, *POSITIVE, *NEGATIVE))


def test_several_notes_of_a_record_are_averaged(fitted):
    together = fitted.encode(Notes(np.array([0, 0]), [POSITIVE[0], NEGATIVE[0]], [], 2))

    assert_allclose(together.log_odds[0, 0], said(fitted, POSITIVE[0], NEGATIVE[0]).mean())
    assert together.present.tolist() == [True, False]


def test_a_note_in_another_language_is_warned_of(fitted):
    found = fitted.encode(Notes(np.array([0]), ["Kein Pleuraerguss, Herz nicht verbreitert."], [], 1))

    assert [str(problem) for _, problem in found.problems] == [
        "MOSTLY_UNKNOWN: notes: over half of the words are unknown to the model"
    ]


def test_a_target_with_one_class_keeps_its_base_rate():
    notes = Notes(np.arange(8), POSITIVE + NEGATIVE, [], 8)
    model = LinearWords().fit(notes, ["never"], np.zeros((8, 1)), np.arange(8), random_state=0)

    assert_allclose(said(model, POSITIVE[0]), np.log(1 / 9))
