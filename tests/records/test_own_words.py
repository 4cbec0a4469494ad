"""A target's own words: found in every spelling that writers use, and not inside the ordinary words that hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.records.own_words import own_words_pattern

WORDS = (
    "covid-19",
    "covid",
    "sars-cov-2",
    "coronavirus 2",
    "coronavirus",
    "corona",
    "PE",
    "MI",
    "flu",
    "heart failure",
)


def found(text: str, words: tuple[str, ...] = WORDS) -> list[str]:
    return own_words_pattern(words).findall(text)


SPELLINGS = {
    "as it is": ("sars-cov-2", "Known sars-cov-2."),
    "capitals": ("SARS-CoV-2", "Known SARS-CoV-2."),
    "blanks for hyphens": ("sars cov 2", "Known sars cov 2."),
    "no blank": ("SARS CoV2", "Known SARS CoV2."),
    "nothing between": ("covid19", "Known covid19."),
    "another dash": ("COVID\u201319", "Known COVID\u201319."),
    "underscores": ("covid_19", "Known covid_19."),
    "two signs": ("covid--19", "Known covid--19."),
    "a line end in a word of two": ("heart\nfailure", "Known heart\nfailure."),
    "a blank was lost before": ("covid-19", "classiccovid-19"),
    "a word goes on behind": ("coronavirus", "coronaviruses"),
}


@pytest.mark.parametrize(("spelling", "text"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_word_is_found_in_its_spellings(spelling, text):
    assert found(text) == [spelling]


INSIDE = {
    "PE in pelvis": "pelvis, hope, PERSISTS",
    "MI in patient": "admitted, mild, vomiting",
    "flu in fluid": "fluid, influx",
    "corona in coronary": "coronary, coronal",
    "a number that goes on": "covid-199, covid-19a",
    "three signs between": "heart - failure",
    "another word between": "heart and failure",
    "a part of it": "heart, lung; failure, SARS",
}


@pytest.mark.parametrize("text", INSIDE.values(), ids=INSIDE)
def test_a_word_is_not_found_inside_another(text):
    assert found(text, tuple(word for word in WORDS if word not in ("covid", "coronavirus"))) == []


@pytest.mark.parametrize("text", ["PE", "pe.", "(PE)", "No PE/MI", "PE-negative", "for\nPE\n", "PE_"])
def test_a_short_word_is_found_where_it_stands_alone(text):
    assert [word.upper() for word in found(text)][:1] == ["PE"]


def test_the_longest_word_that_fits_is_found():
    """Else a "-19" would be left of "covid-19", and tell what was masked."""
    assert found("covid-19 and covid") == ["covid-19", "covid"]
    assert found("coronavirus 2, coronavirus 229E", ("coronavirus", "coronavirus 2")) == [
        "coronavirus 2",
        "coronavirus",
    ]


def test_signs_of_a_word_are_meant_as_they_are():
    assert found("a+b, a.b, aab, A+B", ("a+b",)) == ["a+b", "A+B"]


def test_all_of_many_words_are_found_in_reading_order():
    assert found("MI, then heart-failure; covid 19 PE") == ["MI", "heart-failure", "covid 19", "PE"]


@given(before=st.text(), word=st.sampled_from(WORDS), after=st.text(), upper=st.booleans())
def test_a_word_between_blanks_is_found_in_any_text(before, word, after, upper):
    text = f"{before} {word.upper() if upper else word} {after}"
    place = len(before) + 1

    assert any(
        match.start() <= place and match.end() >= place + len(word) for match in own_words_pattern(WORDS).finditer(text)
    )
