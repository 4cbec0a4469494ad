"""A plain table of one's own findings and laboratory values: declared in a TOML file, learnt, kept, and asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal import ClinicalModel, Cohort, Config, PatientRecord
from multimodal.cli import main
from multimodal.records import MeasurementKind

INF = float("inf")
QUICK = Config.model_validate({"vitals": {"encoders": ["logistic"]}})


def test_a_table_of_numbers_is_learnt_as_well_as_by_plain_scikit_learn(tmp_path):
    """scikit-learn's breast-cancer table (569 rows, 30 numbers), cross-fitted over three folds, against StandardScaler
    and LogisticRegression over three folds."""
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    frame = pd.DataFrame(data.data, columns=names)
    frame.insert(0, "record_id", [f"r{i}" for i in range(len(frame))])
    frame["label.malignant"] = 1 - data.target
    frame.to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "cells.toml").write_text("schema = 1\n" + "".join(f'[measurements."{name}"]\n' for name in names))
    config = Config.model_validate({"vitals": {"encoders": ["logistic", "boosting"]}})
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(config.fusion.folds, shuffle=True, random_state=0)

    model = ClinicalModel(config).fit(Cohort.open(tmp_path / "cells.csv"))
    probs = cross_val_predict(plain, data.data, 1 - data.target, cv=folds, method="predict_proba")[:, 1]

    area = model.figures_["targets"]["malignant"]["fused"]["auroc"]["value"]
    assert area >= roc_auc_score(1 - data.target, probs) - 0.01
    assert list(model.own_measurements_) == names


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """(folder, model): 120 records; y is 1 where dyspnoea, with 10 % turned over; cough, level and crp are noise."""
    folder, rng = tmp_path_factory.mktemp("clinic"), np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    turned = np.where(rng.random(120) < 0.1, 1 - y, y)
    frame = pd.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(120)],
            "patient_id": [f"p{i}" for i in range(120)],
            "dyspnoea": np.where(turned == 1, "Yes", "no"),
            "smoking": rng.choice(["never", "Former", "current"], 120),
            "remark": [f"seen by {i}" for i in range(120)],
            "crp_hs": rng.uniform(1, 9, 120).round(2),
            "label.mi": y,
        }
    )
    frame.loc[0, "smoking"] = "curent"
    frame.loc[1, "smoking"] = "former"
    frame.to_csv(folder / "clinic.csv", index=False)
    (folder / "clinic.toml").write_text(
        'schema = 1\n[measurements.dyspnoea]\nkind = "flag"\n[measurements.smoking]\nkind = "category"\n'
        '[measurements.remark]\nkind = "category"\n'
        '[measurements.crp_hs]\nunit = "mg/L"\nunits = {"mg/dL" = 10}\nlow = 0\nhigh = 500\n'
    )
    ClinicalModel(QUICK).fit(Cohort.open(folder / "clinic.csv")).save(folder / "model")
    frame.drop(columns=["label.mi"]).to_csv(folder / "new.csv", index=False)
    return folder, ClinicalModel.load(folder / "model")


def _record(i: int, **values) -> PatientRecord:
    """values: by code, or (value, unit)."""
    items = {code: value if isinstance(value, tuple) else (value, None) for code, value in values.items()}
    measurements = [{"code": code, "value": value, "unit": unit} for code, (value, unit) in items.items()]
    return PatientRecord(record_id=f"x{i}", patient_id=f"x{i}", measurements=measurements)


def test_levels_that_few_records_have_and_free_text_are_not_learnt_nor_kept(clinic):
    """`curent` stands once, `remark` is another in each record: neither becomes a column, or a word in the model."""
    folder, model = clinic
    said = [str(problem) for problem in model.problems_ if problem.code == "LEVELS_RARE"]

    assert said == [
        "LEVELS_RARE: remark: 120 of 120 levels are in fewer than 5 training records: is it free text? "
        "The measurement is left out",
        "LEVELS_RARE: smoking: 1 of 4 levels are in fewer than 5 training records: they are not learnt",
    ]
    assert model.own_measurements_["smoking"].categories == ("Former", "current", "never")
    assert list(model.own_measurements_) == ["dyspnoea", "smoking", "remark", "crp_hs"]
    assert model.own_measurements_["remark"].categories == ()
    for file in (folder / "model").rglob("*"):
        assert file.is_dir() or (b"seen by" not in file.read_bytes() and b"curent" not in file.read_bytes())


def test_a_record_of_nothing_but_free_text_has_no_input(clinic):
    _, model = clinic
    found = model.predict([_record(0, remark="seen by 7"), _record(1, dyspnoea="yes")])

    assert [prediction.abstained for prediction in found] == ["NO_INPUT", None]


def test_a_model_knows_its_own_measurements_and_a_table_of_them_needs_no_toml(clinic):
    folder, model = clinic
    with pytest.raises(SystemExit) as status:
        main(["predict", str(folder / "model"), str(folder / "new.csv"), "--out", str(folder / "p.csv"), "--quiet"])
    found = pd.read_csv(folder / "p.csv")

    assert status.value.code == 0
    whole = model.predict(Cohort.open(folder / "clinic.csv"))
    np.testing.assert_allclose(found["mi.probability"], whole.probability[:, 0], atol=1e-12)
    assert found["refused"].notna().sum() == 1
    assert found["refused"][0] == (
        "IMPLAUSIBLE: new.csv row 2 column smoking: smoking 'curent' is none of Former, current, never; "
        "did you mean 'current'?"
    )


def test_a_value_in_another_unit_of_the_model_is_converted_after_loading(clinic):
    _, model = clinic
    found = model.predict([_record(0, crp_hs=(50.0, "mg/L")), _record(1, crp_hs=(5.0, "mg/dl"))])

    assert found.probability[0] == found.probability[1]
    assert [found[i].refused for i in range(2)] == [(), ()]


def test_a_level_that_the_model_does_not_know_is_refused_whatever_the_cohort_declares(clinic):
    _, model = clinic
    smoking = MeasurementKind("smoking", "Smoking", "", "category", "1", -INF, INF, {}, ("never", "pipe"))
    records = [_record(0, smoking="pipe", dyspnoea="yes"), _record(1, dyspnoea="yes")]
    found = model.predict(Cohort.from_records(records, measurements={"smoking": smoking}))

    assert [(p.code, p.message) for p in found[0].refused] == [
        ("IMPLAUSIBLE", "smoking 'pipe' is none of Former, current, never")
    ]
    assert found.probability[0] == found.probability[1]


def test_a_cohort_that_declares_another_unit_is_converted_or_refused_and_never_read_as_it_stands(clinic):
    _, model = clinic
    mg_dl = MeasurementKind("crp_hs", "CRP", "", "quantity", "mg/dL", 0.0, 50.0)
    own_scale = replace(mg_dl, unit="{own}", units={"mg/L": (2.0, 0.0)}, high=INF)
    bare = [_record(0, crp_hs="0.5", dyspnoea="no")]
    expected = model.predict([_record(0, crp_hs=(5.0, "mg/L"), dyspnoea="no")]).probability

    known = model.predict(Cohort.from_records(bare, measurements={"crp_hs": mg_dl}))
    inverse = model.predict(
        Cohort.from_records([_record(0, crp_hs="10", dyspnoea="no")], measurements={"crp_hs": own_scale})
    )
    unknown = model.predict(Cohort.from_records(bare, measurements={"crp_hs": replace(mg_dl, unit="g/L")}))

    assert known.probability == expected
    assert inverse.probability == expected
    assert [(p.code, p.message) for p in unknown[0].refused] == [
        ("UNKNOWN_UNIT", "crp_hs in 'g/L' has no conversion: give mg/L, mg/dL")
    ]


def test_a_cohort_may_narrow_the_range_of_what_a_model_knows(clinic):
    _, model = clinic
    narrow = replace(model.own_measurements_["crp_hs"], high=100.0)
    found = model.predict(Cohort.from_records([_record(0, crp_hs="300")], measurements={"crp_hs": narrow}))

    assert [problem.code for problem in found[0].refused] == ["IMPLAUSIBLE"]


def test_codes_lists_what_a_cohort_or_a_model_adds(clinic, capsys):
    folder, _ = clinic
    for of in ("clinic.csv", "model"):
        with pytest.raises(SystemExit):
            main(["codes", "--of", str(folder / of), "crp"])
        out = capsys.readouterr().out.split()

        assert out[out.index("crp_hs") :] == ["crp_hs", "crp_hs", "mg/L", "mg/dL", "0", "to", "500"]
