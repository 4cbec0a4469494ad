"""The report stands alone, escapes what it shows, and is written whole or not at all."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from multimodal.evaluation.evaluate import Evaluation
from multimodal.evaluation.report import About, best_single, render
from multimodal.evaluation.summary import figures_table
from multimodal.records import Target, UsageError
from multimodal.trust.curves import curves
from multimodal.trust.subgroups import by_age, by_value, comparisons, crossed
from multimodal.trust.tabulate import Answers, Group, Scored, tabulate

HOSTILE = "<script src='http://example.org/x.js'></script> & \"quotes\""


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """60 records of 30 patients; the image knows more than the notes, every third record has no image."""
    random = np.random.default_rng(0)
    y = (np.arange(60) % 4 == 0).astype(float)[:, None]
    image, notes = (np.clip(0.3 + share * y + 0.3 * random.random((60, 1)), 0.01, 0.99) for share in (0.3, 0.1))
    present = np.stack([np.arange(60) % 3 > 0, np.ones(60, dtype=bool)], axis=1)

    def answers(probability: np.ndarray) -> Answers:
        return Answers(probability, (probability >= 0.5).astype(float), np.array([0.5]))

    def rule(scores: np.ndarray, threshold: float) -> Answers:
        alert = np.where(np.isnan(scores), np.nan, scores >= threshold)
        return Answers(scores, alert, np.array([threshold]), is_probability=False)

    none = np.full((60, 1), np.nan)
    ages = np.where(np.arange(60) % 5 == 4, 90, 50)
    classes = np.array(["cold", "flu"], dtype=object)
    scored = Scored(
        targets=("pneumonia",),
        modalities=("image", "notes"),
        labels=y,
        patients=np.array([f"patient-{i // 2}" for i in range(60)], dtype=object),
        present=present,
        abstained=np.arange(60) == 7,
        fused=answers((image + notes) / 2),
        single={"image": answers(np.where(present[:, :1], image, 0.25)), "notes": answers(notes)},
        baselines={
            "sum": answers(image),
            "boosting": answers(none),
            "shock_index": rule(0.5 + y * 0.6, 0.9),
            "sofa": rule(none, 2),
        },
        groups={"airway": Group(("cold", "flu"), classes[np.arange(60) % 2], classes[np.arange(60) // 30])},
        without={"image": answers(notes), "notes": answers(np.where(present[:, :1], image, 0.25))},
        base=np.array([0.1]),
        partings=crossed({"sex": by_value(["female", "male"] * 30), "age": by_age(ages)}),
    )
    cohort = {"records": 60, "patients": 30, "excluded_training_patients": 12, "no_input": 0, "abstained": 1}
    metrics = {"schema": 1, "model_id": "0123456789abcdef", "cohort": cohort, **tabulate(scored, resamples=50)}
    metrics["subgroup_comparisons"] = comparisons(metrics["targets"])
    targets = {"pneumonia": Target(name="pneumonia", description=HOSTILE)}
    return Evaluation(metrics, curves(scored, resamples=50), About(("image", "notes"), targets, 50))


@pytest.fixture(scope="module")
def page(evaluation) -> str:
    return render(evaluation.metrics, evaluation.curves, evaluation.about)


def test_the_page_refers_to_nothing_outside(page):
    sources = re.findall(r"(?:src|href)=\"([^\"]*)", page)

    assert len(sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.findall(r"<(?:script|link|iframe)|@import|url\(", page)
    assert "default-src 'none'" in page


def test_what_a_cohort_calls_its_targets_is_only_text(page):
    assert "&lt;script src=&#39;http://example.org/x.js&#39;&gt;&lt;/script&gt; &amp; &#34;quotes&#34;" in page


def test_the_page_says_what_it_is_no_use_for_and_names_no_patient(page):
    assert "Research use only. Not a medical device." in page
    assert "patient-" not in page


def test_the_page_shows_the_figures_of_metrics_json(page, evaluation):
    found = evaluation.metrics["targets"]["pneumonia"]

    for way in (found["fused"], found["answered"], *found["single"].values(), found["baselines"]["sum"]):
        shown = f"{way['auroc']['value']:.3f}<small>{way['auroc']['low']:.3f} – {way['auroc']['high']:.3f}</small>"
        assert shown in page
    assert "image alone (best)" in page
    assert "sum of log-odds" in page
    assert "boosting" not in page  # it answers no record of this target


def test_a_bedside_score_has_its_name_and_its_published_threshold(page, evaluation):
    """SOFA, which no record allows, is left out."""
    assert "<td>shock index</td><td>60</td><td>1.000<small>" in page
    assert "Bedside scores are decided at their published thresholds (shock index 0.9), as at the bedside" in page
    assert "SOFA" not in page

    lines = evaluation.summary().splitlines()
    assert lines[9].startswith("  shock index *      1.000 [1.000, 1.000]  1.000  1.000  1.000  -      -")
    assert lines[-1] == "Bedside scores are decided at their published thresholds: shock index 0.9."
    assert "SOFA" not in evaluation.summary()


def test_a_page_with_training_patients_is_marked(page, evaluation):
    metrics = {**evaluation.metrics, "cohort": evaluation.metrics["cohort"] | {"includes_training_patients": 12}}

    marked = render(metrics, evaluation.curves, evaluation.about)

    assert "Includes training patients: the model trained on 12 of the 30 patients here." in marked
    assert "Includes training patients" not in page
    assert (
        "CAUTION: the model trained on 12 of these patients"
        in Evaluation(metrics, evaluation.curves, evaluation.about).summary()
    )


def test_the_same_figures_give_the_same_page(page, evaluation):
    assert render(evaluation.metrics, evaluation.curves, evaluation.about) == page


def test_the_summary_is_the_table_of_the_training_in_80_columns(evaluation):
    text = evaluation.summary()
    lines = text.splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[:5] == [
        "model 0123456789abcdef: 60 records of 30 patients",
        "  12 training patients left out, 0 records without input, 1 abstained",
        "",
        "pneumonia: 60 records, 15 positive, threshold 0.500",
        "  * baseline         AUROC [95 %]          AUPRC  sens.  spec.  Brier  ECE",
    ]
    assert [re.split("  +", line.strip())[0] for line in lines[5:9]] == [
        "fused",
        "image alone",
        "notes alone",
        "sum of log-odds *",
    ]
    assert text.endswith(figures_table(evaluation.metrics))
    assert "group airway: 60 records, 2 classes\n  accuracy 0.500 [" in text


def test_the_best_single_is_the_one_with_the_highest_auroc():
    areas = {"image": 0.7, "notes": 0.8, "vitals": None}

    assert best_single({"single": {m: {"auroc": {"value": area}} for m, area in areas.items()}}) == "notes"
    assert best_single({"single": {"image": {"auroc": {"value": None}}}}) is None


def test_an_evaluation_is_written_whole(evaluation, page, tmp_path):
    evaluation.write(tmp_path / "deep" / "out")

    assert sorted(item.name for item in (tmp_path / "deep").rglob("*")) == ["metrics.json", "out", "report.html"]
    assert json.loads((tmp_path / "deep" / "out" / "metrics.json").read_text("utf-8")) == evaluation.metrics
    assert (tmp_path / "deep" / "out" / "report.html").read_text("utf-8") == page


def test_what_exists_is_kept_unless_told_otherwise(evaluation, tmp_path):
    folder = tmp_path / "out"
    evaluation.write(folder)
    (folder / "metrics.json").write_text("old")

    with pytest.raises(UsageError, match="exists; choose another folder, or give --overwrite"):
        evaluation.write(folder)
    assert (folder / "metrics.json").read_text() == "old"

    evaluation.write(folder, overwrite=True)
    assert json.loads((folder / "metrics.json").read_text("utf-8"))["schema"] == 1
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("foreign", ["folder with other files", "file", "link"])
def test_overwriting_touches_nothing_but_an_earlier_evaluation(evaluation, tmp_path, foreign):
    folder = tmp_path / "out"
    if foreign == "file":
        folder.write_text("mine")
    else:
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs" / "thesis.txt").write_text("mine")
        (tmp_path / "theirs").rename(folder) if foreign != "link" else folder.symlink_to(tmp_path / "theirs")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(UsageError, match="is no earlier evaluation, it holds"):
        evaluation.write(folder, overwrite=True)

    assert sorted(tmp_path.rglob("*")) == before
