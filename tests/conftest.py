"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data, beside the checkout; without it the test is skipped, or fails where CI=true."""
    if not SHARED.is_dir():
        reason = f"the real data are not here: {SHARED.name}/ lies beside the checkout where they are"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> tuple[Path, Path]:
    """(model folder, cohort folder): the demonstration made small, 120 synthetic patients, 30 of them held out."""
    # Not at the top: tests of the light rooms need no torch.
    from multimodal.demo import make_demo

    options = ("image.size=64", "image.min_steps=20", "image.epochs=1")
    options += ('notes.encoders=["words"]', 'vitals.encoders=["logistic"]')
    made = make_demo(tmp_path_factory.mktemp("tiny") / "demo", version="test", patients=120, options=options)
    return made.model, made.cohort


@pytest.fixture
def chromium():
    """Chromium without a window; where it is missing the test is skipped, or fails where CI=true."""
    if not CHROMIUM.is_file():
        reason = "there is no Chromium at /usr/bin/chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()
