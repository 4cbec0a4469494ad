"""Which records count for which figure: one table of six records, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from multimodal.trust.metrics import METRICS
from multimodal.trust.tabulate import Answers, Group, Scored, tabulate

NAN = np.nan


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def answers(probability: np.ndarray, threshold: float = 0.5, **options) -> Answers:
    decision = np.where(np.isnan(probability), NAN, probability >= threshold)
    return Answers(probability, decision, np.array([threshold]), **options)


@pytest.fixture
def scored() -> Scored:
    """Records 0-5 of patients a, a, b, c, d, e; 3 has no input, 4 no label, the gates kept 2 back; base rate 0.4."""
    return Scored(
        targets=("pneumonia",),
        modalities=("image", "notes"),
        labels=column(1, 0, 1, 1, NAN, 0),
        patients=np.array(["a", "a", "b", "c", "d", "e"], dtype=object),
        present=np.array([[1, 1], [1, 1], [1, 0], [0, 0], [1, 1], [0, 1]], dtype=bool),
        abstained=np.array([0, 0, 1, 0, 0, 0], dtype=bool),
        fused=answers(column(0.9, 0.2, 0.3, 0.4, 0.7, 0.6)),
        single={
            "image": answers(column(0.8, 0.1, 0.3, 0.4, 0.6, 0.4)),
            "notes": answers(column(0.7, 0.3, 0.4, 0.4, 0.6, 0.6)),
        },
        baselines={"news2": answers(column(7, 2, NAN, NAN, 5, 6), 5, is_probability=False)},
        groups={
            "airway": Group(
                ("cold", "flu", "rare"),
                np.array(["cold", "flu", "rare", "cold", None, "flu"], dtype=object),
                np.array(["cold", "cold", "flu", "cold", "flu", "flu"], dtype=object),
            )
        },
    )


def test_fused_counts_records_with_a_label_and_an_input(scored):
    """Records 0, 1, 2, 5. Of the pairs 0.9 > 0.2, 0.9 > 0.6, 0.3 > 0.2, 0.3 < 0.6 three are in order."""
    fused = tabulate(scored, resamples=0)["targets"]["pneumonia"]["fused"]

    assert (fused["n"], fused["positives"], fused["threshold"]) == (4, 2, 0.5)
    assert fused["confusion"] == {"tp": 1, "fp": 1, "tn": 1, "fn": 1}
    assert fused["auroc"]["value"] == 3 / 4
    assert fused["brier"]["value"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.36) / 4)


def test_answered_leaves_out_what_the_gates_kept_back(scored):
    answered = tabulate(scored, resamples=0)["targets"]["pneumonia"]["answered"]

    assert (answered["n"], answered["positives"], answered["auroc"]["value"]) == (3, 1, 1.0)


def test_a_modality_alone_counts_the_same_records_as_fused(scored):
    """Image: 0.8 beats 0.1 and the base rate of record 5, 0.3 beats 0.1 only."""
    single = tabulate(scored, resamples=0)["targets"]["pneumonia"]["single"]

    assert list(single) == ["image", "notes"]
    assert single["image"]["n"] == single["notes"]["n"] == 4
    assert single["image"]["auroc"]["value"] == 3 / 4


def test_a_baseline_tells_for_how_many_records_it_has_an_answer(scored):
    news2 = tabulate(scored, resamples=0)["targets"]["pneumonia"]["baselines"]["news2"]

    assert (news2["n"], news2["threshold"], news2["auroc"]["value"]) == (3, 5, 1.0)
    assert news2["brier"]["value"] is None
    assert news2["confusion"] == {"tp": 1, "fp": 1, "tn": 1, "fn": 0}


def test_present_parts_the_records_by_the_exact_set(scored):
    present = tabulate(scored, resamples=0)["targets"]["pneumonia"]["present"]

    assert {name: at["fused"]["n"] for name, at in present.items()} == {"image": 1, "notes": 1, "image+notes": 2}
    assert list(present) == ["image", "notes", "image+notes"]
    assert list(present["notes"]["single"]) == ["notes"]
    assert list(present["image+notes"]["single"]) == ["image", "notes"]
    assert present["image+notes"]["fused"]["auroc"]["value"] == 1


def test_a_class_that_the_model_left_out_counts_as_wrong(scored):
    """Records 0, 1, 2, 5 have a known class and an input; 0 and 5 are right, the rare one cannot be."""
    airway = tabulate(scored, resamples=0)["groups"]["airway"]

    assert (airway["n"], airway["classes"]) == (4, ["cold", "flu", "rare"])
    assert airway["accuracy"]["value"] == 2 / 4
    assert airway["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_every_figure_has_its_interval_and_the_form_of_metrics_json(scored):
    found = tabulate(scored, resamples=200)["targets"]["pneumonia"]

    assert list(found)[:5] == ["fused", "answered", "single", "baselines", "present"]
    assert list(found)[5:] == ["compared", "without", "ece_expected", "prevalence", "subgroups", "sets"]
    assert list(found["fused"]) == ["n", "positives", "threshold", "confusion", *METRICS]
    # Slope and intercept are no shares, and undefined under most resamples of four records.
    for name in set(METRICS) - {"calibration_slope", "calibration_intercept"}:
        figure = found["fused"][name]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1, name


def test_fused_is_compared_on_the_records_that_both_answer(scored):
    """Image on records 0, 1, 2, 5: 0.8 and 0.3 against 0.1 and 0.4: 3 of 4 pairs, as fused. NEWS2 answers 0, 1 and 5,
    and there fused has 2 of 2."""
    compared = tabulate(scored, resamples=0)["targets"]["pneumonia"]["compared"]

    assert list(compared["single"]) == ["image", "notes"]
    assert (compared["single"]["image"]["n"], compared["single"]["image"]["auroc"]["value"]) == (4, 0)
    brier = (0.01 + 0.04 + 0.49 + 0.36) / 4 - (0.04 + 0.01 + 0.49 + 0.16) / 4
    assert compared["single"]["image"]["brier"]["value"] == pytest.approx(brier)
    news2 = compared["baselines"]["news2"]
    assert (news2["n"], news2["auroc"]["value"], news2["delong"]["value"], news2["brier"]["value"]) == (3, 0, 0, None)


def test_a_modality_is_hidden_from_the_records_that_have_it(scored):
    """Image hidden from 0, 1 and 2: what is left is the notes' answer, and for 2 the base rate."""
    hidden = replace(scored, without={"image": answers(column(0.7, 0.3, 0.4, 0.4, 0.6, 0.6))})

    found = tabulate(hidden, resamples=0)["targets"]["pneumonia"]["without"]["image"]

    assert (found["difference"]["n"], found["positives"]) == (3, 2)
    assert found["with"]["auroc"]["value"] == found["without"]["auroc"]["value"] == 1
    assert found["with"]["brier"]["value"] == pytest.approx((0.01 + 0.04 + 0.49) / 3)
    assert found["without"]["brier"]["value"] == pytest.approx((0.09 + 0.09 + 0.36) / 3)
    assert found["difference"]["brier"]["value"] == pytest.approx(0)


def test_the_prevalence_is_that_of_the_records_beside_the_one_that_is_assumed(scored):
    found = tabulate(replace(scored, base=np.array([0.4])), resamples=0)["targets"]["pneumonia"]

    assert found["prevalence"] == {"here": 2 / 4, "assumed": 0.4}
    assert tabulate(scored, resamples=0)["targets"]["pneumonia"]["prevalence"]["assumed"] is None
