"""Chunks: however long a note is, every token of it is in some chunk, and nothing is longer than the network reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal.learning import torchvision_shim  # noqa: F401  before transformers
from multimodal.notes import Assertion, Notes, split
from multimodal.notes.chunks import OVERLAP, Chunk, Chunks, chunked, special_tokens

LENGTH = 32
ROOM = LENGTH - 2  # [CLS] and [SEP]
TEXTS = ["No focal infiltrate or effusion.", "Cough and fever for three days.", "The heart is enlarged."] * 3


@pytest.fixture(scope="module")
def tokenizer():
    """A small WordPiece tokenizer, learnt from TEXTS: unknown words fall into letters, unknown letters into [UNK]."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    learnt = BertWordPieceTokenizer(lowercase=True)
    learnt.train_from_iterator(TEXTS, vocab_size=200, min_frequency=1, show_progress=False)
    return BertTokenizerFast(tokenizer_object=learnt._tokenizer, model_max_length=1_000_000)


def notes_of(*texts_by_record: list[str]) -> Notes:
    rows = [(row, text) for row, texts in enumerate(texts_by_record) for text in texts]
    return Notes.of_texts([text for _, text in rows], record=[row for row, _ in rows], n=len(texts_by_record))


def ids_of(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def held(chunks: Chunks) -> list[Chunk]:
    """The chunks of all notes, in reading order."""
    return [chunks.distinct[place] for place in chunks.chunk]


def test_each_sentence_is_one_chunk_between_the_special_tokens(tokenizer):
    chunks = chunked(notes_of(["The heart is enlarged. Cough."]), tokenizer, length=LENGTH)

    assert [tokenizer.decode(chunk.tokens) for chunk in held(chunks)] == [
        "[CLS] the heart is enlarged. [SEP]",
        "[CLS] cough. [SEP]",
    ]
    assert chunks.note.tolist() == [0, 0]


def test_a_sentence_that_many_notes_have_is_encoded_once(tokenizer):
    chunks = chunked(notes_of(["Cough. Fever."], [], ["Cough.", "Fever. Cough."]), tokenizer, length=LENGTH)

    assert len(chunks.distinct) == 2
    assert (chunks.note.tolist(), chunks.chunk.tolist()) == ([0, 0, 1, 2, 2], [0, 1, 0, 1, 0])


def test_sentences_that_differ_in_case_alone_are_one_chunk_to_a_tokenizer_that_ignores_it(tokenizer):
    chunks = chunked(notes_of(["Cough.\nCOUGH."]), tokenizer, length=LENGTH)

    assert (len(chunks.distinct), chunks.chunk.tolist()) == (1, [0, 0])


def test_no_notes_give_no_chunks(tokenizer):
    chunks = chunked(notes_of([], []), tokenizer, length=LENGTH)

    assert (list(chunks.distinct), list(chunks.section)) == ([], [])
    assert [array.tolist() for array in (chunks.chunk, chunks.note, chunks.start, chunks.stop)] == [[]] * 4


def test_special_tokens_are_those_before_and_after_a_text(tokenizer):
    assert special_tokens(tokenizer) == ((tokenizer.cls_token_id,), (tokenizer.sep_token_id,))


def by_token(tokenizer, chunk: Chunk) -> list[tuple[str, str]]:
    """(token, the name of its assertion in lower case)."""
    names = [Assertion(value).name.lower() for value in chunk.assertions]
    return list(zip(tokenizer.convert_ids_to_tokens(list(chunk.tokens)), names, strict=True))


def test_a_token_has_the_assertion_of_its_word_and_special_tokens_and_signs_have_none(tokenizer):
    chunks = chunked(notes_of(["No effusion."]), tokenizer, length=LENGTH)

    assert by_token(tokenizer, chunks.distinct[0]) == [
        ("[CLS]", "affirmed"),
        ("no", "affirmed"),
        ("effusion", "negated"),
        (".", "affirmed"),
        ("[SEP]", "affirmed"),
    ]


def test_every_piece_of_a_word_has_its_assertion(tokenizer):
    """The vocabulary has no "fevers": it falls into pieces."""
    chunk = chunked(notes_of(["No fevers, but cough."]), tokenizer, length=LENGTH).distinct[0]

    marks = dict.fromkeys(by_token(tokenizer, chunk))
    pieces = [token for token, name in marks if name == "negated"]
    assert "".join(pieces).replace("##", "") == "fevers"
    assert len(pieces) > 1


def test_the_same_words_with_another_assertion_are_another_chunk(tokenizer):
    chunks = chunked(notes_of(["Cough.\nFAMILY HISTORY: Cough."]), tokenizer, length=LENGTH)

    assert list(chunks.section) == ["", "family"]
    first, second = held(chunks)
    assert first.tokens == second.tokens
    assert (set(first.assertions), set(second.assertions)) == ({0}, {0, Assertion.FAMILY})


def test_the_same_sentence_in_two_sections_is_one_chunk_where_they_say_nothing_of_it(tokenizer):
    chunks = chunked(notes_of(["HISTORY: Cough.\nFINDINGS: Cough."]), tokenizer, length=LENGTH)

    assert (len(chunks.distinct), list(chunks.section)) == (1, ["history", "findings"])


def test_start_and_stop_are_places_in_the_notes_text(tokenizer):
    texts = ["HISTORY: Cough.  No\neffusion.\n", "患者咳嗽。 Fever"]
    chunks = chunked(notes_of([texts[0]], [texts[1]]), tokenizer, length=LENGTH)

    assert [texts[note][start:stop] for note, start, stop in zip(chunks.note, chunks.start, chunks.stop)] == [
        "Cough.",
        "No\neffusion.",
        "患者咳嗽。",
        "Fever",
    ]


@pytest.mark.parametrize("n_tokens", [1, OVERLAP, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM, 5 * ROOM + 3])
def test_windows_of_a_long_sentence_overlap_and_end_where_it_ends(tokenizer, n_tokens):
    words = (["cough", "fever", "heart", "effusion", "days"] * n_tokens)[:n_tokens]
    text = " ".join(words)
    ids = ids_of(tokenizer, text)
    assert len(ids) == n_tokens

    chunks = chunked(notes_of([text]), tokenizer, length=LENGTH)
    windows = [list(chunk.tokens[1:-1]) for chunk in held(chunks)]

    joined = windows[0]
    for window in windows[1:]:
        assert window[:OVERLAP] == joined[-OVERLAP:]
        assert len(window) > OVERLAP
        joined = joined + window[OVERLAP:]
    assert joined == ids
    assert [ids_of(tokenizer, text[start:stop]) for start, stop in zip(chunks.start, chunks.stop)] == windows
    assert (chunks.start[0], chunks.stop[-1]) == (0, len(text))


def test_a_later_window_knows_the_cue_in_the_first(tokenizer):
    """The sentence is understood before it is cut: the second window begins behind the "no" that reaches into it."""
    chunks = chunked(notes_of(["No " + "cough " * 20 + "fever " * 20]), tokenizer, length=LENGTH)

    first, second = held(chunks)[:2]
    cough, fever = ids_of(tokenizer, "cough fever")
    marks = dict(zip(second.tokens, second.assertions))
    assert (marks[cough], marks[fever]) == (Assertion.NEGATED, Assertion.AFFIRMED)
    assert dict(zip(first.tokens, first.assertions))[cough] == Assertion.NEGATED


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400) | st.lists(st.sampled_from(["cough", "no", "xyz", "."]), max_size=200).map(" ".join))
def test_no_token_is_lost_whatever_the_text_is(tokenizer, text):
    chunks = chunked(notes_of([text]), tokenizer, length=LENGTH)

    assert all(len(chunk.tokens) == len(chunk.assertions) <= LENGTH for chunk in chunks.distinct)
    assert len(set(chunks.distinct)) == len(chunks.distinct)
    windows = iter([list(chunk.tokens[1:-1]) for chunk in held(chunks)])
    found = split([text])
    for place in found.sentence:
        ids = ids_of(tokenizer, found.distinct[place].text)
        joined = next(windows)
        while joined != ids:
            window = next(windows)
            assert window[:OVERLAP] == joined[-OVERLAP:]
            joined = joined + window[OVERLAP:]
    assert next(windows, None) is None


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200) | st.lists(st.sampled_from(["cough", "no", "Xyz", "."]), max_size=200).map(" ".join))
def test_every_chunk_stands_inside_a_sentence_of_its_note(tokenizer, text):
    chunks = chunked(notes_of(["Cough."], [text]), tokenizer, length=LENGTH)

    found = split(["Cough.", text])
    spans = list(zip(found.note, found.start, found.stop))
    for note, start, stop in zip(chunks.note, chunks.start, chunks.stop):
        assert start < stop
        assert any(note == of and first <= start and stop <= last for of, first, last in spans)


def test_the_last_sentence_of_a_very_long_note_is_read(tokenizer):
    long = "Cough and fever for three days. " * 20_000 + "The heart is enlarged."

    chunks = chunked(notes_of([long]), tokenizer, length=LENGTH)

    assert tokenizer.decode(held(chunks)[-1].tokens) == "[CLS] the heart is enlarged. [SEP]"
    assert (len(chunks.chunk), len(chunks.distinct), chunks.stop[-1]) == (20_001, 2, len(long))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["no change ", "a.a.a.", "x\n", "\n", "患", "a" * 100 + " "], ids=ascii)
def test_a_long_note_of_anything_takes_time_in_proportion(tokenizer, text):
    chunks = chunked(notes_of([text * ((1 << 18) // len(text.encode()))]), tokenizer, length=LENGTH)

    assert all(len(chunk.tokens) <= LENGTH for chunk in chunks.distinct)
    assert bool(len(chunks.chunk)) == bool(text.strip())


def test_printing_chunks_shows_counts_and_no_tokens(tokenizer):
    """Token ids are the text in another spelling."""
    chunks = chunked(notes_of(["Cough. Fever."], ["Cough."]), tokenizer, length=LENGTH)

    assert repr(chunks) == "Chunks(3 chunks, 2 distinct)"


def test_one_word_of_a_hundred_thousand_letters_is_some_chunk(tokenizer):
    """WordPiece gives up on words over 100 letters: it becomes one unknown token, not an error."""
    chunks = chunked(notes_of(["x" * 100_000]), tokenizer, length=LENGTH)

    assert [tokenizer.decode(chunk.tokens) for chunk in held(chunks)] == ["[CLS] [UNK] [SEP]"]
    assert (chunks.start.tolist(), chunks.stop.tolist()) == ([0], [100_000])


def test_a_sentence_without_a_token_is_an_empty_chunk(tokenizer):
    """The tokenizer drops what is only a mark on a letter; the sentence keeps its place."""
    chunks = chunked(notes_of(["\u200b\u200b", "Cough."]), tokenizer, length=LENGTH)

    assert held(chunks)[0].tokens == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert (chunks.note.tolist(), chunks.start.tolist(), chunks.stop.tolist()) == ([0, 1], [0, 0], [2, 6])
