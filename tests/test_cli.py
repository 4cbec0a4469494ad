"""The commands: what they print, where, and with which status they end."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main
from PIL import Image

from multimodal import ClinicalModel, Cohort, evaluate
from multimodal.cli import app, main
from multimodal.demo import make_demo
from multimodal.model.config import Config
from multimodal.options import FallbackRule
from multimodal.records import UsageError
from multimodal.sources.importers import IMPORTERS
from multimodal.trust.fallback import FALLBACKS

COMMANDS = [
    *("audit", "calibrate", "card", "codes", "compare", "demo", "evaluate", "import", "inspect", "new", "predict"),
    *("pretrain-images", "pretrain-notes", "schema", "serve", "synthesize", "train", "validate"),
]


@pytest.fixture
def run(capsys, monkeypatch):
    """run("predict", ...) -> (exit status, stdout, stderr), in this process, 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def shell(*arguments: object, **options) -> subprocess.CompletedProcess:
    """The same in a process of its own."""
    code = "import sys; from multimodal.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_the_commands_are_those_of_the_design():
    assert sorted(typer.main.get_command(app).commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_each_of_its_options_has_help(command, run):
    status, out, err = run(command, "--help")

    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for parameter in typer.main.get_command(app).commands[command].params:
        # `import` makes the help of SOURCE from the dict when it is asked for.
        assert parameter.help or parameter.name == "source", parameter.name
        assert parameter.param_type_name == "argument" or max(parameter.opts, key=len) in out


def test_the_help_of_import_names_every_source(run):
    _, out, _ = run("import", "--help")

    assert all(source in out for source in IMPORTERS)


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom multimodal.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'gradio', 'transformers', 'sklearn', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "validate" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["codes", "pressure"]])
def test_a_terminal_without_colour_width_or_unicode_is_fine(arguments):
    done = shell(*arguments, env={"PATH": "", "TERM": "dumb", "PYTHONIOENCODING": "ascii"})

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


# Wrong use


@pytest.mark.parametrize(
    "arguments",
    [["unknown"], ["predict"], ["predict", "m", "c", "--out", "x.csv", "--precision", "fp8"], ["codes", "--wrong"], []],
)
def test_wrong_use_ends_with_2_and_says_so_on_stderr_alone(arguments, run):
    status, out, err = run(*arguments)

    assert status == 2
    assert "Usage" in (err or out)


def test_an_unknown_option_of_the_model_is_refused_with_the_nearest(run, tiny_model, tmp_path):
    status, out, err = run("train", tiny_model[1], "--out", tmp_path / "m", "--set", "image.backbon=resnet18")

    assert (status, out) == (2, "")
    assert err == "multimodal: image.backbon: there is no such option; did you mean 'backbone'?\n"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--set", "image.backbone=resnet18", "--set", "image.weights=nowhere.safetensors"], "nowhere.safetensors"),
        (["--set", "notes.checkpoint=nowhere"], "nowhere"),
    ],
)
def test_a_file_of_options_or_weights_that_is_not_there_ends_with_2(options, names, run, tiny_model, tmp_path):
    status, out, err = run("train", tiny_model[1], "--out", tmp_path / "m", "--quiet", *options)

    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("multimodal: ")
    assert names in err


def test_a_folder_that_went_away_is_no_defect(run, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    status, _, err = run("new", "cohort")

    assert status == 2
    assert len(err.splitlines()) == 1


def test_an_unknown_split_is_refused_with_those_there_are(run, tiny_model, tmp_path):
    status, _, err = run("train", tiny_model[1], "--out", tmp_path / "m", "--split", "trian")

    assert status == 2
    assert err.startswith("multimodal: no record has the split 'trian'")


@pytest.mark.parametrize(
    "command", ["import", "synthesize", "train", "predict", "evaluate", "schema", "new", "calibrate", "card"]
)
def test_what_exists_is_refused_before_anything_is_read(command, run, tmp_path):
    """The inputs do not even exist: the output was looked at first."""
    out = tmp_path / "out.csv"
    out.mkdir() if command != "predict" else out.write_text("old")
    (tmp_path / "out.csv" / "kept").write_text("old") if command != "predict" else None
    inputs = {
        "import": ["hannover", "nowhere"],
        "train": ["nowhere"],
        "predict": ["nowhere", "nowhere"],
        "evaluate": ["nowhere", "nowhere"],
        "calibrate": ["nowhere", "nowhere"],
        "card": ["nowhere"],
    }.get(command, [])

    status, printed, err = run(command, *inputs, *([] if command == "new" else ["--out"]), out)

    assert (status, printed) == (2, "")
    assert "exists" in err
    assert (out if command == "predict" else out / "kept").read_text() == "old"


# The input as a whole


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "validate"])
def test_a_cohort_that_is_not_there_ends_with_3(command, run, tiny_model, tmp_path):
    inputs = [tiny_model[0]] if command in ("predict", "evaluate") else []
    out = [] if command == "validate" else ["--out", tmp_path / "out.csv"]

    status, printed, err = run(command, *inputs, tmp_path / "nowhere", *out)

    assert (status, printed) == (3, "")
    assert err == "multimodal: COHORT_NOT_FOUND: 'nowhere' is no folder or file. Check the path.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_without_the_targets_of_the_model_is_not_evaluated(run, tiny_model, tmp_path):
    cohort = tmp_path / "flat.csv"
    cohort.write_text("record_id,patient_id,heart_rate,label.gout\na,a,80,1\n")

    status, _, err = run("evaluate", tiny_model[0], cohort, "--out", tmp_path / "out")

    assert status == 3
    assert err.startswith("multimodal: COHORT_FORM: the cohort has labels of none of the model's targets")
    assert not (tmp_path / "out").exists()


def test_importing_what_is_not_there_ends_with_3(run, tmp_path):
    status, _, err = run("import", "hannover", tmp_path, "--out", tmp_path / "cohort")

    assert status == 3
    assert err.startswith("multimodal: COHORT_")


def test_an_unknown_source_is_refused_with_the_nearest(run, tmp_path):
    status, _, err = run("import", "hanover", tmp_path, "--out", tmp_path / "cohort")

    assert (status, err) == (2, "multimodal: no importer is called 'hanover'; did you mean 'hannover'?\n")


# The model folder


@pytest.mark.parametrize("name", ["manifest.json", "model.json", "fusion.safetensors", "encoders/cnn"])
def test_a_damaged_model_ends_with_5_and_names_the_file(name, run, tiny_model, tmp_path):
    model = shutil.copytree(tiny_model[0], tmp_path / "model")
    file = model / name if (model / name).is_file() else next(p for p in (model / name).iterdir() if p.is_file())
    file.write_bytes(file.read_bytes()[:-20])

    for command in (["inspect", model], ["predict", model, tiny_model[1], "--out", tmp_path / "out.csv"]):
        status, out, err = run(*command)

        assert (status, out) == (5, "")
        assert file.name in err
        assert "damaged" in err
    assert not (tmp_path / "out.csv").exists()


def test_a_folder_that_is_no_model_ends_with_5(run, tmp_path):
    status, _, err = run("serve", tmp_path)

    assert (status, err) == (5, f"multimodal: {tmp_path} is no model folder: it has no manifest.json\n")


# predict


def test_predict_equals_python_to_all_digits_without_a_network(run, tiny_model, tmp_path, monkeypatch):
    """One record of the synthetic cohort has no usable modality: status 4."""

    def blocked(*arguments, **options):
        raise OSError("the network is blocked")

    monkeypatch.setattr(socket.socket, "connect", blocked)
    monkeypatch.setattr(socket, "getaddrinfo", blocked)
    status, out, err = run("predict", *tiny_model, "--out", tmp_path / "a.jsonl")
    expected = ClinicalModel.load(tiny_model[0]).predict(Cohort.open(tiny_model[1]))

    assert (status, out) == (4, "")
    assert err == f"{tmp_path / 'a.jsonl'}: 122 records; 1 without any usable input\n"
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [one.model_dump(mode="json") for one in expected]


def test_workers_and_batch_size_do_not_change_the_answers(run, tiny_model, tmp_path):
    run("predict", *tiny_model, "--out", tmp_path / "a.jsonl")
    run("predict", *tiny_model, "--out", tmp_path / "b.jsonl", "--batch-size", 50, "--workers", 1)

    pairs = zip(*([json.loads(line) for line in (tmp_path / name).open()] for name in ("a.jsonl", "b.jsonl")))
    for a, b in pairs:
        for target, answer in a.pop("targets").items():
            other = b["targets"][target]
            assert answer["probability"] == pytest.approx(other["probability"], abs=1e-5)
        del b["targets"]
        assert a == b


def test_records_that_were_all_answered_end_with_0_though_an_item_was_refused(run, tiny_model, tmp_path):
    cohort = tmp_path / "flat.csv"
    cohort.write_text("record_id,patient_id,heart_rate,temperature\na,a,80,-1\n")

    status, out, err = run("predict", tiny_model[0], cohort, "--out", tmp_path / "a.jsonl", "--quiet")

    assert (status, out, err) == (0, "", "")
    assert [item["code"] for item in json.loads((tmp_path / "a.jsonl").read_text())["refused"]] == ["IMPLAUSIBLE"]


def test_a_line_that_cannot_be_read_is_answered_and_ends_with_4(run, tiny_model, tmp_path):
    cohort = tmp_path / "records.jsonl"
    good = {"record_id": "a", "patient_id": "a", "measurements": [{"code": "heart_rate", "value": 80, "unit": "/min"}]}
    odd = dict(good, record_id="\ud800")
    cohort.write_text("\n".join([json.dumps(good), "{not json", json.dumps(odd)]), encoding="utf-8")

    for suffix in ("jsonl", "csv", "parquet"):
        assert run("predict", tiny_model[0], cohort, "--out", tmp_path / f"a.{suffix}")[0] == 4
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert [answer["record_id"] for answer in answers][:2] == ["a", "line:2"]
    assert len(answers) == 3
    assert [item["code"] for item in answers[1]["refused"]] == ["BAD_LINE"]


def test_resume_needs_the_same_run(run, tiny_model, tmp_path):
    partial = tmp_path / "a.csv.partial"
    partial.mkdir()
    (partial / "run.json").write_text('{"model_id": "0123456789abcdef"}')

    status, _, err = run("predict", *tiny_model, "--out", tmp_path / "a.csv", "--resume")

    assert status == 2
    assert "is another run: model_id was '0123456789abcdef'" in err


# train, evaluate, inspect


def test_train_evaluate_and_inspect_one_after_the_other(run, tiny_model, tmp_path):
    options = ["image.encoders=[]", "notes.encoders=[]", 'vitals.encoders=["logistic"]']
    assignments = [part for option in options for part in ("--set", option)]
    model, cohort = tmp_path / "model", tiny_model[1]

    flags = ["--holdout", 0.25, "--seed", 7, "--convert-suspect"]
    status, out, err = run("train", cohort, "--out", model, *assignments, *flags)

    assert status == 0
    assert out.startswith("Cross-fitted figures: each patient was answered by")
    assert max(map(len, out.splitlines())) <= 80
    assert "  vitals alone " in out
    assert "training logistic, 4 times each: about 1 min" in err
    loaded = ClinicalModel.load(model)
    assert (loaded.config_.train.seed, loaded.config_.train.holdout) == (7, 0.25)
    assert loaded.config_.vitals.convert_suspect
    assert loaded.summary_["patients"] == 90

    status, out, _ = run("evaluate", model, cohort, "--out", tmp_path / "figures", "--quiet")

    assert status == 0
    assert f"model {loaded.model_id}: 31 records of 30 patients\n  90 training patients left out, " in out
    assert max(map(len, out.splitlines())) <= 80
    metrics = json.loads((tmp_path / "figures" / "metrics.json").read_text("utf-8"))
    assert metrics == evaluate(loaded, Cohort.open(cohort)).metrics

    status, out, _ = run("inspect", model)

    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith(f"model {loaded.model_id}: research use, not a medical device")
    options = Config.model_validate(tomllib.loads(out[out.index("[image]") :]))
    assert options == loaded.config_

    status, out, _ = run("inspect", model, "--json")

    assert json.loads(out)["targets"] == loaded.figures_["targets"]


def test_only_patients_of_the_training_left_is_refused_unless_asked_for(run, tiny_model, tmp_path):
    model, cohort = ClinicalModel.load(tiny_model[0]), Cohort.open(tiny_model[1])
    trained = cohort.take(model.trained_on(cohort.patient_ids))
    records = tmp_path / "trained.jsonl"
    lines = [one.model_copy(update={"images": ()}).model_dump_json() + "\n" for one in trained.take(range(40))]
    records.write_text("".join(lines), encoding="utf-8")

    status, _, err = run("evaluate", tiny_model[0], records, "--out", tmp_path / "out")

    assert status == 3
    assert err.startswith("multimodal: TRAINING_PATIENTS: ")

    status, out, _ = run("evaluate", tiny_model[0], records, "--out", tmp_path / "out", "--all-patients")

    assert status == 0
    assert "CAUTION" in out


# The rest


def test_validate_lists_every_problem_and_ends_with_4(run, tiny_model):
    status, out, _ = run("validate", tiny_model[1], "--json")

    assert status == 4
    found = json.loads(out)
    assert list(found) == ["records", "problems", "counts"]
    assert found["records"] == 122
    assert set(found["problems"][0]) == {"record_id", "where", "code", "severity", "message"}
    more = [re.search(r"\(and (\d+) more\)", problem["message"]) for problem in found["problems"]]
    assert sum(found["counts"].values()) == sum(1 + int(and_more[1]) if and_more else 1 for and_more in more)
    refused = {(p["record_id"], p["code"]) for p in found["problems"] if p["severity"] == "refuse"}
    cohort = Cohort.open(tiny_model[1])
    expected = zip(cohort.record_ids, cohort.attribute("expected_refusals"))
    assert refused == {(record, one.rpartition(":")[2]) for record, all_ in expected for one in all_.split()}


SUSPECT = "record_id,patient_id,heart_rate [/min],temperature\na,a,80,98.6\n"
CONVERTED = (
    "temperature 98.6 is outside 25-45 Cel. It is read in [degF], as asked for.",
    "temperature 98.6 is outside 25-45 Cel. It is plausible in [degF]: give the unit in the column `unit`, or pass "
    "--convert-suspect.",
)


def test_validate_refuses_or_converts_a_suspect_value(run, tmp_path):
    cohort = tmp_path / "flat.csv"
    cohort.write_text(SUSPECT)

    for flags, code, message in (([], "UNIT_SUSPECT", 1), (["--convert-suspect"], "UNIT_CONVERTED", 0)):
        status, out, _ = run("validate", cohort, "--json", *flags)

        assert status == (0 if flags else 4)
        (problem,) = json.loads(out)["problems"]
        assert (problem["code"], problem["message"]) == (code, CONVERTED[message])


def test_predict_refuses_or_converts_a_suspect_value(run, tiny_model, tmp_path):
    cohort = tmp_path / "flat.csv"
    cohort.write_text(SUSPECT)
    out = tmp_path / "a.jsonl"

    assert run("predict", tiny_model[0], cohort, "--out", out, "--quiet") == (0, "", "")
    refused = json.loads(out.read_text())
    assert run("predict", tiny_model[0], cohort, "--out", out, "--quiet", "--overwrite", "--convert-suspect")[0] == 0
    converted = json.loads(out.read_text())

    assert [(item["code"], item["message"]) for item in refused["refused"]] == [("UNIT_SUSPECT", CONVERTED[1])]
    assert converted["refused"] == []
    assert [(item["code"], item["message"]) for item in converted["warnings"]] == [("UNIT_CONVERTED", CONVERTED[0])]
    assert refused["targets"] != converted["targets"]


def test_a_run_that_converts_does_not_go_on_with_one_that_refuses(run, tiny_model, tmp_path):
    cohort, partial = tmp_path / "flat.csv", tmp_path / "a.csv.partial"
    cohort.write_text(SUSPECT)
    partial.mkdir()
    (partial / "run.json").write_text('{"convert_suspect": false}')

    status, _, err = run("predict", tiny_model[0], cohort, "--out", tmp_path / "a.csv", "--resume", "--convert-suspect")

    assert status == 2
    assert "convert_suspect was 'False', is 'True'" in err


def test_predict_lets_a_rule_decide_that_is_asked_for(run, tmp_path):
    """A model of notes alone cannot answer from a pulse and a pressure: 4; the shock index of 120 / 100 can: 0."""
    notes = pd.DataFrame({"record_id": [f"r{i}" for i in range(60)], "label.death": [i % 2 for i in range(60)]})
    notes.assign(note=[f"{word} {i}" for i in range(30) for word in ("rash", "cough")]).to_csv(
        tmp_path / "notes.csv", index=False
    )
    (tmp_path / "notes.toml").write_text('schema = 1\n[targets.death]\nkind = "risk"\n')
    model = ClinicalModel(Config.model_validate({"notes": {"encoders": ["words"]}}))
    model.fit(Cohort.open(tmp_path / "notes.csv")).save(tmp_path / "model")
    cohort, out = tmp_path / "flat.csv", tmp_path / "a.jsonl"
    cohort.write_text("record_id,patient_id,heart_rate,systolic_bp\na,a,120,100\n")
    arguments = ("predict", tmp_path / "model", cohort, "--out", out, "--quiet", "--overwrite")

    assert run(*arguments) == (4, "", "")
    undecided = json.loads(out.read_text())
    assert run(*arguments, "--fallback", "shock_index") == (0, "", "")
    decided = json.loads(out.read_text())

    assert undecided["scores"] == decided["scores"]
    assert decided["scores"]["shock_index"] == {"value": 1.2, "threshold": 0.9, "alert": 1, "missing": []}
    assert (undecided["decided_by"], undecided["targets"]["death"]["decision"]) == (None, None)
    assert (decided["decided_by"], decided["targets"]["death"]["decision"]) == ("shock_index", 1)
    assert decided["targets"]["death"]["probability"] is None
    assert run(*arguments, "--fallback", "apache")[0] == 2


def test_the_rules_that_fallback_takes_are_those_of_the_table():
    assert [rule.value for rule in FallbackRule] == list(FALLBACKS)


def test_a_flat_file_is_scored_whatever_its_labels_are_called_but_not_evaluated(run, tiny_model, tmp_path):
    cohort = tmp_path / "ward.csv"
    cohort.write_text("record_id,patient_id,heart_rate,label.COVID-19\na,a,80,1\n")

    assert run("predict", tiny_model[0], cohort, "--out", tmp_path / "a.csv", "--quiet") == (0, "", "")
    for command in (["train", cohort], ["evaluate", tiny_model[0], cohort]):
        status, out, err = run(*command, "--out", tmp_path / "out")

        assert (status, out) == (3, "")
        assert err == (
            "multimodal: COHORT_FORM: ward.csv: the column 'label.COVID-19' names no target: a target's name is a "
            "small letter, then small letters, digits and _ ([a-z][a-z0-9_]*). "
            "`multimodal new DIR` writes an empty cohort that shows the form.\n"
        )


def test_validate_prints_a_short_table(run, tmp_path):
    run("new", tmp_path / "cohort")

    status, out, _ = run("validate", tmp_path / "cohort")

    assert (status, out) == (0, "1 records: 0 refused, 0 warnings (--json lists them)\n")


def test_validate_opens_the_files(run, tmp_path):
    cohort = tmp_path / "flat.csv"
    cohort.write_text("record_id,patient_id,image,label.gout\na,a,sound.png,2\n")
    with wave.open(str(tmp_path / "sound.png"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(100))

    status, out, _ = run("validate", cohort, "--json")

    assert status == 4
    assert list(json.loads(out)["counts"]) == ["BAD_VALUE", "NO_INPUT", "NOT_AN_IMAGE"]


def test_codes_finds_by_name_code_and_loinc(run):
    for text in ("heart_rate", "Heart rate", "8867-4"):
        status, out, _ = run("codes", text)

        assert status == 0
        assert [line.split() for line in out.splitlines()[1:2]] == [
            ["heart_rate", "Heart", "rate", "8867-4", "/min", "10", "to", "300"]
        ]


def test_codes_suggests_where_it_finds_nothing(run):
    assert run("codes", "hart_rate") == (
        0,
        "",
        "no code, name or unit holds that text; did you mean 'heart_rate'?\n",
    )


def test_synthesize_says_where_the_cohort_is_unless_it_is_to_be_quiet(run, tmp_path):
    _, out, err = run("synthesize", "--patients", 3, "--out", tmp_path / "a")
    _, quiet_out, quiet_err = run("synthesize", "--patients", 3, "--out", tmp_path / "b", "--quiet")

    assert err == f"{tmp_path / 'a'}: {len(Cohort.open(tmp_path / 'a'))} records\n"
    assert (quiet_out, quiet_err) == (out, "")


def test_a_synthetic_cohort_is_the_same_from_the_same_seed(run, tmp_path):
    for name in ("a", "b"):
        status, out, _ = run("synthesize", "--patients", 3, "--seed", 5, "--out", tmp_path / name)

        assert status == 0
        assert "records of 3 patients" in out
    files = [sorted(p.relative_to(tmp_path / name) for p in (tmp_path / name).rglob("*")) for name in ("a", "b")]
    assert files[0] == files[1]
    both = [(tmp_path / "a" / p, tmp_path / "b" / p) for p in files[0] if (tmp_path / "a" / p).is_file()]
    assert all(a.read_bytes() == b.read_bytes() for a, b in both)


def test_import_prints_its_account(run, shared, tmp_path):
    status, out, err = run(
        "import", "openi", shared / "data" / "openi-reports", "--out", tmp_path / "cohort", "--quiet"
    )

    assert (status, err) == (0, "")
    assert len(out.splitlines()) > 1
    assert len(Cohort.open(tmp_path / "cohort")) > 1000


def test_pretraining_writes_a_backbone_and_prints_how_it_went(run, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, grey in enumerate(np.random.default_rng(0).integers(0, 256, (20, 32, 32), dtype=np.uint8)):
        Image.fromarray(grey).save(tmp_path / "pictures" / f"{i}.png")
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    given = ["pretrain-images", tmp_path / "pictures", "--out", tmp_path / "out", "--device", "cpu", "--size", 32]

    status, out, err = run(*given, "--batch-size", 16, "--max-steps", 9)

    assert status == 0
    assert out.splitlines()[0].split() == ["pictures", "steps", "loss", "effective", "rank", "seconds"]
    assert re.fullmatch(r"20 +9 +\d\.\d{3} -> \d\.\d{3} +\d+\.\d of 192 +\d+ *", out.splitlines()[1])
    assert err.splitlines() == [
        "NOT_AN_IMAGE: 1 images are not used",
        "pretraining on 20 pictures, 9 steps: about 1 min",
        f"{tmp_path / 'out'}: compact, 20 pictures",
    ]

    status, out, err = run(*given)

    assert (status, out) == (2, "")
    assert err == f"multimodal: {tmp_path / 'out'} exists: choose another folder or give --overwrite\n"

    status, _, err = run(*given, "--overwrite", "--set", "image.dropout=0.1")

    assert status == 2
    assert err.partition(";")[0] == "multimodal: image.dropout: pretraining does not take it"

    status, _, err = run(*given, "--overwrite", "--holdout", 0.2)

    assert status == 2
    assert err == "multimodal: 'pictures' has no cohort.toml: --split, --holdout and --ignore are for cohorts\n"


def test_a_folder_of_pictures_is_imported_by_its_table_and_validated(run, tmp_path):
    """One row's picture is not there: its record stays, FILE_MISSING, and has no input."""
    grey = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "1.png")
    (tmp_path / "labels.csv").write_text("scan,who,left,right\n1,P,1,0\n2,Q,0,1\n")
    columns = ["--file-column", "scan", "--patient-column", "who", "--label-column", "left", "--label-column", "right"]
    cohort = tmp_path / "cohort"

    status, out, err = run(
        "import", "image-folder", tmp_path, "--labels", tmp_path / "labels.csv", *columns, "--out", cohort, "--link"
    )

    assert (status, err) == (0, f"{cohort}: 2 records\n")
    assert "columns read: file 'scan'; patient 'who'; label 'left', 'right'\n" in out
    assert (cohort / "images" / "1.png").samefile(tmp_path / "1.png")

    numbered = tmp_path / "numbered"
    status, _, _ = run("import", "image-folder", tmp_path / "cohort" / "images", "--number-records", "--out", numbered)

    assert (status, list(Cohort.open(numbered).record_ids)) == (0, ["image-000001"])

    status, out, _ = run("validate", cohort, "--json")

    assert status == 4
    found = [(problem["record_id"], problem["code"]) for problem in json.loads(out)["problems"]]
    assert sorted(found) == [("2", "FILE_MISSING"), ("2", "NO_INPUT")]


def test_an_option_of_another_source_is_refused(run, tmp_path):
    status, _, err = run("import", "hannover", tmp_path, "--out", tmp_path / "cohort", "--for", "outcome")

    assert status == 2
    assert "hannover has no option 'purpose'" in err


def test_the_schemas_are_written(run, tmp_path):
    status, out, _ = run("schema", "--out", tmp_path / "schemas")

    assert status == 0
    assert (tmp_path / "schemas").is_dir()
    assert out.startswith(f"{tmp_path / 'schemas'}: ")


def test_a_defect_of_ours_ends_with_1_and_says_so():
    code = "from multimodal import cli\ncli.app.command('broken')(lambda: 1 / 0)\ncli.main(['broken'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("multimodal: this is a defect of ours")


def test_a_full_or_closed_disk_is_no_defect(run, tmp_path):
    (tmp_path / "file").write_text("")

    status, _, err = run("schema", "--out", tmp_path / "file" / "schemas")

    assert status == 2
    assert err == f"multimodal: '{tmp_path / 'file' / 'schemas'}': Not a directory\n"


# The demonstration


def test_a_second_demonstration_makes_nothing_again(tiny_model):
    folder = tiny_model[0].parent
    options = Config.model_validate(ClinicalModel.load(tiny_model[0]).config_)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    said: list[str] = []

    make_demo(folder, version="test", patients=120, options=tiny_options(options), report=said.append)

    assert said == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def tiny_options(config: Config) -> list[str]:
    return [
        f"image.size={config.image.size}",
        f"image.min_steps={config.image.min_steps}",
        f"image.epochs={config.image.epochs}",
        'notes.encoders=["words"]',
        'vitals.encoders=["logistic"]',
    ]


def test_a_demonstration_does_not_touch_a_folder_of_others(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")

    with pytest.raises(UsageError, match="is no demonstration of ours: give another --out"):
        make_demo(tmp_path, version="test")

    assert [Path(item).name for item in tmp_path.iterdir()] == ["thesis.docx"]


# The leakage audit


def test_audit_prints_the_findings_and_ends_with_0(run, tiny_model):
    """A cohort against itself: every patient is on both sides."""
    cohort = tiny_model[1]
    status, out, err = run("audit", cohort, "--against", cohort)

    assert (status, err) == (0, "")
    assert out.startswith("1. LEAK_PATIENT  leak  ")
    assert "To do: Split by patient" in out
    assert max(map(len, out.splitlines())) <= 80


def test_audit_as_json_names_what_to_do_and_fail_ends_with_3(run, tiny_model):
    cohort = tiny_model[1]
    status, out, _ = run("audit", cohort, "--against", cohort, "--json", "--fail")
    found = json.loads(out)

    assert status == 3
    assert found["findings"][0]["code"] == "LEAK_PATIENT"
    assert found["findings"][0]["remedy"].startswith("Split by patient")


def test_audit_of_a_clean_cohort_has_no_finding_and_does_not_fail(run, tiny_model):
    status, out, _ = run("audit", tiny_model[1], "--holdout", "0.25", "--fail")

    assert status == 0
    assert out.splitlines()[-1].endswith("records: 0 leaks, 0 cautions")
