"""A model keeps its decision back from what is unlike its training: the gates from end to end, on a small model."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from multimodal import ClinicalModel, Cohort
from multimodal.encoders import ENCODERS, Entry
from multimodal.evaluation.summary import cross_fitted_table, description
from multimodal.model import read_config, with_options
from multimodal.model.cross_fitting import cross_fit
from multimodal.model.kept_work import FoldEvidence, KeptWork
from multimodal.model.scoring import read
from multimodal.page.answer_html import answer_html
from multimodal.records import REASONS, Evidence, Note, PatientRecord
from multimodal.trust.gates import GATES

OPTIONS = ['notes.encoders=["words"]', 'vitals.encoders=["logistic"]', "image.encoders=[]", "train.holdout=0.25"]
OPTIONS += ["train.device=cpu", "trust.false_alarms=0.1"]
FOREIGN = "Der Patient klagt seit zwei Tagen über Schmerzen im Brustkorb, Fieber und trockenen Husten."


@pytest.fixture(scope="module")
def folders(tiny_model, tmp_path_factory):
    """(model, cohort): notes and vital signs of 90 synthetic patients, and 30 others held out."""
    folder = tmp_path_factory.mktemp("gates") / "model"
    ClinicalModel(read_config(None, OPTIONS)).fit(Cohort.open(tiny_model[1])).save(folder)
    return folder, tiny_model[1]


@pytest.fixture(scope="module")
def model(folders):
    return ClinicalModel.load(folders[0], device="cpu")


@pytest.fixture(scope="module")
def whole(model, folders):
    """Held-out records with both modalities that no gate stops, without their images."""
    cohort = Cohort.open(folders[1])
    found = model.predict(cohort)
    passed = found.present.all(axis=1) & np.equal(found.abstained, None) & ~model.trained_on(cohort.patient_ids)
    return [cohort[int(row)].model_copy(update={"images": ()}) for row in np.flatnonzero(passed)[:5]]


def foreign(record: PatientRecord) -> PatientRecord:
    return record.model_copy(update={"notes": (Note(text=FOREIGN),)})


def test_a_foreign_note_is_named_and_the_decision_kept_back_but_not_the_probability(model, whole):
    (found,) = model.predict([foreign(whole[0])])

    assert found.abstained == "NOVEL_INPUT"
    for target in found.targets.values():
        assert 0 < target.probability < 1
        assert target.decision is None
        assert set(target.contributions) == {"notes", "vitals"}
    (problem,) = [warning for warning in found.warnings if warning.code == "NOVEL_INPUT"]
    assert problem.where == "notes"
    assert problem.message.startswith("stranger than all ")
    assert "language." in problem.message
    assert "Patient" not in problem.message


def test_an_answer_that_is_not_stopped_is_decided(model, whole):
    (found,) = model.predict([whole[0]])

    assert found.abstained is None
    assert {target.decision for target in found.targets.values()} <= {0, 1}


def test_a_lone_pulse_is_stopped(model, whole):
    record = PatientRecord(
        record_id="r", patient_id="r", measurements=[{"code": "heart_rate", "value": 80, "unit": "/min"}]
    )
    (found,) = model.predict([record])

    assert found.abstained == "NOVEL_INPUT"
    assert found.warnings[-1].where == "vitals"
    assert "density.measured" in found.warnings[-1].message


def test_neighbours_and_order_do_not_matter(model, whole):
    records = [foreign(whole[1]), *whole[2:], foreign(whole[0])]
    found, turned = model.predict(records), model.predict(records[::-1], batch_size=2)

    assert_array_equal(found.abstained[::-1], turned.abstained)
    assert found.problems[::-1] == turned.problems


def test_the_fallback_decides_where_a_gate_stops_the_model(model, whole):
    """NEWS2 of 0 + 3 + 1: no alert; synthetic records have what it needs."""
    falling = copy(model)
    falling.config_ = with_options(model.config_, "trust", fallback="news2")
    risks = [name for name, target in model.targets.items() if target.kind == "risk"]
    (found,) = falling.predict([foreign(whole[0])])

    assert risks
    assert (found.abstained, found.decided_by) == ("NOVEL_INPUT", "news2")
    assert {found.targets[name].decision for name in risks} == {found.scores["news2"].alert}


def test_a_loaded_model_has_the_same_gates_to_the_bit(model, folders, whole, tmp_path):
    model.save(tmp_path / "again")
    loaded = ClinicalModel.load(tmp_path / "again", device="cpu")
    records = [*whole[1:], foreign(whole[0])]

    assert loaded.model_id == model.model_id
    assert loaded.gates_.to_json() == model.gates_.to_json()
    assert loaded.predict(records).problems == model.predict(records).problems


def test_the_command_line_writes_the_reason_and_ends_with_0(folders, whole, tmp_path):
    """A gate's abstention is no reason for exit 4."""
    lines = [one.model_dump_json(exclude={"labels"}) for one in (foreign(whole[0]), whole[1])]
    (tmp_path / "records.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-c", "from multimodal.cli import main; main()", "predict", str(folders[0])]
    command += [str(tmp_path / "records.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True)
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())

    assert done.returncode == 0, done.stderr
    assert (first["abstained"], second["abstained"]) == ("NOVEL_INPUT", None)
    assert all(target["decision"] is None for target in first["targets"].values())


def test_watching_gives_the_gates_of_scoring_from_scratch(model, whole):
    """The note is foreign both times, and not read again as the pulse is new."""
    watch = model.watch()
    record = foreign(whole[0])
    watch.predict([record, whole[1]])
    pulse = record.measurements[0].model_copy(update={"code": "heart_rate", "value": 250, "unit": "/min", "time": None})
    later = [record.model_copy(update={"measurements": (*record.measurements, pulse)}), whole[1]]
    found, expected = watch.predict(later), model.predict(later)

    assert watch.changes_[0].read_again == ("vitals",)
    assert_array_equal(found.abstained, expected.abstained)
    assert found.problems == expected.problems


def test_the_page_says_what_was_unusual_and_what_to_do(model, whole):
    (found,) = model.predict([foreign(whole[0])])
    html = answer_html(model, found, [], False)

    assert "<b>The model does not decide.</b> <b>The note:</b> stranger than all " in html
    assert REASONS["NOVEL_INPUT"].remedy in html


def test_training_counts_whom_the_gates_stop_out_of_fold(model):
    """A record is stopped once, but each gate that stops it counts it; the figures leave them out of `answered`."""
    stopped = model.summary_["gates"]
    by_gate = [count for counts in stopped["by_gate"].values() for count in counts.values()]
    (first, *_) = model.targets
    fused, answered = (model.figures_["targets"][first][way]["n"] for way in ("fused", "answered"))
    unknown = model.summary_["labels"][first]["unknown"]

    assert list(stopped["by_gate"]) == list(GATES)
    assert 0 < stopped["altogether"] <= sum(by_gate)
    assert max(by_gate) <= stopped["altogether"]
    assert stopped["altogether"] - unknown <= fused - answered <= stopped["altogether"]


def test_each_gate_stops_about_its_share_of_the_training_out_of_fold(model):
    """At 10 %, of some 100 records with a limit on two thirds of them: 25 % would pass by luck once in ten thousand."""
    having = model.summary_["records_with"]

    for modality, count in model.summary_["gates"]["by_gate"]["NOVEL_INPUT"].items():
        assert count <= 0.25 * having[modality]


def test_inspect_shows_the_limits_and_the_counts(model):
    told = description(model)

    assert "gates: where it makes no decision" in told
    assert "NOVEL_INPUT      notes beyond language.letters " in told
    assert f"the gates stop {model.summary_['gates']['altogether']} of " in cross_fitted_table(model)
    assert max(len(line) for line in told.splitlines()) <= 80


def test_inspect_says_that_the_gates_are_switched_off(model):
    off = copy(model)
    off.gates_ = replace(model.gates_, rate=0.0)

    assert "gates: where it makes no decision\n  switched off (trust.false_alarms = 0)" in description(off)


def test_the_kept_evidence_of_a_fold_keeps_its_novelty(tmp_path):
    found = FoldEvidence(np.zeros((2, 1)), np.array([True, False]), 7, {"b": np.array([1.5, np.nan]), "a": np.ones(2)})
    kept = KeptWork(tmp_path)
    kept.keep_evidence("notes.words.0", found)
    again = kept.evidence("notes.words.0")

    assert sorted(again.novelty) == ["a", "b"]
    for measure, values in found.novelty.items():
        assert_array_equal(again.novelty[measure], values)


class Counting:
    """An encoder whose novelty is the number of records that it was fitted on."""

    @classmethod
    def from_options(cls, options, *, device, on_step):
        return cls()

    def fit(self, inputs, targets, y, groups, *, random_state):
        self.n, self.targets = len(inputs), len(targets)
        return self

    def encode(self, inputs, *, precision="fp32"):
        nothing = np.zeros((len(inputs), self.targets))
        return Evidence(nothing, inputs.present, novelty={"seen": np.full(len(inputs), float(self.n))})

    def save(self, folder):
        raise AssertionError("nothing is kept here")


def test_the_novelty_of_encoders_and_densities_is_gathered_out_of_fold(monkeypatch, folders):
    monkeypatch.setitem(ENCODERS, "words", Entry("notes", f"{__name__}:Counting"))
    cohort, config = Cohort.open(folders[1]), read_config(None, OPTIONS)
    notes = read(cohort.batch(), "notes", config)
    rows = np.arange(len(cohort))
    folds, labels = rows % 3, (rows % 2)[:, None].astype(float)
    found = cross_fit({"notes": notes}, ["t"], labels, rows, folds, config, lambda name, share: None)
    inside = [int((notes.present & (folds != fold)).sum()) for fold in folds]

    assert list(found.novelty["notes"]) == ["words.seen", "language.letters", "language.words"]
    assert_array_equal(found.novelty["notes"]["words.seen"], inside)
    assert_array_equal(np.isnan(found.novelty["notes"]["language.words"]), ~notes.present)
