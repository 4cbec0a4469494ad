"""data_schemas/ is generated: it agrees with the forms, and the files that we write and read agree with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from multimodal.records import REASONS, RecordError, measurement_table
from multimodal.records.documents import CohortDescription, Metrics
from multimodal.records.schemas import DICTIONARY, SCHEMAS, contents, write_schemas
from multimodal.sources import Cohort, new_cohort
from multimodal.sources.description import read_description
from multimodal.trust.subgroups import by_value
from multimodal.trust.tabulate import Answers, Group, Scored, tabulate
from multimodal.vitals import check, plan
from multimodal.vitals.dictionary import feature_sections

COMMITTED = Path(__file__).resolve().parents[2] / "data_schemas"


@pytest.fixture(scope="module")
def composite_features(shared):
    batch = Cohort.open(shared / "data" / "composite").batch()
    return plan(check(batch), len(batch)).names


def test_the_committed_folder_is_not_stale():
    """Whoever changes a form, a measurement or a reason code runs `make schemas`."""
    committed = {file.name: file.read_text(encoding="utf-8") for file in COMMITTED.iterdir()}

    assert committed == contents(feature_sections()), "data_schemas/ is stale: run `make schemas`"


def test_the_same_version_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_schemas(tmp_path / name)

    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == sorted([*SCHEMAS, DICTIONARY])
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def _forms():
    for name in SCHEMAS:
        schema = json.loads(contents()[name])
        yield from [schema, *schema.get("$defs", {}).values()]


@pytest.mark.parametrize("form", list(_forms()), ids=lambda form: form["title"])
def test_every_form_says_what_it_is_and_every_field_what_it_means(form):
    assert form["description"]
    assert form["additionalProperties"] is False
    for name, field in form["properties"].items():
        assert field.get("description"), f"{form['title']}.{name} has no description"


def test_the_dictionary_lists_every_measurement_and_every_reason_code_once():
    lines = contents()[DICTIONARY].splitlines()

    for key in [*measurement_table(), *REASONS]:
        assert sum(line.startswith(f"| {key} | ") for line in lines) == 1, key


def test_the_dictionary_explains_every_feature_column(composite_features):
    """Each column of the composite cohort's vitals is a row, or a code and a summary that are rows."""
    lines = contents(feature_sections())[DICTIONARY].splitlines()
    rows = {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")}

    for column in composite_features:
        code, dot, summary = column.partition(".")
        code, equals, _ = code.partition("=")
        assert code in rows, column
        assert not dot or f"CODE.{summary}" in rows, column
        assert not equals or "CODE=LEVEL" in rows


def test_a_row_of_the_dictionary_reads_like_this():
    lines = contents()[DICTIONARY].splitlines()

    assert "| age_years | number from 0 to 120 or null | years |  | age at the prediction; null: unknown |" in lines
    assert (
        "| temperature | Body temperature | 8310-5 | quantity | Cel | "
        "[degF] (× 0.555556 + -17.7778), K (× 1 + -273.15) | 25 | 45 |  |"
    ) in lines
    assert "| EMPTY_NOTE | refuse | a note without letters or digits | Leave the note out. |" in lines


def test_the_description_of_a_new_cohort_fits_its_form(tmp_path):
    new_cohort(tmp_path / "cohort")

    CohortDescription.model_validate(tomllib.loads((tmp_path / "cohort" / "cohort.toml").read_text(encoding="utf-8")))


def test_the_description_of_a_real_cohort_fits_its_form(shared):
    text = (shared / "data" / "composite" / "cohort.toml").read_text(encoding="utf-8")

    CohortDescription.model_validate(tomllib.loads(text))


FULL_DESCRIPTION = """
schema = 1
name = "all keys"
provenance = "made up"
attributes = ["ward"]
ignore = ["row"]
[targets.sepsis]
kind = "risk"
group = "course"
horizon_hours = 48
description = "Sepsis within two days"
words = ["sepsis"]
[measurements.grip_strength]
display = "Grip strength"
kind = "quantity"
unit = "kg"
low = 0
high = 100
units = {"[lb_av]" = [0.45359237, 0.0]}
censored = true
[measurements.smoking]
kind = "category"
categories = ["never", "former"]
"""


def test_the_form_of_cohort_toml_has_the_keys_that_the_reader_takes(tmp_path):
    """Two places know these keys: the reader, which has messages of its own, and the form that documents it."""
    path = tmp_path / "cohort.toml"
    path.write_text(FULL_DESCRIPTION, encoding="utf-8")
    read = read_description(path)
    form = CohortDescription.model_validate(tomllib.loads(FULL_DESCRIPTION))

    assert set(CohortDescription.model_json_schema()["properties"]) == set(tomllib.loads(FULL_DESCRIPTION))
    assert form.targets["sepsis"].model_dump() == read.targets["sepsis"].model_dump(exclude={"name"})
    entry, kind = form.measurements["grip_strength"], read.measurements["grip_strength"]
    units = {unit: tuple(scale) for unit, scale in entry.units.items()}
    assert entry.model_dump() | {"units": units} == {name: getattr(kind, name) for name in type(entry).model_fields}
    assert form.measurements["smoking"].categories == read.measurements["smoking"].categories


def test_an_unknown_key_of_cohort_toml_breaks_the_form():
    with pytest.raises(RecordError) as caught:
        CohortDescription.model_validate({"schema": 1, "nam": "x"})

    assert str(caught.value) == "UNKNOWN_FIELD: nam: there is no such field; did you mean 'name'?"


@pytest.mark.parametrize("extra", [{}, {"includes_training_patients": 3}], ids=["plain", "all patients"])
def test_metrics_as_they_are_tabulated_fit_their_form(extra):
    rng = np.random.default_rng(0)
    labels = np.eye(2)[rng.integers(0, 2, 40)]
    labels[0] = np.nan
    answers = Answers(rng.random((40, 2)), rng.integers(0, 2, (40, 2)).astype(float), np.array([0.5, np.nan]))
    score = Answers(rng.random((40, 2)) * 9, np.zeros((40, 2)), np.array([5.0, 5.0]), is_probability=False)
    scored = Scored(
        targets=("a", "b"),
        modalities=("image", "notes"),
        labels=labels,
        patients=np.arange(40).astype(str).astype(object),
        present=rng.random((40, 2)) < 0.7,
        abstained=np.zeros(40, dtype=bool),
        fused=answers,
        single={"image": answers, "notes": answers},
        baselines={"sum": answers, "news2": score},
        groups={"kind": Group(("a", "b"), np.array(["a", "b"] * 20, dtype=object), np.array(["a"] * 40, dtype=object))},
        without={"image": answers},
        base=np.array([0.4, 0.6]),
        partings={"sex": by_value(["female"] * 35 + ["male"] * 5)},
    )
    counts = {"records": 40, "patients": 40, "excluded_training_patients": 0, "no_input": 3, "abstained": 0} | extra
    metrics = {"schema": 1, "model_id": "0" * 16, "cohort": counts, **tabulate(scored, resamples=20)}

    read = Metrics.model_validate(json.loads(json.dumps(metrics)))

    assert read.targets["a"].fused.n == metrics["targets"]["a"]["fused"]["n"]
    assert [group.suppressed for group in read.targets["a"].subgroups["sex"].values()] == [False, True]
    assert (
        read.targets["a"].without["image"].with_.auroc.value
        == metrics["targets"]["a"]["without"]["image"]["with"]["auroc"]["value"]
    )
