"""The synthetic cohort: its truth is known, its modalities show it, and nothing else does (DESIGN.md section 4)."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal.records import REASONS, measurement_table
from multimodal.sources.synthetic import LATENT, MODALITIES, TARGETS, best_auroc, read_best, synthesize, truth_of
from multimodal.sources.synthetic.damage import BAD_MEASUREMENTS, BROKEN_IMAGES
from multimodal.sources.synthetic.note import FINDINGS, UNRELATED, WORDING
from multimodal.sources.synthetic.truth import draw_truth, shown

PATIENTS, SEED = 2000, 0
SUBSETS = ["+".join(s) for size in (1, 2, 3) for s in combinations(MODALITIES, size)]


@pytest.fixture(scope="module")
def cohort():
    return synthesize(PATIENTS, SEED)


@pytest.fixture(scope="module")
def truth():
    y, evidence = truth_of(PATIENTS, SEED)
    return y, evidence


@pytest.fixture(scope="module")
def index(cohort):
    """{record_id: its row}"""
    return {record_id: i for i, record_id in enumerate(cohort.tables["patients"]["record_id"])}


@pytest.fixture(scope="module")
def pictures(cohort):
    """{path: float (rows, columns) in [0, 1]} of the sound files, as Pillow and pydicom read them."""
    refused = cohort.tables["patients"].set_index("record_id")["expected_refusals"]
    images = cohort.tables["images"]
    sound = ~images["record_id"].map(refused).str.contains("images:").to_numpy(bool)
    return {path: decoded(cohort.files[path], path) for path in images.loc[sound, "path"]}


def decoded(content, path):
    if path.endswith(".dcm"):
        data = pydicom.dcmread(BytesIO(content))
        pixels = data.pixel_array / 4095
        return 1 - pixels if data.PhotometricInterpretation == "MONOCHROME1" else pixels
    pixels = np.asarray(Image.open(BytesIO(content)))
    return pixels / (65535 if pixels.dtype == np.uint16 else 255)


def first_notes(cohort):
    notes = cohort.tables["notes"]
    return notes[notes["text"].str.contains("noted")].drop_duplicates("record_id")


def cross_fitted_auroc(model, X, y):
    return roc_auc_score(y, cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1])


def test_the_best_reachable_auroc_is_that_of_the_log_likelihood_ratio():
    """Monte Carlo with 200,000 records: the standard error is below 0.0015, so 0.006 is four of them."""
    y, evidence = draw_truth(200_000, np.random.default_rng(1))

    for t, target in enumerate(TARGETS):
        assert y[:, t].mean() == pytest.approx(LATENT[target].prevalence, abs=0.006)
        for subset in SUBSETS:
            chosen = [MODALITIES.index(modality) for modality in subset.split("+")]
            ratio = evidence[:, t, chosen] @ [LATENT[target].d[modality] for modality in subset.split("+")]
            assert best_auroc(target, subset.split("+")) == pytest.approx(roc_auc_score(y[:, t], ratio), abs=0.006)


def test_the_targets_are_independent_of_each_other_and_of_each_others_evidence():
    """With 200,000 records a correlation has a standard error of 0.0022; 0.01 is over four of them."""
    y, evidence = draw_truth(200_000, np.random.default_rng(2))

    for t, u in combinations(range(len(TARGETS)), 2):
        assert abs(np.corrcoef(y[:, t], y[:, u])[0, 1]) < 0.01
        for m in range(len(MODALITIES)):
            assert abs(np.corrcoef(y[:, t], evidence[:, u, m])[0, 1]) < 0.01


def test_each_target_states_the_best_reachable_auroc_of_every_set_of_modalities(cohort):
    for name, target in cohort.targets.items():
        stated = read_best(target.description)

        assert stated == {subset: round(best_auroc(name, subset.split("+")), 4) for subset in SUBSETS}
    assert read_best("Pneumonia, as the radiologist saw it") == {}


def test_the_whole_set_is_better_than_any_single_modality_by_a_visible_margin():
    for target in TARGETS:
        singles = [best_auroc(target, [modality]) for modality in MODALITIES]

        assert 0.70 <= min(singles) <= max(singles) <= 0.85
        assert best_auroc(target, MODALITIES) >= 0.90


def test_evidence_is_not_clipped_within_three_standard_deviations():
    for m, modality in enumerate(MODALITIES):
        reach = np.array([LATENT[target].d[modality] / 2 + 3 for target in TARGETS])

        for share in (-0.999, 0.999):
            assert (shown(share * reach[None, :], modality) != np.array([0.0, 1.0])[:, None]).all(), m


def test_the_same_numbers_give_the_same_bytes():
    first, again, other = synthesize(60, 3), synthesize(60, 3), synthesize(60, 4)

    assert first.files == again.files
    for name in first.tables:
        pd.testing.assert_frame_equal(first.tables[name], again.tables[name])
    assert first.files != other.files


@pytest.mark.parametrize(("patients", "seed"), [(0, 0), (-1, 0), (5, -1)])
def test_numbers_that_make_no_cohort_are_refused(patients, seed):
    with pytest.raises(ValueError, match=f"not {patients} and {seed}"):
        synthesize(patients, seed)


@pytest.mark.parametrize("patients", [1, 2, 7])
def test_a_cohort_may_be_tiny(patients):
    assert len(synthesize(patients, 0).tables["patients"]) == patients


def test_labels_are_those_of_the_truth_or_unknown(cohort, truth):
    labels = cohort.tables["labels"]
    for t, target in enumerate(TARGETS):
        known = labels[target].notna().to_numpy()

        assert (labels[target][known].to_numpy(int) == truth[0][known, t]).all()
        assert 0.03 < 1 - known.mean() < 0.07


# What each modality shows, read by hand: little of the evidence may be lost in showing it.


def explained(features, evidence):
    return LinearRegression().fit(features, evidence).score(features, evidence)


def test_the_notes_show_the_evidence(cohort, truth, index):
    """A reader who knows the wording recovers at least 0.95 of the variance."""
    notes = first_notes(cohort)
    rows = [index[record_id] for record_id in notes["record_id"]]
    step = {word: i for i, words in enumerate(WORDING) for word in words}
    for t, target in enumerate(TARGETS):
        organ = FINDINGS[target][0]
        total = [sum(step[w.lower()] for w in re.findall(rf"(\w+) {organ}", text)) for text in notes["text"]]

        assert explained(np.array(total)[:, None], truth[1][rows, t, 1]) > 0.95


def test_the_vitals_show_the_evidence(cohort, truth, index):
    """The mean of each code, in one unit, explains at least 0.95 of the variance."""
    m = cohort.tables["measurements"]
    m = m[pd.to_numeric(m["value"], errors="coerce").notna() & ~m["value"].isin(["0", "-9", "170", "98.6"])]
    value = pd.to_numeric(m["value"])
    value = value.where(m["unit"] != "[degF]", (value - 32) / 1.8)
    value = value.where(m["unit"] != "umol/L", value / 88.42)
    wide = m.assign(value=value).pivot_table(index="record_id", columns="code", values="value")
    rows = [index[record_id] for record_id in wide.index]
    codes = [code for code in wide.columns if wide[code].notna().mean() > 0.99]
    for t in range(len(TARGETS)):
        X = wide[codes].fillna(wide[codes].median())
        assert explained(X.to_numpy(), truth[1][rows, t, 2]) > 0.95


def measured_by_hand(image):
    """Exposure undone by two known greys; then the chest, the heart, the effusions and the upper lungs."""
    rows, columns = image.shape
    small = image[: rows // 2 * 2, : columns // 2 * 2].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))
    rows, columns = small.shape
    outside = np.median(small[: rows // 3, :2])
    body = np.median(small[rows * 93 // 100 :, columns // 4 : columns * 3 // 4])
    grey = (small - outside) / (body - outside) * 0.55
    width = (grey[rows // 2] > 0.15).sum() / columns
    lower = grey[rows // 2 :]
    lungs = grey[rows * 23 // 100 : rows * 52 // 100][:, np.r_[columns // 8 : columns * 2 // 5]]
    other = grey[rows * 23 // 100 : rows * 52 // 100][:, np.r_[columns * 3 // 5 : columns * 7 // 8]]
    height = (grey[:, columns // 2] > 0.15).sum() / rows
    return [
        width,
        height,
        (lower > 0.85).mean() / width,
        ((lower > 0.67) & (lower < 0.85)).mean() / width,
        lungs.mean(),
        other.mean(),
    ]


def test_the_radiographs_show_the_evidence(cohort, truth, index, pictures):
    """Six figures a reader could measure explain at least 0.90 of the variance of each target's evidence."""
    images = cohort.tables["images"].set_index("path").loc[list(pictures)]
    rows = [index[record_id] for record_id in images["record_id"]]
    features = np.array([measured_by_hand(picture) for picture in pictures.values()])
    features = np.column_stack([features, features[:, 2] * features[:, 3], features[:, 2] ** 2, features[:, 3] ** 2])
    scores = [explained(features, truth[1][rows, t, 0]) for t in range(len(TARGETS))]

    assert min(scores) > 0.90, scores


# What models make of it.


def test_words_in_context_read_the_notes_nearly_as_well_as_can_be(cohort, truth, index):
    """TF-IDF over one to three words and logistic regression stay within 0.02 of the same notes' own evidence.

    Compared with the AUROC of the evidence on the same records, so that luck in drawing them cancels.
    """
    notes = first_notes(cohort)
    rows = [index[record_id] for record_id in notes["record_id"]]
    for t in range(len(TARGETS)):
        y = truth[0][rows, t]
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 3), min_df=5), LogisticRegression())

        assert cross_fitted_auroc(model, notes["text"], y) > roc_auc_score(y, truth[1][rows, t, 1]) - 0.02


def test_single_words_say_less_than_half_of_what_the_notes_say(cohort, truth, index):
    notes = first_notes(cohort)
    rows = [index[record_id] for record_id in notes["record_id"]]
    for t, target in enumerate(TARGETS):
        half = auroc_of(LATENT[target].d["notes"] / 2)

        assert (
            cross_fitted_auroc(make_pipeline(TfidfVectorizer(), LogisticRegression()), notes["text"], truth[0][rows, t])
            < half
        )


def auroc_of(d):
    """The AUROC of a single score whose classes lie d standard deviations apart."""
    return NormalDist().cdf(d / np.sqrt(2))


def test_the_mean_grey_value_says_less_than_half_of_what_the_image_says(cohort, truth, index, pictures):
    images = cohort.tables["images"].set_index("path").loc[list(pictures)]
    rows = [index[record_id] for record_id in images["record_id"]]
    grey = np.array([picture.mean() for picture in pictures.values()])
    for t, target in enumerate(TARGETS):
        auroc = roc_auc_score(truth[0][rows, t], grey)

        assert max(auroc, 1 - auroc) < auroc_of(LATENT[target].d["image"] / 2)


# What knows nothing of the labels.


@pytest.fixture(scope="module")
def nuisance(cohort):
    """A table of everything around the inputs, a row per record."""
    patients, images, notes, measurements = (
        cohort.tables[name] for name in ("patients", "images", "notes", "measurements")
    )
    ids = patients["record_id"]
    frame = pd.DataFrame({"age": pd.to_numeric(patients["age_years"]).fillna(62).to_numpy()}, index=ids)
    frame["age_known"] = patients["age_years"].notna().to_numpy(float)
    for sex in ("female", "male"):
        frame[sex] = (patients["sex"] == sex).to_numpy(float)
    frame["images"] = images["record_id"].value_counts()
    frame["notes"] = notes["record_id"].value_counts()
    frame["measurements"] = measurements["record_id"].value_counts()
    frame = frame.fillna(0)
    for name in ("images", "notes", "measurements"):
        frame[f"has_{name}"] = (frame[name] > 0).astype(float)
    frame["characters"] = notes.assign(n=notes["text"].str.len()).groupby("record_id")["n"].mean()
    frame["words"] = notes.assign(n=notes["text"].str.split().str.len()).groupby("record_id")["n"].mean()
    first = images.drop_duplicates("record_id").set_index("record_id")["path"]
    for suffix in (".png", ".jpg", ".dcm"):
        frame[suffix] = first.str.endswith(suffix).astype(float)
    frame["bytes"] = first.map(lambda path: len(cohort.files.get(path, b"")))
    frame["refusals"] = (patients["expected_refusals"] != "").to_numpy(float)
    return frame.fillna(frame.mean())


def test_nothing_around_the_inputs_predicts_a_target(nuisance, truth):
    """Each of 17 figures alone, and all together, for each target.

    With 2,040 records and a prevalence of 0.3 an AUROC without any signal has a standard deviation of 0.014, so that
    a figure leaves [0.45, 0.55] by luck with a chance of 0.001; the seed is fixed, so it does not come and go.
    """
    for t in range(len(TARGETS)):
        y = truth[0][:, t]
        for name in nuisance:
            assert 0.45 < roc_auc_score(y, nuisance[name]) < 0.55, name
        together = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
        assert 0.45 < cross_fitted_auroc(together, nuisance, y) < 0.55


def test_the_size_of_a_picture_predicts_no_target(cohort, truth, index, pictures):
    images = cohort.tables["images"].set_index("path").loc[list(pictures)]
    rows = [index[record_id] for record_id in images["record_id"]]
    for side in (0, 1):
        sizes = [picture.shape[side] for picture in pictures.values()]
        for t in range(len(TARGETS)):
            assert 0.45 < roc_auc_score(truth[0][rows, t], sizes) < 0.55


# What is wrong on purpose.


def test_each_modality_is_missing_for_about_a_seventh_and_some_records_have_none(cohort):
    ids = cohort.tables["patients"]["record_id"]
    has = pd.DataFrame(
        {name: ids.isin(cohort.tables[name]["record_id"]) for name in ("images", "notes", "measurements")}
    )

    assert has.mean().between(0.82, 0.88).all()
    assert (~has).all(axis=1).any()


def test_every_kind_of_damage_is_there_and_every_expected_refusal_is_a_reason_code(cohort):
    expected = {item for text in cohort.tables["patients"]["expected_refusals"] for item in text.split()}

    assert expected == {
        *(f"images:{code}" for code in BROKEN_IMAGES.values()),
        *(f"measurements:{code}" for _, code in BAD_MEASUREMENTS),
        "notes:EMPTY_NOTE",
        "record:NO_INPUT",
    }
    assert {item.split(":")[1] for item in expected} <= set(REASONS)


def test_no_input_is_expected_exactly_where_nothing_usable_is_left(cohort):
    patients = cohort.tables["patients"]
    without = {
        record_id for record_id, text in zip(patients["record_id"], patients["expected_refusals"]) if "NO_INPUT" in text
    }
    refused = dict(zip(patients["record_id"], patients["expected_refusals"]))
    usable = set(cohort.tables["measurements"]["record_id"])
    for name, words in (("notes", "notes:"), ("images", "images:")):
        counts = cohort.tables[name]["record_id"].value_counts()
        usable |= {record_id for record_id, n in counts.items() if n > (words in refused[record_id])}

    assert without == set(patients["record_id"]) - usable


def test_all_formats_and_depths_occur_and_the_files_are_what_they_seem(cohort, pictures):
    kinds = set()
    for path in pictures:
        content = cohort.files[path]
        if path.endswith(".dcm"):
            data = pydicom.dcmread(BytesIO(content))
            kinds.add((data.PhotometricInterpretation, data.BitsStored))
            assert "PatientID" not in data
            assert "StudyDate" not in data
        else:
            picture = Image.open(BytesIO(content))
            kinds.add((picture.format, picture.mode))

    assert kinds == {("MONOCHROME1", 12), ("MONOCHROME2", 12), ("PNG", "L"), ("PNG", "I;16"), ("JPEG", "L")}
    assert all(picture.min() > 0 and picture.max() < 1 for picture in pictures.values())


def test_all_measurements_but_the_bad_ones_are_of_the_measurement_table_and_plausible(cohort):
    table = measurement_table()
    m = cohort.tables["measurements"]
    bad = {(code, value) for (code, value, _, _), _ in BAD_MEASUREMENTS}
    units = set()
    for code, value, unit in zip(m["code"], m["value"], m["unit"]):
        if (code, value) in bad:
            continue
        kind = table[code]
        unit = kind.unit if pd.isna(unit) else table.ucum(unit)
        factor, offset = (1.0, 0.0) if unit == kind.unit else kind.units[unit]
        units.add((code, unit != kind.unit))
        assert kind.low <= float(value) * factor + offset <= kind.high, (code, value, unit)
    assert {("temperature", True), ("creatinine", True), ("glucose", True)} <= units


def test_a_patient_may_have_two_records(cohort):
    counts = cohort.tables["patients"]["patient_id"].value_counts()

    assert (counts == 2).sum() == PATIENTS // 50
    assert cohort.tables["patients"]["record_id"].is_unique


def test_unrelated_findings_share_the_wording_but_no_organ():
    organs = [organ for organ, _ in (*FINDINGS.values(), *UNRELATED)]

    assert len(set(organs)) == len(organs)
