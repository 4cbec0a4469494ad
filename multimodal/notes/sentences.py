"""Sentences: where they stand in a note, and the distinct ones of many notes, so that each is read once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .assertion import WORD, Assertion, assertions, lowered
from .sections import Section, sections

_TITLES = "".join(
    rf"(?<!\b{title}\.)" for title in ("[Dd][Rr]", "[Mm][Rr]", "[Mm][Ss]", "[Mm][Rr][Ss]", "vs", "e\\.g", "i\\.e")
)
_END = re.compile(rf"(?<=[.!?;]){_TITLES}\s+|(?P<cjk>[。！？；])|(?P<line>(?:\r\n?|\n)\s*)")
_JOINT = "and|or|nor|of|with|without|no|not|the|for|to|in|on|at|by|from"
_JOINS = re.compile(rf"\b(?:{_JOINT})[ \t]*$", re.IGNORECASE)
_JOINS_NEXT = re.compile(r"(?:and|or|nor|with|without)\b", re.IGNORECASE)
LONGEST_JOINT = 12
_LINE = re.compile(r"\r\n?|\n")
# What a section says of all that stands in it, unless its own words say more.
BY_SECTION = {"family": Assertion.FAMILY, "past": Assertion.PAST}


class Sentence(NamedTuple):
    """text: as it stands in the note; section: its kind, "" where the note has no heading."""

    text: str
    section: str


@dataclass(frozen=True)
class Sentences:
    """The distinct sentences of some notes, and who holds them.

    distinct  Sentences; sentence  int (k,), index into them: the k sentences of all notes, in reading order
    note      int (k,), sorted, index of the note; start, stop  int (k,): where the sentence stands in the note's text
    """

    distinct: Sequence[Sentence]
    sentence: np.ndarray
    note: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def __repr__(self) -> str:
        return f"Sentences({len(self.sentence)}, {len(self.distinct)} distinct)"


def split(texts: Sequence[str], headings: tuple[tuple[str, str], ...] = ()) -> Sentences:
    """The sentences of notes; headings: see sections.own_headings."""
    places: dict[Sentence, int] = {}
    rows = [
        (places.setdefault(Sentence(text[start:stop], section.kind), len(places)), note, start, stop)
        for note, text in enumerate(texts)
        for section in sections(text, headings)
        for start, stop in spans(text, section)
    ]
    sentence, note, start, stop = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Sentences(list(places), sentence, note, start, stop)


def spans(text: str, section: Section) -> Iterator[tuple[int, int]]:
    """(start, stop) of each sentence of a section, without the blanks around it; none is empty.

    A line that goes on in lower case, or ends or goes on with a word that joins, is a wrapped one, unless a blank line
    or a colon stands before it: its end is none of the sentence.
    """
    start = section.start
    for match in _END.finditer(text, section.start, section.stop):
        if match.lastgroup == "line" and match.end() < section.stop and _goes_on(text, start, match):
            is_blank_line = len(_LINE.findall(match[0])) > 1
            if not is_blank_line and _last_before(text, start, match.start()) not in ":：":
                continue
        yield from _trimmed(text, start, match.end() if match.lastgroup == "cjk" else match.start())
        start = match.end()
    yield from _trimmed(text, start, section.stop)


def _goes_on(text: str, start: int, match: re.Match[str]) -> bool:
    if text[match.end()].islower() or _JOINS_NEXT.match(text, match.end()):
        return True
    before = text[max(start, match.start() - LONGEST_JOINT) : match.start()]
    return bool(_JOINS.search(before))


def _last_before(text: str, start: int, stop: int) -> str:
    """The last character of text[start:stop] that is no blank; a colon, which ends all, where there is none."""
    while stop > start and text[stop - 1] in " \t":
        stop -= 1
    return text[stop - 1] if stop > start else ":"


def _trimmed(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    part = text[start:stop]
    kept = part.strip()
    if kept:
        start += len(part) - len(part.lstrip())
        yield start, start + len(kept)


def asserted(sentence: Sentence) -> np.ndarray:
    """uint8 (len(text),): the Assertion of each character, that of the section where the words say nothing else."""
    found = assertions(sentence.text)
    if sentence.section in BY_SECTION:
        for match in WORD.finditer(lowered(sentence.text)):
            if found[match.start()] == Assertion.AFFIRMED:
                found[match.start() : match.end()] = BY_SECTION[sentence.section]
    return found
