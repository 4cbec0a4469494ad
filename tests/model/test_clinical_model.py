"""The model as a whole, on a small one that was trained by the real commands' code."""

import json
import shutil
import subprocess
import sys
from copy import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit

from multimodal import ClinicalModel, Cohort, Config, evaluate
from multimodal.model import read_config, with_options
from multimodal.records import RULES, CohortError, ModelError, PatientRecord, UsageError
from multimodal.sources import write_cohort
from multimodal.sources.tables import CohortTables
from multimodal.vitals import check, scores


@pytest.fixture(scope="module")
def model(tiny_model):
    return ClinicalModel.load(tiny_model[0], device="cpu")


@pytest.fixture(scope="module")
def cohort(tiny_model):
    return Cohort.open(tiny_model[1])


@pytest.fixture(scope="module")
def predictions(model, cohort):
    return model.predict(cohort)


@pytest.fixture
def copied(tiny_model, tmp_path):
    return shutil.copytree(tiny_model[1], tmp_path / "cohort")


def test_every_record_gets_one_answer_in_order(predictions, cohort):
    assert_array_equal(predictions.record_ids, cohort.record_ids)
    for prediction, no_input in zip(predictions, ~predictions.present.any(axis=1), strict=True):
        known = [target.probability is not None for target in prediction.targets.values()]
        assert all(known) != bool(no_input)
        assert (prediction.abstained == "NO_INPUT") == bool(no_input)
        assert set(prediction.used) | set(prediction.missing) == {"image", "notes", "vitals"}


def test_baseline_and_contributions_sum_to_the_log_odds(predictions):
    for prediction in predictions:
        for target in prediction.targets.values():
            if target.probability is not None:
                total = target.baseline + sum(target.contributions.values())
                assert total == pytest.approx(logit(target.probability), abs=1e-6)
                assert set(target.contributions) == set(prediction.used)
                decided = None if prediction.abstained else target.probability >= target.threshold
                assert target.decision == decided


def test_without_input_the_value_is_exactly_the_baseline(model, cohort):
    scores = model.score(cohort.batch())

    assert_array_equal(scores.value[0], np.repeat(model.stack_.base[None], len(cohort), axis=0))
    assert_array_equal(scores.value[-1][~scores.present.any(axis=1)][:1], model.stack_.base[None])


def test_batches_and_order_do_not_change_an_answer(model, cohort, predictions):
    order = np.random.default_rng(0).permutation(len(cohort))
    by_sevens = model.predict(cohort.take(order), batch_size=7)

    assert_allclose(by_sevens.probability, predictions.probability[order], atol=1e-5)


def test_the_record_form_and_the_cohort_give_the_same_answer(model, cohort, predictions):
    records = [cohort[row] for row in (0, 3, 8)]
    found = model.predict(Cohort.from_records(records, root=cohort.root))

    assert_allclose(found.probability, predictions.probability[[0, 3, 8]], atol=1e-5)


def test_labels_are_never_read_by_predict(model, copied, predictions):
    (copied / "labels.csv").write_bytes(b"\x00\xff this is no table")

    assert_array_equal(model.predict(Cohort.open(copied)).probability, predictions.probability)


def test_removing_a_file_of_one_record_changes_that_record_only(model, copied, predictions):
    images = pd.read_csv(copied / "images.csv", dtype=str)
    with_all = predictions.record_ids[predictions.present.all(axis=1)]
    chosen = with_all[np.isin(with_all, images.drop_duplicates("record_id", keep=False).record_id)][0]
    (copied / images.set_index("record_id").path[chosen]).unlink()
    found = model.predict(Cohort.open(copied))
    changed = [record for record, a, b in zip(found.record_ids, found, predictions, strict=True) if a != b]

    assert changed == [chosen]
    answer = found[list(found.record_ids).index(chosen)]
    assert answer.missing == ("image",)
    assert [problem.code for problem in answer.refused] == ["FILE_MISSING"]


def test_saved_and_loaded_gives_the_same_to_the_bit_and_the_same_id(model, cohort, predictions, tmp_path):
    model.save(tmp_path / "again")
    loaded = ClinicalModel.load(tmp_path / "again", device="cpu")

    assert loaded.model_id == model.model_id
    assert_array_equal(loaded.predict(cohort).probability, predictions.probability)


@pytest.mark.parametrize("name", ["model.json", "fusion.safetensors", "encoders/cnn/cnn.safetensors", "manifest.json"])
def test_a_damaged_file_is_refused_before_anything_is_parsed(tiny_model, tmp_path, name):
    folder = shutil.copytree(tiny_model[0], tmp_path / "model")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ModelError, match=r"damaged|is missing|was added|schema"):
        ClinicalModel.load(folder)


def test_an_added_a_missing_and_a_newer_file_are_refused(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model[0], tmp_path / "model")
    (folder / "code.py").write_text("print('hello')")
    with pytest.raises(ModelError, match=r"code.py was added to"):
        ClinicalModel.load(folder)
    (folder / "code.py").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema": 2}))
    with pytest.raises(ModelError, match="has schema 2, this version reads 1: update multimodal-clinical"):
        ClinicalModel.load(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "patients.json").unlink()
    with pytest.raises(ModelError, match=r"patients\.json is missing from"):
        ClinicalModel.load(folder)


def test_the_same_seed_gives_the_same_model_id(cohort):
    """Everything that is fitted, twice; the vocabulary across processes is tested in tests/notes."""
    options = ["image.size=32", "image.min_steps=4", "image.max_steps=4", "notes.min_steps=4", "notes.max_steps=4"]
    config = read_config(None, [*options, "vitals.encoders=forest,boosting", "train.device=cpu"])
    first, second = (ClinicalModel(config).fit(cohort.take(np.arange(70))) for _ in range(2))

    assert first.model_id == second.model_id


def test_evaluate_leaves_out_the_training_patients(model, cohort):
    found = evaluate(model, cohort, resamples=20).metrics["cohort"]
    trained = model.trained_on(cohort.patient_ids)

    assert found["excluded_training_patients"] == len(set(cohort.patient_ids[trained]))
    assert found["records"] == (~trained).sum()
    assert not any(str(patient) in json.dumps(model.patients_.to_json()) for patient in cohort.patient_ids)


def test_a_model_loads_and_predicts_with_the_network_cut_off(tiny_model):
    """In a process of its own, where every socket raises."""
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network in this test')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from multimodal import ClinicalModel, Cohort\n"
        "found = ClinicalModel.load(sys.argv[1]).predict(Cohort.open(sys.argv[2]).take([0, 1, 2]))\n"
        "print(len(found))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, tiny_model)], capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr


def test_the_bedside_rules_are_baselines_and_decide_at_their_published_thresholds(model, cohort):
    """The same score for every target; what no record allows is left out of the figures by its n of 0."""
    batch = cohort.batch()
    found = model.baselines(model.score(batch))
    news2 = found["news2"]

    assert list(found)[-4:] == ["news2", "qsofa", "shock_index", "sofa"]
    assert_array_equal(news2.probability, np.repeat(scores.news2(check(batch), batch)[:, None], 3, axis=1))
    assert_array_equal(news2.decision[:, 0] == 1, news2.probability[:, 0] >= 5)
    assert [found[rule].threshold.tolist() for rule in RULES] == [[5] * 3, [2] * 3, [0.9] * 3, [2] * 3]
    assert not any(found[rule].is_probability for rule in RULES)
    assert set(model.figures_["targets"]["pneumonia"]["baselines"]) == set(found)


def words_only(tmp_path, labels, targets, groups=None):
    """A cohort of notes whose word tells the class; labels: {target: list}."""
    n = len(next(iter(labels.values())))
    ids = [f"r{row}" for row in range(n)]
    told = ["cough" if next(iter(labels.values()))[row] else "rash" for row in range(n)]
    texts = [f"Patient {row} has {word} since {row % 7} days." for row, word in enumerate(told)]
    tables = {
        "patients": pd.DataFrame({"record_id": ids, "patient_id": ids}),
        "notes": pd.DataFrame({"record_id": ids, "text": texts}),
        "labels": pd.DataFrame({"record_id": ids, **labels}),
    }
    write_cohort(tmp_path / "words", CohortTables("words", "made for a test", targets, tables))
    return Cohort.open(tmp_path / "words")


@pytest.fixture(scope="module")
def words_model(tmp_path_factory):
    """A model of notes alone: a risk, a diagnosis, and a group of two risks."""
    from multimodal.records import Target

    labels = {"death": [row % 2 for row in range(60)], "flu": [row % 2 for row in range(60)]}
    labels |= {"home": labels["flu"], "ward": [1 - yes for yes in labels["flu"]]}
    targets = {"death": Target(name="death", kind="risk"), "flu": Target(name="flu")}
    targets |= {name: Target(name=name, kind="risk", group="next") for name in ("home", "ward")}
    return ClinicalModel(QUICK).fit(words_only(tmp_path_factory.mktemp("words"), labels, targets))


SICK = {"heart_rate": 135, "systolic_bp": 105, "temperature": 38.5, "respiratory_rate": 16}  # NEWS2 3 + 1 + 1 + 0


def record_of(name, values, note=None):
    measured = [{"code": code, "value": value} for code, value in values.items()]
    notes = [{"text": note}] if note else []
    return PatientRecord(record_id=name, patient_id=name, measurements=measured, notes=notes)


def test_a_model_that_reads_no_measurements_says_the_scores_all_the_same_and_no_problem_of_theirs(words_model):
    records = [record_of("a", SICK | {"weight": -5}, "A cough."), record_of("b", {}, "A rash."), record_of("c", SICK)]
    a, b, c = words_model.predict(records)

    assert words_model.modalities == ("notes",)
    assert a.scores == c.scores
    missing = ("oxygen saturation", "oxygen", "consciousness")
    assert a.scores["news2"].model_dump() == {"value": 5.0, "threshold": 5.0, "alert": 1, "missing": missing}
    assert a.scores["qsofa"].model_dump() == {"value": 0.0, "threshold": 2.0, "alert": 0, "missing": ("consciousness",)}
    assert list(a.scores) == ["news2", "qsofa", "shock_index"]
    assert (a.refused, a.warnings) == ((), ())
    assert b.scores == {}
    assert (c.abstained, c.decided_by, c.targets["death"].decision) == ("NO_INPUT", None, None)


def test_the_fallback_decides_the_risks_where_the_model_abstains(words_model):
    """Not the diagnosis, not the classes of a group, and no probability; b has no score, d an answer of the model."""
    model = copy(words_model)
    model.config_ = with_options(model.config_, "trust", fallback="news2")
    records = [record_of("a", SICK), record_of("b", {"heart_rate": 135}), record_of("c", SICK | {"heart_rate": 80})]
    a, b, c, d = model.predict([*records, record_of("d", SICK, "A cough.")])

    assert [one.decided_by for one in (a, b, c, d)] == ["news2", None, "news2", None]
    assert [one.abstained for one in (a, b, c, d)] == ["NO_INPUT"] * 3 + [None]
    assert [one.targets["death"].decision for one in (a, b, c)] == [1, None, 0]
    for name in ("flu", "home", "ward"):
        assert a.targets[name].decision is None
    assert a.targets["death"].probability is None
    assert None not in [found.decision for found in d.targets.values()]


def test_a_fallback_that_the_model_was_trained_with_is_saved_with_it(tmp_path):
    from multimodal.records import Target

    labels = {"death": [row % 2 for row in range(60)]}
    config = with_options(QUICK, "trust", fallback="shock_index")
    model = ClinicalModel(config).fit(words_only(tmp_path, labels, {"death": Target(name="death", kind="risk")}))
    model.save(tmp_path / "model")
    found = ClinicalModel.load(tmp_path / "model").predict([record_of("a", SICK)])[0]

    assert (found.decided_by, found.targets["death"].decision) == ("shock_index", 1)


# Sixty notes of a few words make every other note a strange one: the gates have tests of their own.
QUICK = Config.model_validate({"notes": {"encoders": ["words"]}, "trust": {"false_alarms": 0}})


def test_a_target_with_too_few_labels_is_left_out_and_none_left_is_refused(tmp_path):
    from multimodal.records import Target

    labels = {"airway": [row % 2 for row in range(60)], "rare": [1 if row < 4 else 0 for row in range(60)]}
    both = words_only(tmp_path, labels, {name: Target(name=name) for name in labels})
    model = ClinicalModel(QUICK).fit(both)

    assert list(model.targets_) == ["airway"]
    assert [str(problem) for problem in model.problems_ if problem.code == "TOO_FEW_LABELS"] == [
        "TOO_FEW_LABELS: rare: 4 positive and 56 negative patients, fewer than 10: left out"
    ]
    with pytest.raises(CohortError, match="there is no target to learn: rare: 4 positive and 56 negative patients"):
        ClinicalModel(QUICK).fit(words_only(tmp_path / "b", {"rare": labels["rare"]}, {"rare": Target(name="rare")}))


def test_an_exclusive_group_sums_to_one_and_decides_for_one_class(tmp_path):
    from multimodal.records import Target

    labels = {"airway": [row % 2 for row in range(60)], "skin": [1 - row % 2 for row in range(60)]}
    targets = {name: Target(name=name, group="organ") for name in labels}
    model = ClinicalModel(QUICK).fit(words_only(tmp_path, labels, targets))
    found = model.predict([PatientRecord(record_id="x", patient_id="x", notes=[{"text": "A cough since Monday."}])])

    assert found.probability.sum() == pytest.approx(1)
    assert found.decision.tolist() == [[1.0, 0.0]]
    softmax_inputs = found.baseline + np.nansum(found.contribution[0], axis=0)
    assert_allclose(np.exp(softmax_inputs) / np.exp(softmax_inputs).sum(), found.probability[0], atol=1e-9)
    assert found[0].targets["airway"].threshold is None


def test_a_cohort_without_records_gives_no_predictions(model, tmp_path):
    (tmp_path / "empty.csv").write_text("record_id,patient_id,note\n")

    assert len(model.predict(Cohort.open(tmp_path / "empty.csv"))) == 0


def test_a_cohorts_own_measurement_is_known_to_its_model(tmp_path):
    """A code that cohort.toml declares counts for a PatientRecord too, also after saving and loading."""
    from multimodal.records import MeasurementKind, Target

    n = 60
    ids, sick = [f"r{row}" for row in range(n)], [row % 2 for row in range(n)]
    own = {"rash": MeasurementKind("rash", "Rash", "", "quantity", "1", -np.inf, np.inf)}
    tables = {
        "patients": pd.DataFrame({"record_id": ids, "patient_id": ids}),
        "measurements": pd.DataFrame({"record_id": ids, "code": "rash", "value": sick}),
        "labels": pd.DataFrame({"record_id": ids, "measles": sick}),
    }
    targets = {"measles": Target(name="measles")}
    write_cohort(tmp_path / "c", CohortTables("c", "made for a test", targets, tables, measurements=own))
    config = Config.model_validate({"vitals": {"encoders": ["forest"]}})
    ClinicalModel(config).fit(Cohort.open(tmp_path / "c")).save(tmp_path / "model")
    record = PatientRecord(record_id="x", patient_id="x", measurements=[{"code": "rash", "value": 1}])
    found = ClinicalModel.load(tmp_path / "model").predict([record])

    assert (found[0].used, found[0].refused) == (("vitals",), ())
    assert found.probability[0, 0] > 0.8


def test_notes_without_blanks_and_a_modality_with_two_labels_are_trained_on(tmp_path):
    """Chinese notes, all different; a second target that only two of the records with a note are known on."""
    from multimodal.records import Target

    n = 60
    ids, cough = [f"r{row}" for row in range(n)], [row % 2 for row in range(n)]
    texts = [f"患者{row}{'咳嗽' if cough[row] else '皮疹'}三天" for row in range(n)]
    few = ["" if row >= 2 else row for row in range(n)] + [row % 2 for row in range(n)]
    values = pd.DataFrame({"record_id": [f"v{row}" for row in range(n)], "code": "heart_rate", "value": 80})
    everyone = ids + values.record_id.tolist()
    tables = {
        "patients": pd.DataFrame({"record_id": everyone, "patient_id": everyone}),
        "notes": pd.DataFrame({"record_id": ids, "text": texts}),
        "measurements": values,
        "labels": pd.DataFrame({"record_id": everyone, "airway": [*cough, *cough], "few": few}),
    }
    targets = {name: Target(name=name) for name in ("airway", "few")}
    write_cohort(tmp_path / "c", CohortTables("c", "made for a test", targets, tables))
    config = Config.model_validate({"notes": {"encoders": ["words"]}, "vitals": {"encoders": ["logistic"]}})
    model = ClinicalModel(config).fit(Cohort.open(tmp_path / "c"))

    assert model.figures_["targets"]["airway"]["present"]["notes"]["fused"]["auroc"]["value"] > 0.9


@pytest.mark.parametrize(
    ("section", "option", "message"),
    [
        (
            "image",
            {"backbone": "resnet18", "weights": "nowhere.safetensors"},
            "image.weights: nowhere.safetensors is no",
        ),
        ("notes", {"checkpoint": "nowhere"}, "notes.checkpoint: there is no folder nowhere;"),
    ],
)
def test_what_the_options_name_and_is_not_there_is_said_before_anything_is_read(cohort, section, option, message):
    with pytest.raises(UsageError, match=message):
        ClinicalModel(Config.model_validate({section: option})).fit(cohort)


def test_the_holdout_is_left_out_by_fit_itself(cohort):
    config = read_config(None, ["train.holdout=0.5", "image.encoders=[]", "notes.encoders=words", "vitals.encoders=[]"])
    model = ClinicalModel(config).fit(cohort)
    train, test = cohort.split(test=0.5, seed=0)

    assert model.trained_on(train.patient_ids).all()
    assert not model.trained_on(test.patient_ids).any()


def test_a_rule_of_a_target_that_the_cohort_lacks_is_refused_before_anything_is_read(tmp_path):
    from multimodal.records import Target

    cohort = words_only(tmp_path, {"flu": [row % 2 for row in range(60)]}, {"flu": Target(name="flu")})
    config = with_options(QUICK, "trust", threshold=["f1", "fluu=cost:2"])

    with pytest.raises(UsageError, match=r"^trust\.threshold: there is no target 'fluu'; did you mean 'flu'\?$"):
        ClinicalModel(config).fit(cohort)


def test_each_target_is_decided_by_its_own_rule(tmp_path):
    from multimodal.records import Target

    labels = {name: [row % 2 for row in range(60)] for name in ("flu", "death")}
    labels |= {"home": labels["flu"], "ward": [1 - yes for yes in labels["flu"]]}
    targets = {name: Target(name=name, group="next" if name in ("home", "ward") else None) for name in labels}
    config = with_options(QUICK, "trust", threshold=["cost:4", "death=cost:1"])
    model = ClinicalModel(config).fit(words_only(tmp_path, labels, targets))

    assert model.rules == {"flu": "cost:4", "death": "cost:1", "home": None, "ward": None}
    assert model.thresholds.tolist()[:2] == [0.2, 0.5]
