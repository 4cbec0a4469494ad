"""The words of a sentence, each under the mark of its assertion: what the linear models of notes count."""

from __future__ import annotations

from itertools import pairwise

from .assertion import MARKS, WORD, Assertion, lowered
from .sentences import Sentence, asserted

GRAMS = (3, 4, 5)
# Of each assertion one sign before a run of characters, so that "effus" in "no effusion" is another term.
SIGNS = dict(zip(Assertion, ("", "?", "<", "!", "@", "="), strict=True))


def words(sentence: Sentence) -> list[tuple[Assertion, str]]:
    """The words of one sentence, lower-cased, in order; letters and digits of any script, CJK by character."""
    found = asserted(sentence)
    return [(Assertion(found[m.start()]), m.group()) for m in WORD.finditer(lowered(sentence.text))]


def marked_words(text: str, section: str = "") -> list[str]:
    """The words of one sentence under their marks.

    >>> marked_words("No focal infiltrate or effusion, but mild edema.")
    ['no', 'not_focal', 'not_infiltrate', 'not_or', 'not_effusion', 'but', 'mild', 'edema']
    >>> marked_words("Pleural effusion is absent.")
    ['not_pleural', 'not_effusion', 'is', 'absent']
    >>> marked_words("No change in the small effusion.")
    ['same_no', 'same_change', 'same_in', 'the', 'small', 'effusion']
    """
    return [MARKS[mark] + word for mark, word in words(Sentence(text, section))]


def word_terms(found: list[tuple[Assertion, str]]) -> list[str]:
    """Single marked words and pairs of neighbours, of the words of one sentence."""
    marked = [MARKS[mark] + word for mark, word in found]
    return marked + [f"{first} {second}" for first, second in pairwise(marked)]


def character_terms(found: list[tuple[Assertion, str]]) -> list[str]:
    """Runs of 3 to 5 characters inside the words, with their borders, each behind the sign of its word's assertion."""
    terms = []
    for mark, word in found:
        padded, sign = f" {word} ", SIGNS[mark]
        for size in GRAMS:
            terms.extend(sign + padded[i : i + size] for i in range(len(padded) - size + 1))
    return terms


def bare_character_terms(found: list[tuple[Assertion, str]]) -> list[str]:
    """The same runs whatever is asserted."""
    return character_terms([(Assertion.AFFIRMED, word) for _, word in found])
