"""When the model stays silent: at the stated rate on records like those of the training, and by name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from multimodal.trust.gates import ORDER, Gates, fit_gates, upper_limit

NAMES = ("image", "notes")
OPTIONS = {"modalities": NAMES, "targets": ("death", "sepsis"), "false_alarms": 0.02, "fewest": 20}


def drawn(n, seed, missing=0.1):
    """Novelty, presence and z of n ordinary records: two measures of the image, one of the notes."""
    rng = np.random.default_rng(seed)
    present = rng.random((n, 2)) >= missing
    novelty = {
        "image": {"cnn.reconstruction": rng.lognormal(size=n), "cnn.embedding": rng.lognormal(size=n)},
        "notes": {"bert.embedding": rng.lognormal(size=n)},
    }
    return novelty, present, rng.normal(size=(n, 2, 2)) * [[[1.0], [3.0]]]


@pytest.fixture(scope="module")
def gates() -> Gates:
    return fit_gates(*drawn(2000, 0), **OPTIONS)


def one(image=(1.0, 1.0), notes=1.0, present=(True, True), z=((0.1, 0.1), (0.1, 0.1))):
    """A record as the gates take it."""
    novelty = {
        "image": {"cnn.reconstruction": np.array([image[0]]), "cnn.embedding": np.array([image[1]])},
        "notes": {"bert.embedding": np.array([notes])},
    }
    return novelty, np.array([present]), np.array([z], dtype=float)


def test_each_gate_stops_the_stated_share_of_fresh_ordinary_records(gates):
    """2 % each; 20,000 fresh records have a standard error of 0.001, the limits from 2,000 one of 0.003."""
    novelty, present, z = drawn(20_000, 1)
    by_gate = gates.judge(novelty, present, z).by_gate

    assert by_gate["SET_UNVALIDATED"].sum() == 0
    for name in NAMES:
        m = NAMES.index(name)
        ratios = np.stack(list(gates.ratios(novelty, present)[name].values()))[:, present[:, m]]
        assert 0.008 < (ratios > 1).any(axis=0).mean() < 0.032
    both = present.all(axis=1)
    assert 0.008 < by_gate["CONTRADICTION"][both].mean() < 0.032
    assert by_gate["NOVEL_RECORD"][both].mean() < 0.032


@pytest.mark.parametrize(
    ("record", "code", "where", "message"),
    [
        (one(image=(100.0, 1.0)), "NOVEL_INPUT", "image", "stranger than in the training: reconstruction "),
        (one(notes=100.0), "NOVEL_INPUT", "notes", "stranger than in the training: embedding "),
        (one(image=(7.0, 7.0), notes=7.0), "NOVEL_RECORD", "image+notes", "the inputs together are stranger than"),
        (one(z=((4.0, 0.1), (-12.0, 0.1))), "CONTRADICTION", "image+notes", "they speak against each other on death"),
    ],
)
def test_what_is_unusual_is_named(gates, record, code, where, message):
    verdict = gates.judge(*record)

    assert verdict.reasons.tolist() == [code]
    (row, problem), *_ = verdict.problems
    assert (row, problem.code, problem.where) == (0, code, where)
    assert problem.message.startswith(message)


def test_an_ordinary_record_passes(gates):
    verdict = gates.judge(*one())

    assert verdict.reasons.tolist() == [None]
    assert verdict.problems == []


def test_modalities_that_the_training_never_had_together_are_not_validated():
    novelty, present, z = drawn(500, 0, missing=0.0)
    present[:250, 0], present[250:, 1] = False, False
    gates = fit_gates(novelty, present, z, **OPTIONS)
    verdict = gates.judge(*one())

    assert verdict.reasons.tolist() == ["SET_UNVALIDATED"]
    assert str(verdict.problems[0][1]) == (
        "SET_UNVALIDATED: image+notes: 0 training records had these modalities together, fewer than 20"
    )
    assert gates.judge(*one(present=(True, False))).reasons.tolist() == [None]


def test_agreement_is_no_contradiction_however_strong(gates):
    assert gates.judge(*one(z=((9.0, -9.0), (30.0, -30.0)))).reasons.tolist() == [None]


@settings(deadline=None, max_examples=50)
@given(st.floats(allow_nan=True), st.floats(allow_nan=True, allow_infinity=False, width=16))
def test_what_an_absent_modality_holds_changes_nothing(gates, filler, z):
    verdict = gates.judge(*one(image=(filler, filler), present=(False, True), z=((z, z), (0.1, 0.1))))

    assert verdict.reasons.tolist() == [None]


def test_neighbours_change_nothing(gates):
    novelty, present, z = drawn(300, 5)
    whole = gates.judge(novelty, present, z).stopped
    rows = np.arange(300)[::-7]
    part = {name: {m: v[rows] for m, v in found.items()} for name, found in novelty.items()}

    assert_array_equal(gates.judge(part, present[rows], z[rows]).stopped, whole[rows])


def test_no_false_alarms_means_that_nothing_is_too_strange():
    gates = fit_gates(*drawn(500, 0), **(OPTIONS | {"false_alarms": 0.0}))

    assert gates.judge(*one(image=(1e9, 1e9), z=((99.0, 0.1), (-99.0, 0.1)))).reasons.tolist() == [None]


def test_a_measure_that_is_not_known_does_not_stop(gates):
    assert gates.judge(*one(image=(np.nan, np.nan))).reasons.tolist() == [None]
    novelty, present, z = one()
    assert gates.judge({"notes": novelty["notes"]}, present, z).reasons.tolist() == [None]


def test_the_gates_are_the_same_after_they_were_kept_as_json(gates):
    again = Gates.from_json(json.loads(json.dumps(gates.to_json())))
    records = drawn(3000, 2)

    assert_array_equal(again.judge(*records).stopped, gates.judge(*records).stopped)
    assert again.judge(*records).problems == gates.judge(*records).problems


def test_a_limit_is_a_rank_of_the_training():
    """Of 99 values a fresh one lies above the k-th largest with probability k / 100: the 2nd for 2 %."""
    values = np.arange(1, 100.0)

    assert upper_limit(values, 0.02) == 98
    assert upper_limit(values[:20], 0.02) == 20  # too few to tell: the largest
    assert upper_limit(values, 0) == upper_limit(values[:0], 0.02) == np.inf


def test_the_first_gate_in_order_is_the_reason(gates):
    verdict = gates.judge(*one(image=(100.0, 1.0), z=((4.0, 0.1), (-12.0, 0.1))))

    assert verdict.reasons.tolist() == ["NOVEL_INPUT"]
    assert [problem.code for _, problem in verdict.problems] == ["NOVEL_INPUT", "CONTRADICTION"]
    assert ORDER.index("NOVEL_INPUT") < ORDER.index("CONTRADICTION")
