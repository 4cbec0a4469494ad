"""Forest, logistic regression, SVM and boosting over the vitals; what every encoder of vitals has to do."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from multimodal.encoders import ENCODERS, encoder_class
from multimodal.encoders.inputs import READERS
from multimodal.encoders.sklearn_files import load_sklearn, save_sklearn
from multimodal.records import Batch, ModelError

NAMES = sorted(name for name, entry in ENCODERS.items() if entry.modality == "vitals")


@pytest.fixture(scope="module")
def vitals():
    """240 records with a fever or without, read by the real reader; every tenth has no measurement."""
    rng = np.random.default_rng(0)
    n, y = 240, (np.arange(240) % 2).astype(float)
    rows = [
        (row, code, f"{value:.2f}", unit, hours, "")
        for row in range(n)
        if row % 10
        for code, value, unit, hours in (
            ("temperature", 37 + 1.5 * y[row] + rng.normal(scale=0.4), "Cel", -2.0),
            ("temperature", 37 + 1.5 * y[row] + rng.normal(scale=0.4), "Cel", -1.0),
            ("heart_rate", 80 + rng.normal(scale=9), "/min", 0.0),
        )
    ]
    columns = ["record", "code", "value", "unit", "hours", "where"]
    ids = np.array([f"r{row}" for row in range(n)], dtype=object)
    ages, sexes = rng.uniform(20, 80, n), np.array(["female", "male"] * 120, dtype=object)
    batch = Batch(ids, ids, ages, sexes, pd.DataFrame(rows, columns=columns))
    return READERS["vitals"](batch, {"convert_suspect": False}, workers=1), y[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_finds_the_fever_and_says_nothing_without_a_measurement(name, vitals, tmp_path):
    inputs, y = vitals
    model = encoder_class(name)().fit(inputs, ["fever"], y, np.arange(240), random_state=0)
    found = model.encode(inputs)
    model.save(tmp_path)

    assert roc_auc_score(y[found.present, 0], found.log_odds[found.present, 0]) > 0.95
    assert_array_equal(found.present, np.arange(240) % 10 > 0)
    assert np.isnan(found.log_odds[~found.present]).all()
    loaded = encoder_class(name).load(tmp_path, device="cpu")
    assert_array_equal(loaded.encode(inputs).log_odds, found.log_odds)
    assert_allclose(loaded.encode(inputs.take(np.array([5]))).log_odds[0], found.log_odds[5], atol=1e-5)


@pytest.mark.parametrize("build", [ExtraTreesClassifier, HistGradientBoostingClassifier])
def test_the_same_model_is_saved_as_the_same_bytes(build, tmp_path):
    """Without this a model_id would not tell whether two trainings agree."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    for name in ("a", "b"):
        save_sklearn(build(random_state=0).fit(x, y), tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert_array_equal(load_sklearn(tmp_path / "a").predict_proba(x), build(random_state=0).fit(x, y).predict_proba(x))


def test_a_file_with_a_foreign_type_is_refused(tmp_path):
    save_sklearn(ExtraTreesClassifier(2).fit([[0], [1]], [0, 1]), tmp_path / "m.skops")
    changed = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "m.skops") as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                content = content.replace(b'"ExtraTreesClassifier"', b'"Popen"', 1)
                content = content.replace(b'"sklearn.ensemble._forest"', b'"subprocess"', 1)
            new.writestr(name, content)
    (tmp_path / "m.skops").write_bytes(changed.getvalue())

    with pytest.raises(ModelError, match=r"m.skops holds types that a model of ours never has.*Popen"):
        load_sklearn(tmp_path / "m.skops")


def test_a_column_that_was_empty_in_training_is_not_read_later(vitals):
    """Standard deviations need two values: trained on single ones, a linear model must not stumble over a series."""
    inputs, _ = vitals
    series, label = inputs.batch.measurements, np.array([1.0, 0.0] * 120)[:, None]
    single = replace(inputs.batch, measurements=series.drop_duplicates(["record", "code"]))
    first = READERS["vitals"](single, {"convert_suspect": False}, workers=1)
    model = encoder_class("logistic")().fit(first, ["fever"], label, np.arange(240), random_state=0)

    assert np.isfinite(model.encode(inputs).log_odds[1:10]).all()


def test_a_monotone_risk_never_falls_where_it_may_only_rise(vitals):
    """Boosting, on labels that fall with the fever at its upper end: unconstrained it follows them."""
    inputs, y = vitals
    last = inputs.batch.measurements.query("code == 'temperature'").groupby("record")["value"].last().astype(float)
    odd = y.copy()
    odd[last.index[last > 38.7], 0] = 0
    degrees = np.arange(35.5, 40.5, 0.1)
    columns = ["record", "code", "value", "unit", "hours", "where"]
    rows = [(i, "temperature", v, "Cel", h, "") for i, v in enumerate(degrees) for h in (-2.0, -1.0)]
    ids = np.array([f"d{i}" for i in range(len(degrees))], dtype=object)
    fever = Batch(
        ids, ids, np.full(len(ids), 50.0), np.full(len(ids), "male", dtype=object), pd.DataFrame(rows, columns=columns)
    )
    options = {"balance": False, "convert_suspect": False}

    def risk(monotone):
        model = encoder_class("boosting").from_options(options | {"monotone": monotone}, device="cpu", on_step=None)
        model.fit(inputs, ["fever"], odd, np.arange(240), random_state=0)
        return model.encode(READERS["vitals"](fever, options, workers=1)).log_odds[:, 0]

    assert np.diff(risk(["temperature=up"])).min() >= 0
    assert np.diff(risk([])).min() < 0


@pytest.mark.parametrize("name", ["boosting", "forest", "logistic"])
def test_with_balanced_classes_the_base_rate_is_put_back(name, vitals, tmp_path):
    """One in nine is feverish: the models differ, both order well, and neither says that half of them are."""
    inputs, y = vitals
    rare = np.where((y == 1) & (np.arange(240)[:, None] % 16 != 1), np.nan, y)
    found = {}
    for balance in (False, True):
        options = {"balance": balance, "monotone": []}
        model = encoder_class(name).from_options(options, device="cpu", on_step=None)
        model.fit(inputs, ["fever"], rare, np.arange(240), random_state=0).save(tmp_path)
        found[balance] = model.encode(inputs).log_odds[inputs.present, 0]
    known = ~np.isnan(rare[inputs.present, 0])

    assert np.abs(found[True] - found[False]).max() > 0.1
    assert roc_auc_score(y[inputs.present, 0], found[True]) > 0.95
    assert 0.05 < (1 / (1 + np.exp(-found[True][known]))).mean() < 0.25
    loaded = encoder_class(name).load(tmp_path, device="cpu")
    assert_array_equal(loaded.encode(inputs).log_odds[inputs.present, 0], found[True])


@pytest.mark.parametrize("name", ["boosting", "gru"])
def test_a_record_of_nothing_that_was_learnt_from_has_no_answer(name, vitals):
    """A sodium alone, for a model of temperature and pulse: it would look like a patient of whom nothing was known."""
    inputs, y = vitals
    model = encoder_class(name)().fit(inputs, ["fever"], y, np.arange(240), random_state=0)
    rows = [(0, "sodium", "140", "meq/L", 0.0, ""), (1, "heart_rate", "80", "/min", 0.0, "")]
    ids = np.array(["a", "b"], dtype=object)
    columns = ["record", "code", "value", "unit", "hours", "where"]
    batch = Batch(
        ids, ids, np.array([50.0, 50.0]), np.array(["male"] * 2, dtype=object), pd.DataFrame(rows, columns=columns)
    )
    found = model.encode(READERS["vitals"](batch, {"convert_suspect": False}, workers=1))

    assert found.present.tolist() == [False, True]
    assert np.isnan(found.log_odds[0, 0])
