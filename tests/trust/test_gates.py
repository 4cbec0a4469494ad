"""The gates stop what is stranger than the training at the stated rate, name it, and look at nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from multimodal.records import REASONS
from multimodal.trust.gates import GATES, Gates, fit_gates
from multimodal.trust.limits import joint_limits
from multimodal.trust.strangeness import contradiction, spread

MODALITIES = ("a", "b", "c")
N = 400


def training(seed=0, n=N):
    """Novelty, z and presence of n records of three modalities, two of which have a measure or two."""
    rng = np.random.default_rng(seed)
    present = rng.random((n, 3)) < 0.8
    novelty = {
        "a": {"net.distance": rng.gamma(9, size=n), "net.error": rng.gamma(4, size=n)},
        "b": {"words.surprise": rng.gamma(9, size=n)},
        "c": {},
    }
    novelty = {
        name: {key: np.where(present[:, m], values, np.nan) for key, values in novelty[name].items()}
        for m, name in enumerate(MODALITIES)
    }
    z = np.where(present[:, :, None], rng.normal(size=(n, 3, 2)), np.nan)
    return novelty, z, present


def fitted(seed=0, n=N, rate=0.02):
    return fit_gates(MODALITIES, ("death", "sepsis"), *training(seed, n), rate=rate, min_records=20)


def one(a=(9.0, 4.0), b=9.0, z=0.0):
    """A single record with all modalities: its novelty, z and presence."""
    novelty = {"a": {"net.distance": np.array([a[0]]), "net.error": np.array([a[1]])}}
    novelty |= {"b": {"words.surprise": np.array([b])}, "c": {}}
    return novelty, np.broadcast_to(z, (1, 3, 2)).astype(float), np.ones((1, 3), dtype=bool)


def test_one_measure_by_hand():
    """9 records, rate 0.2: 0.2 x (9 + 1) = 2 may be stopped, so the limit is the second largest."""
    values = np.array([[1.0], [9.0], [3.0], [8.0], [2.0], [7.0], [4.0], [6.0], [5.0]])

    assert_array_equal(joint_limits(values, 0.2), [8.0])
    assert_array_equal(joint_limits(values, 0.09), [np.inf])


def test_two_measures_share_one_rate_by_hand():
    """19 records, rate 0.2: 0.2 x 20 = 4, less one as each has two measures. The four strangest, by the better of their
    two ranks, are 19 and 18 in the first measure and 1 and 2, which the second measure ranks highest: the fourth has to
    pass, so each measure may stop one rank alone."""
    first = np.arange(1.0, 20.0)
    values = np.column_stack([first, 100 - first])

    assert_array_equal(joint_limits(values, 0.2), [19.0, 99.0])


def test_measures_that_agree_cost_no_more_than_one():
    first = np.arange(1.0, 101.0)

    assert_array_equal(joint_limits(np.column_stack([first, 10 * first]), 0.05), [97.0, 970.0])


@given(
    arrays(
        float,
        array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=14),
        elements=st.integers(0, 9) | st.just(np.nan),
    ),
    st.sampled_from([0.05, 0.1, 0.2, 0.35, 0.5]),
)
def test_whatever_the_records_are_no_more_than_the_rate_exceed_the_limits_of_the_others(values, rate):
    """Which is the false alarm rate on exchangeable records: each of them is as likely to be the new one. Ties and
    gaps included; no luck in it."""
    stopped = sum((values[i] > joint_limits(np.delete(values, i, 0), rate)).any() for i in range(len(values)))

    assert stopped <= rate * (~np.isnan(values)).any(axis=1).sum() + 1e-9


def test_new_records_like_those_of_the_training_are_stopped_at_about_the_rate():
    """10,000 new ones: at 2 % a binomial has a standard deviation of 14, a limit on 320 of them one of 78; five of
    these pass by luck once in a million."""
    gates = fitted()
    _, stops = gates.judge(*training(seed=1, n=10_000))
    by_gate = {code: sum(problem.code == code for _, problem in stops) for code in GATES}

    assert by_gate["SET_UNVALIDATED"] == 0
    assert 0 < by_gate["NOVEL_INPUT"] < 2 * (160 + 390)
    assert 0 < by_gate["NOVEL_RECORD"] < 200 + 390
    assert 0 < by_gate["CONTRADICTION"] < 200 + 390


def test_an_ordinary_record_passes():
    abstained, stops = fitted().judge(*one())

    assert_array_equal(abstained, [None])
    assert stops == []


def test_a_strange_input_is_named_with_its_measure():
    abstained, stops = fitted().judge(*one(a=(90.0, 4.0)))

    assert_array_equal(abstained, ["NOVEL_INPUT"])
    ((row, problem), *_) = stops
    limit = fitted().inputs["a"].limits["net.distance"]
    assert (row, problem.code, problem.where) == (0, "NOVEL_INPUT", "a")
    with_a = int(training()[2][:, 0].sum())
    assert problem.message == (
        f"stranger than all {with_a} training records: net.distance is {90 / limit:.3g} times the limit"
    )


def test_an_input_within_what_the_training_held_is_named_by_the_rate():
    gates = fitted()
    limit = gates.inputs["b"].limits["words.surprise"]
    _, stops = gates.judge(*one(b=1.001 * limit))

    assert str(stops[0][1]) == (
        "NOVEL_INPUT: b: stranger than all but 2 % of the training records: words.surprise is 1 times the limit"
    )


def test_several_moderately_unusual_inputs_are_stopped_together():
    """Each just within its own limit."""
    gates = fitted()
    a, b = gates.inputs["a"].limits, gates.inputs["b"].limits
    abstained, stops = gates.judge(*one(a=(0.99 * a["net.distance"], 4.0), b=0.99 * b["words.surprise"]))

    assert_array_equal(abstained, ["NOVEL_RECORD"])
    assert stops[0][1].where == "a+b+c"
    assert stops[0][1].message.startswith("together more unusual than all but 2 % of the training records: 1.")


def test_modalities_that_contradict_each_other_are_named_with_the_target():
    z = np.zeros((1, 3, 2))
    z[0, :, 1] = [5.0, -6.0, 0.0]
    abstained, stops = fitted().judge(*one(z=z))

    assert_array_equal(abstained, ["CONTRADICTION"])
    assert stops[0][1].where == "a+b"
    assert stops[0][1].message.startswith("a speaks for sepsis and b against it, more strongly than in all but 2 % of ")


def test_modalities_that_agree_are_no_contradiction_however_strongly_they_speak():
    abstained, _ = fitted().judge(*one(z=50.0))

    assert_array_equal(abstained, [None])


def test_contradiction_by_hand():
    """a usually says 2 for and 1 against, b 3 for and 4 against; a says 3 and b -2: min(3 / 2, 2 / 4)."""
    usually = np.array([[[2.0], [3.0]], [[1.0], [4.0]]])
    pairs, found = contradiction(np.array([[[3.0], [-2.0]], [[-3.0], [1.5]]]), np.ones((2, 2), dtype=bool), usually)

    assert pairs == [(0, 1)]
    assert_array_equal(found[:, 0, 0], [0.5, 0.5])


def test_how_strongly_a_modality_usually_speaks_by_hand():
    """For: 3 and 4, so the root of 12.5; against: 2; the absent says nothing."""
    z = np.array([[[3.0]], [[4.0]], [[-2.0]], [[99.0]]])
    present = np.array([[True], [True], [True], [False]])

    assert_array_equal(spread(z, present)[:, 0, 0], [np.sqrt(12.5), 2.0])


def test_a_set_that_too_few_training_records_have_is_not_validated():
    novelty, z, present = training()
    present[:, 2] &= (present[:, :2].sum(axis=1) == 0) | (np.cumsum(present.all(axis=1)) <= 5)
    present[:, 2] |= ~present.any(axis=1)
    gates = fit_gates(MODALITIES, ("death", "sepsis"), novelty, z, present, rate=0.02, min_records=20)
    abstained, stops = gates.judge(*one(a=(90.0, 4.0)))

    assert_array_equal(abstained, ["SET_UNVALIDATED"])
    assert [problem.code for _, problem in stops][:2] == ["SET_UNVALIDATED", "NOVEL_INPUT"]
    assert stops[0][1].where == "a+b+c"
    assert stops[0][1].message == "5 training records have this set of inputs, fewer than 20"


def test_a_set_counts_the_records_that_have_more():
    _, _, present = training()
    gates = fitted()

    assert gates.sets["a"] == present[:, 0].sum()
    assert gates.sets["a+c"] == (present[:, 0] & present[:, 2]).sum()


def test_without_input_there_is_no_other_reason():
    novelty, z, present = one(a=(900.0, 900.0))
    abstained, stops = fitted().judge(novelty, z, np.zeros_like(present))

    assert_array_equal(abstained, ["NO_INPUT"])
    assert stops == []


@given(st.floats() | st.just(1e300), st.integers(0, 2))
def test_what_an_absent_modality_holds_cannot_change_a_gate(filler, absent):
    gates = fitted()
    novelty, z, present = training(seed=2, n=40)
    present[:, absent] = False
    tampered = {
        name: {key: np.where(present[:, m], values, filler) for key, values in novelty[name].items()}
        for m, name in enumerate(MODALITIES)
    }
    found, stops = gates.judge(tampered, np.where(present[:, :, None], z, filler), present)
    expected, expected_stops = gates.judge(novelty, z, present)

    assert_array_equal(found, expected)
    assert stops == expected_stops


def test_what_an_absent_modality_holds_cannot_change_the_limits():
    novelty, z, present = training()
    tampered = {name: {key: np.nan_to_num(values, nan=1e9) for key, values in m.items()} for name, m in novelty.items()}
    found = fit_gates(
        MODALITIES, ("death", "sepsis"), tampered, np.nan_to_num(z, nan=-1e9), present, rate=0.02, min_records=20
    )

    assert found.to_json() == fitted().to_json()


def test_order_and_neighbours_do_not_matter():
    gates, (novelty, z, present) = fitted(), training(seed=3)
    order = np.random.default_rng(0).permutation(N)[:50]
    whole, stops = gates.judge(novelty, z, present)
    taken = {name: {key: values[order] for key, values in m.items()} for name, m in novelty.items()}
    found, found_stops = gates.judge(taken, z[order], present[order])

    assert_array_equal(found, whole[order])
    by_row = {row: [p for r, p in stops if r == row] for row in order.tolist()}
    assert {order[row]: [p for r, p in found_stops if r == row] for row in range(50)} == by_row


def test_a_measure_that_a_record_or_the_gates_lack_stops_nothing():
    novelty, z, present = one(a=(np.nan, np.nan))
    novelty["a"]["net.later"] = np.array([1e9])
    abstained, _ = fitted().judge(novelty, z, present)
    without, _ = fitted().judge({"b": {}}, z, present)

    assert_array_equal(abstained, [None])
    assert_array_equal(without, [None])


def test_what_differs_by_rounding_alone_is_equal():
    """A third of the training shares the largest novelty, up to the last digit."""
    rng = np.random.default_rng(0)
    values = np.where(np.arange(N) % 3 == 0, 3.7, 1.0) * (1 + 1e-15 * rng.normal(size=N))
    present = np.ones((N, 1), dtype=bool)
    gates = fit_gates(("a",), ("death",), {"a": {"m": values}}, np.zeros((N, 1, 1)), present, rate=0.02, min_records=20)
    again = {"a": {"m": np.array([3.7 * (1 + 1e-14), 3.8])}}
    abstained, _ = gates.judge(again, np.zeros((2, 1, 1)), present[:2])

    assert_array_equal(abstained, [None, "NOVEL_INPUT"])


def test_too_few_training_records_set_no_limit():
    """20 records cannot say what 2 % of records exceed."""
    gates = fitted(n=20)

    assert (gates.inputs, gates.records, gates.pairs) == ({}, {}, {})
    assert_array_equal(gates.judge(*one(a=(1e9, 1e9), z=0.0))[0], ["SET_UNVALIDATED"])


def test_a_rate_of_0_switches_all_gates_off():
    z = np.zeros((1, 3, 2))
    z[0, :, 1] = [50.0, -60.0, 0.0]
    abstained, stops = fitted(n=20, rate=0.0).judge(*one(a=(1e9, 1e9), z=z))

    assert_array_equal(abstained, [None])
    assert stops == []


def test_the_gates_survive_json():
    gates = fitted()
    read = Gates.from_json(json.loads(json.dumps(gates.to_json(), allow_nan=False)))
    found, expected = (one.judge(*training(seed=4)) for one in (read, gates))

    assert read.to_json() == gates.to_json()
    assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]


def test_a_modality_that_never_speaks_for_a_target_survives_json():
    novelty, z, present = training()
    gates = fit_gates(MODALITIES, ("death", "sepsis"), novelty, -np.abs(z), present, rate=0.02, min_records=20)
    read = Gates.from_json(json.loads(json.dumps(gates.to_json(), allow_nan=False)))

    assert_array_equal(read.usually, gates.usually)
    assert np.isinf(read.usually[0]).all()


@pytest.mark.parametrize("code", GATES)
def test_each_gate_has_its_entry_in_the_table_of_reasons_as_a_warning(code):
    assert REASONS[code].severity == "warn"
