"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data, beside the checkout; without it the test is skipped, or fails where CI=true."""
    if not SHARED.is_dir():
        reason = f"the real data are not here: {SHARED.name}/ lies beside the checkout where they are"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED
