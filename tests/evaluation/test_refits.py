"""Refits: what is held out, what a refit may see, and that the figures come out as they do of one model."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from multimodal import ClinicalModel, Cohort, Config, evaluate
from multimodal.cli import main
from multimodal.evaluation.refits import by_fold, by_value, evaluate_refits, joined, refit_out_of_fold, related
from multimodal.model import with_options
from multimodal.records import CohortError, PatientRecord, Target, UsageError
from multimodal.records.documents import Metrics

# The gates have tests of their own: a few words would make every other note a strange one.
QUICK = Config.model_validate(
    {"notes": {"encoders": ["words"]}, "train": {"holdout": 0.2}, "trust": {"false_alarms": 0}}
)
TARGETS = {"flu": Target(name="flu")} | {name: Target(name=name, group="next") for name in ("home", "ward")}
SITES = ["north"] * 60 + ["south"] * 60 + ["east"] * 9 + ["west"] * 12 + [""] * 3


def record(i, site, ill, text, patient=None):
    labels = {"flu": ill, "home": not ill, "ward": ill}
    attributes = {"site": site} if site else {}
    return PatientRecord(
        record_id=f"r{i}",
        patient_id=patient or f"p{i}",
        notes=[{"text": text}],
        labels=labels,
        attributes=attributes,
    )


@pytest.fixture(scope="module")
def cohort():
    """The word tells the disease, except in the south, where it says the opposite; each site has a word of its own."""
    random = np.random.default_rng(0)
    records = []
    for i, site in enumerate(SITES):
        ill = i % 2
        told = ill if random.random() < 0.9 else 1 - ill
        said = 1 - told if site == "south" else told
        records.append(record(i, site, ill, f"{'Cough' if said else 'Rash'} in {site or 'town'}, case {i}."))
    # The patient of the first record of the north is seen in the south too.
    records[60] = record(60, "south", 0, "Cough in south, case 60.", patient="p0")
    return Cohort.from_records(records, targets=TARGETS)


@pytest.fixture(scope="module")
def model(cohort):
    return ClinicalModel(QUICK).fit(cohort)


@pytest.fixture(scope="module")
def refits(model, cohort):
    found, failed = refit_out_of_fold(model.config_, cohort, by_value(cohort, "site"), related(cohort, QUICK))
    assert failed == {}
    return found


@pytest.fixture(scope="module")
def left_out(model, cohort):
    return evaluate_refits(model, cohort, leave_out="site", resamples=20)


def test_each_value_is_a_part_and_small_ones_are_pooled(cohort):
    parts = dict(by_value(cohort, "site"))

    assert {name: len(rows) for name, rows in parts.items()} == {"north": 60, "south": 60, "other small": 24}
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(cohort)))


def test_a_value_that_only_the_ill_have_is_pooled_whatever_its_size(cohort):
    """Nothing can be said of how well they are told apart: 60 records of the north, all of them ill."""
    records = [one for one in cohort if one.attributes.get("site") != "north" or one.labels["flu"]]
    parts = by_value(Cohort.from_records(records, targets=TARGETS), "site")

    assert [(name, len(rows)) for name, rows in parts] == [("south", 60), ("other small", 24 + 30)]


def test_a_column_that_divides_nothing_is_refused(cohort):
    east = cohort.take([i for i, site in enumerate(SITES) if site == "east"])

    with pytest.raises(UsageError, match=r"^no value of the column 'site' has at least 20 records, some with and some"):
        by_value(east, "site")
    with pytest.raises(UsageError, match=r"^the cohort has no attribute 'sitee'; did you mean 'site'\?$"):
        by_value(cohort, "sitee")


def test_folds_hold_each_record_once_and_divide_no_patient(cohort):
    groups = related(cohort, QUICK)
    parts = by_fold(cohort, groups, 4, random_state=0)
    fold = np.empty(len(cohort), dtype=int)
    for k, (_, rows) in enumerate(parts):
        fold[rows] = k

    assert [name for name, _ in parts] == ["fold 1", "fold 2", "fold 3", "fold 4"]
    assert sum(len(rows) for _, rows in parts) == len(cohort)
    assert fold[0] == fold[60]
    with pytest.raises(UsageError, match="needs at least 2 folds, not 1"):
        by_fold(cohort, groups, 1, random_state=0)


def test_records_with_the_same_note_are_related():
    texts = ["One and the same note.", "Another.", "One and the same note."]
    found = related(Cohort.from_records([record(i, "a", i % 2, text) for i, text in enumerate(texts)]), QUICK)

    assert found[0] == found[2] != found[1]


def test_the_answers_to_a_part_are_those_of_a_model_fitted_by_hand_on_the_rest(cohort, refits):
    """And on nobody who is related: the patient of the first record of the north stays out with the south."""
    south = dict(by_value(cohort, "site"))["south"]
    rest = [i for i, site in enumerate(SITES) if site != "south" and i != 0]
    by_hand = ClinicalModel(with_options(QUICK, "train", holdout=0.0)).fit(cohort.take(rest))

    scored, rows = joined(refits, cohort)

    assert_array_equal(rows, np.arange(len(cohort)))
    expected = by_hand.predict(cohort.take(south))
    places = [list(by_hand.targets).index(name) for name in scored.targets]
    assert_allclose(scored.fused.probability[south], expected.probability[:, places], atol=1e-9)
    assert_array_equal(scored.fused.decision[south], expected.decision[:, places])
    assert {refit.name: refit.trained for refit in refits} == {"north": 83, "south": 83, "other small": 120}


def test_an_unseen_site_where_all_is_the_other_way_round_shows(left_out):
    """Seen sites are told apart at above 0.5; the south is read the wrong way by who never saw it."""
    parts = {part["name"]: part["targets"]["flu"] for part in left_out.metrics["refits"]["parts"]}

    assert parts["south"]["unseen"]["auroc"]["value"] < 0.3
    assert parts["south"]["seen"]["auroc"]["value"] > 0.7
    assert left_out.metrics["refits"]["related_left_out"] == 2


def test_the_pooled_figures_are_those_of_all_held_out_answers(cohort, left_out, refits):
    scored, _ = joined(refits, cohort)
    fused = left_out.metrics["targets"]["flu"]["fused"]

    expected = roc_auc_score(cohort.labels(["flu"])[:, 0], scored.fused.probability[:, 0])
    assert fused["auroc"]["value"] == pytest.approx(expected)
    assert (fused["n"], fused["threshold"]) == (len(cohort), None)
    assert left_out.metrics["groups"]["next"]["n"] == len(cohort)
    labels = cohort.labels(["flu"])[:, 0]
    pairs = [labels[rows].sum() * (1 - labels[rows]).sum() for _, rows in by_value(cohort, "site")]
    assert left_out.metrics["refits"]["within"]["flu"]["pairs"] == sum(pairs)


def test_the_document_keeps_its_form_and_the_report_says_what_the_figures_are_of(left_out, tmp_path):
    left_out.write(tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    page = (tmp_path / "out" / "report.html").read_text("utf-8")

    Metrics.model_validate(metrics)
    assert "Figures of the procedure, not of this model" in page
    assert "each value of site" in page
    said = " ".join(left_out.summary().split())
    assert said.startswith(f"the configuration of model {metrics['model_id']}: 144 records of 143 patients")
    assert "Figures of the procedure, not of this model" in said
    assert max(map(len, left_out.summary().splitlines())) <= 80


def test_the_figures_of_one_model_say_nothing_of_refits(model, cohort):
    unseen = cohort.take(np.flatnonzero(~model.trained_on(cohort.patient_ids)))

    assert "refits" not in evaluate(model, unseen, resamples=0).metrics


def test_a_part_without_which_nothing_can_be_learnt_is_named(cohort):
    """Without the north nobody has a known label: there is no refit for it, and the others have their figures."""
    records = [one if one.attributes.get("site") == "north" else blank(one) for one in cohort]
    labelled = Cohort.from_records(records, targets=TARGETS)
    parts = [("north", np.arange(60)), ("south", np.arange(60, 120))]

    refits, failed = refit_out_of_fold(QUICK, labelled, parts, related(labelled, QUICK))

    assert [refit.name for refit in refits] == ["south"]
    assert failed["north"].startswith("COHORT_FORM: there is no target to learn")
    with pytest.raises(CohortError, match="no refit was possible: COHORT_FORM: there is no target to learn"):
        refit_out_of_fold(QUICK, labelled, parts[:1], related(labelled, QUICK))


def blank(one):
    return one.model_copy(update={"labels": dict.fromkeys(one.labels)})


def test_the_command_refits_in_folds_of_patients_and_says_how_far_it_is(model, cohort, tmp_path, capsys):
    model.save(tmp_path / "model")
    lines = [one.model_dump_json() + "\n" for one in cohort]
    (tmp_path / "c.jsonl").write_text("".join(lines), encoding="utf-8")
    arguments = ["evaluate", str(tmp_path / "model"), str(tmp_path / "c.jsonl"), "--out", str(tmp_path / "out")]

    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--nested", "3"])

    printed = capsys.readouterr()
    assert ended.value.code == 0
    assert "3 refits; the first says how long one takes\n" in printed.err
    assert "2 refits to go: about 1 min\n" in printed.err
    refits = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["refits"]
    assert (refits["folds"], refits["left_out"], len(refits["parts"])) == (3, None, 3)
    for more in (["--leave-out", "site"], ["--all-patients"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--overwrite", "--nested", "3", *more])

        assert ended.value.code == 2


def test_an_interrupted_run_ends_with_130_and_writes_nothing(model, cohort, tmp_path, monkeypatch, capsys):
    """The signal reaches the program while it trains: here with the first line that a refit says."""
    from multimodal import terminal

    model.save(tmp_path / "model")
    (tmp_path / "c.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in cohort), encoding="utf-8")
    write = terminal.sys.stderr.write

    def interrupted(text):
        if "fitted on" in text:
            raise KeyboardInterrupt
        return write(text)

    out = tmp_path / "out"
    monkeypatch.setattr(terminal.sys.stderr, "write", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *(str(tmp_path / name) for name in ("model", "c.jsonl")), "--leave-out=site", f"--out={out}"])

    assert ended.value.code == 130
    assert not out.exists()
