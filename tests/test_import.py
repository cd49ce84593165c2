import subprocess
import sys
from importlib.metadata import version

import pytest

import distildoc

HEAVY = ("torch", "onnxruntime", "numpy", "PIL", "transformers", "importlib.metadata")


def imported_by(statement):
    code = f"import sys; before = set(sys.modules); {statement}; print('\\n'.join(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    found = imported_by("import distildoc")
    assert "distildoc" in found
    assert not set(HEAVY) & set(found)
    assert len([name for name in found if name.startswith("distildoc")]) == 1


def test_version_is_the_installed_one():
    assert distildoc.__version__ == version("distildoc")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = distildoc.laod
