"""Masked-language pretraining, and the batches of chunks of like length."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from multimodal.encoders.checkpoints import compact
from multimodal.encoders.masked_language import pretrain_language, steps_of
from multimodal.encoders.token_batches import token_batches
from multimodal.notes import Notes
from multimodal.notes.chunks import Chunk, chunked

SENTENCES = [f"The {part} is {look}." for part in ("heart", "lung", "spine", "aorta") for look in ("normal", "large")]


@pytest.fixture(scope="module")
def begun():
    notes = Notes.of_texts([f"{a} {b}" for a in SENTENCES for b in SENTENCES])
    torch.manual_seed(0)
    tokenizer, bert = compact(notes.text, layers=1, width=64, vocabulary=300, length=32)
    return tokenizer, bert, chunked(notes, tokenizer, length=32).distinct


def test_it_learns_to_fill_the_gaps(begun):
    tokenizer, bert, chunks = begun
    options = {"learning_rate": 3e-3, "device": torch.device("cpu"), "precision": "fp32"}
    done = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        trained, losses = pretrain_language(
            bert, tokenizer, chunks, steps=150, generator=generator, on_step=lambda: done.append(1), **options
        )

    assert len(losses) == len(done) == 150
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    assert not trained.training


def test_a_pass_shows_every_distinct_sentence_once(begun):
    tokenizer, _, chunks = begun

    assert len(chunks) == len(SENTENCES)
    assert steps_of(chunks, tokenizer, 3) == 3


@pytest.mark.parametrize("budget", [1, 40, 10_000])
def test_batches_hold_every_chunk_once_with_little_padding(budget):
    lengths = np.random.default_rng(0).integers(1, 90, 200)
    chunks = [Chunk(tuple(range(1, n + 1)), (1,) * n) for n in lengths]

    batches = list(token_batches(chunks, 0, budget=budget))

    assert sorted(np.concatenate([batch.rows for batch in batches]).tolist()) == list(range(200))
    for rows, ids, mask, assertions in batches:
        assert len(rows) == 1 or ids.numel() <= budget
        assert ids.shape[1] <= lengths[rows].min() * 1.25 + 4
        assert_array_equal(mask.sum(1), lengths[rows])
        assert_array_equal(ids, np.where(mask, np.arange(1, ids.shape[1] + 1), 0))
        assert_array_equal(assertions, mask)


def test_texts_of_a_few_words_are_learnt_from_too():
    """In a pass over so few tokens none would be drawn, nine times in ten; then one is asked for all the same."""
    notes = Notes.of_texts(["cough", "fever", "cough and fever"] * 5)
    tokenizer, bert = compact(notes.text, layers=1, width=64, vocabulary=100, length=32)
    chunks = chunked(notes, tokenizer, length=32).distinct
    options = {"learning_rate": 1e-3, "device": torch.device("cpu"), "precision": "fp32"}

    _, losses = pretrain_language(
        bert, tokenizer, chunks, steps=40, generator=torch.Generator().manual_seed(0), **options
    )

    assert len(losses) == 40


def test_texts_of_unknown_words_alone_take_no_step():
    notes = Notes.of_texts(["cough and fever"] * 5)
    tokenizer, _ = compact(notes.text, layers=1, width=64, vocabulary=100, length=32)
    unknown = chunked(Notes.of_texts(["患者", "발열"]), tokenizer, length=32).distinct

    assert steps_of(unknown, tokenizer, 60) == 0
