"""Readers of layout data, on small folders laid out as the owners do; boxes worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from distildoc.data.corpus.make import make_corpus
from distildoc.data.pageset import PageSet
from distildoc.data.readers import corpus_layout, doclaynet, prima, publaynet, yolo
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Region
from distildoc.schema.taxonomies import TAXONOMIES


def picture(path: Path, width: int = 100, height: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height), 255).save(path)
    return path


def categories(name: str) -> list[dict[str, Any]]:
    return [{"id": number, "name": label} for number, label in enumerate(TAXONOMIES[name], start=1)]


def coco_json(path: Path, images: list[dict[str, Any]], boxes: list[dict[str, Any]], names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sized = [{"width": 100, "height": 200, **image} for image in images]
    path.write_text(json.dumps({"images": sized, "annotations": boxes, "categories": categories(names)}))
    return path


def shown(pages: PageSet) -> dict[str, list[tuple[str, tuple[float, ...]]] | None]:
    return {
        page.id: None if page.regions is None else [(region.label, region.box) for region in page.regions]
        for page in pages.pages
    }


def doclaynet_folder(root: Path) -> Path:
    """One page annotated twice, under one file name, and another page."""
    picture(root / "PNG/one.png")
    picture(root / "PNG/two.png")
    about = {"doc_category": "manuals", "doc_name": "guide.pdf", "page_no": 4}
    images = [
        {"id": 1, "file_name": "one.png", "precedence": 0, **about},
        {"id": 2, "file_name": "one.png", "precedence": 1, **about},
        {"id": 3, "file_name": "two.png", "precedence": 0, **about, "doc_category": "patents"},
    ]
    boxes = [
        {"image_id": 1, "category_id": 10, "bbox": [1, 2, 3, 4], "precedence": 0},
        {"image_id": 2, "category_id": 9, "bbox": [5, 5, 5, 5], "precedence": 1},
        {"image_id": 3, "category_id": 1, "bbox": [0, 0, 9, 9], "precedence": 0},
    ]
    coco_json(root / "COCO/val.json", images, boxes, "doclaynet")
    return root


def test_doclaynet_keeps_the_first_annotation_of_a_page_and_its_category(tmp_path: Path) -> None:
    pages = doclaynet.read(path=doclaynet_folder(tmp_path), split="val")
    assert pages.labels == TAXONOMIES["doclaynet"] and pages.repairs == ()
    assert shown(pages) == {"one.png": [("Text", (1, 2, 4, 6))], "two.png": [("Caption", (0, 0, 9, 9))]}
    assert [(page.group, page.document) for page in pages.pages] == [("manuals", "guide.pdf"), ("patents", "guide.pdf")]


def test_doclaynet_refuses_other_splits_and_other_classes(tmp_path: Path) -> None:
    doclaynet_folder(tmp_path)
    with pytest.raises(InputError, match="no split 'vall'; closest: val"):
        doclaynet.read(path=tmp_path, split="vall")
    coco_json(tmp_path / "COCO/val.json", [{"id": 1, "file_name": "one.png"}], [], "publaynet")
    with pytest.raises(InputError, match="its classes are not DocLayNet's 11 in their order"):
        doclaynet.read(path=tmp_path, split="val")


def test_publaynet_names_the_article_of_a_page(tmp_path: Path) -> None:
    for name in ("PMC12_00001.jpg", "PMC12_00002.jpg"):
        picture(tmp_path / "train" / name)
    images = [{"id": 341, "file_name": "PMC12_00001.jpg"}, {"id": 352, "file_name": "PMC12_00002.jpg"}]
    coco_json(tmp_path / "train.json", images, [{"image_id": 352, "category_id": 3, "bbox": [9, 9, 1, 2]}], "publaynet")
    pages = publaynet.read(path=tmp_path, split="train")
    assert shown(pages) == {"PMC12_00001.jpg": [], "PMC12_00002.jpg": [("list", (9, 9, 10, 11))]}
    assert [page.document for page in pages.pages] == ["PMC12", "PMC12"]
    coco_json(tmp_path / "train.json", images, [], "doclaynet")
    with pytest.raises(InputError, match="not PubLayNet's five"):
        publaynet.read(path=tmp_path, split="train")


def test_the_corpus_gives_the_layout_of_the_pages_it_drew(tmp_path: Path) -> None:
    make_corpus(tmp_path / "made", pages=16, seed=5, workers=1)
    pages = corpus_layout.read(path=tmp_path / "made")
    parts = [corpus_layout.read(path=tmp_path / "made", split=split) for split in ("train", "val", "test")]
    assert len(pages) == 16 == sum(map(len, parts)) and pages.labels == TAXONOMIES["doclaynet"]
    assert pages.repairs == ()
    summary = json.loads((tmp_path / "made/corpus.json").read_text())
    assert {name: count for name, count in pages.region_counts().items() if count} == summary["regions"]
    assert len({page.group for page in pages.pages}) == 16
    assert pages.pages[0].image().size == pages.pages[0].size
    with pytest.raises(InputError, match="no split 'dev'"):
        corpus_layout.read(path=tmp_path / "made", split="dev")


PAGE_2010 = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2010-03-19" pcGtsId="pc-0001">
 <Metadata><Creator>x</Creator></Metadata>
 <Page imageFilename="0001.tif" imageWidth="100" imageHeight="200">
  <Border><Coords><Point x="0" y="0"/><Point x="99" y="199"/></Coords></Border>
  <TextRegion id="r1" type="paragraph"><Coords>
    <Point x="10" y="20"/><Point x="50" y="22"/><Point x="48" y="60"/><Point x="12" y="58"/></Coords>
    <TextLine><Coords><Point x="1" y="1"/><Point x="2" y="2"/></Coords></TextLine></TextRegion>
  <ChartRegion id="r2"><Coords><Point x="0" y="100"/><Point x="110" y="150"/></Coords></ChartRegion>
  <NoiseRegion id="r3"><Coords><Point x="5" y="5"/><Point x="6" y="9"/></Coords></NoiseRegion>
  <TableRegion id="r4"><Coords/></TableRegion>
 </Page>
</PcGts>"""
PAGE_2019 = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
 <Page imageFilename="0002.tif" imageWidth="100" imageHeight="200">
  <MathsRegion id="m"><Coords points="10,20 30,20 30,45 10,45"/></MathsRegion>
 </Page></PcGts>"""


def prima_folder(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        picture(root / "Images" / f"{name}.tif")
        (root / "XML").mkdir(exist_ok=True)
        (root / "XML" / f"pc-{name}.xml").write_text(text)
    return root


def test_prima_gives_the_upright_boxes_of_its_polygons_in_six_classes(tmp_path: Path) -> None:
    pages = prima.read(path=prima_folder(tmp_path, **{"0001": PAGE_2010, "0002": PAGE_2019}))
    assert pages.labels == TAXONOMIES["prima"]
    assert shown(pages) == {
        "0001.tif": [
            ("TextRegion", (10, 20, 50, 60)),
            ("ImageRegion", (0, 100, 100, 150)),
            ("OtherRegion", (5, 5, 6, 9)),
        ],
        "0002.tif": [("MathsRegion", (10, 20, 30, 45))],
    }
    assert pages.repairs == (
        f"{tmp_path.name}: boxes that reach outside their page were clipped: 1, first in pc-0001.xml",
        f"{tmp_path.name}: regions without an outline were dropped: 1, first in pc-0001.xml",
    )
    with pytest.raises(InputError, match="take out `repair: strict`"):
        prima.read(path=tmp_path, repair="strict")


BOMB = '<!DOCTYPE a [<!ENTITY b "bb">]>' + PAGE_2019.replace("10,20", "&b;", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "document types, entities and UTF-16 are not read"),
        (PAGE_2019.replace("PcGts", "alto"), "no PAGE file: expected PcGts with a Page, found alto"),
        ("<PcGts></PcGts>", "no PAGE file: expected PcGts with a Page"),
        (PAGE_2019[:-9], "not valid XML"),
        ("", "not valid XML"),
        (PAGE_2019.replace('"100"', '"-5"'), "the page's imageWidth is '-5', not a number of pixels"),
        (PAGE_2019.replace("30,20", "30;20"), "the outline of region 'm' is not a list of points"),
        (PAGE_2019.replace("30,20", "nan,20"), "the outline of region 'm' is not a list of points"),
    ],
)
def test_prima_refuses_xml_that_is_no_page(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        prima.read(path=prima_folder(tmp_path, **{"0001": text}))
    assert "\n" not in str(caught.value)


def test_prima_names_missing_folders_images_and_files_that_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="holds no XML file"):
        prima.read(path=tmp_path)
    prima_folder(tmp_path, **{"0001": PAGE_2019})
    (tmp_path / "Images/0001.tif").unlink()
    with pytest.raises(InputError, match=r"1 of 1 images are not below .*first '0001\.tif'"):
        prima.read(path=tmp_path)
    monkeypatch.setattr(prima, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="more than the 10 that are read of a page"):
        prima.read(path=tmp_path)


def yolo_folder(root: Path, text: str = "1 0.5 0.25 0.2 0.1\n\n0 0.1 0.9 0.2 0.2\n") -> Path:
    picture(root / "images/a.png")
    picture(root / "images/b.png")
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels/a.txt").write_text(text)
    (root / "classes.txt").write_text("Text\nTable\n")
    return root


def test_yolo_shares_become_pixels_and_an_image_without_a_file_has_no_regions(tmp_path: Path) -> None:
    pages = yolo.read(path=yolo_folder(tmp_path))
    assert pages.labels == ("Text", "Table") and pages.repairs == ()
    first, second = pages.pages
    assert first.id == "images/a.png" and first.size == (100, 200)
    assert first.regions is not None and [region.label for region in first.regions] == ["Table", "Text"]
    assert first.regions[0].box == pytest.approx((40, 40, 60, 60))
    assert first.regions[1].box == pytest.approx((0, 160, 20, 200))
    assert second.regions == ()


@pytest.mark.parametrize("layout", ["images/val", "val/images"])
@pytest.mark.parametrize("names", ["names: [Text, Table]", "names:\n  0: Text\n  1: Table\nnc: 2"])
def test_yolo_splits_and_names_are_found_in_both_usual_forms(tmp_path: Path, layout: str, names: str) -> None:
    picture(tmp_path / layout / "a.png")
    text = tmp_path / layout.replace("images", "labels") / "a.txt"
    text.parent.mkdir(parents=True)
    text.write_text("1 0.5 0.5 1 1")
    (tmp_path / "data.yaml").write_text(names)
    pages = yolo.read(path=tmp_path, split="val")
    assert [page.regions for page in pages.pages] == [(Region("Table", (0, 0, 100, 200)),)]
    assert pages.pages[0].id == f"{layout}/a.png"
    with pytest.raises(InputError, match="no folder of images of the split 'test'"):
        yolo.read(path=tmp_path, split="test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0.5 0.5 1", r"a\.txt, line 1: expected `class cx cy width height`, found '1 0.5 0.5 1'"),
        ("1 0.5 0.5 1 1 0.9", "expected `class cx cy width height`"),
        ("Table 0.5 0.5 1 1", "expected `class cx cy width height`"),
        ("0 0.5 0.5 1 1\n2 0.5 0.5 1 1", r"a\.txt, line 2: class 2 has no name"),
        ("-1 0.5 0.5 1 1", "class -1 has no name"),
        ("0 nan 0.5 1 1", "not finite"),
    ],
)
def test_yolo_names_the_line_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        yolo.read(path=yolo_folder(tmp_path, text))


def test_yolo_mends_boxes_as_the_others_do(tmp_path: Path) -> None:
    pages = yolo.read(path=yolo_folder(tmp_path, "0 0.9 0.5 0.4 0.1\n0 0.5 0.5 0 0.1\n"))
    assert [len(page.regions or ()) for page in pages.pages] == [1, 0]
    assert [line.split(": ", 1)[1][:35] for line in pages.repairs] == [
        "boxes that reach outside their page",
        "boxes without area were dropped: 1,",
    ]


@pytest.mark.parametrize("content", ["names: 3", "names: {0: Text, 2: Table}", "- x", "a: [", "names: [Text, Text]"])
def test_yolo_refuses_a_settings_file_without_class_names(tmp_path: Path, content: str) -> None:
    yolo_folder(tmp_path)
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(InputError, match=r"names|not valid YAML"):
        yolo.read(path=tmp_path)


def test_yolo_wants_class_names_and_text_files(tmp_path: Path) -> None:
    yolo_folder(tmp_path)
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(
        InputError, match=r"neither data\.yaml nor classes\.txt; name the classes in order with `labels`"
    ):
        yolo.read(path=tmp_path)
    assert yolo.read(path=tmp_path, labels=["Text", "Table"]).labels == ("Text", "Table")
    (tmp_path / "labels/a.txt").unlink()
    with pytest.raises(InputError, match="has no text file for any of the 2 images"):
        yolo.read(path=tmp_path, labels=["Text", "Table"])


def test_yolo_keeps_a_damaged_image_until_pages_are_checked(tmp_path: Path) -> None:
    yolo_folder(tmp_path)
    (tmp_path / "images/b.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"b\.png: cannot read the image"):
        yolo.read(path=tmp_path).pages[1].image()
