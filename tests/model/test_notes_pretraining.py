"""`multimodal pretrain-notes`, from texts to a checkpoint that a training begins from."""

import json
import shutil

import pytest

from multimodal import ClinicalModel, Cohort
from multimodal.encoders.checkpoints import is_compact
from multimodal.evaluation.summary import description
from multimodal.model import read_config
from multimodal.model.notes_pretraining import pretrain_notes
from multimodal.model.seen_patients import seen_by_pretraining
from multimodal.records import CohortError, InputError, PatientRecord, UsageError

SMALL = read_config(None, ["notes.layers=1", "notes.width=64", "notes.vocabulary=200", "train.device=cpu"])
PARTS = ("heart", "lung", "spine", "aorta", "trachea")


def text_of(row: int) -> str:
    effusion = "There is a large effusion." if row % 2 else "No effusion is seen."
    return f"The {PARTS[row % 5]} is normal. {effusion} Patient Jane Doe."


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """60 patients with a note each; half of them have an effusion."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = range(60)
    (folder / "cohort.toml").write_text('schema = 1\nname = "notes"\n[targets.effusion]\nwords = ["effusion"]\n')
    (folder / "patients.csv").write_text("\n".join(["record_id,patient_id", *(f"r{i},p{i}" for i in rows)]))
    (folder / "notes.csv").write_text("\n".join(["record_id,text", *(f"r{i},{text_of(i)}" for i in rows)]))
    (folder / "labels.csv").write_text("\n".join(["record_id,effusion", *(f"r{i},{i % 2}" for i in rows)]))
    return folder


def test_a_folder_of_texts_becomes_a_checkpoint(tmp_path):
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    for row in range(20):
        (tmp_path / "texts" / ("deep" if row % 2 else ".") / f"Jane Doe {row}.txt").write_text(text_of(row))
    (tmp_path / "texts" / "empty.txt").write_text("")
    (tmp_path / "texts" / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    said = []

    found = pretrain_notes(tmp_path / "texts", tmp_path / "out", config=SMALL, epochs=12, report=said.append)

    facts = (tmp_path / "out" / "pretraining.json").read_text()
    state = json.loads(facts)
    assert (found.texts, found.sentences, found.steps) == (20, 8, 12)
    assert found.problems == {"BAD_ENCODING": 1, "FILE_EMPTY": 1}
    assert [line for line in said if "not used" in line] == [
        "BAD_ENCODING: 1 texts are not used",
        "FILE_EMPTY: 1 texts are not used",
    ]
    assert (state["method"], state["checkpoint"], state["patients"]) == ("masked language", None, [])
    assert "Jane" not in facts
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }


def test_each_line_of_a_text_file_is_a_text(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(text_of(row) for row in range(20)) + "\n\n", encoding="utf-16")

    assert pretrain_notes(tmp_path / "texts.txt", tmp_path / "out", config=SMALL, epochs=1).texts == 20


def test_the_same_seed_gives_the_same_weights(cohort, tmp_path):
    for name in ("first", "second"):
        pretrain_notes(cohort, tmp_path / name, config=SMALL, epochs=2)

    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second


def test_a_model_begins_from_it_and_leaves_out_whom_it_has_seen(cohort, tmp_path):
    """As with pretrained pictures: what was pretrained on patients held out is said, and they are never evaluated."""
    pretrain_notes(cohort, tmp_path / "bert", config=SMALL, epochs=2)
    steps = ["notes.min_steps=2", "notes.max_steps=2", "notes.encoders=words,bert"]
    config = read_config(
        None, [f"notes.checkpoint={tmp_path / 'bert'}", "train.holdout=0.2", "train.device=cpu", *steps]
    )
    said = []

    model = ClinicalModel(config).fit(Cohort.open(cohort), report=said.append)
    model.save(tmp_path / "model")
    loaded = ClinicalModel.load(tmp_path / "model", device="cpu")

    assert (
        "PRETRAINED_ON_HELD_OUT: notes.checkpoint: 12 of the 12 patients held out are among those it learnt from"
    ) in said
    assert loaded.trained_on(Cohort.open(cohort).patient_ids).all()
    assert "began from    notes.checkpoint: learnt from 60 patients\n" in description(loaded)


def test_going_on_from_a_checkpoint_keeps_its_vocabulary(cohort, tmp_path):
    pretrain_notes(cohort, tmp_path / "first", config=SMALL, epochs=1)
    config = read_config(None, [f"notes.checkpoint={tmp_path / 'first'}", "train.device=cpu"])

    pretrain_notes(cohort, tmp_path / "second", config=config, epochs=1)

    first, second = ((tmp_path / name / "tokenizer.json").read_text() for name in ("first", "second"))
    assert json.loads(first)["model"]["vocab"] == json.loads(second)["model"]["vocab"]
    assert json.loads((tmp_path / "second" / "pretraining.json").read_text())["checkpoint"] == "first"


def test_a_wrong_call_is_refused_and_leaves_nothing(cohort, tmp_path):
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "one.txt").write_text("Cough.")
    (tmp_path / "lines.txt").write_text("Cough.\n" * 20)
    held_out = read_config(None, ["train.holdout=0.2"])

    with pytest.raises(InputError, match=r"^1 usable texts, at least 16 are needed: nothing was written$"):
        pretrain_notes(tmp_path / "few", tmp_path / "out", config=SMALL)
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: there is no 'nowhere'. Check the path.$"):
        pretrain_notes(tmp_path / "nowhere", tmp_path / "out", config=SMALL)
    with pytest.raises(
        UsageError, match=r"^'lines.txt' is no cohort: --split, --holdout and --ignore are for cohorts$"
    ):
        pretrain_notes(tmp_path / "lines.txt", tmp_path / "out", config=held_out)
    with pytest.raises(UsageError, match=r"exists: choose another folder or give --overwrite$"):
        pretrain_notes(cohort, tmp_path / "few", config=SMALL)
    assert not (tmp_path / "out").exists()


def test_a_targets_own_words_are_masked_where_the_option_says_so(cohort):
    """The word alone tells the answer here: masked, what is left tells nothing, in training and in scoring."""
    options = ["notes.encoders=words", "train.device=cpu"]
    texts = ["The heart is normal. Effusion.", "The heart is normal.         ."]
    records = [PatientRecord(record_id=text, patient_id=text, notes=[{"text": text}]) for text in texts]
    answers = {}
    for masked in ("false", "true"):
        model = ClinicalModel(read_config(None, [*options, f"notes.mask_words={masked}"])).fit(Cohort.open(cohort))
        answers[masked] = model.predict(records).probability[:, 0]

    vocabulary = model.encoders_["notes"]["words"].features_.vocabulary_["words"]
    assert not any("effusion" in term for term in vocabulary)
    assert answers["false"][0] > answers["false"][1]
    assert answers["true"][0] == answers["true"][1]


def test_what_goes_on_from_a_pretraining_has_seen_its_patients_too(cohort, tmp_path):
    """Training notes first, then more text: whom the first has seen is not forgotten, nor that it is compact."""
    (tmp_path / "more.txt").write_text("\n".join(text_of(row) for row in range(20)))
    pretrain_notes(cohort, tmp_path / "first", config=SMALL, epochs=1)
    config = read_config(None, [f"notes.checkpoint={tmp_path / 'first'}", "train.device=cpu"])
    pretrain_notes(tmp_path / "more.txt", tmp_path / "second", config=config, epochs=1)

    first, second = seen_by_pretraining(tmp_path / "first"), seen_by_pretraining(tmp_path / "second")
    assert first == second
    assert [len(whom.hashes) for whom in second] == [60]
    assert is_compact(tmp_path / "second")


def test_masking_words_of_texts_that_have_no_targets_is_refused(tmp_path):
    (tmp_path / "texts.txt").write_text("Cough.\n" * 20)

    with pytest.raises(UsageError, match=r"^notes.mask_words: no target of the texts has words of its own$"):
        pretrain_notes(tmp_path / "texts.txt", tmp_path / "out", config=read_config(None, ["notes.mask_words=true"]))


def test_a_training_learns_the_notes_without_labels_once_and_keeps_that(cohort, tmp_path):
    """Taken up again it goes on from what is kept, to the same model."""
    small = ["notes.layers=1", "notes.width=64", "notes.vocabulary=200", "notes.min_steps=2", "notes.max_steps=2"]
    config = read_config(None, [*small, "notes.encoders=bert", "notes.pretraining=2", "train.device=cpu"])
    model = ClinicalModel(config).fit(Cohort.open(cohort), kept_in=tmp_path / "kept")
    kept = {folder.name: folder for folder in (tmp_path / "kept").iterdir() if folder.is_dir()}
    weights = kept["notes.bert.pretrained"] / "model.safetensors"
    written = weights.stat().st_mtime_ns
    for name, folder in kept.items():
        if name != "notes.bert.pretrained":
            shutil.rmtree(folder)

    again = ClinicalModel(config).fit(Cohort.open(cohort), kept_in=tmp_path / "kept")

    assert sorted(kept) == [f"notes.bert.{part}" for part in ("0", "1", "2", "all", "pretrained")]
    assert weights.stat().st_mtime_ns == written
    assert again.model_id == model.model_id
