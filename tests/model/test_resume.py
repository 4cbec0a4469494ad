"""A training that was stopped goes on from what it had finished, to the same model."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from multimodal import ClinicalModel, Cohort
from multimodal.encoders import ENCODERS
from multimodal.learning import checkpoint
from multimodal.model import read_config
from multimodal.model.cross_fitting import new_encoder
from multimodal.model.kept_work import KeptWork
from multimodal.model.partial import partial_of
from multimodal.model.scoring import read
from multimodal.model.training_files import check_model_out, train_to_folder
from multimodal.records import UsageError
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import synthesize

OPTIONS = ['notes.encoders=["words"]', 'vitals.encoders=["logistic"]', "image.size=32"]
OPTIONS += ["image.min_steps=6", "image.max_steps=6", "train.device=cpu", "train.workers=1"]


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    return write_to(tmp_path_factory.mktemp("cohort") / "cohort")


def write_to(folder):
    write_cohort(folder, synthesize(45, 0), overwrite=False)
    return folder


@pytest.fixture(scope="module")
def cohort(cohort_folder):
    return Cohort.open(cohort_folder)


@pytest.fixture(scope="module")
def whole(cohort, tmp_path_factory):
    """The model folder of a training that nothing disturbed, and that kept nothing."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    ClinicalModel(read_config(None, OPTIONS)).fit(cohort).save(folder)
    return folder


def train(cohort, out, *, stop_at=None, options=(), **how):
    """`train_to_folder`, which is interrupted as its progress is told for the `stop_at`-th time."""
    calls, lines = 0, []

    def progress(what, done, total):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt

    config = read_config(None, [*OPTIONS, *options])
    try:
        model = train_to_folder(cohort, out, config=config, progress=progress, report=lines.append, **how)
    except KeyboardInterrupt:
        return None, lines
    return model, lines


@pytest.fixture
def stopped(cohort, tmp_path):
    """Where a training stopped in the second fold of the CNN: its first has taken 6 steps and one to tell its end."""
    train(cohort, tmp_path / "model", stop_at=10)
    return tmp_path / "model"


def test_a_training_that_was_stopped_again_and_again_gives_the_same_model(cohort, whole, tmp_path, monkeypatch):
    """Stopped within the CNN's second fold, as the words' third fold ends, and as the logistic's last training ends."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    out = tmp_path / "model"
    told = [train(cohort, out, stop_at=10)[1]]
    kept = [sorted(item.name for item in partial_of(out).iterdir())]
    for stop_at in (1 + 3 * 7 + 3, 4 + 2 + 2 + 4):
        told.append(train(cohort, out, stop_at=stop_at, resume=True)[1])
        kept.append(sorted(item.name for item in partial_of(out).iterdir()))
    model, lines = train(cohort, out, resume=True)

    cnn, words, logistic = (
        [f"{name}.{fold}" for fold in (0, 1, 2, "all")] for name in ("image.cnn", "notes.words", "vitals.logistic")
    )
    assert kept == [
        ["image.cnn.0", "image.cnn.1.running", "run.json"],
        [*cnn, *words[:2], "run.json"],
        [*cnn, *words, "run.json", *logistic[:3]],
    ]
    assert [sum("going on from" in line for line in one) for one in told] == [0, 1, 1]
    assert "going on from an earlier run, which finished 11 trainings" in lines
    assert manifest(out) == manifest(whole)
    assert model.model_id == ClinicalModel.load(out).model_id
    assert not partial_of(out).exists()


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))["files"]


@pytest.mark.parametrize("name", ["forest", "bert"])
def test_an_encoder_that_is_taken_up_again_has_the_bytes_it_was_kept_with(name, cohort, tmp_path):
    """scikit-learn's and transformers' files differ once they were read and are written again."""
    batch, y = cohort.batch(), cohort.labels()[:, :1]
    config = read_config(None, ["notes.min_steps=1", "notes.max_steps=1", *OPTIONS])
    inputs = read(batch, ENCODERS[name].modality, config)
    having = np.flatnonzero(inputs.present)
    encoder = new_encoder(name, config)
    encoder.fit(inputs.take(having), ["pneumonia"], y[having], having, random_state=0)
    kept = KeptWork(tmp_path / "kept")
    kept.keep_encoder("label", encoder)
    folders = tmp_path / "first", tmp_path / "again"
    for folder, one in zip(folders, (encoder, kept.encoder("label", name, "cpu")), strict=True):
        folder.mkdir()
        one.save(folder)

    first, again = ({item.name: item.read_bytes() for item in folder.iterdir()} for folder in folders)
    assert again == first


def test_an_interrupted_command_says_how_it_goes_on_and_does(cohort, cohort_folder, whole, tmp_path):
    out = tmp_path / "model"
    command = [sys.executable, "-c", "from multimodal.cli import main; main()", "train", cohort_folder, "--out", out]
    run = subprocess.Popen(
        [*command, *(part for option in OPTIONS for part in ("--set", option))], stderr=subprocess.PIPE, text=True
    )
    while run.poll() is None and not (partial_of(out) / "image.cnn.0").exists():
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate()

    assert run.returncode == 130
    assert told.endswith("interrupted: the same command with --resume goes on\n")
    assert not out.exists()
    train(cohort, out, resume=True)
    assert manifest(out) == manifest(whole)


def test_another_training_is_not_mixed_in(cohort, stopped, tmp_path):
    changed = write_to(tmp_path / "changed")
    labels = (changed / "labels.csv").read_text("utf-8")
    (changed / "labels.csv").write_text(re.sub(r"1$", "0", labels, count=1, flags=re.MULTILINE), "utf-8")

    partial = re.escape(str(partial_of(stopped)))
    with pytest.raises(UsageError, match=f"^{partial} is another run: image.size was '32', is '33'; train.seed was "):
        train(cohort, stopped, options=["train.seed=1", "image.size=33"], resume=True)
    with pytest.raises(UsageError, match=r"; labels was '\w+\.\.\.', is '\w+\.\.\.'\. --overwrite starts afresh$"):
        train(Cohort.open(changed), stopped, resume=True)


def test_what_another_network_started_from_is_another_training(cohort, tmp_path):
    from multimodal.encoders.backbones import BACKBONES
    from multimodal.learning.weights import save_weights

    weights, out = tmp_path / "weights.safetensors", tmp_path / "model"
    save_weights(BACKBONES["compact"](), weights)
    train(cohort, out, stop_at=1, options=[f"image.weights={weights}"])
    save_weights(BACKBONES["compact"](), weights)

    with pytest.raises(
        UsageError, match=r"is another run: the files of image\.weights was '\w+\.\.\.', is '\w+\.\.\.'\. "
    ):
        train(cohort, out, options=[f"image.weights={weights}"], resume=True)


def test_what_was_finished_and_then_damaged_is_named(cohort, stopped):
    kept = partial_of(stopped) / "image.cnn.0"
    (kept / "evidence.safetensors").write_bytes(b"half")

    with pytest.raises(UsageError) as error:
        train(cohort, stopped, resume=True)
    assert str(error.value) == f"{kept} is damaged: remove it, and --resume does that training again"


def test_an_unfinished_training_is_not_overwritten_unasked(cohort, stopped):
    partial = partial_of(stopped)

    with pytest.raises(UsageError) as error:
        train(cohort, stopped)
    assert str(error.value) == (
        f"{partial} holds an unfinished training: --resume goes on with it, --overwrite starts afresh"
    )
    _, lines = train(cohort, stopped, stop_at=1, overwrite=True)
    assert not any("going on from" in line for line in lines)
    assert [item.name for item in partial.iterdir()] == ["run.json"]


def test_a_finished_model_is_not_resumed(whole):
    with pytest.raises(UsageError) as error:
        check_model_out(whole, resume=True)
    assert str(error.value) == f"{whole} exists, and no training of it is unfinished: there is nothing to resume"


def test_resume_and_overwrite_contradict_each_other(tmp_path):
    with pytest.raises(UsageError, match=r"^give either --resume or --overwrite$"):
        check_model_out(tmp_path / "model", resume=True, overwrite=True)


def test_a_training_that_replaces_a_model_can_be_resumed(cohort, whole, tmp_path):
    """The model that is there stays until the new one is whole."""
    out = shutil.copytree(whole, tmp_path / "model")
    train(cohort, out, stop_at=1, overwrite=True)

    assert manifest(out) == manifest(whole)
    check_model_out(out, resume=True)


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}])
def test_a_folder_that_is_no_training_of_ours_is_left_alone(how, tmp_path):
    partial = partial_of(tmp_path / "model")
    partial.mkdir()
    (partial / "thesis.docx").write_text("years of work")

    with pytest.raises(UsageError) as error:
        check_model_out(tmp_path / "model", **how)
    assert str(error.value) == f"{partial} is in the way, and no unfinished training of ours"
    assert (partial / "thesis.docx").read_text() == "years of work"


def test_python_keeps_nothing_unless_asked(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ClinicalModel(read_config(None, OPTIONS)).fit(cohort, progress=stop)
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        ClinicalModel(read_config(None, OPTIONS)).fit(cohort, progress=stop, kept_in=tmp_path / "kept")
    assert [item.name for item in (tmp_path / "kept").iterdir()] == ["run.json"]
