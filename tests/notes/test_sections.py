"""Sections: where a heading begins one, of which kind it is, and where its body stands in the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.notes import own_headings, sections
from multimodal.notes.sections import HEADINGS, KIND


def bodies(text: str, own: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
    """(kind, body without the blanks around it) of each section."""
    return [(section.kind, text[section.start : section.stop].strip()) for section in sections(text, own)]


FOUND = {
    "before a colon at the beginning of a line": ("FINDINGS: Clear.", [("findings", "Clear.")]),
    "in lower case": ("findings: Clear.", [("findings", "Clear.")]),
    "with a capital": ("Findings: Clear.", [("findings", "Clear.")]),
    "without a blank after the colon": ("PMH:asthma", [("past", "asthma")]),
    "with a blank before the colon": ("Findings : Clear.", [("findings", "Clear.")]),
    "indented": ("   Findings: Clear.", [("findings", "Clear.")]),
    "alone on its line": ("FINDINGS\nClear.\nIMPRESSION\nNormal.", [("findings", "Clear."), ("impression", "Normal.")]),
    "alone on its line, in lower case": ("findings\nClear.", [("findings", "Clear.")]),
    "alone on its line, with the colon": ("Findings:\nClear.", [("findings", "Clear.")]),
    "alone on its line, lines of Windows": (
        "FINDINGS:\r\nClear.\r\nIMPRESSION\r\nNormal.",
        [("findings", "Clear."), ("impression", "Normal.")],
    ),
    "after a full stop in the line": (
        "HISTORY: Cough. FINDINGS: Clear.",
        [("history", "Cough."), ("findings", "Clear.")],
    ),
    "after a semicolon": ("Cough; PLAN: rest", [("", "Cough;"), ("plan", "rest")]),
    "several words, other blanks": ("Past  Medical\nHistory: asthma", [("past", "asthma")]),
    "the longest heading that fits": ("FAMILY HISTORY: asthma", [("family", "asthma")]),
    "signs in the heading": ("A/P: rest", [("assessment", "rest")]),
    "text before the first heading": (
        "Seen at noon.\nFINDINGS: Clear.",
        [("", "Seen at noon."), ("findings", "Clear.")],
    ),
    "no heading": ("Cough for three days.", [("", "Cough for three days.")]),
    "two of one kind stay two": ("LABS: normal\nLABS: pending", [("laboratory", "normal"), ("laboratory", "pending")]),
    "a heading without a body": ("TECHNIQUE:\nFINDINGS: Clear.", [("findings", "Clear.")]),
    "headings alone": ("HISTORY:\n\nFINDINGS:\n", []),
    "no text": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_a_heading_begins_a_section(text, expected):
    assert bodies(text) == expected


CHINESE = {
    "complaint": ("主诉：咳嗽三天", [("complaint", "咳嗽三天")]),
    "an ASCII colon": ("主诉:咳嗽三天", [("complaint", "咳嗽三天")]),
    "line by line": (
        "主诉：咳嗽\n既往史：肺结核\n家族史：无",
        [("complaint", "咳嗽"), ("past", "肺结核"), ("family", "无")],
    ),
    "alone on its line": ("影像所见\n两肺清晰。\n印象\n正常。", [("findings", "两肺清晰。"), ("impression", "正常。")]),
    "after a full stop, where Chinese has no blank": (
        "主诉：咳嗽。既往史：肺结核。",
        [("complaint", "咳嗽。"), ("past", "肺结核。")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CHINESE.values(), ids=CHINESE)
def test_chinese_headings_begin_a_section(text, expected):
    assert bodies(text) == expected


RUNNING = {
    "a word of the sentence": "He has a history of asthma.",
    "the first word of the text": "History of asthma.",
    "the first word of a line": "He has a long\nhistory of asthma.",
    "the first word, and a colon later": "History of asthma: none",
    "before a colon, inside the sentence": "The patient has a history: cough",
    "the end of another word": "PREHISTORY: none",
    "before a full stop": "Findings. Clear.",
    "inside Chinese text": "患者有肺结核病史，咳嗽三天",
}


@pytest.mark.parametrize("text", RUNNING.values(), ids=RUNNING)
def test_a_word_of_the_running_text_is_no_heading(text):
    assert bodies(text) == [("", text)]


def test_start_and_stop_are_places_in_the_text():
    text = "Noon.\nHISTORY: Cough.\nFINDINGS\nClear."

    assert [(kind, text[start:stop]) for kind, start, stop in sections(text)] == [
        ("", "Noon.\n"),
        ("history", " Cough.\n"),
        ("findings", "\nClear."),
    ]


@pytest.mark.parametrize("heading", [heading for headings in HEADINGS.values() for heading in headings])
def test_every_known_heading_is_found_in_every_spelling(heading):
    kind = next(kind for kind, headings in HEADINGS.items() if heading in headings)

    for spelt in (heading, heading.upper(), heading.capitalize()):
        assert bodies(f"{spelt}: a") == [(kind, "a")]
        assert bodies(f"{spelt}\na") == [(kind, "a")]


def test_no_heading_is_of_two_kinds_and_every_kind_can_be_a_users_own():
    headings = [heading for found in HEADINGS.values() for heading in found]

    assert len(headings) == len(set(headings))
    assert all(KIND.fullmatch(kind) for kind in HEADINGS)


def test_a_users_own_headings_are_found_in_any_case():
    own = own_headings(["Befund=findings", "Beurteilung = impression", "Hilfe=help_wanted"])

    assert own == (("Befund", "findings"), ("Beurteilung", "impression"), ("Hilfe", "help_wanted"))
    assert bodies("BEFUND: frei. Beurteilung: gesund\nhilfe\nja", own) == [
        ("findings", "frei."),
        ("impression", "gesund"),
        ("help_wanted", "ja"),
    ]
    assert bodies("Befund: frei") == [("", "Befund: frei")]


def test_a_users_own_heading_goes_before_the_known_one():
    assert bodies("Findings: clear", own_headings(["Findings=impression"])) == [("impression", "clear")]


@pytest.mark.parametrize("heading", ["Maßnahmen", "Größe", "Übersicht", "ÉTAT", "Ανάλυση"])
def test_a_users_own_heading_may_have_any_letters(heading):
    """The case folding of "ß" is "ss", which the text does not have."""
    assert bodies(f"{heading}: a", own_headings([f"{heading}=plan"])) == [("plan", "a")]


MALFORMED = {
    "no kind": "Befund",
    "an empty kind": "Befund=",
    "no heading": "=findings",
    "a blank heading": "  =findings",
    "a kind in capitals": "Befund=Findings",
    "a kind that begins with a digit": "Befund=1st",
    "a kind of two words": "Befund=the findings",
    "nothing": "",
}


@pytest.mark.parametrize("entry", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_heading_is_refused_with_an_example(entry):
    with pytest.raises(ValueError) as caught:
        own_headings(["Befund=findings", entry])

    assert str(caught.value) == f"{entry!r}: write it as HEADING=kind, for example Befund=findings"


@pytest.mark.parametrize("text", ["fındings: Clear.", "FİNDİNGS: Clear.", "İNDICATION\ncough"])
def test_a_heading_with_a_turkish_i_is_read_like_any_other_text(text):
    """To `re`, case ignored, they are an "i"; to `str.casefold` they are not."""
    assert sections(text)


PIECES = ["FINDINGS", "findings", "History", "主诉", "ſ", "ı", ":", "：", "\n", " ", ". ", "。", "a", "Cough", "é"]


@given(st.text(max_size=100) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_sections_stand_one_behind_the_other_and_none_is_blank(text):
    found = sections(text)

    places = [place for section in found for place in (section.start, section.stop)]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    assert all(text[section.start : section.stop].strip() for section in found)
    assert {section.kind for section in found} <= {"", *HEADINGS}


# A text to repeat n times, and the number of sections in that.
REPEATED = {
    "findings:\n": lambda n: 0,
    "findings: a\n": lambda n: n,
    "a. findings: ": lambda n: n,
    "past medical ": lambda n: 1,
    "history ": lambda n: 1,
    "\n": lambda n: 0,
    " ": lambda n: 0,
    ". ": lambda n: 1,
    "主诉：": lambda n: 1,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("text", "count"), REPEATED.items(), ids=map(ascii, REPEATED))
def test_a_mebibyte_of_anything_takes_time_in_proportion(text, count):
    n = (1 << 20) // len(text.encode())

    assert len(sections(text * n)) == count(n)
