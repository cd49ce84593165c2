"""Fixtures that many tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real pages: DISTILDOC_DATA, or the `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DISTILDOC_DATA", beside))
    if not (folder / "rvl5").is_dir():
        pytest.skip(f"real pages not found: set DISTILDOC_DATA to a folder with rvl5 (looked in {folder.name})")
    return folder
