import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from distildoc.predict.reading import read
from distildoc.predict.writers import coco, hocr, layout_json, markdown, overlay
from distildoc.predict.writers.documents import path_below
from distildoc.schema.bundle import Bundle, Graph, Stored
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.words import Word

LABELS = (
    *("Caption", "Footnote", "Formula", "List-item", "Page-footer", "Page-header"),
    *("Picture", "Section-header", "Table", "Text", "Title"),
)
WIDTH, HEIGHT = 200, 400
# class, box in pixels, its text; in reading order
PAGE = [
    ("Page-header", (10, 5, 190, 15), "Annual report"),
    ("Title", (10, 20, 190, 40), "Fish & <chips>"),
    ("Text", (10, 45, 190, 70), "First *paragraph*."),
    ("List-item", (10, 75, 190, 85), "• one"),
    ("List-item", (10, 90, 190, 100), "2) two"),
    ("Table", (10, 105, 190, 140), "Year Sum"),
    ("Picture", (10, 145, 190, 200), ""),
    ("Caption", (10, 205, 190, 215), "Figure 1"),
    ("Page-footer", (60, 385, 140, 395), "7"),
]
SCORES = np.linspace(0.95, 0.55, len(PAGE)).astype(np.float32)
FAILED = FailedPage("letters/a.pdf#2", "/in/letters/a.pdf", 2, "page 2: cannot draw -->")


def bundle():
    return Bundle(
        task="detection",
        labels=LABELS,
        preprocess=Preprocess(32, 32),
        temperature=1.0,
        graph=Graph("model.onnx", ("images", "orig_target_sizes"), ("labels", "boxes", "scores"), 17),
        files={"model.onnx": Stored("0" * 64, 1)},
    )


def words_on(page):
    """The text of every region, one word beside the other, and one word that lies in none."""
    for _, (left, top, _, bottom), text in PAGE:
        for place, part in enumerate(text.split()):
            box = ((left + 1 + 60 * place) / WIDTH, top / HEIGHT, (left + 50 + 60 * place) / WIDTH, bottom / HEIGHT)
            yield Word(part, box)
    yield Word("stray", (0.1, 0.9, 0.2, 0.92), confidence=0.8)


def reading(id="letters/a.pdf#1", number=1, text=True):
    order = np.random.default_rng(0).permutation(len(PAGE))
    layout = Layout(
        Page(id, "/in/letters/a.pdf", number, lambda px: Image.new("RGB", (WIDTH, HEIGHT), "white")),
        LABELS,
        (WIDTH, HEIGHT),
        np.array([PAGE[place][1] for place in order], np.float32),
        np.array([LABELS.index(PAGE[place][0]) for place in order], np.int64),
        SCORES[order],
    )
    return read(layout, words_on if text else None)


def write(module, path, *pages):
    with module.writing(path, bundle()) as write_page:
        for page in pages:
            write_page(page)
    return path


def test_json_has_regions_in_reading_order_with_their_text(tmp_path):
    content = json.loads(write(layout_json, tmp_path / "a.json", reading(), FAILED).read_text())
    (page,) = content["pages"]
    assert [region["label"] for region in page["regions"]] == [label for label, *_ in PAGE]
    assert page["regions"][1]["text"] == "Fish & <chips>"
    assert page["regions"][1]["box"] == [10, 20, 190, 40]
    assert (page["width"], page["height"], page["page"]) == (WIDTH, HEIGHT, 1)
    assert [loose["text"] for loose in page["loose_text"]] == ["stray"]
    assert content["failed"] == [
        {"id": "letters/a.pdf#2", "source": "/in/letters/a.pdf", "page": 2, "reason": FAILED.reason}
    ]


def test_coco_loads_in_pycocotools_as_data_and_as_results(tmp_path):
    path = write(coco, tmp_path / "a.json", reading(), reading("letters/a.pdf#3", 3), FAILED)
    loaded = COCO(str(path))
    assert len(loaded.getImgIds()) == 2
    assert len(loaded.getAnnIds()) == len(set(loaded.getAnnIds())) == 2 * len(PAGE)
    (title,) = loaded.loadCats(loaded.getCatIds(catNms=["Title"]))
    (found,) = loaded.loadAnns(loaded.getAnnIds(imgIds=[coco.image_id("letters/a.pdf#1")], catIds=[title["id"]]))
    assert found["bbox"] == [10, 20, 180, 20]
    assert found["area"] == 3600
    results = loaded.loadRes(json.loads(path.read_text())["annotations"])
    assert len(results.getAnnIds()) == 2 * len(PAGE)


def test_coco_loads_in_supervision(tmp_path):
    path = write(coco, tmp_path / "a.json", reading("scan.png"))
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "scan.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        supervision = pytest.importorskip("supervision")
        data = supervision.DetectionDataset.from_coco(str(tmp_path), str(path))
    (_, image, found) = data[0]
    assert image.shape == (HEIGHT, WIDTH, 3)
    names = [data.classes[place] for place in found.class_id]
    assert names == [label for label, *_ in PAGE]
    assert found.xyxy[1].tolist() == [10, 20, 190, 40]


def test_coco_ids_of_images_do_not_depend_on_what_else_is_in_the_run(tmp_path):
    alone = json.loads(write(coco, tmp_path / "a.json", reading("b.pdf#9", 9)).read_text())
    among = json.loads(write(coco, tmp_path / "b.json", reading(), reading("b.pdf#9", 9)).read_text())
    assert alone["images"][0]["id"] == among["images"][1]["id"] != among["images"][0]["id"]


def test_coco_of_no_pages_is_still_coco(tmp_path):
    assert COCO(str(write(coco, tmp_path / "a.json"))).getImgIds() == []


EXPECTED = """<!-- page 1 -->

# Fish & \\<chips\\>

First \\*paragraph\\*.

- one
2. two

```
Year  Sum
```

<!-- picture at 10 145 190 200 px -->

*Figure 1*

stray

<!-- page 2 could not be read: page 2: cannot draw -->

"""


def test_markdown_reads_like_the_page_without_headers_and_footers(tmp_path):
    folder = write(markdown, tmp_path / "md", reading(), FAILED)
    text = (folder / "letters" / "a.pdf.md").read_text()
    assert re.sub(r"Year +Sum", "Year  Sum", text) == EXPECTED


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# no heading", "\\# no heading"),
        ("1. no list", "1\\. no list"),
        ("- no list", "\\- no list"),
        ("a_b [c](d) `e`", "a\\_b \\[c\\](d) \\`e\\`"),
        ("R&amp;D", "R\\&amp;D"),
        ("plain 3.5 text - really", "plain 3.5 text - really"),
    ],
)
def test_markdown_shows_text_as_it_is(text, shown):
    assert markdown._escaped(text) == shown


def test_a_code_block_is_fenced_by_more_backticks_than_it_holds():
    assert markdown._fenced("a ```` b").startswith("`````\n")


def test_each_document_has_a_file_of_its_own(tmp_path):
    pages = [reading("a.pdf#1", 1), reading("a.pdf#2", 2), reading("b.png", 1), FailedPage("c.pdf", "c.pdf", 0, "no")]
    for module, suffix in ((markdown, ".md"), (hocr, ".hocr")):
        folder = write(module, tmp_path / suffix, *pages)
        assert sorted(path.name for path in folder.iterdir()) == [f"a.pdf{suffix}", f"b.png{suffix}"]
    assert (tmp_path / ".md" / "a.pdf.md").read_text().count("<!-- page") == 2


def test_no_name_leads_out_of_the_folder(tmp_path):
    for name in ("../../x", "/etc/x", "a/../../x", "./x"):
        assert path_below(tmp_path, name).resolve().is_relative_to(tmp_path.resolve())


def bbox(node):
    return [int(side) for side in re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", node.get("title")).groups()]


def test_hocr_is_well_formed_and_every_box_lies_on_its_page(tmp_path):
    folder = write(hocr, tmp_path / "hocr", reading(), FAILED, reading("letters/a.pdf#3", 3))
    root = ElementTree.parse(folder / "letters" / "a.pdf.hocr").getroot()
    space = {"h": "http://www.w3.org/1999/xhtml"}
    meta = {node.get("name"): node.get("content") for node in root.iterfind(".//h:meta", space)}
    assert meta["ocr-system"].startswith("distildoc ")
    pages = root.findall("./h:body/h:div", space)
    assert [page.get("class") for page in pages] == ["ocr_page", "ocr_page"]
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    for page, number in zip(pages, (0, 2), strict=True):
        assert f'image "/in/letters/a.pdf"; bbox 0 0 {WIDTH} {HEIGHT}; ppageno {number}' in page.get("title")
        inside = [node for node in page.iter() if node is not page]
        assert {node.get("class") for node in inside} <= set(meta["ocr-capabilities"].split())
        for left, top, right, bottom in map(bbox, inside):
            assert 0 <= left <= right <= WIDTH and 0 <= top <= bottom <= HEIGHT
        assert [child.get("class") for child in page] == [
            *("ocr_header", "ocr_carea", "ocr_carea", "ocr_carea", "ocr_carea", "ocr_table", "ocr_image"),
            *("ocr_carea", "ocr_carea", "ocr_footer"),
        ]
        for line in page.iterfind(".//h:span[@class='ocr_line']", space):
            assert [child.get("class") for child in line] == ["ocrx_word"] * len(line)


def test_the_checker_of_hocr_tools_has_nothing_against_it(tmp_path):
    folder = write(hocr, tmp_path / "hocr", reading())
    checker = Path(sys.executable).with_name("hocr-check")
    done = subprocess.run(
        [sys.executable, checker, folder / "letters" / "a.pdf.hocr"], capture_output=True, text=True, check=True
    )
    results = done.stderr.splitlines()
    assert len(results) > 20
    assert [line for line in results if not line.startswith("ok")] == []


def test_hocr_says_class_and_score_of_regions_and_the_confidence_of_words_that_were_recognised(tmp_path):
    folder = write(hocr, tmp_path / "hocr", reading())
    text = (folder / "letters" / "a.pdf.hocr").read_text()
    assert "bbox 10 20 190 40; x_label Title; x_score 0.9000" in text
    assert '<h1 class="ocr_title" title="bbox 10 20 190 40">' in text
    assert 'bbox 20 360 40 368; x_wconf 80">stray</span>' in text
    assert text.count("x_wconf") == 1


def test_hocr_stays_well_formed_whatever_the_text_and_the_file_are_called(tmp_path):
    layout = reading().layout
    page = Page('a";b\udcfc.pdf', 'in/a";b\udcfc.pdf', 1, layout.page.load)
    odd = Layout(page, LABELS, layout.size, layout.boxes, layout.classes, layout.scores)
    folder = write(
        hocr, tmp_path / "hocr", read(odd, lambda page: [Word("\x01<&\ufffe\ud800>", (0.1, 0.12, 0.2, 0.15))])
    )
    (path,) = folder.iterdir()
    root = ElementTree.parse(path).getroot()
    assert [node.text for node in root.iter() if node.get("class") == "ocrx_word"] == ["<&>"]
    (title,) = [node.get("title") for node in root.iter() if node.get("class") == "ocr_page"]
    assert title.startswith('image "in/a%22%3Bb%DCFC.pdf"; bbox')


def test_overlay_draws_each_class_in_its_colour_and_names_it_below(tmp_path):
    folder = write(overlay, tmp_path / "overlay", reading(text=False), FAILED)
    (path,) = (folder / "letters").iterdir()
    assert path.name == "a.pdf#1.png"
    image = Image.open(path)
    assert image.width == WIDTH and image.height > HEIGHT + 20
    pixels = np.asarray(image)
    picture, text = overlay._colour(LABELS.index("Picture")), overlay._colour(LABELS.index("Text"))
    assert tuple(pixels[170, 10]) == picture  # the left border of the picture
    assert tuple(pixels[58, 10]) == text
    legend = {tuple(pixel) for pixel in pixels[HEIGHT + 2 :].reshape(-1, 3)}
    assert {picture, text} <= legend
    assert overlay._colour(LABELS.index("Formula")) not in legend  # a class that is not on the page


def test_a_page_without_regions_is_drawn_and_says_so(tmp_path):
    empty = Layout(
        reading().page, LABELS, (9, 9), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    )
    assert overlay.drawn(read(empty, None)).height > HEIGHT
