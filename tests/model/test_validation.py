"""`validate`: every problem of every record, counted by value, item or record."""

from __future__ import annotations

from multimodal.model.validation import validate
from multimodal.sources import Cohort


def test_each_refused_value_is_counted_though_one_line_reports_them(tmp_path):
    """Three impossible heart rates of one record, one of another, and a temperature without a unit."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "cohort.toml").write_text('schema = 1\nname = "rates"\n')
    (folder / "patients.csv").write_text("record_id,patient_id\na,a\nb,b\n")
    rows = ["a,heart_rate,0,/min,-3", "a,heart_rate,900,/min,-2", "a,heart_rate,999,/min,-1", "a,temperature,37,,0"]
    rows += ["b,heart_rate,0,/min,0", "b,temperature,37,Cel,0"]
    (folder / "measurements.csv").write_text("\n".join(["record_id,code,value,unit,time", *rows]) + "\n")

    found = validate(Cohort.open(folder))

    assert found.counts == {"IMPLAUSIBLE": 4, "UNIT_ASSUMED": 1}
    assert [(record, str(problem)) for record, problem in found.problems] == [
        ("a", "IMPLAUSIBLE: measurements.csv row 2: heart_rate 0 is outside 10-300 /min (and 2 more)"),
        ("a", "UNIT_ASSUMED: measurements.csv row 5: temperature 37 has no unit: Cel is taken"),
        ("b", "IMPLAUSIBLE: measurements.csv row 6: heart_rate 0 is outside 10-300 /min"),
    ]
    assert found.refused == 2
    assert found.to_json()["counts"] == found.counts


def test_a_record_without_usable_input_is_one_problem_more(tmp_path):
    (tmp_path / "flat.csv").write_text("record_id,patient_id,heart_rate\na,a,0\nb,b,80\n")

    found = validate(Cohort.open(tmp_path / "flat.csv"))

    assert found.records == 2
    assert found.counts["NO_INPUT"] == 1
    assert [record for record, problem in found.problems if problem.code == "NO_INPUT"] == ["a"]
