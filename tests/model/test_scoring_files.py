"""Batch scoring to a file: every record once, in order, all digits; whole or absent; a stopped run goes on."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from multimodal import ClinicalModel, Cohort, Config, PatientRecord, Target
from multimodal.model import with_options
from multimodal.model.scoring_files import FORMATS, ScoredFile, in_order, partial_of, score_to_file
from multimodal.records import UsageError

BATCH = 8


@pytest.fixture(scope="module")
def model(tiny_model):
    return ClinicalModel.load(tiny_model[0])


@pytest.fixture(scope="module")
def cohort(tiny_model):
    return Cohort.open(tiny_model[1])


@pytest.fixture(scope="module")
def predictions(model, cohort):
    return model.predict(cohort, batch_size=BATCH)


@pytest.fixture(scope="module")
def whole(model, cohort, tmp_path_factory):
    """{suffix: the file of a run that nothing disturbed}."""
    folder = tmp_path_factory.mktemp("whole")
    files = {suffix: folder / f"answers{suffix}" for suffix in FORMATS}
    for file in files.values():
        score_to_file(model, cohort, file, batch_size=BATCH)
    return files


def test_a_jsonl_line_is_the_prediction_of_python_to_all_digits(whole, predictions):
    lines = whole[".jsonl"].read_text("utf-8").splitlines()

    assert [json.loads(line) for line in lines] == [one.model_dump(mode="json") for one in predictions]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_holds_the_numbers_of_python_to_all_digits(suffix, whole, predictions):
    frame = predictions.to_frame()
    if suffix == ".csv":
        with whole[suffix].open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    else:
        rows = pq.read_table(whole[suffix]).to_pylist()

    assert list(rows[0]) == list(frame)
    assert [row["record_id"] for row in rows] == list(frame["record_id"])
    for name in frame.columns[2:]:
        if "." in name and not name.endswith(".prediction_set"):
            found = [math.nan if row[name] in ("", None) else float(row[name]) for row in rows]
            np.testing.assert_array_equal(found, frame[name].astype(float).to_numpy(dtype=float, na_value=np.nan))
        else:
            assert [row[name] or "" for row in rows] == list(frame[name].astype(object).fillna(""))


def test_the_types_of_a_parquet_file_do_not_depend_on_what_is_in_it(model, whole, tmp_path):
    nothing = Cohort.from_records([PatientRecord(record_id="a", patient_id="a")])
    none_at_all = Cohort.from_records([])
    for name, cohort in (("nothing", nothing), ("none", none_at_all)):
        score_to_file(model, cohort, tmp_path / f"{name}.parquet")

        assert pq.read_schema(tmp_path / f"{name}.parquet") == pq.read_schema(whole[".parquet"])


def test_a_parquet_file_has_one_row_group_a_batch(whole, cohort):
    file = pq.ParquetFile(whole[".parquet"])

    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)][:-1] == [BATCH] * (
        len(cohort) // BATCH
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cohort_without_records_gives_a_file_without_rows(suffix, model, tmp_path):
    found = score_to_file(model, Cohort.from_records([]), tmp_path / f"out{suffix}")

    assert found == ScoredFile(0, 0, 0)
    assert (tmp_path / f"out{suffix}").exists()
    assert list(FORMATS[suffix].answers(tmp_path / f"out{suffix}")) == []


def test_a_formula_is_neutralised_in_csv_and_kept_elsewhere(model, tmp_path):
    cohort = Cohort.from_records([PatientRecord(record_id="=1+1", patient_id="a")])
    for suffix in FORMATS:
        score_to_file(model, cohort, tmp_path / f"out{suffix}")

    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[1].startswith("'=1+1,")
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["record_id"] == "=1+1"
    assert pq.read_table(tmp_path / "out.parquet")["record_id"].to_pylist() == ["=1+1"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_record_that_a_rule_decided_is_answered_and_a_run_with_another_rule_is_another_run(suffix, tmp_path):
    """A model of notes alone; of three records without a note two have a shock index, 150 / 100."""
    targets = {"death": Target(name="death", kind="risk")}
    told = [
        PatientRecord(record_id=f"r{i}", patient_id=f"r{i}", notes=[{"text": f"{word} {i}"}], labels={"death": i % 2})
        for i in range(60)
        for word in ["cough" if i % 2 else "rash"]
    ]
    config = Config.model_validate(
        {"notes": {"encoders": ["words"]}, "trust": {"fallback": "shock_index", "false_alarms": 0}}
    )
    model = ClinicalModel(config).fit(Cohort.from_records(told, targets=targets))
    measured = [{"code": "heart_rate", "value": 150}, {"code": "systolic_bp", "value": 100}]
    cohort = Cohort.from_records(
        [PatientRecord(record_id=name, patient_id=name, measurements=measured * (name != "c")) for name in "abc"]
    )
    out = tmp_path / f"out{suffix}"

    assert score_to_file(model, cohort, out) == ScoredFile(3, 1, 0)
    found = list(FORMATS[suffix].answers(out))
    assert [(reason, rule) for *_, reason, rule in found] == [("NO_INPUT", "shock_index")] * 2 + [("NO_INPUT", None)]
    other = stopped(model, cohort, tmp_path / f"other{suffix}", after=3)
    model.config_ = with_options(model.config_, "trust", fallback="none")
    with pytest.raises(UsageError, match="is another run: fallback was 'shock_index', is 'none'"):
        score_to_file(model, cohort, other, batch_size=BATCH, resume=True)


def test_nothing_but_the_file_is_left(whole):
    assert sorted(item.name for item in whole[".csv"].parent.iterdir()) == [f"answers{s}" for s in sorted(FORMATS)]


def test_a_killed_run_goes_on_to_the_same_bytes(tiny_model, model, cohort, whole, tmp_path):
    """kill -9 in the middle; then the same call with resume."""
    out = tmp_path / "out.parquet"
    arguments = ["predict", *map(str, tiny_model), "--out", str(out), "--batch-size", str(BATCH), "--quiet"]
    code = "import sys; from multimodal.cli import main; main(sys.argv[1:])"
    run = subprocess.Popen([sys.executable, "-c", code, *arguments], start_new_session=True)
    while run.poll() is None and not (partial_of(out) / "00002.parquet").exists():
        time.sleep(0.005)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not out.exists()

    found = score_to_file(model, cohort, out, batch_size=BATCH, resume=True)

    assert out.read_bytes() == whole[".parquet"].read_bytes()
    assert 3 * BATCH <= found.resumed < found.records == len(cohort)
    assert not partial_of(out).exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_that_failed_goes_on_to_the_same_bytes(suffix, model, cohort, whole, tmp_path):
    out = stopped(model, cohort, tmp_path / f"out{suffix}", after=5 * BATCH)

    found = score_to_file(model, cohort, out, batch_size=BATCH, resume=True)

    assert found.resumed == 5 * BATCH
    assert out.read_bytes() == whole[suffix].read_bytes()


def test_a_run_that_was_stopped_just_before_its_end_only_joins(model, cohort, whole, tmp_path):
    out = stopped(model, cohort, tmp_path / "out.jsonl", after=len(cohort))

    found = score_to_file(model, cohort, out, batch_size=BATCH, resume=True)

    assert found.resumed == len(cohort)
    assert out.read_bytes() == whole[".jsonl"].read_bytes()


def test_resuming_what_is_finished_changes_nothing(model, cohort, whole, tmp_path):
    out = shutil.copy(whole[".csv"], tmp_path / "out.csv")

    found = score_to_file(model, cohort, out, batch_size=BATCH, resume=True)

    assert (found.records, found.resumed) == (len(cohort), len(cohort))
    assert found.unanswered == 1
    assert out.read_bytes() == whole[".csv"].read_bytes()


def test_the_answers_of_another_cohort_are_not_taken_for_finished(model, cohort, whole, tmp_path):
    out = shutil.copy(whole[".csv"], tmp_path / "out.csv")

    with pytest.raises(UsageError, match="holds the answers of another run"):
        score_to_file(model, cohort.take([0, 1]), out, resume=True)


@pytest.mark.parametrize("suffix", FORMATS)
def test_nor_are_those_of_as_many_other_records_or_of_another_order(suffix, model, tmp_path):
    def cohort_of(*names):
        return Cohort.from_records([PatientRecord(record_id=name, patient_id=name) for name in names])

    out = tmp_path / f"out{suffix}"
    score_to_file(model, cohort_of("=1+1", "b"), out)
    written = out.read_bytes()

    assert score_to_file(model, cohort_of("=1+1", "b"), out, resume=True) == ScoredFile(2, 2, 2)
    for others in (cohort_of("=1+1", "c"), cohort_of("b", "=1+1"), cohort_of("=1+1"), cohort_of("=1+1", "b", "c")):
        with pytest.raises(UsageError) as refused:
            score_to_file(model, others, out, resume=True)
        assert str(refused.value) == f"{out} holds the answers of another run: --overwrite replaces it"
    assert out.read_bytes() == written


@pytest.mark.parametrize("suffix", FORMATS)
def test_nor_is_a_file_of_another_kind(suffix, model, cohort, tmp_path):
    out = tmp_path / f"out{suffix}"
    out.write_text('"a thesis",\n["of years"]\n')

    with pytest.raises(UsageError, match="holds the answers of another run: --overwrite replaces it"):
        score_to_file(model, cohort, out, resume=True)


def test_a_run_is_not_resumed_once_an_image_has_changed(tiny_model, model, tmp_path):
    folder = shutil.copytree(tiny_model[1], tmp_path / "cohort")
    out = stopped(model, Cohort.open(folder), tmp_path / "out.jsonl", after=2 * BATCH)
    image = Cohort.open(folder).batch().images[-1].path
    image.write_bytes(image.read_bytes() + b"\0")

    with pytest.raises(UsageError, match=r"is another run: cohort was '[0-9a-f]{37}\.\.\.', is '[0-9a-f]{37}\.\.\.'\."):
        score_to_file(model, Cohort.open(folder), out, batch_size=BATCH, resume=True)


def test_another_run_is_not_resumed_and_what_differs_is_named(model, cohort, tmp_path):
    out = stopped(model, cohort, tmp_path / "out.jsonl", after=2 * BATCH)

    with pytest.raises(UsageError) as refused:
        score_to_file(model, cohort, out, batch_size=16, precision="bf16", resume=True)

    assert str(refused.value) == (
        f"{partial_of(out)} is another run: batch_size was '8', is '16'; precision was 'fp32', is 'bf16'. "
        "--overwrite starts afresh"
    )


def test_an_unfinished_run_is_neither_overwritten_nor_resumed_unasked(model, cohort, whole, tmp_path):
    out = stopped(model, cohort, tmp_path / "out.jsonl", after=2 * BATCH)

    with pytest.raises(UsageError, match="holds an unfinished run: --resume goes on with it, --overwrite starts afre"):
        score_to_file(model, cohort, out, batch_size=BATCH)

    assert score_to_file(model, cohort, out, batch_size=BATCH, overwrite=True).resumed == 0
    assert out.read_bytes() == whole[".jsonl"].read_bytes()


def test_a_file_that_exists_is_kept_until_the_new_one_is_whole(model, cohort, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old")

    with pytest.raises(UsageError, match="exists: choose another name, or give --overwrite"):
        score_to_file(model, cohort, out)
    stopped(model, cohort, out, after=2 * BATCH, overwrite=True)

    assert out.read_text() == "old"


def test_a_folder_that_is_not_ours_is_not_removed(model, cohort, tmp_path):
    out = tmp_path / "out.jsonl"
    partial_of(out).mkdir()
    (partial_of(out) / "thesis.docx").write_text("years of work")

    with pytest.raises(UsageError, match="is in the way"):
        score_to_file(model, cohort, out, overwrite=True)

    assert (partial_of(out) / "thesis.docx").read_text() == "years of work"


def test_an_unknown_ending_is_refused_with_those_that_are_known(model, cohort, tmp_path):
    with pytest.raises(UsageError) as refused:
        score_to_file(model, cohort, tmp_path / "out.parqet")

    assert str(refused.value) == "'out.parqet' must end in one of .parquet, .jsonl, .csv; did you mean '.parquet'?"


class Stopped(Exception):
    """Stands for whatever ends a run."""


def stopped(model, cohort, out, *, after, **options):
    """`out` of a run that ended after so many records."""

    def stop(done, total):
        if done >= after:
            raise Stopped

    with pytest.raises(Stopped):
        score_to_file(model, cohort, out, batch_size=BATCH, progress=stop, **options)
    return out


def test_batches_worked_on_at_once_are_answered_in_order():
    """The first batch takes longest; never more than three are held."""
    held, most = 0, 0

    def batches():
        nonlocal held, most
        for i in range(8):
            held += 1
            most = max(most, held)
            yield i

    def answer(i):
        time.sleep(0.1 if i == 0 else 0)
        return i

    answered = []
    for i in in_order(answer, batches(), 3):
        held -= 1
        answered.append(i)

    assert (answered, most) == (list(range(8)), 3)


def test_what_fails_in_a_batch_fails_the_run():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda i: 1 // i, [2, 1, 0, 1], 2))


def test_the_answers_do_not_depend_on_how_many_batches_are_worked_on_at_once(model, cohort):
    """The same bytes, however many threads: measurements alone, so that nothing else sets their number."""
    measured = [record.model_copy(update={"images": (), "notes": ()}) for record in cohort.take(range(24))]
    batches = list(Cohort.from_records(measured).batches(5))
    one, four = (list(in_order(model.predict_batch, batches, at_once)) for at_once in (1, 4))

    for a, b in zip(one, four, strict=True):
        assert a.to_frame().equals(b.to_frame())
