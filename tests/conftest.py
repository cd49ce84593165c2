"""Fixtures that many tests share."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real pages: DISTILDOC_DATA, or the `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DISTILDOC_DATA", beside))
    if not (folder / "rvl5").is_dir():
        pytest.skip(f"real pages not found: set DISTILDOC_DATA to a folder with rvl5 (looked in {folder.name})")
    return folder


@pytest.fixture(scope="session")
def fixed_layout() -> ModuleType:
    """Makes layout bundles whose answer is known (tests/fixed_layout.py)."""
    spec = importlib.util.spec_from_file_location("fixed_layout", Path(__file__).with_name("fixed_layout.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
