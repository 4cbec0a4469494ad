"""A model recalibrated to another site: what changes, what stays, and on whom it is said to have been done."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from multimodal import ClinicalModel, Cohort, Config, evaluate
from multimodal.cli import main
from multimodal.evaluation.summary import description
from multimodal.fusion.subsets import all_sets
from multimodal.records import CohortError, PatientRecord, Target
from multimodal.trust.site import SHRINKAGE

TARGETS = {"flu": Target(name="flu"), "death": Target(name="death", kind="risk"), "sepsis": Target(name="sepsis")}
TARGETS |= {name: Target(name=name, group="next") for name in ("home", "ward")}
QUICK = Config.model_validate(
    {
        "notes": {"encoders": ["words"]},
        "vitals": {"encoders": ["logistic"]},
        "trust": {"threshold": ["youden", "death=cost:4", "sepsis=net_benefit:0.3"]},
    }
)


def patients(n, site, ill, seed=0, told=0.9):
    """n patients of a site, a share `ill` of them; the note and the heart rate tell it, most of the time."""
    random = np.random.default_rng(seed)
    sick = random.random(n) < ill
    records = []
    for i, one in enumerate(sick.tolist()):
        shown = one if random.random() < told else not one
        pulse = float((110 if one else 80) + 15 * random.normal())
        labels = {"flu": one, "death": one, "sepsis": one, "home": not one, "ward": one}
        given = {"notes": [{"text": f"{'Cough' if shown else 'Rash'} since {i % 7} days."}]} if i % 5 else {}
        given |= {"measurements": [{"code": "heart_rate", "value": pulse}]} if i % 4 else {}
        records.append(PatientRecord(record_id=f"{site}{i}", patient_id=f"{site}{i}", labels=labels, **given))
    return Cohort.from_records(records, targets=TARGETS)


@pytest.fixture(scope="module")
def model():
    return ClinicalModel(QUICK).fit(patients(120, "a", 0.5))


@pytest.fixture(scope="module")
def site():
    """Fewer are ill there, and the note tells it less often."""
    return patients(400, "b", 0.15, seed=1, told=0.7)


@pytest.fixture(scope="module")
def recalibrated(model, site):
    return model.calibrated(site)


def test_the_probabilities_hold_at_the_site(model, recalibrated):
    """The mean probability of fresh patients is their prevalence, give or take sqrt(0.15 * 0.85 / 2000) * 4 = 0.03."""
    fresh = patients(2000, "c", 0.15, seed=2, told=0.7)
    before, after = (np.nanmean(one.predict(fresh).probability, axis=0) for one in (model, recalibrated))
    prevalence = fresh.labels().mean(axis=0)

    assert (np.abs(before - prevalence) > 0.1).all()
    assert_allclose(after, prevalence, atol=0.035)


def test_the_fit_is_a_logistic_regression_on_the_models_log_odds(model, recalibrated, site):
    """The penalty of the temperature counts as much as a few patients: scikit-learn without one comes near."""
    scores = model.score(site.batch())
    rows = scores.present.any(axis=1)
    base = model.stack_.base[0]
    plain = LogisticRegression(C=np.inf).fit(scores.value[-1][rows, :1] - base, site.labels(["flu"])[rows, 0])
    found = recalibrated.stack_.site

    assert SHRINKAGE > 0
    assert found.shift[0] == pytest.approx(plain.intercept_[0] - base, abs=0.1)
    assert found.temperature[0] == pytest.approx(1 / plain.coef_[0, 0], rel=0.15)
    assert found.temperature[3] == found.temperature[4]


def test_ranking_and_contributions_stay_up_to_the_scale(model, recalibrated, site):
    before, after = model.predict(site), recalibrated.predict(site)
    known = ~np.isnan(before.probability[:, 0])

    assert_allclose(after.contribution, before.contribution / recalibrated.stack_.site.temperature, atol=1e-9)
    for t in range(5):
        if t < 3:
            order = np.argsort(before.probability[known, t], kind="stable")
            assert (np.diff(after.probability[known, t][order]) >= -1e-12).all()
    assert_array_equal(after.present, before.present)
    assert_array_equal(np.isnan(after.probability), np.isnan(before.probability))
    assert np.isnan(after.probability).any()


def test_baseline_and_contributions_still_sum_to_the_log_odds(recalibrated, site):
    for answer in recalibrated.predict(site.take(range(40))):
        for name in ("flu", "death", "sepsis"):
            found = answer.targets[name]
            if found.probability is not None:
                assert found.baseline + sum(found.contributions.values()) == pytest.approx(logit(found.probability))
    scores = recalibrated.score(site.take([0]).batch())
    shift = recalibrated.stack_.site.shift

    assert len(scores.value) == len(all_sets(2))
    assert_allclose(scores.value[0][0], recalibrated.stack_.base + shift)
    assert_allclose(recalibrated.assumed_prevalence[:3], expit(recalibrated.stack_.base + shift)[:3])


def test_a_threshold_chosen_on_data_decides_as_before_and_a_named_one_stays(model, recalibrated, site):
    before, after = model.predict(site).decision, recalibrated.predict(site).decision

    assert_array_equal(before[:, 0], after[:, 0])
    assert recalibrated.thresholds[0] != model.thresholds[0]
    assert recalibrated.thresholds.tolist()[1:3] == [0.2, 0.3]
    assert np.isnan(recalibrated.thresholds[3:]).all()


def test_the_model_says_on_whom_it_was_recalibrated(model, recalibrated, site):
    (told,) = recalibrated.summary_["recalibrated"]
    with_input = model.score(site.batch()).present.any(axis=1)
    flu = told["targets"]["flu"]
    expected = site.labels(["flu"])[with_input, 0]

    assert told["from_model_id"] == model.model_id != recalibrated.model_id
    assert (told["records"], told["patients"]) == (with_input.sum(), with_input.sum())
    assert (flu["positive"], flu["prevalence"]) == (expected.sum(), expected.mean())
    assert flu["assumed_before"] == model.assumed_prevalence[0]
    assert "RECALIBRATED" in {problem.code for problem in recalibrated.problems_}
    assert "RECALIBRATED" not in {problem.code for problem in model.problems_}
    assert f"from model {model.model_id}" in " ".join(description(recalibrated).split())
    assert max(map(len, description(recalibrated).splitlines())) <= 80


def test_it_is_saved_and_loaded_to_the_bit(recalibrated, site, tmp_path):
    recalibrated.save(tmp_path / "model")
    loaded = ClinicalModel.load(tmp_path / "model")

    assert loaded.model_id == recalibrated.model_id
    assert_array_equal(loaded.predict(site).probability, recalibrated.predict(site).probability)


def test_the_same_patients_give_the_same_model(model, recalibrated, site):
    assert model.calibrated(site).model_id == recalibrated.model_id


def test_the_patients_of_the_site_count_as_seen_and_those_of_the_training_are_left_out(model, recalibrated, site):
    """Patients of a and b: a recalibration on both is one on b, and an evaluation on b finds nobody."""
    both = Cohort.from_records([*patients(120, "a", 0.5), *site], targets=TARGETS)
    with_input = model.score(site.batch()).present.any(axis=1)

    again = model.calibrated(both)

    assert_array_equal(again.stack_.site.shift, recalibrated.stack_.site.shift)
    assert again.summary_["recalibrated"][0]["excluded_training_patients"] == 120
    assert_array_equal(recalibrated.trained_on(site.patient_ids), with_input)
    with pytest.raises(CohortError, match="TRAINING_PATIENTS"):
        evaluate(recalibrated, site.take(np.flatnonzero(with_input)))
    with pytest.raises(CohortError, match="TRAINING_PATIENTS: the model trained on all 120 patients"):
        model.calibrated(patients(120, "a", 0.5))


def test_a_second_site_is_fitted_on_top_of_the_first(model, recalibrated):
    """The prevalence goes back up: the last site's holds, and both are on record."""
    third = patients(400, "d", 0.4, seed=5, told=0.9)
    twice = recalibrated.calibrated(third)
    fresh = patients(2000, "e", 0.4, seed=6, told=0.9)

    assert [one["from_model_id"] for one in twice.summary_["recalibrated"]] == [model.model_id, recalibrated.model_id]
    assert twice.trained_on(["a1", "b1", "d1", "e1"]).tolist() == [True, True, True, False]
    assert_allclose(np.nanmean(twice.predict(fresh).probability, axis=0), fresh.labels().mean(axis=0), atol=0.05)


def test_few_patients_get_an_intercept_alone_and_fewer_are_refused(model):
    """3 to 9 patients of the rarer outcome move the intercept; with 2 nothing is fitted, and nothing is written."""
    ill = patients(400, "f", 0.5, seed=3)
    labels = ill.labels(["flu"])[:, 0]
    with_input = model.score(ill.batch()).present.any(axis=1)
    rows = [np.flatnonzero(with_input & (labels == outcome)) for outcome in (0, 1)]

    six = model.calibrated(ill.take(np.concatenate([rows[0][:40], rows[1][:6]])))

    assert_array_equal(six.stack_.site.temperature, np.ones(5))
    assert (six.stack_.site.shift != 0).all()
    assert six.summary_["recalibrated"][0]["targets"]["flu"]["fitted"] == "intercept"
    with pytest.raises(CohortError, match=r"^SITE_TOO_SMALL: flu: 2 patients of its rarest outcome, fewer than 3"):
        model.calibrated(ill.take(np.concatenate([rows[0][:40], rows[1][:2]])))


def test_a_target_that_the_site_does_not_label_stays_as_it_was(model, site):
    one = Cohort.from_records(
        [record.model_copy(update={"labels": {"flu": record.labels["flu"]}}) for record in site],
        targets={"flu": TARGETS["flu"]},
    )

    found = model.calibrated(one)

    assert_array_equal(found.predict(site).probability[:, 1:], model.predict(site).probability[:, 1:])
    assert list(found.summary_["recalibrated"][0]["targets"]) == ["flu"]
    assert found.thresholds.tolist()[1:3] == model.thresholds.tolist()[1:3]


def test_the_command_writes_the_same_model_and_evaluate_says_by_which_rule(model, recalibrated, site, tmp_path, capsys):
    model.save(tmp_path / "model")
    lines = [record.model_dump_json() + "\n" for record in site]
    (tmp_path / "site.jsonl").write_text("".join(lines), encoding="utf-8")
    toml = ["schema = 1", *(f"[targets.{name}]\nkind = '{one.kind}'" for name, one in TARGETS.items())]
    toml = [line + "\ngroup = 'next'" if "home" in line or "ward" in line else line for line in toml]
    (tmp_path / "site.toml").write_text("\n".join(toml), encoding="utf-8")

    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(tmp_path / "model"), str(tmp_path / "site.jsonl"), "--out", str(tmp_path / "new")])

    assert ended.value.code == 0
    printed = capsys.readouterr()
    assert "RECALIBRATED: flu, death, sepsis, home, ward: intercept and temperature on" in printed.err
    found = ClinicalModel.load(tmp_path / "new")
    assert_array_equal(found.stack_.site.shift, recalibrated.stack_.site.shift)
    metrics = evaluate(found, patients(60, "g", 0.15, seed=9), resamples=0).metrics
    assert [metrics["targets"][name]["rule"] for name in TARGETS] == ["youden", "cost:4", "net_benefit:0.3", None, None]
    assert json.dumps(metrics)
