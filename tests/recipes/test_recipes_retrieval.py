"""The exam of retrieval: what is written, against vectors taken from the student by hand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams, exams_are_done
from distildoc.recipes.exams_config import RetrievalConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import test_pages as pages_to_ask
from distildoc.recipes.pages import training_pages
from distildoc.recipes.retrieval import retrieval_exam
from distildoc.recipes.screen import SILENT
from distildoc.recipes.sizes import preprocess_of
from distildoc.schema.errors import TapError

ConfigOf = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def trained(config_of: ConfigOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "run"
    stages.train(config_of(exams={"retrieval": {"at": [1, 5]}}), folder)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def embedded(run: Path, pages) -> tuple[np.ndarray, np.ndarray]:
    model, preprocess = load_model(run / "model").eval(), preprocess_of(RunFolder(run).config())
    pixels = np.stack([preprocess(page.image(preprocess.longest_px)) for page in pages]).astype(np.float32) / 255
    pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3)).transpose(0, 3, 1, 2)
    with torch.no_grad():
        rows = model.body(model.entry(torch.from_numpy(pixels.copy())))
    return rows.double().numpy(), np.array([page.label for page in pages])


def precision(queries, database, k: int, *, skip_own: bool) -> float:
    """Mean share of the class among the first k by cosine, query by query."""
    found = []
    for i, (row, own) in enumerate(zip(*queries, strict=True)):
        near = database[0] @ row / np.linalg.norm(database[0], axis=1)
        if skip_own:
            near[i] = -np.inf
        found.append(np.mean(database[1][np.argsort(-near, kind="stable")[:k]] == own))
    return float(np.mean(found))


@pytest.mark.parametrize("database", ["train", "test"])
def test_precision_is_that_of_the_students_vectors(run: Path, database: str) -> None:
    folder = RunFolder(run)
    line = retrieval_exam(folder, RetrievalConfig(at=(1, 5), database=database), SILENT)
    content = json.loads((run / "exams" / "retrieval.json").read_text())
    data = folder.config().data
    queries = embedded(run, pages_to_ask(data, ("form", "letter", "memo")).pages)
    asked = queries if database == "test" else embedded(run, training_pages(data).train.pages)
    for k in (1, 5):
        expected = precision(queries, asked, k, skip_own=database == "test")
        assert content["cosine"][f"precision@{k}"]["value"] == pytest.approx(expected)
    assert content["queries"] == {"count": 18, "failed": 0}
    assert content["database"] == {"pages": database, "count": len(asked[0]), "failed": 0}
    assert set(content["euclidean"]) == {"map", "precision@1", "precision@5"}
    assert f"cosine map {content['cosine']['map']['value']:.4f}" in line


def test_the_run_file_asks_for_it_and_it_is_done_once(run: Path) -> None:
    folder = RunFolder(run)
    assert not exams_are_done(folder, folder.config())
    (line,) = exams(run)
    assert "18 queries" in line
    assert exams_are_done(folder, folder.config())
    (again,) = exams(run)
    assert again.endswith("already done")
    (run / "exams" / "retrieval.json").unlink()
    assert not exams_are_done(folder, folder.config())


def test_fewer_pages_may_ask(run: Path) -> None:
    retrieval_exam(RunFolder(run), RetrievalConfig(pages=7), SILENT)
    content = json.loads((run / "exams" / "retrieval.json").read_text())
    assert content["queries"]["count"] == 7


def test_an_unknown_tap_names_the_closest(run: Path) -> None:
    with pytest.raises(TapError, match="closest: penultimate"):
        retrieval_exam(RunFolder(run), RetrievalConfig(tap="penultimat"), SILENT)
