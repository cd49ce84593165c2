"""Page sets whose pages have regions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from distildoc.data.pageset import PageSet, check_pages, hold_out, only, per_class, relabel, write_ids
from distildoc.schema.errors import InputError
from distildoc.schema.labels import LabelMap
from distildoc.schema.pages import Page, Region

LABELS = ("Text", "Table", "Title")
BOX = (0.0, 0.0, 4.0, 4.0)


def page(id: str, labels: Sequence[str] | None, document: str | None = None) -> Page:
    regions = None if labels is None else tuple(Region(label, BOX) for label in labels)
    return Page(id, id, 1, lambda px: Image.new("L", (8, 16)), regions=regions, size=(8, 16), document=document)


def some() -> PageSet:
    pages = (page("a", ["Text", "Text", "Table"]), page("b", ["Text"]), page("c", []), page("d", None))
    return PageSet(pages, LABELS, "layouts", ("mended: 1",))


def test_a_region_of_an_unlisted_class_is_refused_with_the_closest_name() -> None:
    with pytest.raises(InputError, match="layouts: unknown class 'Tabel'; closest: Table"):
        PageSet((page("a", ["Tabel"]),), LABELS, "layouts")


def test_pages_count_once_for_each_class_they_show_and_regions_one_by_one() -> None:
    assert some().counts() == {"Text": 2, "Table": 1, "Title": 0}
    assert some().region_counts() == {"Text": 3, "Table": 1, "Title": 0}


def test_relabel_maps_regions_and_drops_them_but_not_their_pages() -> None:
    mapped = relabel(some(), LabelMap({"Text": "Body", "Title": "Body"}, drop=("Table",)))
    assert mapped.labels == ("Body",)
    assert [page.id for page in mapped.pages] == ["a", "b", "c", "d"]
    shown = [page.regions and [region.label for region in page.regions] for page in mapped.pages]
    assert shown == [["Body", "Body"], ["Body"], (), None]
    assert mapped.repairs == ("mended: 1",)


def test_fingerprint_changes_with_every_part_of_a_region_and_stays_for_pages_without_layout() -> None:
    whole = some()
    first = whole.pages[0]
    assert first.regions is not None
    changed = [
        replace(first, regions=first.regions[1:]),
        replace(first, regions=()),
        replace(first, regions=None),
        replace(first, size=(16, 16)),
        replace(first, regions=(*first.regions[:2], Region("Title", BOX))),
        replace(first, regions=(*first.regions[:2], Region("Table", (0, 0, 4, 5)))),
        replace(first, regions=(*first.regions[:2], Region("Table", BOX, crowd=True))),
        replace(first, regions=(*first.regions[:2], Region("Table", BOX, score=0.5))),
        replace(first, regions=(*first.regions[:2], Region("Table", BOX, score=0.6))),
    ]
    others = {replace(whole, pages=(other, *whole.pages[1:])).fingerprint for other in changed}
    assert len({whole.fingerprint, *others}) == 10
    # What the version before regions gave: sha256 over length and text of labels, ids and classes; caches rest on it.
    bare = PageSet((page("p", None), replace(page("q", None), label="Text")), LABELS, "x")
    assert bare.fingerprint == "fb4fd1cfe51751eb145854dedb158c68"


def test_hold_out_keeps_the_pages_of_a_document_together() -> None:
    pages = PageSet(tuple(page(f"{n}", ["Text"], document=f"doc {n // 4}") for n in range(40)), LABELS, "layouts")
    rest, held = hold_out(pages, fraction=0.25, seed=1)
    assert (len(rest), len(held)) == (32, 8)  # two documents of four pages; a third would be more than a quarter
    assert not {page.document for page in rest.pages} & {page.document for page in held.pages}


def test_pages_without_a_class_of_their_own_cannot_be_counted_out_per_class() -> None:
    with pytest.raises(InputError, match="layouts: pages have no class of their own"):
        per_class(some(), 1, seed=0)


def test_written_ids_give_the_same_layouts_again(tmp_path: Path) -> None:
    write_ids(replace(some(), pages=some().pages[1:3]), tmp_path / "ids.txt")
    assert [page.regions for page in only(some(), tmp_path / "ids.txt").pages] == [(Region("Text", BOX),), ()]


def test_an_image_of_another_shape_than_its_regions_are_counted_in_is_a_bad_page() -> None:
    turned = Page("t", "t.png", 1, lambda px: Image.new("L", (16, 8)), regions=(Region("Text", BOX),), size=(8, 16))
    with pytest.raises(InputError, match=r"t\.png: the image has the shape of 16 x 8 px, .* counted in 8 x 16"):
        check_pages(PageSet((turned, page("a", ["Text"])), LABELS, "layouts"), skip_bad=False)
    kept, failed = check_pages(PageSet((turned, page("a", ["Text"])), LABELS, "layouts"), skip_bad=True)
    assert [page.id for page in kept.pages] == ["a"] and [failure.id for failure in failed] == ["t"]


def test_check_pages_refuses_to_lose_every_page_that_shows_a_class() -> None:
    def torn(longest_px: int | None) -> Image.Image:
        raise InputError("b.png: torn")

    bad = Page("b", "b.png", 1, torn, regions=(Region("Table", BOX),), size=(8, 16))
    with pytest.raises(InputError, match="no page of class 'Table' can be read"):
        check_pages(PageSet((page("a", ["Text"]), bad), LABELS, "layouts"), skip_bad=True)
