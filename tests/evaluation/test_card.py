"""The model card: what the artefacts say stands there, the rest is OPEN, and no text of others does harm."""

import html
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from multimodal import ClinicalModel, Cohort, Config, evaluate
from multimodal.cli import main
from multimodal.evaluation.card import escaped, make_card, markdown_of, reporting_items, write_card
from multimodal.evaluation.card_facts import facts_of
from multimodal.evaluation.refits import evaluate_refits
from multimodal.records import PatientRecord, Target, UsageError
from multimodal.records.model_card import ModelCard
from multimodal.sources import write_cohort
from multimodal.sources.tables import CohortTables

HOSTILE = "<script>alert(1)</script> | ![x](http://example.org/x.png) **bold** `code` @someone www.example.org"
QUICK = Config.model_validate({"notes": {"encoders": ["words"]}})


def cohort_of(site, n=60, description=HOSTILE):
    records = [
        PatientRecord(
            record_id=f"{site}-record-{i}",
            patient_id=f"{site}-patient-{i}",
            notes=[{"text": f"{'Cough' if i % 2 else 'Rash'} in case {site}{i}."}],
            labels={"flu": i % 2},
            attributes={"site": f"{HOSTILE}{i % 3 == 0}"},
        )
        for i in range(n)
    ]
    return Cohort.from_records(records, targets={"flu": Target(name="flu", description=description)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, an evaluation of it, and one of refits."""
    import pandas as pd

    made = tmp_path_factory.mktemp("card")
    ids = [f"a-patient-{i}" for i in range(60)]
    tables = {
        "patients": pd.DataFrame({"record_id": ids, "patient_id": ids}),
        "notes": pd.DataFrame(
            {"record_id": ids, "text": [f"{('Rash', 'Cough')[i % 2]} in case {i}." for i in range(60)]}
        ),
        "labels": pd.DataFrame({"record_id": ids, "flu": [i % 2 for i in range(60)]}),
    }
    targets = {"flu": Target(name="flu", description=HOSTILE)}
    write_cohort(made / "cohort", CohortTables(HOSTILE, HOSTILE + "\n# A heading\n- a list", targets, tables))
    model = ClinicalModel(QUICK).fit(Cohort.open(made / "cohort"))
    model.save(made / "model")
    evaluate(model, cohort_of("b"), resamples=20).write(made / "evaluation")
    evaluate_refits(model, cohort_of("b"), leave_out="site", resamples=20).write(made / "refits")
    model.calibrated(cohort_of("c")).save(made / "recalibrated")
    return made


def test_the_items_are_all_those_of_the_guidelines():
    """TRIPOD+AI: 27 items with 52 parts (Collins et al., 2024); CLAIM: 44 items (Tejani et al., 2024)."""
    items = reporting_items()
    tripod = [one.item for one in items if one.checklist == "TRIPOD+AI"]

    assert len(tripod) == len(set(tripod)) == 52
    assert list(dict.fromkeys(int(re.match(r"\d+", number)[0]) for number in tripod)) == list(range(1, 28))
    assert [one.item for one in items if one.checklist == "CLAIM"] == [str(number) for number in range(1, 45)]


def test_every_fact_that_an_item_names_is_there_and_none_is_idle(folder):
    known = facts_of(ClinicalModel.load(folder / "model"), {}, None)

    assert {name for one in reporting_items() for name in one.facts} == set(known)


@pytest.mark.parametrize("evaluation", [None, "evaluation", "refits"])
def test_every_item_is_filled_partly_filled_or_open(folder, evaluation):
    card = make_card(folder / "model", evaluation and folder / evaluation)
    page = markdown_of(card)

    for one in card.items:
        assert (one.status == "OPEN") == (one.answer is None)
        line = next(line for line in page.splitlines() if line.startswith(f"| {one.checklist} | {one.item} |"))
        assert ("**OPEN" in line) == (one.status != "filled")
    assert {one.status for one in card.items} == {"filled", "partly", "OPEN"}
    # What no software can know stays open: ethics, funding, registration.
    status = {(one.checklist, one.item): one.status for one in card.items}
    assert {status["TRIPOD+AI", number] for number in ("17", "18a", "18d", "19", "25")} == {"OPEN"}


def test_an_evaluation_fills_what_is_open_without_it(folder):
    def status(evaluation, *number):
        card = make_card(folder / "model", evaluation and folder / evaluation)
        return next(one.status for one in card.items if (one.checklist, one.item) == number)

    assert [status(one, "TRIPOD+AI", "23b") for one in (None, "evaluation", "refits")] == ["OPEN", "OPEN", "filled"]
    assert [status(one, "CLAIM", "33") for one in (None, "evaluation")] == ["OPEN", "partly"]


def test_the_figures_are_those_of_the_model_and_of_the_evaluation(folder):
    model = ClinicalModel.load(folder / "model")
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))

    card = make_card(folder / "model", folder / "evaluation")

    ours, theirs = card.cross_fitted["flu"], card.evaluation.targets["flu"]
    assert ours.figures["auroc"].model_dump() == model.figures_["targets"]["flu"]["fused"]["auroc"]
    assert theirs.figures["ece"].model_dump() == metrics["targets"]["flu"]["fused"]["ece"]
    assert (card.records, card.targets["flu"].positive, card.targets["flu"].rule) == (60, 30, "youden")
    assert card.targets["flu"].assumed_prevalence == model.assumed_prevalence[0]
    assert f"{theirs.figures['brier'].value:.3f}" in markdown_of(card)


def test_a_recalibration_is_told_with_its_counts(folder):
    card = make_card(folder / "recalibrated")
    answer = next(one.answer for one in card.items if (one.checklist, one.item) == ("TRIPOD+AI", "24"))

    before = ClinicalModel.load(folder / "model").model_id
    assert answer.startswith(f"From model {before} to records, on 60 records of 60 patients: flu prevalence 0.500")


@pytest.mark.parametrize("evaluation", ["evaluation", "refits"])
def test_the_text_of_others_is_shown_and_is_no_markup(folder, evaluation):
    """Rendered by another program, as GitHub would: nothing but our own headings, tables and marks."""
    page = markdown_of(make_card(folder / "model", folder / evaluation))

    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)

    ours = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "strong", "code", "pre"}
    assert set(re.findall(r"<(\w+)", rendered)) <= ours
    assert set(re.findall(r"<strong>(.*?)</strong>", rendered)) == {"OPEN", "OPEN: the rest"}
    assert html.escape(HOSTILE, quote=False) in rendered
    assert len(re.findall("<h2>", rendered)) == page.count("\n## ")
    assert "http://" not in page
    assert "www." not in page


# Control characters and lone surrogates cannot come in: the forms and the tables refuse them.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60).filter(str.strip)
marks = st.text("-+=#>*_`~|[]()!<&;:@\\ 12.)x", max_size=20).filter(str.strip)


@given(texts | marks)
def test_an_escaped_text_reads_as_itself(text):
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(escaped(text))
    (inner,) = re.findall(r"<p>(.*)</p>\n\Z", rendered, re.DOTALL)

    assert "<" not in inner
    assert html.unescape(inner) == " ".join(text.split())


def test_the_card_keeps_its_form_holds_no_identifier_and_is_the_same_again(folder, tmp_path):
    for name in ("a", "b"):
        write_card(make_card(folder / "model", folder / "evaluation"), tmp_path / name)
    written = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}

    assert written == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert sorted(written) == ["MODEL_CARD.md", "model_card.json"]
    state = json.loads(written["model_card.json"])
    assert ModelCard.model_validate(state).model_dump(mode="json", by_alias=True) == state
    assert not any(re.search(rb"[ab]-(patient|record)-\d", text) for text in written.values())
    assert not np.any([str(folder).encode() in text for text in written.values()])


def test_the_command_writes_the_card_and_refuses_figures_of_another_model(folder, tmp_path, capsys):
    arguments = ["card", str(folder / "recalibrated"), "--out", str(tmp_path / "out")]

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search(r"of 96 reporting items \d+ filled, \d+ partly, \d+ OPEN\n$", said)
    assert (tmp_path / "out" / "model_card.json").is_file()
    with pytest.raises(UsageError, match=r"metrics\.json is of model [0-9a-f]{16}, not of [0-9a-f]{16}$"):
        make_card(folder / "recalibrated", folder / "evaluation")
    with pytest.raises(UsageError, match=r"holds no metrics\.json that this version wrote: run `evaluate` again"):
        make_card(folder / "model", folder / "model")
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--overwrite"])

    assert ended.value.code == 2
    assert "is no earlier card, it holds 'thesis.docx'" in capsys.readouterr().err
