"""The audit at `train`: it warns, is kept with the model without identifiers, and stops where that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from multimodal import ClinicalModel, Cohort, audit
from multimodal.model import read_config
from multimodal.records import CohortError, UsageError
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import synthesize

SMALL = ["notes.encoders=[]", "image.encoders=[]", "vitals.encoders=logistic"]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """Synthetic vitals, with the label among the measurements, and a patient in two splits."""
    made = synthesize(120, 0)
    tables = dict(made.tables)
    known = tables["labels"].set_index("record_id")["pneumonia"].dropna().astype(int)
    rows = tables["measurements"].iloc[: len(known)].assign(
        record_id=known.index, code="crp", value=[f"{1 + 50 * one + i / 99:.2f}" for i, one in enumerate(known)],
        unit="mg/L", time="-1",
    )  # fmt: skip
    tables["measurements"] = pd.concat([tables["measurements"], rows], ignore_index=True)
    tables["images"] = tables["images"].iloc[:0]
    folder = tmp_path_factory.mktemp("leaky") / "cohort"
    write_cohort(folder, replace(made, tables=tables, files={}))
    return folder


def test_a_leak_is_said_and_kept_without_identifiers(leaky, tmp_path):
    lines: list[str] = []
    model = ClinicalModel(read_config(None, SMALL)).fit(Cohort.open(leaky), report=lines.append)
    model.save(tmp_path / "model")
    again = ClinicalModel.load(tmp_path / "model")

    (line,) = [line for line in lines if line.startswith("LEAK_")]
    assert line.startswith("LEAK_FEATURE (leak): pneumonia: crp.last")
    assert "Records: S0" in line
    assert [finding["code"] for finding in again.audit_["findings"]] == ["LEAK_FEATURE"]
    assert again.audit_ == model.audit_
    assert "S00" not in (tmp_path / "model" / "model.json").read_text(encoding="utf-8")


def test_stop_refuses_before_anything_is_trained(leaky):
    steps: list[str] = []
    model = ClinicalModel(read_config(None, [*SMALL, "trust.audit=stop"]))

    with pytest.raises(CohortError, match=r"^LEAKAGE: trust\.audit is stop, and there are leaks:\nLEAK_FEATURE"):
        model.fit(Cohort.open(leaky), progress=lambda what, done, total: steps.append(what))

    assert steps == []


def test_off_says_nothing(leaky):
    lines: list[str] = []
    model = ClinicalModel(read_config(None, [*SMALL, "trust.audit=off"])).fit(Cohort.open(leaky), report=lines.append)

    assert model.audit_ == {"records": 0, "findings": [], "account": []}
    assert not [line for line in lines if line.startswith("LEAK_")]


def test_the_patients_held_out_are_compared_with_those_trained_on(tmp_path):
    """A note of a patient held out is also one of the training's."""
    made = synthesize(120, 0)
    tables = {**made.tables, "images": made.tables["images"].iloc[:0]}
    write_cohort(tmp_path / "clean", replace(made, tables=tables, files={}))
    training, held_out = (set(part.record_ids) for part in Cohort.open(tmp_path / "clean").split(0.2, 0))
    notes = tables["notes"].copy()
    usable = notes[notes["text"].str.len() > 100]
    one = usable.index[usable["record_id"].isin(training)][0]
    other = usable.index[usable["record_id"].isin(held_out)][0]
    notes.loc[other, "text"] = notes.loc[one, "text"]
    people = tables["patients"].copy()
    for row, sex in ((one, "male"), (other, "female")):
        people.loc[people["record_id"] == notes.loc[row, "record_id"], "sex"] = sex
    write_cohort(tmp_path / "shared", replace(made, tables={**tables, "notes": notes, "patients": people}, files={}))

    (found,) = audit(Cohort.open(tmp_path / "shared"), holdout=0.2, seed=0).findings

    assert (found.code, found.severity) == ("LEAK_NOTE", "leak")
    assert set(found.records[0]) == {notes.loc[one, "record_id"], notes.loc[other, "record_id"]}


def test_another_cohort_and_a_holdout_exclude_each_other(leaky):
    cohort = Cohort.open(leaky)

    with pytest.raises(UsageError, match=r"^give either another cohort or a holdout, not both$"):
        audit(cohort, against=cohort, holdout=0.2)


def test_a_cohort_against_itself_shares_every_patient(leaky):
    cohort = Cohort.open(leaky)
    found = next(one for one in audit(cohort, against=cohort).findings if one.code == "LEAK_PATIENT")

    assert found.count == 2 * len(cohort)
    assert len(found.records) == 10
    assert np.all([len(set(group)) <= 2 for group in found.records])
