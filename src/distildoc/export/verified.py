"""What every comparison of a bundle with its student does before and after."""

import json
from collections.abc import Mapping
from pathlib import Path

from distildoc.core.model import Model
from distildoc.models.load import fingerprint
from distildoc.schema.bundle import Bundle
from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file

TOLERANCE = 1e-3  # of a probability or a score; float32 on two runtimes differs by about 1e-6
RESULT = "verify.json"


def check_origin(bundle: Bundle, model: Model, where: str) -> None:
    """Raises InputError for a bundle of another student."""
    stated = bundle.source.get("fingerprint")
    if bundle.labels != model.labels or (stated is not None and stated != fingerprint(model)):
        raise InputError(f"{where}: the bundle comes from another student than this one; export it again")


def write_result(folder: str | Path, found: Mapping[str, object]) -> None:
    """verify.json in the bundle, whole or not at all."""
    with new_file(Path(folder) / RESULT) as part:
        part.write_text(json.dumps(found, indent=1), encoding="utf-8")
