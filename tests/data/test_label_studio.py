"""Exports of Label Studio."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from distildoc.data.pageset import PageSet
from distildoc.data.readers import label_studio
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Region

SIZE = {"original_width": 100, "original_height": 200}


def rectangle(
    x: float, y: float, width: float, height: float, label: str = "Text", rotation: float = 0
) -> dict[str, Any]:
    value = {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": rotation,
        "rectanglelabels": [label],
    }
    return {"type": "rectanglelabels", "from_name": "label", "id": "x", "value": value, **SIZE}


def task(image: str, *annotations: dict[str, Any], id: int = 1) -> dict[str, Any]:
    return {"id": id, "data": {"image": image}, "annotations": list(annotations), "predictions": [], "project": 3}


def done(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 7, "result": list(results), "was_cancelled": False, "ground_truth": False, **more}


def read(folder: Path, *tasks: dict[str, Any], **settings: Any) -> PageSet:
    for name in ("a.png", "deep/b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (10, 20), 255).save(folder / name)
    (folder / "export.json").write_text(json.dumps(list(tasks)))
    return label_studio.read(path=folder / "export.json", images=folder, **settings)


def test_per_cents_become_pixels_of_the_size_the_export_gives(tmp_path: Path) -> None:
    pages = read(
        tmp_path, task("/data/upload/3/a.png", done(rectangle(10, 20, 30, 5), rectangle(0, 0, 50, 50, "Table")))
    )
    assert pages.labels == ("Table", "Text")
    (page,) = pages.pages
    assert page.id == "a.png" and page.size == (100, 200)
    assert page.regions == (Region("Text", (10, 40, 40, 50)), Region("Table", (0, 0, 50, 100)))


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("/data/upload/3/1f2e3d4c-a.png", "a.png"),
        ("/data/local-files/?d=deep/b.png", "deep/b.png"),
        ("/data/local-files/?d=elsewhere%5Cdeep%5Ca.png", "a.png"),
        ("https://example.org/x/a.png?size=3", "a.png"),
        ("s3://bucket/deep/b.png", None),
        ("deep/b.png", "deep/b.png"),
    ],
)
def test_images_are_found_by_path_or_by_name(tmp_path: Path, address: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(InputError, match=r"1 of 1 images are not below .* first 'c\.png'"):
            read(tmp_path, task("s3://bucket/deep/c.png", done()))
        return
    assert [page.id for page in read(tmp_path, task(address, done())).pages] == [found]


def test_an_empty_annotation_is_a_page_without_regions_and_none_a_page_that_is_not_known(tmp_path: Path) -> None:
    pages = read(tmp_path, task("a.png", done()), task("deep/b.png", done(was_cancelled=True), id=2))
    assert [(page.regions, page.size) for page in pages.pages] == [((), (10, 20)), (None, None)]


def test_a_turned_rectangle_gives_the_upright_box_around_it(tmp_path: Path) -> None:
    # 20 x 10 px at (50, 40), turned by 90 degrees clockwise about that corner: 10 px to the left, 20 px down.
    (page,) = read(tmp_path, task("a.png", done(rectangle(50, 20, 20, 5, rotation=90)))).pages
    assert page.regions is not None and page.regions[0].box == pytest.approx((40, 40, 50, 60))


def test_of_several_annotations_the_marked_one_counts_or_else_the_first_with_a_note(tmp_path: Path) -> None:
    first, second = done(rectangle(0, 0, 10, 10)), done(rectangle(0, 0, 20, 20), ground_truth=True)
    assert read(tmp_path, task("a.png", first, second)).pages[0].regions == (Region("Text", (0, 0, 20, 40)),)
    pages = read(tmp_path, task("a.png", done(was_cancelled=True), first, done()))
    assert pages.pages[0].regions == (Region("Text", (0, 0, 10, 20)),)
    assert "annotated more than once were read from the first annotation: 1, first 'a.png'" in pages.repairs[0]


def test_what_is_no_labelled_rectangle_is_left_out_and_counted(tmp_path: Path) -> None:
    polygon = {"type": "polygonlabels", "value": {"points": [[0, 0]], "polygonlabels": ["Text"]}}
    choice = {"type": "choices", "value": {"choices": ["good"]}}
    bare = rectangle(0, 0, 10, 10)
    bare["value"]["rectanglelabels"] = []
    pages = read(tmp_path, task("a.png", done(polygon, choice, bare, rectangle(-10, 0, 20, 10))))
    assert pages.pages[0].regions == (Region("Text", (0, 0, 10, 20)),)
    assert [line.split("export.json: ")[1] for line in pages.repairs] == [
        "boxes that reach outside their page were clipped: 1, first on image 'a.png'",
        "rectangles without a class were left out: 1, first on image 'a.png'",
        "regions that are no labelled rectangles were left out: 1, first on image 'a.png'",
    ]


def test_class_names_may_be_given_in_order(tmp_path: Path) -> None:
    some = task("a.png", done(rectangle(0, 0, 10, 10)))
    assert read(tmp_path, some, labels=["Title", "Text"]).labels == ("Title", "Text")
    with pytest.raises(InputError, match="unknown class 'Text'; closest: Test"):
        read(tmp_path, some, labels=["Test"])


TURNED = {**rectangle(0, 0, 1, 1), "image_rotation": 90}
DOUBLE = rectangle(0, 0, 1, 1)
DOUBLE["value"] = {**DOUBLE["value"], "rectanglelabels": ["Text", "Table"]}
HALF = rectangle(0, 0, 1, 1)
HALF["value"] = {"x": 1, "y": 1, "rectanglelabels": ["Text"]}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task("a.png", done(TURNED))], "was turned while it was annotated"),
        ([task("a.png", done(DOUBLE))], "a rectangle on image 'a.png' has several classes: Text, Table"),
        ([task("a.png", done(HALF))], "a rectangle on image 'a.png' lacks one of x, y, width, height"),
        ([task("../a.png", done())], "which is no path inside a folder"),
        ([task("a.png", done()), task("a.png", done(), id=2)], "page ids occur more than once, first 'a.png'"),
        (
            [{"id": 1, "data": {"pdf": "x"}, "annotations": []}],
            "no image under 'image', only pdf; name it with `field`",
        ),
        ([{"id": 1, "image": "a.png", "label": []}], "no JSON export of Label Studio: 0.data: field required"),
        ([task("a.png", done(rectangle(0, 0, float("nan"), 1)))], "input should be a finite number"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line(tmp_path: Path, tasks: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, *tasks)
    assert "\n" not in str(caught.value)
