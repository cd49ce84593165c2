"""Pre-training on masked pages, and a run that starts from it."""

from collections.abc import Callable
from pathlib import Path

import torch

from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.build import parts_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import training_pages

ConfigOf = Callable[..., RunConfig]


def test_a_body_learns_on_unlabelled_pages_and_another_run_starts_from_it(
    config_of: ConfigOf, pages: Path, tmp_path: Path
) -> None:
    unlabelled = {"kind": "unlabelled", "path": str(pages / "test")}
    terms = [{"method": "masked_image", "patch": 8}]
    masked = config_of(
        name="masked", data={"unlabelled": unlabelled, "test": None}, terms=terms, train={"keep": "last"}
    )
    before = parts_of(masked, training_pages(masked.data)).distiller.student
    stages.train(masked, tmp_path / "masked")
    after = load_model(tmp_path / "masked" / "model")
    assert any(not torch.equal(a, b) for a, b in zip(before.body.parameters(), after.body.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before.head.parameters(), after.head.parameters(), strict=True))
    started = config_of(name="started", start=str(tmp_path / "masked"), train={"epochs": 0})
    stages.train(started, tmp_path / "started")
    found = load_model(tmp_path / "started" / "model")
    assert all(torch.equal(a, b) for a, b in zip(after.body.parameters(), found.body.parameters(), strict=True))
