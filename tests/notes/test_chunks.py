"""Chunks: however long a note is, every token of it is in some chunk, and nothing is longer than the network reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal.learning import torchvision_shim  # noqa: F401  before transformers
from multimodal.notes import Notes, sentences
from multimodal.notes.chunks import OVERLAP, chunked

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
    return Notes(
        np.array([row for row, _ in rows], dtype=np.int64), [text for _, text in rows], [], len(texts_by_record)
    )


def ids_of(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_each_sentence_is_one_chunk_between_the_special_tokens(tokenizer):
    chunks = chunked(notes_of(["The heart is enlarged. Cough."]), tokenizer, length=LENGTH)

    assert [tokenizer.decode(ids) for ids in chunks.tokens] == [
        "[CLS] the heart is enlarged. [SEP]",
        "[CLS] cough. [SEP]",
    ]
    assert chunks.record.tolist() == [0, 0]


def test_a_sentence_that_many_records_have_is_encoded_once(tokenizer):
    chunks = chunked(notes_of(["Cough. Fever."], [], ["Fever. Cough."]), tokenizer, length=LENGTH)

    assert len(chunks.tokens) == 2
    assert (chunks.record.tolist(), chunks.chunk.tolist(), chunks.n) == ([0, 0, 2, 2], [0, 1, 1, 0], 3)


def test_no_notes_give_no_chunks(tokenizer):
    chunks = chunked(notes_of([], []), tokenizer, length=LENGTH)

    assert (list(chunks.tokens), len(chunks.record), chunks.n) == ([], 0, 2)


@pytest.mark.parametrize("n_tokens", [1, OVERLAP, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM, 5 * ROOM + 3])
def test_windows_of_a_long_sentence_overlap_and_end_where_it_ends(tokenizer, n_tokens):
    words = (["cough", "fever", "heart", "effusion", "days"] * n_tokens)[:n_tokens]
    ids = ids_of(tokenizer, " ".join(words))
    assert len(ids) == n_tokens

    chunks = chunked(notes_of([" ".join(words)]), tokenizer, length=LENGTH)
    windows = [list(chunks.tokens[i][1:-1]) for i in chunks.chunk]

    joined = windows[0]
    for window in windows[1:]:
        assert window[:OVERLAP] == joined[-OVERLAP:]
        assert len(window) > OVERLAP
        joined = joined + window[OVERLAP:]
    assert joined == ids


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400) | st.lists(st.sampled_from(["cough", "no", "xyz", "."]), max_size=200).map(" ".join))
def test_no_token_is_lost_whatever_the_text_is(tokenizer, text):
    chunks = chunked(notes_of([text]), tokenizer, length=LENGTH)

    assert all(len(ids) <= LENGTH for ids in chunks.tokens)
    held = iter([list(chunks.tokens[i][1:-1]) for i in chunks.chunk])
    for sentence in sentences(text):
        ids = ids_of(tokenizer, sentence)
        joined = next(held)
        while joined != ids:
            window = next(held)
            assert window[:OVERLAP] == joined[-OVERLAP:]
            joined = joined + window[OVERLAP:]
    assert next(held, None) is None


def test_the_last_sentence_of_a_very_long_note_is_read(tokenizer):
    long = "Cough and fever for three days. " * 20_000 + "The heart is enlarged."

    chunks = chunked(notes_of([long]), tokenizer, length=LENGTH)

    assert tokenizer.decode(chunks.tokens[chunks.chunk[-1]]) == "[CLS] the heart is enlarged. [SEP]"
    assert len(chunks.chunk) == 20_001


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["no change ", "a.a.a.", "x\n", "\n", "患", "a" * 100 + " "], ids=ascii)
def test_a_long_note_of_anything_takes_time_in_proportion(tokenizer, text):
    chunks = chunked(notes_of([text * ((1 << 18) // len(text.encode()))]), tokenizer, length=LENGTH)

    assert all(len(ids) <= LENGTH for ids in chunks.tokens)
    assert bool(len(chunks.chunk)) == bool(text.strip())


def test_printing_chunks_shows_counts_and_no_tokens(tokenizer):
    """Token ids are the text in another spelling."""
    chunks = chunked(notes_of(["Cough. Fever."], ["Cough."]), tokenizer, length=LENGTH)

    assert repr(chunks) == "Chunks(2 records, 3 chunks, 2 distinct)"


def test_one_word_of_a_hundred_thousand_letters_is_some_chunk(tokenizer):
    """WordPiece gives up on words over 100 letters: it becomes one unknown token, not an error."""
    chunks = chunked(notes_of(["x" * 100_000]), tokenizer, length=LENGTH)

    assert [tokenizer.decode(ids) for ids in chunks.tokens] == ["[CLS] [UNK] [SEP]"]
