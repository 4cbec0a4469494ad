"""The report stands alone, escapes what it shows, and is written whole or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from multimodal.evaluation.evaluate import Evaluation
from multimodal.evaluation.report import About, best_single, render
from multimodal.evaluation.summary import figures_table, p_value, signed
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


def test_the_terminal_says_what_fusion_adds_and_whether_the_calibration_error_is_chance(evaluation):
    found = evaluation.metrics["targets"]["pneumonia"]
    delong, ece, limit = found["compared"]["single"]["image"]["delong"], found["fused"]["ece"], found["ece_expected"]

    lines = evaluation.summary().splitlines()

    added = f"{delong['value']:+.3f} [{delong['low']:+.3f}, {delong['high']:+.3f}]"
    assert lines[10] == f"  fused less image alone: AUROC {added}, p 0.026 (DeLong)"
    said = f"  ECE {ece['value']:.3f}: above the {limit:.3f} that 95 % of calibrated models keep at this n"
    assert lines[11] == said


def test_figures_of_a_model_of_an_earlier_version_are_shown_as_they_are(evaluation):
    found = evaluation.metrics["targets"]["pneumonia"]
    earlier = {key: found[key] for key in ("fused", "answered", "single", "baselines", "present")}

    text = figures_table({"targets": {"pneumonia": earlier}, "groups": {}})

    assert "fused less" not in text
    assert "  fused " in text


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0213, "+0.021"), (-0.0049, "-0.005"), (-0.0004, "0.000"), (0.0, "0.000")]
)
def test_a_difference_has_a_sign_unless_it_rounds_to_nothing(value, shown):
    assert signed(value) == shown


@pytest.mark.parametrize(("p", "shown"), [(0.0004, "<0.001"), (0.0123, "0.012"), (0.456, "0.46"), (1.0, "1.00")])
def test_a_p_has_as_many_digits_as_matter(p, shown):
    assert p_value(p) == shown


def test_the_summary_of_the_page_compares_with_the_best_modality_and_with_chance(page, evaluation):
    found = evaluation.metrics["targets"]["pneumonia"]
    delong = found["compared"]["single"]["image"]["delong"]
    row = re.search(r"<tr><td>pneumonia</td>.*?</tr>", page, re.DOTALL).group()

    assert "<td>60</td><td>25.0 %<small>15</small></td><td>10.0 %</td>" in row
    assert f"{delong['value']:+.3f}</span><small>{delong['low']:+.3f} to {delong['high']:+.3f}</small>" in row
    assert "<small>image</small></td><td>0.026</td>" in row
    assert found["fused"]["ece"]["value"] > found["ece_expected"]
    assert (
        f'<span class="beyond">{found["fused"]["ece"]["value"]:.3f}</span><small>≤ {found["ece_expected"]:.3f}' in row
    )
    assert row.endswith("<td>1</td></tr>")


def test_small_subgroups_are_named_without_their_figures(page, evaluation):
    """48 records aged 50, 12 aged 90; of the men none has the label."""
    subgroups = evaluation.metrics["targets"]["pneumonia"]["subgroups"]

    assert subgroups["age"]["80+"]["n"] == 12
    assert "<td>40-64</td><td>48</td>" in page
    assert "too few to show: 80+ (n = 12)" in page
    assert "too few to show: female, 80+ (n &lt; 10); male, 40-64 (n = 24); male, 80+ (n &lt; 10)" in page
    assert f"{evaluation.metrics['subgroup_comparisons']} groups were compared with all others" in page


def test_findings_of_an_audit_and_prediction_sets_have_their_place(page, evaluation):
    row = {"n": 60, "coverage": {"value": 0.8, "low": 0.7, "high": 0.9}, "least": 0.823, "size": 1.25, "empty": 0.05}
    sets = {"0.9": {"all": row}, "0.95": {"all": row | {"coverage": {"value": 0.96, "low": None, "high": None}}}}
    found = evaluation.metrics["targets"]["pneumonia"]
    metrics = {**evaluation.metrics, "targets": {"pneumonia": found | {"sets": sets}}}

    fuller = render(
        metrics, evaluation.curves, replace(evaluation.about, audit=("two patients <b>share</b> an image",))
    )

    assert "<li>two patients &lt;b&gt;share&lt;/b&gt; an image</li>" in fuller
    assert "<th>coverage<br>at 90 %</th>" in fuller
    assert '<td><span class="beyond">0.800</span><small>0.700 – 0.900</small></td><td>0.823</td><td>1.25</td>' in fuller
    assert "<td><span>0.960</span></td>" in fuller
    assert "leakage audit" not in page
    assert "Prediction sets" not in page


def test_a_target_takes_less_than_a_megabyte(page):
    assert len(page) < 1_000_000


def test_it_opens_without_a_network_fits_an_a4_page_and_begins_each_part_on_a_new_one(page, chromium, tmp_path):
    """A4 less its margins is 696 pixels wide."""
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    asked, complaints = [], []
    shown = chromium.new_page(viewport={"width": 696, "height": 1000})
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: complaints.append(message.text))
    shown.emulate_media(media="print")

    shown.goto((tmp_path / "report.html").as_uri())
    printed = shown.pdf(prefer_css_page_size=True)

    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert complaints == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= 696
    assert shown.evaluate("[...document.images].map(image => image.naturalWidth > 0)") == [True, True]
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 3  # the summary, the group, the target


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


@pytest.mark.parametrize("labels", [np.ones(60), np.full(60, np.nan)], ids=["one class", "no labels"])
def test_a_page_is_made_of_whatever_there_is(labels):
    """Without resamples, baselines, subgroups or hidden modalities too."""
    probability = np.linspace(0.1, 0.9, 60)[:, None]
    way = Answers(probability, (probability >= 0.5).astype(float), np.array([0.5]))
    scored = Scored(
        targets=("gout",),
        modalities=("image",),
        labels=labels[:, None],
        patients=np.arange(60).astype(object),
        present=np.ones((60, 1), dtype=bool),
        abstained=np.zeros(60, dtype=bool),
        fused=way,
        single={"image": way},
    )
    cohort = {"records": 60, "patients": 60, "excluded_training_patients": 0, "no_input": 0, "abstained": 0}
    metrics = {"schema": 1, "model_id": "0123456789abcdef", "cohort": cohort, **tabulate(scored, resamples=0)}
    made = Evaluation(metrics, curves(scored, resamples=0), About(("image",), {"gout": Target(name="gout")}, 0))

    page = render(made.metrics, made.curves, made.about)

    assert "none was asked for" in page
    assert "Subgroups" not in page
    assert "What each modality is worth" not in page
    assert "fused less" not in made.summary()
