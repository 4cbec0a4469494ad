"""What `evaluate` adds to the scores: subgroups by column, hidden modalities, the prevalence that is assumed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from multimodal import ClinicalModel, Cohort, evaluate
from multimodal.records import UsageError


@pytest.fixture(scope="module")
def model(tiny_model) -> ClinicalModel:
    return ClinicalModel.load(tiny_model[0])


@pytest.fixture(scope="module")
def cohort(tiny_model) -> Cohort:
    """All 120 patients; `site` is west for every third record, else east, and `number` is each record's own."""
    records = [
        record.model_copy(update={"attributes": {"site": "west" if i % 3 == 0 else "east", "number": str(i)}})
        for i, record in enumerate(Cohort.open(tiny_model[1]))
    ]
    opened = Cohort.open(tiny_model[1])
    return Cohort.from_records(records, targets=opened.targets, root=opened.root)


@pytest.fixture(scope="module")
def found(model, cohort):
    metrics = evaluate(model, cohort, all_patients=True, by=["sex", "site"], resamples=50).metrics
    return next(iter(metrics["targets"].items())), metrics


def test_the_subgroups_are_the_columns_that_were_asked_for_and_two_together(found):
    (_, target), metrics = found

    assert list(target["subgroups"]) == ["sex", "site", "sex x site"]
    assert list(target["subgroups"]["site"]) == ["east", "west"]
    compared = [
        g["difference"] for t in metrics["targets"].values() for p in t["subgroups"].values() for g in p.values()
    ]
    assert metrics["subgroup_comparisons"] == sum(one is not None for one in compared) > 0


def test_the_figures_of_a_subgroup_are_those_of_its_records_alone(found, model, cohort):
    (name, target), _ = found
    east = cohort.take(np.flatnonzero(cohort.attribute("site") == "east"))

    alone = evaluate(model, east, all_patients=True, resamples=0).metrics["targets"][name]["fused"]

    group = target["subgroups"]["site"]["east"]
    assert (group["n"], group["positives"]) == (alone["n"], alone["positives"])
    assert group["fused"]["confusion"] == alone["confusion"]
    assert group["fused"]["auroc"]["value"] == pytest.approx(alone["auroc"]["value"])


def test_sex_and_age_bands_are_looked_at_by_default(model, cohort):
    subgroups = evaluate(model, cohort, all_patients=True, resamples=0).metrics["targets"].popitem()[1]["subgroups"]

    assert list(subgroups) == ["sex", "age", "sex x age"]
    assert set(subgroups["sex"]) <= {"female", "male", "other", "unknown"}
    assert set(subgroups["age"]) <= {"<18", "18-39", "40-64", "65-79", "80+", "unknown"}


def test_a_column_that_is_not_there_or_tells_single_patients_apart_is_refused_before_scoring(model, cohort):
    with pytest.raises(UsageError, match="the cohort has no attribute 'sight'; did you mean 'site'"):
        evaluate(model, cohort, all_patients=True, by=["sight"])
    with pytest.raises(UsageError) as caught:
        evaluate(model, cohort, all_patients=True, by=["number"])

    assert str(caught.value) == "the column 'number' has 122 values: one of subgroups has at most 20"


def test_a_hidden_modality_leaves_what_the_model_says_of_the_records_without_it(found, model, tiny_model):
    """Notes hidden by hand: the records are stripped of their notes and scored."""
    (name, target), _ = found
    opened = Cohort.open(tiny_model[1])
    stripped = [record.model_copy(update={"notes": ()}) for record in opened]
    plain = model.predict(Cohort.from_records(stripped, targets=opened.targets, root=opened.root))
    had = model.predict(opened).present[:, model.modalities.index("notes")]
    t = list(model.targets).index(name)
    y = opened.labels([name])[:, 0]
    base = expit(plain.baseline[t])
    left = np.where(plain.present.any(axis=1), plain.probability[:, t], base)
    rows = had & ~np.isnan(y)

    hidden = target["without"]["notes"]

    assert (hidden["difference"]["n"], hidden["positives"]) == (rows.sum(), y[rows].sum())
    assert hidden["without"]["auroc"]["value"] == pytest.approx(roc_auc_score(y[rows], left[rows].round(12)))
    assert target["prevalence"]["assumed"] == pytest.approx(base)
