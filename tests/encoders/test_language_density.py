"""How common the language of a note is: a note like those of the training is, another language or markup not."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from multimodal.encoders.language_density import LanguageDensity
from multimodal.notes import Notes

SENTENCES = (
    "The lungs are clear.", "Heart size is normal.", "No pneumothorax.", "Bony structures are intact.",
    "Small left pleural effusion.", "There is no focal consolidation.", "The trachea is midline.",
    "Mild cardiomegaly with vascular congestion.", "No acute disease.", "Degenerative changes of the spine.",
)  # fmt: skip
FOREIGN = {
    "German": "Lunge beidseits belüftet, kein Erguss, Herz normal groß.",
    "random letters": "qzv wkxj rrtpl xcvbn mqwz hjklp zzxy",
    "a recipe": "Mix the flour with two eggs and sugar, add butter and bake for 40 minutes until golden.",
    "markup": '<div class="note"><p>Lungs clear</p><br/></div>',
    "Chinese": "双肺清晰，未见胸腔积液。",
    "next to nothing": "ok",
}


def reports(seed, n=200):
    rng = np.random.default_rng(seed)
    return Notes.of_texts([" ".join(rng.permutation(SENTENCES)[: rng.integers(2, 6)]) for _ in range(n)])


@pytest.fixture(scope="module")
def density():
    return LanguageDensity().fit(reports(0))


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_note_is_stranger_than_all_others(density, kind):
    usual, found = density.novelty(reports(1)), density.novelty(Notes.of_texts([FOREIGN[kind]]))

    assert any(found[measure][0] > values.max() for measure, values in usual.items())


def test_the_surprise_of_words_by_hand():
    """Of six words "clear" is three and "lungs" two; "odd" is held by one record alone and counts as unknown, 1 in
    100,000. Two usual words are added, of the median of the means of the two training notes."""
    density = LanguageDensity().fit(Notes.of_texts(["lungs clear", "lungs clear clear odd"]))
    (found,) = density.novelty(Notes.of_texts(["clear odd"]))["words"]

    clear, lungs, unknown = np.log(2), np.log(3), np.log(100_000)
    usual = ((lungs + clear) / 2 + (lungs + 2 * clear + unknown) / 4) / 2

    assert found == pytest.approx((clear + unknown + 2 * usual) / 4)


def test_the_surprise_of_letters_by_hand():
    """Of " ab " the pairs are " a", "ab", "b ": each second follows its first always, and is the second of a third of
    all pairs, which counts by 5 %."""
    density = LanguageDensity().fit(Notes.of_texts(["ab"]))
    found = density.novelty(Notes.of_texts(["ab"]))["letters"][0]

    assert found == pytest.approx(-np.log(0.95 + 0.05 / 3))


def test_a_training_of_twice_the_records_finds_the_same_notes_as_strange():
    """The limits are found by the folds, which hold fewer records than the training in use."""
    notes = reports(0)
    twice = Notes.of_texts([*notes.text, *notes.text])
    odd = Notes.of_texts(["No acute disease of the knee.", FOREIGN["German"]])
    once, again = (LanguageDensity().fit(one).novelty(odd) for one in (notes, twice))

    for measure, values in once.items():
        assert_allclose(again[measure], values)


def test_case_and_the_numbers_themselves_are_nothing_unusual(density):
    found = density.novelty(Notes.of_texts(["The lungs are clear.", "THE LUNGS ARE CLEAR.", "0 cm", "7 cm"]))

    assert found["letters"][0] == found["letters"][1]
    assert found["letters"][2] == found["letters"][3]


def test_of_several_notes_of_a_record_the_strangest_counts(density):
    texts = ["No acute disease.", FOREIGN["German"]]
    both = density.novelty(Notes.of_texts(texts, [0, 0]))
    alone = density.novelty(Notes.of_texts(texts))

    for measure, values in alone.items():
        assert both[measure][0] == values.max()


def test_a_record_without_a_note_has_no_novelty(density):
    found = density.novelty(Notes.of_texts(["No acute disease."], [1], n=3))

    for values in found.values():
        assert_array_equal(np.isnan(values), [True, False, True])
        assert values[1] > 0


def test_what_one_record_alone_holds_is_not_kept(tmp_path):
    LanguageDensity().fit(Notes.of_texts(["seen by Zyxwvut", "seen by nurse", "seen by nurse"])).save(tmp_path)

    assert set(json.loads((tmp_path / "words.json").read_text())["words"]) == {"seen", "by", "nurse"}


def test_neighbours_do_not_matter_and_saved_and_loaded_is_the_same_to_the_bit(density, tmp_path):
    notes = reports(2, 20)
    density.save(tmp_path)
    found, again = density.novelty(notes), LanguageDensity.load(tmp_path).novelty(notes)

    for measure, values in found.items():
        assert_array_equal(again[measure], values)
        assert_allclose(density.novelty(notes.take(np.array([7])))[measure][0], values[7], rtol=1e-12)


def test_the_same_notes_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        LanguageDensity().fit(reports(0)).save(tmp_path / name)

    for file in ("words.json", "letters.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
