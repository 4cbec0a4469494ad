"""Text -> prepared notes, sentences, words and chunks. Knows only the records."""

from .prepare import Notes, load, prepare
from .words import marked_words, sentences, words

__all__ = ["Notes", "load", "marked_words", "prepare", "sentences", "words"]
