"""`multimodal pretrain-images`, from files to its folder."""

import hmac
import json
import re

import numpy as np
import PIL.Image
import pytest

from multimodal import ClinicalModel, evaluate
from multimodal.encoders.pretrained import load_pretrained
from multimodal.evaluation.summary import cross_fitted_table, description
from multimodal.imaging import Preparation
from multimodal.model import read_config
from multimodal.model.image_pretraining import TAKEN, pretrain_images
from multimodal.model.pretraining import pretraining_config
from multimodal.model.seen_patients import seen_by_pretraining
from multimodal.records import InputError, UsageError
from multimodal.sources import Cohort

SMALL = read_config(None, ["image.size=32", "train.device=cpu"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """20 pictures at two depths, a text and a cut-off file: no cohort."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    (folder / "deep").mkdir()
    for i in range(20):
        place = folder / "deep" if i % 2 else folder
        PIL.Image.fromarray(rng.integers(0, 256, (40, 50), dtype=np.uint8)).save(place / f"Jane Doe {i:02}.png")
    (folder / "notes.txt").write_text("not for a message")
    (folder / "cut.png").write_bytes((folder / "Jane Doe 00.png").read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def cohort(pictures, tmp_path_factory):
    """The same pictures as a cohort: 17 records have the split `train`, 3 have none."""
    folder = tmp_path_factory.mktemp("cohort")
    patients, images = ["record_id,patient_id,split"], ["record_id,path"]
    for i, file in enumerate(sorted(pictures.rglob("Jane*.png"))):
        (folder / f"{i}.png").write_bytes(file.read_bytes())
        patients.append(f"r{i},p{i},{'train' if i < 17 else ''}")
        images.append(f"r{i},{i}.png")
    (folder / "cohort.toml").write_text('schema = 1\nname = "pictures"\n')
    (folder / "patients.csv").write_text("\n".join(patients))
    (folder / "images.csv").write_text("\n".join(images))
    assert len(Cohort.open(folder)) == 20
    return folder


def test_a_folder_of_files_becomes_a_backbone(pictures, tmp_path):
    said = []
    found = pretrain_images(pictures, tmp_path / "out", config=SMALL, batch_size=16, max_steps=9, report=said.append)
    text = (tmp_path / "out" / "pretraining.json").read_text()
    state = json.loads(text)

    assert (found.pictures, found.steps, found.refused) == (20, 9, {"DECODE_FAILED": 1, "NOT_AN_IMAGE": 1})
    assert said == [
        "DECODE_FAILED: 1 images are not used",
        "NOT_AN_IMAGE: 1 images are not used",
        "pretraining on 20 pictures, 9 steps: about 1 min",
    ]
    assert load_pretrained(tmp_path / "out")[::2] == ("compact", Preparation(size=32))
    assert {key: state[key] for key in ("schema", "method", "pictures", "steps", "seed")} == {
        "schema": 1,
        "method": "LeJEPA",
        "pictures": 20,
        "steps": 9,
        "seed": 0,
    }
    assert state["effective_rank"] == found.effective_rank > 3
    assert set(state["versions"]) == {"multimodal-clinical", "numpy", "python", "safetensors", "torch", "torchvision"}
    assert (state["holdout"], state["patients"]) == (0.0, None)
    assert "Doe" not in text
    assert str(pictures) not in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["backbone.safetensors", "pretraining.json"]


def test_of_a_cohort_only_the_records_of_the_split_are_read(cohort, tmp_path):
    found = pretrain_images(cohort, tmp_path / "out", config=SMALL, split="train", max_steps=1)

    assert (found.pictures, found.refused) == (17, {})


def test_the_holdout_is_that_of_train_and_whom_the_weights_saw_is_written_as_hashes(cohort, tmp_path):
    """Those whom `train --holdout 0.15 --seed 3` leaves out are not among them."""
    opened = Cohort.open(cohort)
    inside, held_out = opened.split(0.15, 3)
    config = read_config(None, ["image.size=32", "train.device=cpu", "train.holdout=0.15", "train.seed=3"])
    found = pretrain_images(cohort, tmp_path / "out", config=config, max_steps=1)
    text = (tmp_path / "out" / "pretraining.json").read_text()
    state = json.loads(text)
    salt = state["patients"]["salt"]
    expected = [hmac.new(salt.encode(), patient.encode(), "sha256").hexdigest() for patient in inside.patient_ids]

    assert (found.pictures, len(held_out), state["holdout"], state["seed"]) == (17, 3, 0.15, 3)
    assert state["patients"]["hmac_sha256"] == sorted(expected)
    assert not any(f'"{patient}"' in text for patient in opened.patient_ids)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """60 patients with a picture each, every other one dark."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    for i in range(60):
        PIL.Image.fromarray(rng.integers(0, 256 - 100 * (i % 2), (32, 32), dtype=np.uint8)).save(folder / f"{i}.png")
    (folder / "cohort.toml").write_text('schema = 1\nname = "labelled"\n[targets.dark]\n')
    (folder / "patients.csv").write_text("\n".join(["record_id,patient_id", *(f"r{i},p{i}" for i in range(60))]))
    (folder / "images.csv").write_text("\n".join(["record_id,path", *(f"r{i},{i}.png" for i in range(60))]))
    (folder / "labels.csv").write_text("\n".join(["record_id,dark", *(f"r{i},{i % 2}" for i in range(60))]))
    return folder


def trained_from(weights, cohort, folder):
    """(the model with a fifth of the patients held out, saved and loaded; what its training reported)"""
    options = [f"image.weights={weights}", "train.holdout=0.2", "image.size=32", "image.min_steps=2", "fusion.folds=3"]
    config = read_config(None, [*options, "image.max_steps=2", "train.device=cpu", "train.workers=1"])
    said = []
    ClinicalModel(config).fit(cohort, report=said.append).save(folder)
    return ClinicalModel.load(folder, device="cpu"), said


def test_patients_whom_the_weights_saw_are_left_out_of_an_evaluation_and_the_training_warns(labelled, tmp_path):
    """Pretraining that held out others than the training: of its holdout only those unseen by both remain."""
    config = read_config(None, ["image.size=32", "train.device=cpu", "train.holdout=0.5", "train.seed=1"])
    pretrain_images(labelled, tmp_path / "weights", config=config, max_steps=1)
    cohort = Cohort.open(labelled)
    held_out = set(cohort.split(0.2, 0)[1].patient_ids)
    unseen = held_out & set(cohort.split(0.5, 1)[1].patient_ids)
    message = (
        f"PRETRAINED_ON_HELD_OUT: image.weights: {12 - len(unseen)} of the 12 patients held out are among those it "
        "learnt from"
    )

    model, said = trained_from(tmp_path / "weights", cohort, tmp_path / "model")
    counts = evaluate(model, cohort, resamples=0).metrics["cohort"]

    assert 0 < len(unseen) < len(held_out) == 12
    assert message in said
    assert set(cohort.patient_ids[~model.trained_on(cohort.patient_ids)]) == unseen
    assert (counts["patients"], counts["excluded_training_patients"]) == (len(unseen), 60 - len(unseen))
    assert f"CAUTION: {message}" in " ".join(cross_fitted_table(model).split())
    assert "began from    image.weights: learnt from 30 patients\n" in description(model)


def test_with_the_same_holdout_nothing_is_seen_and_weights_of_no_cohort_do_not_say(labelled, pictures, tmp_path):
    config = read_config(None, ["image.size=32", "train.device=cpu", "train.holdout=0.2"])
    pretrain_images(labelled, tmp_path / "same", config=config, max_steps=1)
    pretrain_images(pictures, tmp_path / "folder", config=SMALL, max_steps=1)
    cohort = Cohort.open(labelled)
    held_out = set(cohort.split(0.2, 0)[1].patient_ids)
    learnt = {
        "same": "learnt from 48 patients",
        "folder": "whom it learnt from is unknown",
    }

    for name, known in learnt.items():
        model, said = trained_from(tmp_path / name, cohort, tmp_path / f"model-{name}")

        assert not any("PRETRAINED_ON_HELD_OUT" in line for line in said)
        assert set(cohort.patient_ids[~model.trained_on(cohort.patient_ids)]) == held_out
        assert f"began from    image.weights: {known}\n" in description(model)


def test_a_pretraining_whose_patients_were_edited_is_refused(tmp_path):
    message = f"^{re.escape(str(tmp_path))} is damaged or was edited: run the pretraining again$"

    for patients in ('{"salt": "0"}', "[{}]", '{"salt": "0", "hmac_sha256": 1}'):
        (tmp_path / "pretraining.json").write_text(f'{{"patients": {patients}}}')
        with pytest.raises(UsageError, match=message):
            seen_by_pretraining(tmp_path)


def test_too_few_pictures_leave_nothing(pictures, tmp_path):
    with pytest.raises(InputError, match=r"^10 usable pictures, at least 16 are needed: nothing was written$"):
        pretrain_images(pictures / "deep", tmp_path / "out", config=SMALL)

    assert list(tmp_path.iterdir()) == []


def test_a_wrong_call_is_refused_before_anything_is_read(pictures, tmp_path):
    taken = (
        "image.backbone, image.denoise, image.enhance, image.flip, image.size, image.slices, image.window, "
        "train.device, train.holdout, train.seed, train.workers"
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    refused = {
        f"image.dropout: pretraining does not take it; it takes {taken}": lambda: pretraining_config(
            ["image.dropout=0.1"], TAKEN
        ),
        f"notes.width: pretraining does not take it; it takes {taken}": lambda: pretraining_config(
            ["notes.width=64"], TAKEN
        ),
        "'deep' has no cohort.toml: --split, --holdout and --ignore are for cohorts": lambda: pretrain_images(
            pictures / "deep", tmp_path / "out", config=SMALL, split="train"
        ),
        f"{tmp_path / 'model'} exists: choose another folder or give --overwrite": lambda: pretrain_images(
            pictures, tmp_path / "model"
        ),
        f"{tmp_path / 'model'} exists and is no folder of pretrain-images: it is not overwritten": lambda: (
            pretrain_images(pictures, tmp_path / "model", overwrite=True)
        ),
    }

    for message, call in refused.items():
        with pytest.raises(UsageError) as raised:
            call()
        assert str(raised.value) == message
