"""Sentences: where they begin and end, that no letter is lost, and what their section says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multimodal.notes import Assertion, Sentence, asserted, own_headings, sections, split
from multimodal.notes.sections import Section


def parts(text: str) -> list[str]:
    """The sentences of one note, in reading order."""
    found = split([text])
    return [found.distinct[place].text for place in found.sentence]


SPLIT = {
    "full stops": ("No cough. Fever.", ["No cough.", "Fever."]),
    "question and exclamation marks": ("Cough? Fever! Chills.", ["Cough?", "Fever!", "Chills."]),
    "semicolons": ("Rest; fluids", ["Rest;", "fluids"]),
    "several blanks": ("No cough.   Fever.", ["No cough.", "Fever."]),
    "numbers": ("Temp 36.6 and 1.5 mg. Fever.", ["Temp 36.6 and 1.5 mg.", "Fever."]),
    "points inside a word": ("See www.a.org for more. Fever.", ["See www.a.org for more.", "Fever."]),
    "a doctor's name": ("Dr. Smith saw Mrs. Jones. Fever.", ["Dr. Smith saw Mrs. Jones.", "Fever."]),
    "a doctor's name, in capitals": ("DR. SMITH SAW MRS. JONES. FEVER.", ["DR. SMITH SAW MRS. JONES.", "FEVER."]),
    "versus": ("Effusion vs. atelectasis. Fever.", ["Effusion vs. atelectasis.", "Fever."]),
    "e.g. and i.e.": ("Rest, e.g. sleep, i.e. no work. Fever.", ["Rest, e.g. sleep, i.e. no work.", "Fever."]),
    "no stop at the end": ("No cough. Fever", ["No cough.", "Fever"]),
    "Chinese": ("患者咳嗽。无发热！有胸痛？左肺结节；", ["患者咳嗽。", "无发热！", "有胸痛？", "左肺结节；"]),
    "one sentence": ("Cough", ["Cough"]),
    "no letter": ("...", ["..."]),
    "nothing": ("", []),
    "blanks": (" \n\t\n ", []),
}


@pytest.mark.parametrize(("text", "expected"), SPLIT.values(), ids=SPLIT)
def test_a_sentence_ends_at_its_sign_but_not_inside_a_number_or_an_abbreviation(text, expected):
    assert parts(text) == expected


LINES = {
    "a wrapped line goes on in lower case": ("No effusion or\npneumothorax.", ["No effusion or\npneumothorax."]),
    "and after a comma": ("No effusion,\npneumothorax.", ["No effusion,\npneumothorax."]),
    "and indented": ("No effusion or\n   pneumothorax.", ["No effusion or\n   pneumothorax."]),
    "and on lines of Windows": ("No effusion or\r\npneumothorax.", ["No effusion or\r\npneumothorax."]),
    "and after a blank at the line's end": ("No effusion or \npneumothorax.", ["No effusion or \npneumothorax."]),
    "and after an abbreviation in capitals": ("No CHF\nor effusion.", ["No CHF\nor effusion."]),
    "and after a number": ("Fever for 3\ndays.", ["Fever for 3\ndays."]),
    "and with letters of other languages": ("Der Befund\nändert sich.", ["Der Befund\nändert sich."]),
    "and after letters of other languages": ("Fièvre élevé\net toux.", ["Fièvre élevé\net toux."]),
    "a line that begins with a capital is new": ("No effusion\nCough", ["No effusion", "Cough"]),
    "and after a comma too": ("No effusion,\nCough", ["No effusion,", "Cough"]),
    "a line that begins with a digit is new": (
        "Two problems\n1 cough\n2 fever",
        ["Two problems", "1 cough", "2 fever"],
    ),
    "a line that begins with a dash is new": ("- cough\n- fever", ["- cough", "- fever"]),
    "a full stop ends it before a wrapped line too": ("No cough.\nfever", ["No cough.", "fever"]),
    "a blank line always ends it": ("no effusion or\n\npneumothorax", ["no effusion or", "pneumothorax"]),
    "a line of blanks as well": ("no effusion or\n \t\npneumothorax", ["no effusion or", "pneumothorax"]),
    "a blank line of Windows as well": ("no effusion or\r\n\r\npneumothorax", ["no effusion or", "pneumothorax"]),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_a_sentence_ends_with_its_line_unless_the_next_goes_on(text, expected):
    assert parts(text) == expected


def test_a_distinct_sentence_stands_once_and_every_place_of_it_is_known():
    found = split(["Cough. Fever.", "", "Fever.  Cough."])

    assert list(found.distinct) == [Sentence("Cough.", ""), Sentence("Fever.", "")]
    assert found.sentence.tolist() == [0, 1, 1, 0]
    assert found.note.tolist() == [0, 0, 2, 2]
    assert (found.start.tolist(), found.stop.tolist()) == ([0, 7, 0, 8], [6, 13, 6, 14])


def test_a_sentence_has_the_section_it_stands_in_and_headings_are_none():
    found = split(["Noon.\nHISTORY: Cough. Fever.\nFINDINGS:\nCough."])

    assert [found.distinct[place] for place in found.sentence] == [
        Sentence("Noon.", ""),
        Sentence("Cough.", "history"),
        Sentence("Fever.", "history"),
        Sentence("Cough.", "findings"),
    ]


def test_a_users_own_headings_count():
    found = split(["Befund: frei"], own_headings(["Befund=findings"]))

    assert list(found.distinct) == [Sentence("frei", "findings")]


def test_a_sentence_ends_with_its_section():
    assert parts("HISTORY: Cough\nFINDINGS: clear\nIMPRESSION\nnormal") == ["Cough", "clear", "normal"]


@pytest.mark.parametrize("texts", [[], [""], ["", "\n"]], ids=repr)
def test_no_text_has_no_sentence(texts):
    found = split(texts)

    assert list(found.distinct) == []
    assert [array.tolist() for array in (found.sentence, found.note, found.start, found.stop)] == [[]] * 4


def test_printing_sentences_shows_counts_and_no_text():
    assert repr(split(["Cough. Cough. Jane Doe."])) == "Sentences(3, 2 distinct)"


PIECES = ["No cough", "fever", "Dr. ", "36.6", ". ", "! ", "; ", "。", "；", "\n", "\r\n", "\n\n", " ", ",", "é", "İ"]
HEADED = ["FINDINGS", "\nHistory", "主诉", ":", "：", "FAMILY HISTORY: "]


def pieces(*lists: list[str]) -> st.SearchStrategy[str]:
    sampled = st.sampled_from([piece for listed in lists for piece in listed])
    return st.text(max_size=100) | st.lists(sampled, max_size=30).map("".join)


@given(st.lists(pieces(PIECES, HEADED), max_size=4))
def test_a_place_in_a_sentence_is_a_place_in_its_note(texts):
    found = split(texts)

    assert found.note.tolist() == sorted(found.note)
    stop, note = 0, 0
    for row in range(len(found.sentence)):
        sentence = found.distinct[found.sentence[row]]
        assert (
            texts[found.note[row]][found.start[row] : found.stop[row]] == sentence.text == sentence.text.strip() != ""
        )
        if found.note[row] == note:
            assert stop <= found.start[row]
        stop, note = found.stop[row], found.note[row]
    assert len(set(found.distinct)) == len(found.distinct)
    assert set(found.sentence.tolist()) == set(range(len(found.distinct)))


def marks_of(text: str) -> str:
    """All characters but blanks."""
    return "".join(text.split())


@given(pieces(PIECES))
def test_no_letter_digit_or_sign_of_a_text_without_headings_is_lost(text):
    assume(sections(text) == [Section("", 0, len(text))])

    assert marks_of("".join(parts(text))) == marks_of(text)


@given(pieces(PIECES, HEADED))
def test_no_letter_digit_or_sign_of_a_section_is_lost(text):
    bodies = [text[section.start : section.stop] for section in sections(text)]

    assert marks_of("".join(parts(text))) == marks_of("".join(bodies))


@given(st.lists(pieces(PIECES, HEADED), max_size=3), pieces(PIECES, HEADED))
def test_a_notes_sentences_do_not_depend_on_the_other_notes(others, text):
    found = split([*others, text])

    last = found.note == len(others)
    assert [found.distinct[place].text for place in found.sentence[last]] == parts(text)
    alone = split([text])
    assert np.array_equal(found.start[last], alone.start)


def said(text: str, section: str) -> list[str]:
    """The assertion of each word of a sentence that single blanks divide."""
    found = asserted(Sentence(text, section))
    starts = [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
    return [Assertion(found[start]).name.lower() for start in starts]


OF_SECTION = {
    "no section": ("", "Asthma", ["affirmed"]),
    "a section that says nothing of it": ("findings", "Asthma", ["affirmed"]),
    "family": ("family", "Asthma", ["family"]),
    "past": ("past", "Asthma", ["past"]),
    "family, negated": ("family", "No asthma", ["family", "negated"]),
    "past, negated": ("past", "No asthma", ["past", "negated"]),
    "past, uncertain": ("past", "Possible asthma", ["past", "uncertain"]),
    "past, of a relative": ("past", "Mother had asthma", ["past", "family", "family"]),
    "past, pseudo-negation": ("past", "Not only asthma", ["same", "same", "past"]),
}


@pytest.mark.parametrize(("section", "text", "expected"), OF_SECTION.values(), ids=OF_SECTION)
def test_a_section_says_of_a_word_what_the_sentence_does_not(section, text, expected):
    assert said(text, section) == expected


def test_signs_between_words_have_no_assertion_in_any_section():
    assert asserted(Sentence("a, b.", "family")).tolist() == [Assertion.FAMILY, 0, 0, Assertion.FAMILY, 0]


# A text to repeat n times, and the number of sentences in that.
REPEATED = {
    ". ": lambda n: n,
    "a. ": lambda n: n,
    "。": lambda n: n,
    "\n": lambda n: 0,
    "\r\n": lambda n: 0,
    " \n": lambda n: 0,
    "a\n": lambda n: 1,
    "A\n": lambda n: n,
    "a\n ": lambda n: 1,
    "\n\x0b": lambda n: 0,
    "findings:\n": lambda n: 0,
    "family history: a\n": lambda n: n,
    "Dr. ": lambda n: 1,
    "x": lambda n: 1,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("text", "count"), REPEATED.items(), ids=map(ascii, REPEATED))
def test_a_mebibyte_of_anything_takes_time_in_proportion(text, count):
    n = (1 << 20) // len(text.encode())

    assert len(split([text * n]).sentence) == count(n)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("blank", ["\n", " ", "\t", "\x0b", "\r\n"], ids=ascii)
def test_a_mebibyte_of_blanks_between_two_words_takes_time_in_proportion(blank):
    found = split(["cough" + blank * ((1 << 20) // len(blank)) + "fever"])

    assert sum(found.distinct[place].text.count(word) for place in found.sentence for word in ("cough", "fever")) == 2
