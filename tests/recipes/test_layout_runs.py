"""Runs that find regions, on small pages with a table and lines of text: train, distil, evaluate, export, verify."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.layers import overlay
from distildoc.recipes.pages import listed_pages
from distildoc.recipes.pages import test_pages as scored_pages
from distildoc.recipes.settings import validated
from distildoc.schema.errors import ConfigError, InputError

CATEGORIES = ("Table", "Text")
DETECTOR = {
    "name": "d-fine-micro",
    "stem": [4, 4],
    "inner": [4, 4, 8, 8],
    "widths": [8, 8, 16, 16],
    "width": 16,
    "heads": 2,
    "feedforward": 32,
    "decoder_layers": 2,
    "queries": 12,
    "denoising": 4,
}
LayoutOf = Callable[..., RunConfig]


def draw(number: int) -> tuple[Image.Image, list[tuple[int, list[int]]]]:
    """A page of 96 x 128 pixels with a table (a grid) above or below some lines of text; every fourth is blank."""
    noise = np.random.default_rng(number).integers(200, 256, (128, 96), dtype=np.uint8)
    page = Image.fromarray(noise)
    if number % 4 == 3:
        return page, []
    pen = ImageDraw.Draw(page)
    top, bottom = (10, 74) if number % 2 else (74, 10)
    for step in range(0, 49, 12):
        pen.line((16, top + step * 0.9, 80, top + step * 0.9), fill=0)
        pen.line((16 + step * 4 / 3, top, 16 + step * 4 / 3, top + 43), fill=0)
    for step in range(0, 40, 8):
        pen.line((12, bottom + step, 84, bottom + step), fill=60, width=3)
    return page, [(1, [16, top, 64, 43]), (2, [12, bottom - 1, 72, 35])]


def write_coco(folder: Path, numbers: range) -> None:
    """FOLDER/pages.json and FOLDER/images."""
    (folder / "images").mkdir(parents=True)
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CATEGORIES, 1)],
    }
    for number in numbers:
        page, regions = draw(number)
        name = f"p{number:02d}.png"
        page.save(folder / "images" / name)
        content["images"].append({"id": number, "file_name": name, "width": 96, "height": 128})
        for category, box in regions:
            one = {"id": len(content["annotations"]), "image_id": number, "category_id": category, "bbox": box}
            content["annotations"].append({**one, "area": box[2] * box[3], "iscrowd": 0})
    (folder / "pages.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    write_coco(folder / "train", range(0, 12))
    write_coco(folder / "test", range(100, 105))
    (folder / "unlabelled").mkdir()
    for number in range(200, 204):
        draw(number)[0].save(folder / "unlabelled" / f"u{number}.png")
    return folder


@pytest.fixture(scope="module")
def layout_of(layouts: Path) -> LayoutOf:
    base: dict[str, Any] = {
        "name": "tiny",
        "task": "detection",
        "data": {
            "train": {"kind": "coco", "path": str(layouts / "train" / "pages.json")},
            "validation": {"hold_out": 0.25},
            "test": {"kind": "coco", "path": str(layouts / "test" / "pages.json")},
        },
        "input": {"height": 64, "width": 64, "grey": True},
        "augmentation": {"rotate_deg": 1.0, "views": 2},
        "model": DETECTOR,
        "train": {"epochs": 1, "batch": 4, "lr": 0.001, "threads": 1, "ema": 0.9},
    }

    def make(**changes: Any) -> RunConfig:
        content: Mapping[str, Any] = overlay(base, changes)
        return validated(RunConfig, content, "test")

    return make


@pytest.fixture(scope="module")
def taught(layout_of: LayoutOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    stages.run(layout_of(name="teacher"), folder)
    return folder


def test_a_run_ends_with_scores_and_a_verified_bundle(taught: Path) -> None:
    record = RunFolder(taught).read()["stages"]
    assert set(record) == {"train", "evaluate", "export", "verify"}
    assert 0 <= record["train"]["validation_map"] <= 1
    assert set(record["train"]["thresholds"]) == set(CATEGORIES)
    report = json.loads((taught / "evaluation" / "report.json").read_text())
    assert report["primary"] == "map"
    assert {"map", "ap50", "map_post"} <= set(report["scores"])
    assert report["cost"]["parameters"] == record["train"]["parameters"]


def test_bundle_and_student_score_alike(taught: Path, layouts: Path, tmp_path: Path) -> None:
    line = stages.evaluate_on(
        taught / "bundle", layouts / "test" / "pages.json", out=tmp_path / "again", skip_bad=False
    )
    first, again = (
        json.loads((folder / "report.json").read_text())["scores"]["map"]["value"]
        for folder in (taught / "evaluation", tmp_path / "again")
    )
    assert "map" in line
    assert again == pytest.approx(first, abs=2e-3)


@pytest.mark.parametrize("method", ["query_kd", "pseudo_labels", "simkd_layout"])
def test_a_student_learns_from_a_teacher_on_unlabelled_pages(
    method: str, taught: Path, layouts: Path, layout_of: LayoutOf, tmp_path: Path
) -> None:
    config = layout_of(
        name=method,
        data={"unlabelled": {"kind": "unlabelled", "path": str(layouts / "unlabelled")}},
        teacher={"runs": [str(taught)]},
        terms=[{"method": "supervised"}, {"method": method}],
    )
    stages.train(config, tmp_path / method)
    trained = RunFolder(tmp_path / method).stage("train")
    losses = json.loads((tmp_path / method / "records.jsonl").read_text().splitlines()[0])["losses"]
    assert trained is not None and trained["steps"] == 3  # 9 labelled and 4 unlabelled pages
    assert any(name.startswith(method) for name in losses)


def test_labelled_pages_from_elsewhere_are_trained_on_and_never_selected_on(layouts: Path, layout_of: LayoutOf) -> None:
    plain = listed_pages(layout_of().data)
    more = listed_pages(layout_of(data={"also": {"kind": "coco", "path": str(layouts / "test" / "pages.json")}}).data)
    added = more[0].pages[len(plain[0]) :]
    assert more[0].pages[: len(plain[0])] == plain[0].pages and more[1] == plain[1]
    assert len(added) == 5 and all(page.id.startswith("also/") and page.regions is not None for page in added)


def test_labelled_pages_from_elsewhere_are_other_pages_of_the_same_classes(layouts: Path, layout_of: LayoutOf) -> None:
    with pytest.raises(InputError, match=r"data\.also: 9 of 12 pages also stand in data\.train"):
        listed_pages(layout_of(data={"also": {"kind": "coco", "path": str(layouts / "train" / "pages.json")}}).data)
    strange = {"also": {"kind": "coco", "path": str(layouts / "test" / "pages.json")}, "labels": {"drop": ["Text"]}}
    assert "Text" not in listed_pages(layout_of(data=strange).data)[0].labels
    content = json.loads((layouts / "test" / "pages.json").read_text())
    bare = {"also": {"kind": "unlabelled", "path": str(layouts / "unlabelled")}}
    with pytest.raises(InputError, match=r"no page of .* has a label; name pages without labels `data.unlabelled`"):
        listed_pages(layout_of(data=bare).data)
    content["categories"][0]["name"] = "stamp"
    (layouts / "test" / "strange.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"data\.also: classes \['stamp'\] are not among the run's"):
        listed_pages(layout_of(data={"also": {"kind": "coco", "path": str(layouts / "test" / "strange.json")}}).data)


def test_labels_of_a_detector_count_by_their_score_or_are_refused(
    layouts: Path, layout_of: LayoutOf, tmp_path: Path
) -> None:
    content = json.loads((layouts / "test" / "pages.json").read_text())
    for number, one in enumerate(content["annotations"]):
        one["score"] = 0.2 + 0.05 * number
    (layouts / "test" / "scored.json").write_text(json.dumps(content))
    scored = {"kind": "coco", "path": str(layouts / "test" / "scored.json"), "scores": True}
    student = {"name": "mask-rcnn-micro", "masks": False, "hidden": 16}
    config = layout_of(name="soft", data={"also": scored}, model=student)
    stages.train(config, tmp_path / "soft")
    trained = RunFolder(tmp_path / "soft").stage("train")
    assert trained is not None and trained["steps"] > 0
    with pytest.raises(ConfigError, match="DETR family takes every region for certain"):
        stages.train(layout_of(name="d-fine", data={"also": scored}), tmp_path / "d-fine")
    with pytest.raises(InputError, match=r"data\.train: .* has regions with a score below 1.*under data.also"):
        listed_pages(layout_of(data={"train": scored}).data)
    with pytest.raises(InputError, match=r"data\.test: .* has regions with a score below 1.*under data.also"):
        scored_pages(layout_of(data={"test": scored}).data, CATEGORIES)


def test_a_cached_teacher_gives_the_run_of_a_live_one(taught: Path, layout_of: LayoutOf, tmp_path: Path) -> None:
    terms = [{"method": "supervised"}, {"method": "query_kd"}]
    last = []
    for name, cache in (("live", None), ("cached", str(tmp_path / "cache"))):
        config = layout_of(name=name, teacher={"runs": [str(taught)], "cache": cache}, terms=terms)
        if cache:
            stages.cache(config)
        stages.train(config, tmp_path / name)
        last.append(json.loads((tmp_path / name / "records.jsonl").read_text().splitlines()[0])["total"])
    assert last[0] == pytest.approx(last[1], rel=1e-4)


def test_a_run_can_start_from_all_weights_of_another(taught: Path, layout_of: LayoutOf) -> None:
    from distildoc.models.load import fingerprint, load_model
    from distildoc.recipes.tasks import TASKS

    begun = TASKS["detection"].initial(layout_of(start=str(taught), start_with="all"), CATEGORIES)
    assert fingerprint(begun) == fingerprint(load_model(taught / "model"))


def test_two_detectors_are_no_ensemble(taught: Path, layout_of: LayoutOf) -> None:
    config = layout_of(teacher={"runs": [str(taught), str(taught)]}, terms=[{"method": "query_kd"}])
    with pytest.raises(ConfigError, match="name one run"):
        stages.check(config)


def test_a_teacher_whose_labels_do_not_map_is_refused(taught: Path, layout_of: LayoutOf) -> None:
    config = layout_of(
        data={"labels": {"rename": {"Table": "Grid"}}}, teacher={"runs": [str(taught)]}, terms=[{"method": "query_kd"}]
    )
    with pytest.raises(InputError, match="Grid"):
        stages.check(config)


def test_the_teachers_classes_can_be_renamed(taught: Path, layout_of: LayoutOf) -> None:
    renamed = {"rename": {"Table": "Grid"}}
    config = layout_of(
        data={"labels": renamed},
        teacher={"runs": [str(taught)], "labels": renamed},
        terms=[{"method": "query_kd"}, {"method": "pseudo_labels"}],
    )
    assert any("query_kd" in line for line in stages.check(config))


def test_a_finished_run_with_a_renamed_teacher_is_passed_over(
    taught: Path, layout_of: LayoutOf, tmp_path: Path
) -> None:
    renamed = {"rename": {"Table": "Grid"}}
    teacher = {"runs": [str(taught)], "labels": renamed}
    config = layout_of(data={"labels": renamed}, teacher=teacher, terms=[{"method": "query_kd"}])
    stages.train(config, tmp_path / "run")
    assert "already trained" in stages.train(config, tmp_path / "run")


def test_repairs_of_the_data_are_said_before_training(layouts: Path, layout_of: LayoutOf, tmp_path: Path) -> None:
    content = json.loads((layouts / "train" / "pages.json").read_text())
    content["annotations"][0]["bbox"][2] = 500
    path = tmp_path / "pages.json"
    path.write_text(json.dumps(content))
    images = str(layouts / "train" / "images")
    lines = stages.check(layout_of(data={"train": {"kind": "coco", "path": str(path), "images": images}}))
    assert any("repaired" in line and "clipped" in line for line in lines)
