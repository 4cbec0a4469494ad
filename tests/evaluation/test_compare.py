"""Two models on the same records: of other modalities, other patients, other targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from multimodal import ClinicalModel, Cohort, compare
from multimodal.cli import main
from multimodal.model import read_config
from multimodal.records import CohortError
from multimodal.records.documents import Comparison as Form
from multimodal.trust.delong import compare_areas


@pytest.fixture(scope="module")
def cohort(tiny_model) -> Cohort:
    return Cohort.open(tiny_model[1])


@pytest.fixture(scope="module")
def whole(tiny_model) -> ClinicalModel:
    """A model of all modalities, trained on 90 of the 120 patients."""
    return ClinicalModel.load(tiny_model[0])


@pytest.fixture(scope="module")
def no_images(cohort, whole) -> ClinicalModel:
    """A model that knows no images, of the same 90 patients but for the last ten of them."""
    seen = np.flatnonzero(whole.trained_on(cohort.patient_ids))[:-10]
    records = [record.model_copy(update={"images": ()}) for record in cohort.take(seen)]
    config = read_config(None, ['notes.encoders=["words"]', 'vitals.encoders=["logistic"]'])
    plain = Cohort.from_records(records, targets=cohort.targets, measurements=whole.own_measurements_)
    return ClinicalModel(config).fit(plain)


@pytest.fixture(scope="module")
def found(whole, no_images, cohort):
    return compare(whole, no_images, cohort, resamples=50)


def test_the_records_are_those_of_patients_that_neither_has_seen_with_an_input_for_both(
    found, whole, no_images, cohort
):
    new = ~whole.trained_on(cohort.patient_ids)
    used = [len(prediction.used) > 0 for prediction in whole.predict(cohort.take(new))]
    used_too = [len(prediction.used) > 0 for prediction in no_images.predict(cohort.take(new))]

    assert not no_images.trained_on(cohort.patient_ids)[new].any()
    assert no_images.modalities == ("notes", "vitals")
    counts = found.metrics["cohort"]
    assert (counts["records"], counts["both"]) == (new.sum(), np.logical_and(used, used_too).sum())
    assert counts["only_a"] == sum(used) - counts["both"] > 0
    assert counts["only_b"] == 0
    assert counts["excluded_training_patients"] == whole.trained_on(sorted(set(cohort.patient_ids))).sum()


def test_every_figure_is_that_of_scikit_learn_on_these_records(found, whole, no_images, cohort):
    rest = cohort.take(~whole.trained_on(cohort.patient_ids))
    name = next(iter(found.metrics["targets"]))
    a, b = (model.predict(rest) for model in (whole, no_images))
    y = rest.labels([name])[:, 0]
    p, q = (one.probability[:, list(one.targets).index(name)] for one in (a, b))
    rows = ~np.isnan(y) & ~np.isnan(p) & ~np.isnan(q)

    target = found.metrics["targets"][name]

    assert target["a"]["n"] == target["b"]["n"] == rows.sum()
    areas = roc_auc_score(y[rows], p[rows]) - roc_auc_score(y[rows], q[rows])
    assert target["difference"]["auroc"]["value"] == pytest.approx(areas)
    errors = brier_score_loss(y[rows], p[rows]) - brier_score_loss(y[rows], q[rows])
    assert target["difference"]["brier"]["value"] == pytest.approx(errors)
    assert target["delong"] == pytest.approx(compare_areas(y[rows], p[rows], q[rows], rest.patient_ids[rows]))


def test_the_other_way_round_the_signs_are_turned(found, whole, no_images, cohort):
    turned = compare(no_images, whole, cohort, resamples=50).metrics

    for name, target in found.metrics["targets"].items():
        for figure, difference in target["difference"].items():
            other = turned["targets"][name]["difference"][figure]
            assert other["value"] == pytest.approx(-difference["value"]), figure
            assert other["low"] == pytest.approx(-difference["high"]), figure


def test_with_all_patients_it_says_how_many_were_trained_on(whole, no_images, cohort):
    found = compare(whole, no_images, cohort, all_patients=True, resamples=0)

    trained = whole.trained_on(sorted(set(cohort.patient_ids))).sum()
    assert found.metrics["cohort"]["includes_training_patients"] == trained
    assert f"CAUTION: a model trained on {trained} of these patients; its figures are too good" in found.summary()


def test_only_patients_of_either_training_are_refused(whole, no_images, cohort):
    trained = cohort.take(whole.trained_on(cohort.patient_ids))

    with pytest.raises(CohortError) as caught:
        compare(whole, no_images, trained)

    patients = len(set(trained.patient_ids))
    assert f"the models, one or the other, trained on all {patients} patients." in str(caught.value)


def test_a_cohort_without_a_shared_target_is_refused(whole, no_images, cohort):
    records = [record.model_copy(update={"labels": {"gout": 1}}) for record in cohort.take(np.arange(3))]

    with pytest.raises(CohortError) as caught:
        compare(whole, no_images, Cohort.from_records(records))

    assert "the two models and the cohort share no target." in str(caught.value)


def test_the_command_prints_the_form_and_a_table_of_80_columns(whole, no_images, cohort, tiny_model, tmp_path, capsys):
    no_images.save(tmp_path / "b")
    arguments = ["compare", str(tiny_model[0]), str(tmp_path / "b"), str(tiny_model[1]), "--quiet"]

    printed = []
    for options in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *options])
        assert not ended.value.code
        printed.append(capsys.readouterr().out)

    table, read = printed[0].rstrip("\n"), Form.model_validate(json.loads(printed[1]))
    assert max(map(len, table.splitlines())) <= 80
    assert table == compare(whole, no_images, cohort).summary()
    assert (read.models.a, read.models.b) == (whole.model_id, no_images.model_id)
