"""Words: lower-cased, of any script, each under the mark of its assertion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.notes import Sentence, character_terms, marked_words, word_terms, words
from multimodal.notes.assertion import WORD, Assertion, assertions, lowered

MARKED = {
    "a negated finding": (
        "No focal infiltrate or effusion, but mild edema.",
        ["no", "not_focal", "not_infiltrate", "not_or", "not_effusion", "but", "mild", "edema"],
    ),
    "an uncertain one": ("Possible pneumonia.", ["possible", "maybe_pneumonia"]),
    "one of the past": ("History of asthma.", ["history", "of", "past_asthma"]),
    "one of the family": ("Mother had asthma.", ["mother", "family_had", "family_asthma"]),
    "a pseudo-negation's own words": (
        "No change in the effusion.",
        ["same_no", "same_change", "same_in", "the", "effusion"],
    ),
    "nothing said": ("Large effusion.", ["large", "effusion"]),
}


@pytest.mark.parametrize(("sentence", "expected"), MARKED.values(), ids=MARKED)
def test_a_word_stands_under_the_mark_of_its_assertion(sentence, expected):
    assert marked_words(sentence) == expected


def test_a_cue_has_no_mark_of_its_own_and_none_of_another_cue():
    """ "denies" and "no" are the writer's words, not findings that could be absent."""
    assert marked_words("Denies cough, no fever.") == ["denies", "not_cough", "no", "not_fever"]
    assert marked_words("无咳、无热") == ["无", "not_咳", "无", "not_热"]


def test_the_section_marks_the_words_that_say_nothing_else():
    assert marked_words("Asthma, no cancer.", "family") == ["family_asthma", "family_no", "not_cancer"]
    assert marked_words("Asthma, no cancer.", "past") == ["past_asthma", "past_no", "not_cancer"]
    assert marked_words("Asthma, no cancer.", "history") == ["asthma", "no", "not_cancer"]


WORDS = {
    "hyphens, slashes, points inside": ("X-ray 120/80 36.6", ["x-ray", "120/80", "36.6"]),
    "an apostrophe inside": ("Crohn's disease", ["crohn's", "disease"]),
    "accents": ("Fièvre ÉLEVÉE", ["fièvre", "élevée"]),
    "Chinese, by character": ("患者cough", ["患", "者", "cough"]),
    "Chinese between numbers": ("发热39度", ["发", "热", "39", "度"]),
    "Arabic": ("سعال حاد", ["سعال", "حاد"]),
    "blanks left by de-identification": ("Mr ____ coughs", ["mr", "coughs"]),
    "an underscore between": ("left_lung", ["left", "lung"]),
    "punctuation alone": ("--- ...", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("sentence", "expected"), WORDS.values(), ids=WORDS)
def test_words_of_any_script(sentence, expected):
    assert marked_words(sentence) == expected


def test_words_come_with_their_assertion():
    assert words(Sentence("No fever but possible flu", "")) == [
        (Assertion.AFFIRMED, "no"),
        (Assertion.NEGATED, "fever"),
        (Assertion.AFFIRMED, "but"),
        (Assertion.AFFIRMED, "possible"),
        (Assertion.UNCERTAIN, "flu"),
    ]


def test_word_terms_are_marked_words_and_pairs_of_neighbours():
    assert word_terms(words(Sentence("No mild edema", ""))) == [
        "no",
        "not_mild",
        "not_edema",
        "no not_mild",
        "not_mild not_edema",
    ]


def test_character_terms_are_runs_inside_a_word_behind_the_sign_of_its_assertion():
    """A run goes over no border between two words, and "flu" in "no flu" is another term than in "flu"."""
    assert character_terms(words(Sentence("flu", ""))) == [" fl", "flu", "lu ", " flu", "flu ", " flu "]
    assert character_terms([(Assertion.NEGATED, "flu")]) == ["!" + run for run in character_terms([(0, "flu")])]
    assert character_terms([(mark, "a") for mark in Assertion]) == [" a ", "? a ", "< a ", "! a ", "@ a ", "= a "]


# A text to repeat n times, and the number of words in that. Each was, or could be, compared with all the others.
REPEATED = {
    "no change ": lambda n: 2 * n,
    "no ": lambda n: n,
    "is ": lambda n: n,
    "not ": lambda n: n,
    "has been ": lambda n: 2 * n,
    "a.a.a.": lambda n: 1,
    "x": lambda n: 1,
    " ": lambda n: 0,
    "\n": lambda n: 0,
    "no\n": lambda n: n,
    ". ": lambda n: 0,
    "患": lambda n: n,
    "无": lambda n: n,
    "父亲，": lambda n: 2 * n,
    "İ": lambda n: 1,
    "mother ": lambda n: n,
    "previously ": lambda n: n,
    "and, ": lambda n: n,
    "cannot be excluded ": lambda n: 3 * n,
    ": none ": lambda n: n,
    "no x and y is ": lambda n: 5 * n,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("text", "count"), REPEATED.items(), ids=map(ascii, REPEATED))
def test_a_mebibyte_of_anything_takes_time_in_proportion(text, count):
    """Seconds at most; "no change " took three minutes while each word was compared with each spared span."""
    n = (1 << 20) // len(text.encode())

    assert len(marked_words(text * n)) == count(n)


PIECES = [
    *(
        "no ",
        "not ",
        "without ",
        "denies ",
        "is absent",
        "has resolved",
        "no change in ",
        "possible ",
        "cannot exclude ",
    ),
    *(
        "history of ",
        "previously seen ",
        "mother had ",
        "effusion ",
        "edema",
        "is ",
        "and ",
        "but ",
        ", ",
        ". ",
        ": ",
        "\n",
    ),
    *("未见", "无", "可能", "既往", "父亲", "积液", "，", "İ", "ß", "ſ", "_", "-", "36.6"),
]
any_sentence = st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(any_sentence)
def test_marking_changes_neither_the_words_nor_their_number_and_order(text):
    bare = WORD.findall(lowered(text))

    for section in ("", "family", "past", "findings"):
        assert [word.rpartition("_")[2] for word in marked_words(text, section)] == bare


@given(any_sentence)
def test_every_character_has_an_assertion_and_those_of_one_word_have_the_same(text):
    found = assertions(text)

    assert (found.shape, found.dtype) == ((len(text),), "uint8")
    outside = set(range(len(text)))
    for match in WORD.finditer(lowered(text)):
        assert len(set(found[match.start() : match.end()])) == 1
        outside -= set(range(*match.span()))
    assert not found[sorted(outside)].any()


@given(any_sentence)
def test_capitals_change_no_assertion(text):
    """Whole reports are written in capitals."""
    ascii_only = text.encode("ascii", "ignore").decode()

    assert marked_words(ascii_only.upper()) == marked_words(ascii_only.lower())


@given(st.text(max_size=100))
def test_lower_case_leaves_every_character_where_it_was(text):
    """Some letters have a lower case of two characters: "İ"."""
    assert len(lowered(text)) == len(text)
    assert lowered("İNDEX") == "İndex"
