"""Is a finding there, now, and the patient's own? The assertion of every word of a sentence.

What it does: finds the cues of negation, uncertainty, the past and the family in English and Chinese, and gives the
words that each of them reaches its assertion; cues stand before ("no effusion"), after ("effusion is absent") or
between what they reach. A scope ends with its clause, at a conjunction such as "but" or "other than", and where another
statement begins. Pseudo-negation ("no change in the effusion", "has not resolved") opens no scope, and "previously
seen" says nothing of the past where the finding persists.
What it does not do: parse. Scopes are guessed from words, commas and verbs; other languages have no cues.
After NegEx: Chapman et al., J. Biomed. Inform. 34(5):301, 2001, and ConText: Harkema et al., J. Biomed. Inform.
42(5):839, 2009.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from . import chinese_cues, cues


class Assertion(IntEnum):
    """In rising order of what holds where two scopes meet; SAME are the words of a pseudo-negation themselves."""

    AFFIRMED = 0
    UNCERTAIN = 1
    PAST = 2
    NEGATED = 3
    FAMILY = 4
    SAME = 5


MARKS = {
    Assertion.AFFIRMED: "",
    Assertion.UNCERTAIN: "maybe_",
    Assertion.PAST: "past_",
    Assertion.NEGATED: "not_",
    Assertion.FAMILY: "family_",
    Assertion.SAME: "same_",
}

MAX_SCOPE = 20  # words
# Letters and digits of any script; a run of CJK is taken character by character, since it has no blanks.
WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:[-'/.][^\W_\u3400-\u9fff]+)*")

_ALL = (*cues.SIGNS, *cues.CUES)
_CUES = cues.compiled(
    "|".join(
        f"(?P<c{i}>{pattern})" if cue in cues.SIGNS else rf"(?P<c{i}>(?<![\w-])(?:{pattern})(?![\w-]))"
        for i, cue in enumerate(_ALL)
        for pattern in ["|".join(cue.patterns)]
    )
)
_ENDS = cues.compiled(rf"\b(?:{cues.ENDS})\b|[:()]")
_ENDS_OF_NEGATION = cues.compiled(rf"\b(?:{cues.ENDS_OF_NEGATION})\b")
_JOINTS = re.compile(r",\s*(?:and\b)?|\band\b")
_VERBS = cues.compiled(rf"\b(?:{cues.VERBS})\b")
_STARTS, _STARTS_UNLISTED = cues.compiled(rf"\s*(?:{cues.STARTS})"), cues.compiled(rf"\s*{cues.STARTS_UNLISTED}")
_REPORTED = cues.compiled(rf"\s*{cues.REPORTED}")
_ARTICLE = re.compile(r"\s*(?:an?|the)\s")
_OR = re.compile(r"\b(?:or|nor)\b")
_AND_OR = re.compile(r"\b(?:and|or|nor)\b")
_SUBORDINATE = cues.compiled(rf"\b(?:{cues.SUBORDINATE})\b")
_PERSISTS = cues.compiled(rf"\b(?:{cues.PERSISTS})\b")
_REPORTS, _REPORTED_BY = cues.compiled(cues.REPORTS), cues.compiled(cues.REPORTED_BY)
_OWN, _IN_RELATIVE = cues.compiled(cues.OWN), cues.compiled(cues.IN_RELATIVE)


class _Found(NamedTuple):
    """A cue in a sentence, at the characters start to stop."""

    says: str
    stands: str
    start: int
    stop: int


def lowered(text: str) -> str:
    """Lower case, character by character, so that every place stays what it was."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def assertions(sentence: str) -> np.ndarray:
    """uint8 (len(sentence),): the Assertion of each character; of all characters of one word it is the same.

    Its time is linear in the length of the sentence, whatever stands in it.
    """
    low = lowered(sentence)
    out = np.zeros(len(low), dtype=np.uint8)
    spans = [match.span() for match in WORD.finditer(low)]
    if not spans:
        return out
    starts = [start for start, _ in spans]
    status = np.maximum(_english(low, starts), _chinese(low, starts))
    for place in np.flatnonzero(status):
        start, stop = spans[place]
        out[start:stop] = status[place]
    return out


def _english(low: str, starts: list[int]) -> np.ndarray:
    """uint8 (words,); starts: where each word begins."""
    status = np.zeros(len(starts), dtype=np.uint8)
    found = [_Found(*_ALL[int(m.lastgroup[1:])][:2], *m.span()) for m in _CUES.finditer(low)]
    if not found:
        return status
    fences = _fences(low, found)
    inside = np.zeros(len(starts), dtype=bool)  # words of a cue are not in its scope, nor in another's
    for cue in found:
        words = slice(bisect_left(starts, cue.start), bisect_left(starts, cue.stop))
        inside[words] |= cue.says != cues.NEUTRAL
        if cue.says == Assertion.SAME.name:
            status[words] = Assertion.SAME
    for cue in found:
        if cue.stands != cues.NOWHERE:
            _reach(cue, low, starts, fences, status, inside)
    return status


def _reach(cue: _Found, low: str, starts: list[int], fences: list[int], status: np.ndarray, inside: np.ndarray) -> None:
    """Give the words that a cue reaches its assertion, where they have none that is stronger."""
    first, last = bisect_left(starts, cue.start), bisect_left(starts, cue.stop)
    fence = bisect_right(fences, cue.start) - 1
    # A cue that opens its clause looks back on the one before it: "effusion: none", "effusions, seen before, are gone".
    while cue.stands == cues.AFTER and fence and bisect_left(starts, fences[fence]) == first:
        fence -= 1
    # The clause, and no more words of it than a scope has.
    left = max(fences[fence], starts[max(first - MAX_SCOPE, 0)] if first else 0)
    right = fences[bisect_left(fences, cue.stop)]
    if last + MAX_SCOPE < len(starts):
        right = min(right, starts[last + MAX_SCOPE])
    stands, value = cue.stands, Assertion[cue.says]
    if value == Assertion.NEGATED and stands != cues.AFTER:
        end = _ENDS_OF_NEGATION.search(low, cue.stop, right)
        right = end.start() if end else right
    if value == Assertion.PAST and _PERSISTS.search(low, left, right):
        return
    if value == Assertion.FAMILY:
        if _REPORTS.match(low, cue.stop) or _REPORTED_BY.search(low[left : cue.start]):
            return
        # What a relative has may be listed in any wording: only the patient, or a contrast, ends it.
        right = starts[last + MAX_SCOPE] if last + MAX_SCOPE < len(starts) else len(low)
        own = _OWN.search(low, cue.stop, right)
        right = own.start() if own else right
        if _IN_RELATIVE.search(low[left : cue.start]) and not _OWN.search(low, left, cue.start):
            stands = cues.BOTH
    if stands in (cues.AFTER, cues.BOTH):
        if stands == cues.AFTER:
            left = _last_statement(low, left, cue.start)
        _mark(status, inside, bisect_left(starts, left), first, value)
    if stands in (cues.BEFORE, cues.BOTH):
        _mark(status, inside, last, bisect_left(starts, right), value)


def _mark(status: np.ndarray, inside: np.ndarray, start: int, stop: int, value: int) -> None:
    reached = status[start:stop]
    reached[~inside[start:stop] & (reached < value)] = value


def _last_statement(low: str, left: int, stop: int) -> int:
    """Where the words begin that a cue at `stop` looks back on: behind the last comma after which no list goes on."""
    stop = left + len(low[left:stop].rstrip(" ,:="))
    comma = low.rfind(",", left, stop)
    return comma + 1 if comma >= 0 and not _AND_OR.search(low, comma, stop) else left


def _fences(low: str, found: list[_Found]) -> list[int]:
    """Where scopes end: 0, conjunctions, pseudo-negations, where another statement begins, and the end."""
    ends = sorted({0, len(low), *(m.start() for m in _ENDS.finditer(low)),
                   *(cue.start for cue in found if cue.says == Assertion.SAME.name)})  # fmt: skip
    verbs = [m.start() for m in _VERBS.finditer(low)]
    joints = [m.span() for m in _JOINTS.finditer(low)]
    commas = [start for start, _ in joints if low[start] == ","]
    uncertain = {cue.start for cue in found if cue.says == Assertion.UNCERTAIN.name and cue.stands == cues.BEFORE}
    fences, last = set(ends), 0
    for start, stop in joints:
        since = max(last, ends[bisect_right(ends, start) - 1])
        until = ends[min(bisect_left(ends, stop), len(ends) - 1)]
        listed = bool(_OR.search(low, stop, min(until, stop + 200)))
        comma = bisect_left(commas, stop)
        until = min(until, commas[comma] if comma < len(commas) else len(low))
        before = bisect_left(verbs, start) > bisect_left(verbs, since)
        after = bisect_left(verbs, until) > bisect_left(verbs, stop)
        is_comma = low[start] == ","
        begins = (
            (before and after)
            or (is_comma and before and bool(_STARTS.match(low, stop) or _SUBORDINATE.match(low, since)))
            or (is_comma and after and bool(_ARTICLE.match(low, stop)))
            or (is_comma and bool(_VERBS.match(low, stop)))
            or bool(_REPORTED.match(low, stop))
            or (is_comma and not listed and bool(_STARTS_UNLISTED.match(low, stop)))
            or (is_comma and not listed and stop in uncertain)
        )
        if begins and not low.startswith(("or ", "nor "), stop):
            fences.add(start)
            last = start
    return sorted(fences)


def _chinese(low: str, starts: list[int]) -> np.ndarray:
    """uint8 (words,), each a character."""
    status = np.zeros(len(starts), dtype=np.uint8)
    if low.isascii():
        return status
    found = [
        _Found(*chinese_cues.CUES[int(m.lastgroup[1:])][:2], *m.span()) for m in chinese_cues.PATTERN.finditer(low)
    ]
    ends = [0, *(m.start() for m in chinese_cues.CLAUSE.finditer(low)), len(low)]
    inside = np.zeros(len(starts), dtype=bool)
    for cue in found:
        words = slice(bisect_left(starts, cue.start), bisect_left(starts, cue.stop))
        inside[words] = True
        if cue.says == Assertion.SAME.name:
            status[words] = Assertion.SAME
    for cue in found:
        if cue.stands == cues.NOWHERE:
            continue
        first, last = bisect_left(starts, cue.start), bisect_left(starts, cue.stop)
        fence = bisect_right(ends, cue.start) - 1
        while cue.stands == cues.AFTER and fence and bisect_left(starts, ends[fence]) == first:
            fence -= 1
        left = max(bisect_left(starts, ends[fence]), first - 2 * MAX_SCOPE)
        right = min(bisect_left(starts, ends[bisect_left(ends, cue.stop)]), last + 2 * MAX_SCOPE)
        if cue.stands in (cues.AFTER, cues.BOTH):
            _mark(status, inside, left, first, Assertion[cue.says])
        if cue.stands in (cues.BEFORE, cues.BOTH):
            _mark(status, inside, last, right, Assertion[cue.says])
    return status
