"""Words: lower-cased, of any script, and marked where a negation reaches them (NegEx, Chapman et al. 2001)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.notes import marked_words, sentences, words


def negated(sentence: str) -> list[str]:
    return [word.removeprefix("not_") for word in words(sentence) if word.startswith("not_")]


SCOPES = {
    "from the cue to the end": ("No focal infiltrate or effusion.", ["focal", "infiltrate", "or", "effusion"]),
    "not before the cue": ("Small effusion without infiltrate.", ["infiltrate"]),
    "up to a conjunction": ("No effusion but a large infiltrate.", ["effusion"]),
    "up to 'however'": ("Denies fever however coughs.", ["fever"]),
    "negative for": ("Negative for pneumothorax.", ["for", "pneumothorax"]),
    "free of": ("Lungs are free of consolidation.", ["of", "consolidation"]),
    "closing: is absent": ("Pleural effusion is absent.", ["pleural", "effusion"]),
    "closing: not seen, and the cue's own word": ("Effusion not seen.", ["effusion", "seen"]),
    "closing: has resolved": ("Infiltrate has resolved.", ["infiltrate"]),
    "pseudo-negation: no change": ("No change in the effusion.", []),
    "pseudo-negation: no significant interval change": ("No significant interval change in opacity.", []),
    "pseudo-negation: not only": ("Not only cough.", []),
    "none": ("Large effusion on the left.", []),
    "at most twelve words": ("No " + " ".join(f"w{i}" for i in range(15)), [f"w{i}" for i in range(12)]),
}


@pytest.mark.parametrize(("sentence", "expected"), SCOPES.values(), ids=SCOPES)
def test_a_negation_reaches_so_far(sentence, expected):
    assert negated(sentence) == expected


def test_a_negation_ends_with_its_sentence():
    assert marked_words("No fever. Cough.") == ["no", "not_fever", ".", "cough", "."]


WORDS = {
    "hyphens, slashes, points inside": ("X-ray 120/80 36.6", ["x-ray", "120/80", "36.6"]),
    "accents": ("Fièvre ÉLEVÉE", ["fièvre", "élevée"]),
    "Chinese, by character": ("患者cough", ["患", "者", "cough"]),
    "Arabic": ("سعال حاد", ["سعال", "حاد"]),
    "blanks left by de-identification": ("Mr ____ coughs", ["mr", "coughs"]),
    "punctuation alone": ("--- ...", []),
}


@pytest.mark.parametrize(("sentence", "expected"), WORDS.values(), ids=WORDS)
def test_words_of_any_script(sentence, expected):
    assert words(sentence) == expected


def test_sentences_end_at_full_stops_and_lines_but_not_inside_numbers():
    text = "Temp 36.6. No cough!\n\nPlan: rest; fluids"

    assert sentences(text) == ["Temp 36.6.", "No cough!", "Plan: rest;", "fluids"]


# A text to repeat n times, and the number of words in that.
REPEATED = {
    "no change ": lambda n: 2 * n,
    "no ": lambda n: n,
    "is ": lambda n: n,
    "not ": lambda n: n,
    "has been ": lambda n: 2 * n,
    "a.a.a.": lambda n: 1,
    "x": lambda n: 1,
    "\n": lambda n: 0,
    "no\n": lambda n: n,
    ". ": lambda n: 0,
    "患": lambda n: n,
    "患。": lambda n: n,
    "İ": lambda n: n,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("text", "count"), REPEATED.items(), ids=map(ascii, REPEATED))
def test_a_mebibyte_of_anything_takes_time_in_proportion(text, count):
    """A second at most; "no change " took three minutes while each word was compared with each spared span."""
    n = (1 << 20) // len(text.encode())

    assert len(words(text * n)) == count(n)
    assert sum(word != "." for word in marked_words(text * n)) == count(n)


@given(st.text(max_size=200))
def test_splitting_into_sentences_loses_no_letter(text):
    def letters(part: str) -> str:
        return "".join(character for character in part if character.isalnum())

    assert letters("".join(sentences(text))) == letters(text)
    assert all(sentence.strip() for sentence in sentences(text))


@given(st.text(max_size=200))
def test_marking_changes_words_but_not_their_number_and_order(text):
    bare = [word.removeprefix("not_") for word in words(text)]

    assert bare == [word.removeprefix("not_") for word in words(text.casefold())]
    assert "" not in bare
