"""The command line as a user has it, on tiny pages."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from distildoc.cli.main import main
from distildoc.recipes import stages
from distildoc.recipes.files import read_run_file
from distildoc.recipes.layers import overlay

RunFile = Callable[..., Path]


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    def one_line(self, *words: str) -> None:
        """It refused with code 2 and one line that has all of these words."""
        assert self.code == 2, self
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        assert all(word in self.err for word in words), self.err


@pytest.fixture
def distildoc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    def call(*words: str | Path) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["distildoc", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        found = capsys.readouterr()
        return Said(int(end.value.code or 0), found.out, found.err)

    return call


def page(label: str, number: int) -> Image.Image:
    """Forms are dark above, letters below."""
    pixels = np.random.default_rng([len(label), number]).integers(160, 256, (40, 32), dtype=np.uint8)
    pixels[: 20 if label == "form" else 40, :] //= 1 if label == "letter" else 3
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def original_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for split, count in (("train", 6), ("test", 3)):
        for label in ("form", "letter"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                page(label, number).save(folder / split / label / f"{number}.png")
    return folder


@pytest.fixture
def pages(original_pages: Path, tmp_path: Path) -> Path:
    """A copy to damage: FOLDER/{train,test}/{form,letter}/N.png."""
    return Path(shutil.copytree(original_pages, tmp_path / "pages"))


def content(pages: Path) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {
            "train": {"kind": "folder", "path": str(pages / "train")},
            "validation": {"hold_out": 0.3},
            "test": {"kind": "folder", "path": str(pages / "test")},
        },
        "input": {"height": 32, "width": 32},
        "model": {"name": "cnn-micro", "widths": [4], "depths": [1], "embedding": 4},
        "train": {"epochs": 1, "batch": 4, "threads": 1},
    }


@pytest.fixture
def run_file(pages: Path, tmp_path: Path) -> RunFile:
    """run_file(train={"epochs": 3}): a run file with some keys replaced."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(overlay(content(pages), changes)), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def finished(original_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all its stages done."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "run.yaml").write_text(yaml.safe_dump(content(original_pages)), encoding="utf-8")
    stages.run(read_run_file(folder / "run.yaml"), folder / "run")
    return folder / "run"


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(finished / "bundle", tmp_path / "bundle"))


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def refused(distildoc: Callable[..., Said], tmp_path: Path) -> Callable[..., None]:
    """refused("train", path, says=("a", "b")): the command refuses in one line and leaves no file behind."""

    def check(*words: str | Path, says: tuple[str, ...]) -> None:
        before = left(tmp_path)
        distildoc(*words).one_line(*says)
        assert left(tmp_path) == before

    return check
