"""`multimodal pretrain-images`, from files to its folder."""

import json

import numpy as np
import PIL.Image
import pytest

from multimodal.encoders.pretrained import load_pretrained
from multimodal.imaging import Preparation
from multimodal.model import read_config
from multimodal.model.pretraining import pretrain_images, pretraining_config
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
    assert "Doe" not in text
    assert str(pictures) not in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["backbone.safetensors", "pretraining.json"]


def test_of_a_cohort_only_the_records_of_the_split_are_read(cohort, tmp_path):
    found = pretrain_images(cohort, tmp_path / "out", config=SMALL, split="train", max_steps=1)

    assert (found.pictures, found.refused) == (17, {})


def test_too_few_pictures_leave_nothing(pictures, tmp_path):
    with pytest.raises(InputError, match=r"^10 usable pictures, at least 16 are needed: nothing was written$"):
        pretrain_images(pictures / "deep", tmp_path / "out", config=SMALL)

    assert list(tmp_path.iterdir()) == []


def test_a_wrong_call_is_refused_before_anything_is_read(pictures, tmp_path):
    taken = (
        "image.backbone, image.denoise, image.enhance, image.flip, image.size, image.slices, image.window, "
        "train.device, train.seed, train.workers"
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    refused = {
        f"image.dropout: pretraining does not take it; it takes {taken}": lambda: pretraining_config(
            ["image.dropout=0.1"]
        ),
        f"notes.width: pretraining does not take it; it takes {taken}": lambda: pretraining_config(["notes.width=64"]),
        "'deep' has no cohort.toml: --split and --ignore are for cohorts": lambda: pretrain_images(
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
