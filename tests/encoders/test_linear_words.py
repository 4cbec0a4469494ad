"""The linear models of notes: words of the whole record, and of its sentences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import TfidfVectorizer

from multimodal.encoders.linear_sentences import LinearSentences
from multimodal.encoders.linear_words import LinearWords
from multimodal.encoders.word_features import WordFeatures
from multimodal.notes import Notes

POSITIVE = ["Small pleural effusion.", "Large right effusion.", "Effusion on the left.", "There is pleural effusion."]
NEGATIVE = ["No pleural effusion.", "No right effusion.", "Without effusion.", "There is no pleural effusion."]
BOTH = pytest.mark.parametrize("fitted", [LinearWords, LinearSentences], indirect=True)


@pytest.fixture(scope="module")
def fitted(request):
    texts = (POSITIVE + NEGATIVE) * 10
    y = np.array(([1.0] * 4 + [0.0] * 4) * 10)[:, None]
    return request.param().fit(Notes.of_texts(texts), ["effusion"], y, np.arange(80), random_state=0)


def said(model, *texts):
    return model.encode(Notes.of_texts(texts)).log_odds[:, 0]


@BOTH
@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("A right pleural effusion.", "No right pleural effusion or other finding."),
        ("A right pleural effusion.", "Right pleural effusion is absent."),
        ("A right pleural effusion.", "Possible right pleural effusion."),
        ("A right pleural effusion.", "History of right pleural effusion."),
        ("A right pleural effusion.", "Her mother had a right pleural effusion."),
        ("No change in the right pleural effusion.", "No right pleural effusion."),
    ],
)
def test_the_assertion_moves_the_answer_the_right_way(fitted, more, less):
    """None of these sentences was trained on."""
    found = said(fitted, more, less)

    assert found[0] > found[1]


@BOTH
def test_saved_and_loaded_it_says_the_same_to_the_bit(fitted, tmp_path):
    fitted.save(tmp_path)

    loaded = type(fitted).load(tmp_path, device="cpu")
    assert_array_equal(said(loaded, *POSITIVE, *NEGATIVE), said(fitted, *POSITIVE, *NEGATIVE))


@BOTH
def test_a_record_answers_the_same_whoever_stands_beside_it(fitted):
    together = said(fitted, *POSITIVE, *NEGATIVE)

    assert_allclose([said(fitted, text)[0] for text in POSITIVE + NEGATIVE], together, rtol=0, atol=1e-12)


@BOTH
def test_two_notes_of_a_record_are_read_as_one_of_both(fitted):
    """The sentences count, not how they are shared out among notes."""
    apart = fitted.encode(Notes.of_texts([POSITIVE[0], NEGATIVE[0]], [0, 0], 2))

    assert_allclose(apart.log_odds[0, 0], said(fitted, f"{POSITIVE[0]} {NEGATIVE[0]}")[0])
    assert apart.present.tolist() == [True, False]
    assert np.isnan(apart.log_odds[1]).all()


@BOTH
def test_a_note_in_another_language_is_warned_of(fitted):
    found = fitted.encode(Notes.of_texts(["Kein Pleuraerguss, Herz nicht verbreitert."]))

    assert [str(problem) for _, problem in found.problems] == [
        "MOSTLY_UNKNOWN: notes: over half of the words are unknown to the model"
    ]


@pytest.mark.parametrize("encoder", [LinearWords, LinearSentences])
def test_chinese_notes_are_learnt_and_their_negation_is_heard(encoder):
    texts = [
        "右侧胸腔积液。心影不大。",
        "左侧少量胸腔积液。",
        "未见胸腔积液。心影不大。",
        "无胸腔积液，心影增大。",
    ] * 15
    y = np.array([1.0, 1.0, 0.0, 0.0] * 15)[:, None]
    model = encoder().fit(Notes.of_texts(texts), ["effusion"], y, np.arange(60), random_state=0)

    found = said(model, "双侧胸腔积液。", "双侧未见胸腔积液。")
    assert found[0] > 0 > found[1]


@BOTH
def test_no_note_at_all_is_no_error(fitted):
    assert not fitted.encode(Notes.of_texts([], [], 2)).present.any()


def test_a_target_with_one_class_keeps_its_base_rate():
    notes = Notes.of_texts(POSITIVE + NEGATIVE)
    for encoder in (LinearWords(), LinearSentences()):
        model = encoder.fit(notes, ["never"], np.zeros((8, 1)), np.arange(8), random_state=0)

        assert_allclose(said(model, POSITIVE[0]), np.log(1 / 9))


def test_notes_that_share_no_term_say_the_base_rate():
    """Codes and numbers, each once: there is nothing to learn from, and no error."""
    notes, y = Notes.of_texts([f"qx{n}z{n * 7}" for n in range(20)]), (np.arange(20) % 2).astype(float)[:, None]
    for encoder in (LinearWords(), LinearSentences()):
        model = encoder.fit(notes, ["any"], y, np.arange(20), random_state=0)

        assert np.isfinite(said(model, "entirely new words")).all()


def test_the_sentence_that_tells_is_heard_among_many_others():
    """A finding in one sentence of 200: the words of the whole text lose it, the pooled sentences do not."""
    rng = np.random.default_rng(0)
    filler = [f"The {part} is {look}." for part in ("heart", "spine", "trachea", "aorta") for look in ("fine", "usual")]
    texts = [" ".join(rng.choice(filler, 3)) + (" Large effusion." if row % 2 else " Cough.") for row in range(120)]
    y = (np.arange(120) % 2).astype(float)[:, None]
    model = LinearSentences().fit(Notes.of_texts(texts), ["effusion"], y, np.arange(120), random_state=0)
    long = " ".join(rng.choice(filler, 200))

    found = said(model, long, f"{long} Large effusion.")

    assert found[1] > 0 > found[0]


def test_the_kind_of_the_note_says_what_its_sentences_weigh():
    """The same words in a radiology note tell of the finding, in a nursing note they tell nothing."""
    kinds = ["radiology", "nursing"] * 60
    y = np.array([kind == "radiology" for kind in kinds], dtype=float)[:, None]
    notes = Notes.of_texts(["Effusion."] * 120)
    notes = Notes(**{**vars(notes), "kind": kinds})
    model = LinearSentences().fit(notes, ["effusion"], y, np.arange(120), random_state=0)

    found = model.encode(notes).log_odds[:2, 0]
    assert found[0] > 0 > found[1]


def test_the_age_of_a_note_says_what_its_sentences_weigh():
    y = (np.arange(120) % 2).astype(float)
    hours = np.where(y == 1, 0.0, -2000.0)
    notes = Notes(**{**vars(Notes.of_texts(["Effusion."] * 120)), "hours": hours})
    model = LinearSentences().fit(notes, ["effusion"], y[:, None], np.arange(120), random_state=0)

    found = model.encode(notes).log_odds[:2, 0]
    assert found[1] > 0 > found[0]


def test_the_weights_of_terms_are_those_of_scikit_learn():
    """Where nothing is negated, single words of one sentence a record are what TfidfVectorizer counts."""
    texts = ["large effusion", "small effusion left", "left lung clear", "lung clear clear"]
    features = WordFeatures(per="record").fit(Notes.of_texts(texts))
    names = features.vocabulary_["words"]
    plain = TfidfVectorizer(vocabulary=names, ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)

    found = features.transform(Notes.of_texts(texts)).toarray()[:, : len(names)]

    assert names == ["clear", "effusion", "left", "lung", "lung clear"]
    assert_allclose(found, plain.toarray())
