"""Notes that are the same but for case, blanks or a few words; templates are counted apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal.leakage.note_twins import SAME, SHINGLE, SHORT, same_notes
from multimodal.notes import Notes

WORDS = [f"word{i}" for i in range(400)]


def text(seed: int, length: int = 60) -> list[str]:
    return np.random.default_rng(seed).choice(WORDS, length).tolist()


def found(texts: list[list[str]], patients: list[str] | None = None):
    people = np.array(patients or [f"P{i}" for i in range(len(texts))], dtype=object)
    return same_notes([(0, Notes.of_texts([" ".join(words) for words in texts]))], people)


def jaccard(one: list[str], other: list[str]) -> float:
    """By the definition, with sets of tuples."""
    a, b = ({tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)} for words in (one, other))
    return len(a & b) / len(a | b)


def test_case_blanks_and_punctuation_make_no_other_note():
    words = text(0)
    notes = Notes.of_texts([" ".join(words), "\n".join(words).upper() + "."])

    assert same_notes([(0, notes)], np.array(["A", "B"], dtype=object)).pairs.tolist() == [[0, 1]]


def test_two_parts_are_numbered_one_after_the_other():
    parts = [(0, Notes.of_texts([" ".join(text(1))])), (1, Notes.of_texts([" ".join(text(2)), " ".join(text(1))]))]

    assert same_notes(parts, np.array(["A", "B", "C"], dtype=object)).pairs.tolist() == [[0, 2]]


@pytest.mark.parametrize("changed", [1, 2, 3])
def test_notes_that_differ_in_a_few_words_are_found(changed):
    """Of 100 words, 3 changed ones touch 9 of 98 shingles, so 0.83 is in common."""
    words = text(3, 100)
    other = [f"new{i}" if i in (20, 50, 80)[:changed] else word for i, word in enumerate(words)]

    assert found([words, other, text(4, 100)]).pairs.tolist() == [[0, 1]]


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 59), max_size=12))
def test_only_notes_with_enough_in_common_are_found(seed, cuts):
    """No false alarm, whatever is changed: the confirmation is exact."""
    words = text(seed)
    other = ["changed" if i in cuts else word for i, word in enumerate(words)]

    if len(found([words, other]).pairs):
        assert words == other or jaccard(words, other) >= SAME


def test_hardly_a_near_note_is_missed():
    """With 0.8 in common or more the chance to be missed is at most 1.5 % a pair: of these 300, 15 or more by luck
    less than once in 10^5 (binomial, n = 300, p = 0.015)."""
    pairs = [(text(seed, 100), text(seed, 100)) for seed in range(300)]
    for place, (_, other) in enumerate(pairs):
        other[30], other[70] = f"new{place}", f"newer{place}"
    assert min(jaccard(one, other) for one, other in pairs) >= SAME

    missed = 300 - len(found([words for pair in pairs for words in pair]).pairs)

    assert missed < 15


def test_short_and_frequent_notes_are_counted_apart():
    """ "Normal chest." of three patients, and a long text that six share."""
    short, long = ["normal", "chest"], text(5)
    assert len(short) < SHORT <= len(long)

    told = found([short] * 3 + [long] * 6 + [text(6), text(6)])

    assert (told.templates, told.template_records) == (2, 9)
    assert told.pairs.tolist() == [[9, 10]]


def test_one_patient_may_repeat_a_note():
    """A short note of one patient alone is no template of several."""
    told = found([["normal", "chest"]] * 3, ["A"] * 3)

    assert told.templates == 0


def test_different_notes_are_not_compared_in_pairs_of_all():
    texts = [text(seed) for seed in range(200)]
    assert max(jaccard(a, b) for a, b in combinations(texts[:20], 2)) < 0.1

    assert found(texts).pairs.tolist() == []
