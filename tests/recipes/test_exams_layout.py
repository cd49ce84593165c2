"""Exams of a run that finds regions: their boxes move with the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.settings import validated

DETECTOR = {
    "name": "d-fine-micro",
    "stem": [4, 4],
    "inner": [4, 4, 8, 8],
    "widths": [8, 8, 16, 16],
    "width": 16,
    "heads": 2,
    "feedforward": 32,
    "decoder_layers": 2,
    "queries": 8,
    "denoising": 0,
}


def write_coco(folder: Path, count: int) -> dict[str, str]:
    """Pages of 60 x 80 pixels, each with one dark block; the source that reads them."""
    (folder / "images").mkdir(parents=True)
    content: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "T"}]}
    for number in range(count):
        box = [8, 10 + number, 40, 30]
        noise = np.random.default_rng([len(folder.name), number]).integers(220, 256, (80, 60), dtype=np.uint8)
        page = Image.fromarray(noise)
        ImageDraw.Draw(page).rectangle((box[0], box[1], box[0] + box[2], box[1] + box[3]), fill=30)
        page.save(folder / "images" / f"{number}.png")
        content["images"].append({"id": number, "file_name": f"{number}.png", "width": 60, "height": 80})
        one = {"id": number, "image_id": number, "category_id": 1, "bbox": box, "area": 1200, "iscrowd": 0}
        content["annotations"].append(one)
    (folder / "pages.json").write_text(json.dumps(content))
    return {"kind": "coco", "path": str(folder / "pages.json")}


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_clean_scores_are_those_of_the_evaluation_and_damage_has_scores_too(fit: str, tmp_path: Path) -> None:
    content = {
        "name": "tiny",
        "task": "detection",
        "data": {
            "train": write_coco(tmp_path / "train", 8),
            "validation": {"hold_out": 0.25},
            "test": write_coco(tmp_path / "test", 4),
        },
        "input": {"height": 64, "width": 64, "grey": True, "fit": fit},
        "model": DETECTOR,
        "train": {"epochs": 1, "batch": 2, "lr": 0.001, "threads": 1},
        "exams": {
            "shifted": {"more": write_coco(tmp_path / "more", 3)},
            "corruptions": {"kinds": ["skew", "stamps"], "severities": [2]},
        },
    }
    stages.train(validated(RunConfig, content, "test"), tmp_path / "run")
    stages.evaluate(tmp_path / "run")
    found, evaluated, shifted = (
        json.loads((tmp_path / "run" / name).read_text())
        for name in ("exams/corruptions.json", "evaluation/report.json", "exams/shifted/more/report.json")
    )
    assert found["pages"] == 4 and shifted["pages"] == 3
    for score in ("map", "ap50"):
        assert found["clean"][score] == pytest.approx(evaluated["scores"][score]["value"])
        assert all(0 <= rows[0][score] <= 1 for rows in found["kinds"].values())
    assert set(found["kinds"]) == {"skew", "stamps"}
