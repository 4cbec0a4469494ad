"""A cohort folder is written whole or not at all, and reads back."""

from __future__ import annotations

import re
import stat
from math import inf

import numpy as np
import pandas as pd
import pytest

from multimodal.records import MeasurementKind, Target, UsageError
from multimodal.sources import Cohort, CohortTables, new_cohort, write_cohort

TABLES = CohortTables(
    name='a "quoted" name\n',
    provenance="ü\x7f",
    targets={
        "death": Target(name="death", kind="risk", horizon_hours=48, words=("dead", "died")),
        "flu": Target(name="flu", group="virus"),
    },
    attributes=["ward"],
    measurements={
        "grip": MeasurementKind("grip", "Grip", "", "quantity", "kg", 0.0, inf, {"g": (0.001, 0.0)}, censored=True),
        "smoking": MeasurementKind("smoking", "Smoking", "", "category", "1", -inf, inf, {}, ("never", "former")),
        "chest pain": MeasurementKind("chest pain", "Chest pain", "", "flag", "1", -inf, inf),
    },
    tables={
        "patients": pd.DataFrame({"record_id": ["A", "B"], "patient_id": ["P", "Q"], "ward": ["=1+1", None]}),
        "measurements": pd.DataFrame({"record_id": ["B"], "code": ["grip"], "value": [-1.5], "time": ["-2"]}),
        "notes": pd.DataFrame({"record_id": ["A"], "text": ['=HYPERLINK("x")\nsaid "yes"']}),
        "images": pd.DataFrame({"record_id": ["A"], "path": ["images/a.png"]}),
        "labels": pd.DataFrame({"record_id": ["A", "B"], "death": [1.0, np.nan], "flu": [0, 1]}),
    },
    files={"images/a.png": b"\x89PNG"},
)


def test_what_is_written_reads_back(tmp_path):
    write_cohort(tmp_path / "c", TABLES)
    cohort = Cohort.open(tmp_path / "c")
    batch = cohort.batch()

    assert (cohort.name, cohort.provenance, cohort.targets) == (TABLES.name, TABLES.provenance, TABLES.targets)
    assert {code: cohort.table[code] for code in TABLES.measurements} == TABLES.measurements
    np.testing.assert_array_equal(cohort.labels(), [[1, 0], [np.nan, 1]])
    assert (cohort.problems, cohort.label_problems(), batch.problems) == ([], [], [])
    assert batch.measurements[["value", "hours"]].to_numpy().tolist() == [["-1.5", -2.0]]
    assert batch.images[0].path.read_bytes() == b"\x89PNG"
    assert (tmp_path / "c/labels.csv").read_text() == "record_id,death,flu\nA,1,0\nB,,1\n"


def test_a_spreadsheet_formula_is_data_and_comes_back_as_it_was(tmp_path):
    write_cohort(tmp_path / "c", TABLES)
    cohort = Cohort.open(tmp_path / "c")

    assert cohort.batch().notes[0].text == '=HYPERLINK("x")\nsaid "yes"'
    assert cohort.attribute("ward").tolist() == ["=1+1", ""]


def test_what_exists_is_kept_unless_told_and_only_a_cohort_is_overwritten(tmp_path):
    write_cohort(tmp_path / "c", TABLES)
    with pytest.raises(UsageError, match="'c' exists already: give another name, or pass --overwrite"):
        write_cohort(tmp_path / "c", TABLES)
    write_cohort(tmp_path / "c", TABLES, overwrite=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").touch()
    with pytest.raises(UsageError, match="'home' is no cohort folder: it is not overwritten"):
        write_cohort(tmp_path / "home", TABLES, overwrite=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "home"]


def test_a_cohort_that_fails_half_way_leaves_nothing(tmp_path):
    broken = CohortTables("x", "", {}, {}, files={"a": tmp_path / "absent"})
    with pytest.raises(ValueError, match=r"'new' cannot be written \(No such file or directory\): nothing was"):
        write_cohort(tmp_path / "new", broken)
    assert list(tmp_path.iterdir()) == []


def test_a_new_cohort_opens_and_shows_every_table(tmp_path):
    new_cohort(tmp_path / "mine")
    cohort = Cohort.open(tmp_path / "mine")

    assert [record.record_id for record in cohort] == ["example-1"]
    assert cohort.batch().problems == []
    assert cohort.label_problems() == []
    assert sorted(path.stem for path in (tmp_path / "mine").glob("*.csv")) == [
        "images",
        "labels",
        "measurements",
        "notes",
        "patients",
    ]
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) & 0o500


def test_a_new_cohort_shows_how_a_measurement_of_ones_own_is_declared(tmp_path):
    """The example is a comment: without the marks it is read."""
    new_cohort(tmp_path / "mine")
    file = tmp_path / "mine" / "cohort.toml"
    text = file.read_text()
    file.write_text(re.sub(r"(?m)^# (?=\[|\w+ = )", "", text))
    table = Cohort.open(tmp_path / "mine").table

    assert "# [measurements.smoking]" in text
    assert table["smoking"].categories == ("never", "former", "current")
    assert (table["dyspnoea"].kind, table["hs_crp"].units["mg/dL"]) == ("flag", (10.0, 0.0))
