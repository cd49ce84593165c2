"""COCO files of layouts: what is read, what is mended, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from distildoc.data.pageset import PageSet, hold_out
from distildoc.data.readers import coco
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Region

CATEGORIES = [{"id": 2, "name": "Table"}, {"id": 1, "name": "Text", "supercategory": "x"}]


def image(id: int | str, name: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "file_name": name, "width": 100, "height": 200, **more}


def box(image_id: int | str, *bbox: float, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": image_id, "category_id": category, "bbox": list(bbox), **more}


def write(
    folder: Path, images: list[dict[str, Any]], boxes: list[dict[str, Any]], categories: Any = CATEGORIES
) -> Path:
    """A COCO file, and a small picture of the right shape for every image it lists."""
    for entry in images:
        file = folder / "images" / str(entry["file_name"])
        if ".." not in file.parts and file.is_relative_to(folder):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (10, 20), 255).save(file)
    path = folder / "layout.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories, "info": {}}))
    return path


def regions(pages: PageSet) -> list[tuple[Region, ...] | None]:
    return [page.regions for page in pages.pages]


def test_boxes_become_regions_in_pixels_of_the_size_that_the_file_gives(tmp_path: Path) -> None:
    images = [image(7, "b.png"), image(3, "deep/a.png", doc_category="manuals", doc_name="guide.pdf")]
    boxes = [box(3, 10, 20, 30, 40), box(3, 0, 0, 100, 200, category=2, iscrowd=1, segmentation=[[1, 2, 3, 4, 5, 6]])]
    pages = coco.read(path=write(tmp_path, images, boxes))
    assert pages.labels == ("Text", "Table")  # in the order of the ids
    assert [page.id for page in pages.pages] == ["b.png", "deep/a.png"]
    assert regions(pages) == [
        (),
        (Region("Text", (10, 20, 40, 60)), Region("Table", (0, 0, 100, 200), crowd=True)),
    ]
    first, second = pages.pages
    assert (first.size, first.group, first.document) == ((100, 200), None, None)
    assert (second.group, second.document) == ("manuals", "guide.pdf")
    assert second.image().size == (10, 20)
    assert pages.region_counts() == {"Text": 1, "Table": 1} and pages.counts() == {"Text": 1, "Table": 1}
    assert pages.repairs == ()


def test_group_and_document_are_the_fields_that_were_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(1, "a.png", kind="memo", doc=12)], [])
    (page,) = coco.read(path=path, group="kind", document="doc").pages
    assert (page.group, page.document) == ("memo", "12")
    with pytest.raises(InputError, match="no image has the field 'knd'; closest: kind"):
        coco.read(path=path, group="knd")


def test_images_are_found_beside_the_file_in_its_images_folder_or_where_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(1, "a.png")], [])
    assert coco.read(path=path).pages[0].source == str(tmp_path / "images/a.png")
    (tmp_path / "images/a.png").rename(tmp_path / "a.png")
    assert coco.read(path=path).pages[0].source == str(tmp_path / "a.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "other/a.png")
    assert coco.read(path=path, images=tmp_path / "other").pages[0].source == str(tmp_path / "other/a.png")


FAULTY = [
    box(1, 90, 10, 20, 20),  # 10 px too wide
    box(1, -5, -5, 20, 20),
    box(1, 10, 180, 20, 20.4),  # within rounding
    box(1, 10, 10, 0, 20),
    box(1, 10, 10, 5, -3),
    box(1, 200, 10, 20, 20),
    box(9, 10, 10, 20, 20),
]


def test_faults_that_leave_no_doubt_are_mended_counted_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(1, "a.png")], FAULTY)
    pages = coco.read(path=path)
    assert regions(pages) == [
        (
            Region("Text", (90, 10, 100, 30)),
            Region("Text", (0, 0, 15, 15)),
            Region("Text", (10, 180, 30, 200)),
        )
    ]
    assert pages.repairs == (
        f"{path}: boxes of images that the file does not list were dropped: 1, first of image id 9",
        f"{path}: boxes that lie outside their page were dropped: 1, first in image 'a.png'",
        f"{path}: boxes that reach outside their page were clipped: 2, first in image 'a.png'",
        f"{path}: boxes without area were dropped: 2, first in image 'a.png'",
    )


@pytest.mark.parametrize("fault", [0, 1, 3, 4, 5, 6])
def test_strict_repair_makes_an_error_of_every_mended_fault(tmp_path: Path, fault: int) -> None:
    sound = box(1, 1, 1, 5, 5)
    with pytest.raises(InputError, match=r"layout\.json: boxes .*take out `repair: strict`"):
        coco.read(path=write(tmp_path, [image(1, "a.png")], [sound, FAULTY[fault]]), repair="strict")
    assert len(coco.read(path=write(tmp_path, [image(1, "a.png")], [sound, FAULTY[2]]), repair="strict")) == 1


ONE = [image(1, "a.png")]


@pytest.mark.parametrize(
    ("images", "boxes", "categories", "message"),
    [
        ([*ONE, image(1, "b.png")], [], CATEGORIES, "image ids must be unique, but 1 occur more than once, first '1'"),
        ([*ONE, image(2, "a.png")], [], CATEGORIES, "file names must be unique, but 1 .* first 'a.png'"),
        (ONE, [box(1, 1, 1, 5, 5, category=7)], CATEGORIES, r"in image 'a\.png' has the category id 7, which"),
        (ONE, [], [*CATEGORIES, {"id": 3, "name": "Text"}], "category names must be unique"),
        (ONE, [], [*CATEGORIES, {"id": 1, "name": "Title"}], "category ids must be unique"),
        (ONE, [box("1", 1, 1, 5, 5)], CATEGORIES, "no annotation belongs to a listed image: image_id is e.g. '1'"),
        ([image(1, "../a.png")], [], CATEGORIES, r"'\.\./a\.png' leads out of the images folder"),
        ([image(1, "/a.png")], [], CATEGORIES, "leads out of the images folder"),
        ([image(1, "a.png", width=0)], [], CATEGORIES, "images.0.width: input should be greater than or equal to 1"),
        ([{"id": 1, "file_name": "a.png"}], [], CATEGORIES, "images.0.width: field required"),
        (ONE, [box(1, 1, 1, 5)], CATEGORIES, "annotations.0.bbox.3: field required"),
        (ONE, [box(1, 1, 1, 5, 5, iscrowd="perhaps")], CATEGORIES, "annotations.0.iscrowd"),
        (ONE, [box(1, 1, 1, 5, float("nan"))], CATEGORIES, "annotations.0.bbox.3: input should be a finite number"),
        (ONE, [box(1, 1, 1, 5, float("inf"))], CATEGORIES, "annotations.0.bbox.3: input should be a finite number"),
        (ONE, [], [], "lists `images` and `categories`, one of which is empty"),
        ([], [], CATEGORIES, "one of which is empty"),
        (ONE, [], {"1": "Text"}, "categories: input should be a valid array"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line(
    tmp_path: Path, images: Any, boxes: Any, categories: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        coco.read(path=write(tmp_path, images, boxes, categories))
    assert "layout.json" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_images_are_counted_and_the_first_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(1, "a.png"), image(2, "b.png"), image(3, "c.png")], [])
    (tmp_path / "images/b.png").unlink()
    (tmp_path / "images/c.png").unlink()
    with pytest.raises(InputError, match=r"2 of 3 images are not below '.*images', first 'b\.png'; name their folder"):
        coco.read(path=path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": []}', "\xff", '{"images": 1, "annotations": [[[['])
def test_a_file_that_is_no_coco_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "layout.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"layout\.json: no COCO file of a layout: ") as caught:
        coco.read(path=path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"gone\.json: no such file"):
        coco.read(path=tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot be read"):
        coco.read(path=tmp_path)
    path = write(tmp_path, ONE, [])
    monkeypatch.setattr("distildoc.data.annotations.MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"layout\.json: \d+ bytes, more than the 10 that are read"):
        coco.read(path=path)


def test_real_pages_have_the_counts_their_readme_gives(real_data: Path) -> None:
    train, val = (coco.read(path=real_data / f"poleval/{split}.json", document="doc") for split in ("train", "val"))
    assert (len(train), len(val)) == (198, 51)
    assert (sum(train.region_counts().values()), sum(val.region_counts().values())) == (2214, 596)
    assert train.labels == val.labels and len(train.labels) == 11
    assert train.repairs == val.repairs == ()
    rest, held = hold_out(train, fraction=0.15, seed=0)
    assert 1 <= len(held) <= 30
    assert not {page.document for page in rest.pages} & {page.document for page in held.pages}


SCORED = [box(1, 10, 20, 30, 40, score=0.25), box(1, 0, 0, 50, 60, category=2, score=1)]


def test_regions_count_by_their_score_where_scores_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, [image(1, "a.png")], SCORED)
    found = [Region("Text", (10, 20, 40, 60), score=0.25), Region("Table", (0, 0, 50, 60))]
    assert regions(coco.read(path=path, scores=True)) == [tuple(found)]
    assert regions(coco.read(path=path)) == [(Region("Text", (10, 20, 40, 60)), found[1])]


@pytest.mark.parametrize("score", [0, -0.1, 1.01, None, "high", True, [0.5]])
def test_a_score_that_is_none_is_refused_where_scores_are_asked_for(tmp_path: Path, score: object) -> None:
    path = write(tmp_path, [image(1, "a.png")], [*SCORED, box(1, 1, 1, 9, 9, score=score)])
    assert len(coco.read(path=path).pages[0].regions or ()) == 3
    with pytest.raises(InputError, match=r"layout.json: a box in image 'a.png' has the score .*; leave `scores` off"):
        coco.read(path=path, scores=True)


def test_boxes_without_a_score_are_refused_where_scores_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has the score None"):
        coco.read(path=write(tmp_path, [image(1, "a.png")], [box(1, 1, 1, 9, 9)]), scores=True)
