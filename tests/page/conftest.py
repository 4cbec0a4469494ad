"""The small model, loaded once, and a form over it."""

from __future__ import annotations

import pytest

from multimodal import ClinicalModel, Cohort
from multimodal.page import private
from multimodal.page.layout import Form


@pytest.fixture(scope="session")
def model(tiny_model) -> ClinicalModel:
    return ClinicalModel.load(tiny_model[0])


@pytest.fixture(scope="session")
def cohort(tiny_model) -> Cohort:
    return Cohort.open(tiny_model[1])


@pytest.fixture
def folder():
    """The private folder, as it is while the page is served; afterwards no file is left in it."""
    folder = private.open_private_folder()
    yield folder
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    private.remove_private_folder()
    assert left == []
    assert not folder.exists()


@pytest.fixture
def form(model, folder) -> Form:
    return Form(model)


@pytest.fixture
def upload(folder):
    """upload(name, content): a file as gradio's upload leaves it, in a folder of its own."""

    def make(name: str, content: bytes) -> dict:
        path = folder / "0123abcd" / name
        path.parent.mkdir()
        path.write_bytes(content)
        return {"path": str(path), "orig_name": name}

    return make
