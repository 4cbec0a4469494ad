"""Text -> prepared notes: sections, sentences, the assertion of every word, tokens. Knows only the records."""

from .assertion import Assertion
from .prepare import Notes, load, prepare
from .sections import own_headings, sections
from .sentences import Sentence, Sentences, asserted, split
from .words import bare_character_terms, character_terms, marked_words, word_terms, words

__all__ = [
    "Assertion",
    "Notes",
    "Sentence",
    "Sentences",
    "asserted",
    "bare_character_terms",
    "character_terms",
    "load",
    "marked_words",
    "own_headings",
    "prepare",
    "sections",
    "split",
    "word_terms",
    "words",
]
