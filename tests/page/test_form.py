"""What the page answers, called without a browser."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from multimodal import ClinicalModel, Cohort, Config, Note, PatientRecord, Target
from multimodal.page.answer_html import NOTICE, answer_html, codes_html
from multimodal.page.answering import Filled, answer, learnt_codes, look_at
from multimodal.page.examples import ready_examples
from multimodal.page.layout import Form, layout
from multimodal.page.private import UPLOAD_BYTES, Picture, suffix_of, take_upload
from multimodal.records import ItemError, MeasurementKind


def words(page: str) -> str:
    """The text of some HTML, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_an_example_gets_the_answer_that_its_cohort_gets(model, cohort, folder):
    """The page, the command line and Python agree; kept are 12 digits of each probability."""
    whole = model.predict(cohort)
    found = 0
    for example in ready_examples(model, cohort):
        prediction, _ = answer(model, example.filled)
        probs = np.array([prediction.targets[name].probability for name in whole.targets])
        found += bool((np.abs(whole.probability - probs).max(axis=1) < 1e-12).any())

    assert found >= 3  # an item refused while the cohort was read cannot be put into a form


def test_the_examples_show_everything_one_modality_the_others_and_a_refusal(model, cohort, folder):
    examples = ready_examples(model, cohort)

    answers = [answer(model, example.filled)[0] for example in examples]
    assert [example.title for example in examples[:3]] == [
        "All: image + notes + vitals",
        "Only image",
        "notes + vitals",
    ]
    assert [found.used for found in answers[:3]] == [("image", "notes", "vitals"), ("image",), ("notes", "vitals")]
    assert [bool(found.refused) for found in answers] == [False, False, False, True]
    assert not examples[0].trained_on


def test_an_empty_form_is_no_answer_and_says_so(form):
    page, picture = form.score(Filled())

    assert "No answer. There is nothing usable to answer from." in words(page)
    assert NOTICE in page
    assert picture is None


def test_an_answer_names_targets_thresholds_decisions_and_what_was_missing(form, model):
    page, _ = form.score(Filled(note="Major pulmonary consolidation noted.", values={"heart_rate": "120"}))

    for name in model.targets:
        assert f"data-target='{name}'" in page
    assert len(re.findall(r"threshold \d\.\d{3}", page)) == len(model.targets)
    assert len(re.findall(r">(positive|negative)<", page)) == len(model.targets)
    assert "notes used vitals used image missing" in words(page)
    assert page.count("data:image/svg+xml;base64,") == len(model.targets)


@pytest.mark.parametrize(
    ("filled", "said"),
    [
        (Filled(values={"heart_rate": "700"}), "Heart rate: heart_rate 700 is outside 10-300 /min"),
        (Filled(values={"heart_rate": "fast"}), "Heart rate: "),
        (Filled(rows=[["heart_rat", "80", "", ""]]), "Row 1 of the table: "),
        (Filled(rows=[["heart_rate", "80", "", "3"]]), "FUTURE_INPUT"),
        (Filled(note="--"), "The note: the note has no letter and no digit"),
        (Filled(age_years="200", note="fever"), "The age: "),
        (Filled(age_years="old", note="fever"), "The age: "),
        (Filled(rows=[["", "80", "", ""]]), "Row 1 of the table: "),
    ],
)
def test_what_is_wrong_in_the_form_is_said_with_its_place(form, filled, said):
    assert said in words(form.score(filled)[0])


def test_nothing_from_outside_becomes_markup(form):
    attack = "<img src=x onerror=alert(1)>"
    page, _ = form.score(Filled(rows=[[attack, attack, attack, attack]], note=attack))

    assert "<img src=x" not in page


def test_an_upload_is_in_memory_only_and_dropped_after_the_answer(form, folder, upload, cohort):
    """PEERS: patient files that stayed in gradio's temporary folder."""
    path = next(path for path in sorted((cohort.root / "images").iterdir()) if path.suffix == ".png")
    picture, preview = form.choose(upload("patient name.png", path.read_bytes()))

    assert list(folder.iterdir()) == []
    assert "data:image/png;base64," in preview
    page, left = form.score(Filled(picture))
    assert left is None
    assert "image used" in words(page)
    assert "The uploaded image was deleted" in words(page)
    assert "patient name" not in page + preview + repr(picture)
    assert list(folder.iterdir()) == []


def test_an_example_stays_for_a_second_answer(form, model, cohort):
    filled = ready_examples(model, cohort)[0].filled

    assert form.score(filled)[1] is filled.picture
    assert form.score(filled)[0] == form.score(replace(filled))[0]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("note.png", b"a text file, whatever its name says", "NOT_AN_IMAGE"),
        ("empty.dcm", b"", "FILE_EMPTY"),
        ("large.dcm", b"\0" * (UPLOAD_BYTES + 1), "IMAGE_TOO_LARGE"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "DECODE_FAILED"),
    ],
)
def test_a_bad_upload_gives_a_sentence_and_leaves_no_file(form, folder, upload, name, content, code):
    _, preview = form.choose(upload(name, content))

    assert words(preview).startswith("The image: ")
    assert words(preview).endswith(code)
    assert list(folder.iterdir()) == []


def test_only_uploads_are_read_and_removed(folder, tmp_path):
    """The path comes from the browser: it may name any file."""
    other = tmp_path / "other.png"
    other.write_bytes(b"mine")
    link = folder / "0123"
    for path in (str(other), f"{folder}/../{tmp_path.name}/other.png", str(folder)):
        with pytest.raises(ItemError, match="PATH_OUTSIDE: this is no upload"):
            take_upload({"path": path, "orig_name": "x.png"})
    link.symlink_to(other)
    with pytest.raises(ItemError, match="PATH_OUTSIDE"):
        take_upload({"path": str(link), "orig_name": "x.png"})
    link.unlink()

    assert other.read_bytes() == b"mine"


def test_a_name_leaves_only_a_plain_suffix():
    names = ["Doe^Jane.dcm", "x", "x.p n", "../../x.png", "x.verylongsuffix", "x.\u202egnp"]

    assert [suffix_of(name) for name in names] == [".dcm", "", "", ".png", "", ""]


SICK = {"heart_rate": "135", "systolic_bp": "105", "temperature": "38.5", "respiratory_rate": "16"}


def test_the_bedside_scores_stand_under_the_answer_with_what_was_missing(form):
    """NEWS2: pulse 3, pressure 1, temperature 1; the shock index is 135 / 105."""
    page, _ = form.score(Filled(values=SICK))
    text = words(page)

    assert (
        "NEWS2 0 to 20 5 alert from 5: urgent response oxygen saturation, oxygen, consciousness "
        "qSOFA 0 to 3 0 no alert from 2: poor outcome likely if infected consciousness "
        "shock index 0 and more 1.29 alert from 0.9: immediate treatment nothing "
    ) in text
    assert text.index("Decision") < text.index("Bedside scores") < text.index("What moved it")
    assert "SOFA" not in text.replace("qSOFA", "")
    assert "decided, not the model" not in text


def test_without_a_score_there_is_no_table_of_them(form):
    assert "Bedside scores" not in form.score(Filled(note="Major pulmonary consolidation noted."))[0]


def test_a_rule_that_decided_is_named_and_what_was_typed_stays_text():
    """A model of notes alone, asked about measurements; the target's name is as odd as a name may be."""
    records = [
        PatientRecord(
            record_id=f"r{i}", patient_id=f"p{i}", notes=[Note(text=f"w{i % 2} {i}")], labels={"death": i % 2}
        )
        for i in range(60)
    ]
    config = Config.model_validate({"notes": {"encoders": ["words"]}, "trust": {"fallback": "news2"}})
    target = Target(name="death", kind="risk", description="<b>death</b>")
    model = ClinicalModel(config).fit(Cohort.from_records(records, targets={"death": target}))
    prediction, places = answer(model, Filled(values=SICK))

    text = words(answer_html(model, prediction, places, deleted=False))
    assert (
        "No answer. There is nothing usable to answer from. NEWS2 decided, not the model: it is 5, at or above 5."
        in text
    )
    assert "death: positive ." in text
    assert "NEWS2 0 to 20 5 alert" in text

    unsure = prediction.model_copy(update={"used": ("notes",), "abstained": "NO_INPUT"})
    page = answer_html(model, unsure, places, deleted=False)
    assert "The model does not decide." in words(page)
    assert "positive by NEWS2" in words(page)
    assert "<b>death</b>: <b>" not in page


def test_a_preview_of_no_image_is_none(model, folder):
    pixels, problems, facts = look_at(model, Picture(b"text", ".png", uploaded=True))

    assert pixels is None
    assert [problem.code for problem in problems] == ["NOT_AN_IMAGE"]
    assert facts == {}


def test_an_exclusive_group_shows_the_five_most_probable_classes():
    """Seven classes told apart by a word each; no threshold, one decision."""
    names = [f"class_{i}" for i in range(7)]
    records = [
        PatientRecord(
            record_id=f"r{i}",
            patient_id=f"p{i}",
            notes=[Note(text=f"word{i % 7} and filler{i}")],
            labels={name: int(i % 7 == k) for k, name in enumerate(names)},
        )
        for i in range(7 * 12)
    ]
    targets = {name: Target(name=name, group="kind_of_note") for name in names}
    # To notes of two words any other is strange; the gates have tests of their own.
    config = Config.model_validate({"notes": {"encoders": ["words"]}, "trust": {"false_alarms": 0}})
    model = ClinicalModel(config).fit(Cohort.from_records(records, targets=targets))
    prediction, places = answer(model, Filled(note="word3 again"))

    page = answer_html(model, prediction, places, deleted=False)

    assert "kind_of_note: the 5 most probable of 7" in words(page)
    assert re.findall(r"data-target='(\w+)'", page)[0] == "class_3"
    assert len(re.findall(r"data-target=", page)) == 5
    assert page.count("most probable</span>") == 1
    assert "threshold" not in page


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cr/rsna_chest_mono2.dcm", "Read: CR, PA view, chest; lossy compression."),
        ("enhanced/emr_siemens_6frames.dcm", "Read: MR, brain, 6 of 6 axial slices 2.4 mm apart."),
        ("us/us_jpegls_burned_in.dcm", "Read: US. Annotation is burned into the picture."),
    ],
)
def test_what_was_read_of_an_image_stands_under_it_and_in_the_answer(form, upload, shared, file, line):
    picture, preview = form.choose(upload("x.dcm", (shared / "data" / "dicom" / file).read_bytes()))
    page, _ = form.score(Filled(picture))

    assert line in words(preview)
    assert line in words(page)


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory) -> ClinicalModel:
    """A model of a table of one's own, saved and loaded."""
    rng, infinity = np.random.default_rng(0), float("inf")
    y = rng.integers(0, 2, 60)
    own = [
        MeasurementKind("dyspnoea", "Short of <breath>", "", "flag", "1", -infinity, infinity),
        MeasurementKind("smoking", "Smoking", "", "category", "1", -infinity, infinity, {}, ("never", "current")),
        MeasurementKind("crp_hs", "CRP", "", "quantity", "mg/L", 0.0, 500.0, {"mg/dL": (10.0, 0.0)}),
        MeasurementKind("ratio", "Ratio", "", "quantity", "1", 0.0, infinity),
    ]
    records = [
        PatientRecord(
            record_id=f"r{i}",
            patient_id=f"p{i}",
            measurements=[
                {"code": "dyspnoea", "value": str(y[i])},
                {"code": "smoking", "value": "never" if i % 3 else "current"},
                {"code": "crp_hs", "value": 1.0 + i},
                {"code": "ratio", "value": 0.1 * i},
                {"code": "heart_rate", "value": 60.0 + i},
            ],
            labels={"mi": int(y[i])},
        )
        for i in range(60)
    ]
    config = Config.model_validate({"vitals": {"encoders": ["logistic"]}})
    cohort = Cohort.from_records(records, measurements={kind.code: kind for kind in own})
    folder = tmp_path_factory.mktemp("plain") / "model"
    ClinicalModel(config).fit(cohort).save(folder)
    return ClinicalModel.load(folder)


def test_a_models_own_measurements_have_fields_with_their_names_ranges_and_levels(plain_model, folder):
    form = Form(plain_model)
    fields = {
        component["props"]["label"]: component["props"]
        for component in layout(plain_model, None).config["components"]
        if component["props"].get("label")
    }

    assert form.codes == ["heart_rate", "dyspnoea", "smoking", "crp_hs", "ratio"]
    assert [value for _, value in fields["Short of <breath>"]["choices"]] == ["", "0", "1"]
    assert [value for _, value in fields["Smoking"]["choices"]] == ["", "never", "current"]
    assert (fields["CRP, mg/L"]["placeholder"], fields["Ratio"]["placeholder"]) == ("0 to 500", "from 0")


def test_a_models_own_measurements_are_typed_in_and_judged(plain_model, folder):
    form = Form(plain_model)
    page, _ = form.score(Filled(values={"dyspnoea": "1", "smoking": "curent", "crp_hs": "999"}))
    typed, _ = form.score(Filled(rows=[["crp_hs", "1", "mg/dl", ""], ["Dyspnoea", "yes", "", ""]]))

    assert "Smoking: smoking 'curent' is none of never, current; did you mean 'current'?" in words(page)
    assert "CRP: crp_hs 999 is outside 0-500 mg/L" in words(page)
    assert "vitals used" in words(typed)
    assert "Not used" not in words(typed)


def test_the_list_of_measurements_shows_a_models_own(plain_model):
    page = codes_html(learnt_codes(plain_model), plain_model.table)

    assert "<td>Short of &lt;breath&gt;</td><td>flag</td><td></td><td>0, 1</td>" in page
    assert "<code>crp_hs</code></td><td>CRP</td><td>mg/L</td><td>mg/dL</td><td>0 to 500</td>" in page


def test_newer_measurements_show_what_changed(form, model):
    """The same note, a faster pulse: before and now, by what, and from which value. Another age is another patient."""
    watch = model.watch()
    calm = Filled(note="Major pulmonary consolidation noted.", age_years="60", values={"heart_rate": "80"})
    first, _ = form.score(calm, watch)
    second, _ = form.score(replace(calm, values={"heart_rate": "140"}), watch)
    other, _ = form.score(replace(calm, age_years="20", values={"heart_rate": "90"}), watch)

    assert "Since the answer before" not in first
    said = words(second)
    assert "Since the answer before Newer measurements: Heart rate 80 \N{RIGHTWARDS ARROW} 140 /min." in said
    assert re.search(r"Moved by, in log-odds pneumonia 0\.\d{3} → 0\.\d{3} .*vitals [+-]\d\.\d\d", said)
    assert "Since the answer before" not in other


def test_the_measurements_that_a_network_learnt_from_are_listed_too(cohort, tmp_path):
    """A model with the GRU alone: the page asks for what it reads."""
    quick = Config.model_validate(
        {"image": {"encoders": []}, "notes": {"encoders": []}, "vitals": {"encoders": ["gru"]}}
    )
    network = ClinicalModel(quick).fit(cohort)

    assert {"heart_rate", "systolic_bp", "temperature"} <= set(learnt_codes(network))
