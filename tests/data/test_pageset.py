"""Page sets: counts, seeded parts, label maps, id lists, damaged pages."""

import os
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from PIL import Image

from distildoc.data.pageset import (
    PageSet,
    check_pages,
    hold_out,
    only,
    per_class,
    relabel,
    write_ids,
)
from distildoc.data.unreadable import labelled
from distildoc.schema.errors import InputError
from distildoc.schema.labels import LabelMap
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.sources import image_page

LABELS = ("letter", "memo", "email")


def blank(id: str, label: str | None) -> Page:
    return Page(id, id, 1, lambda longest_px: Image.new("L", (8, 8)), label)


def some(count: int = 60) -> PageSet:
    """Twice as many letters as of any other class."""
    kinds = ("letter", "memo", "letter", "email")
    return PageSet(tuple(blank(f"p{i}", kinds[i % 4]) for i in range(count)), LABELS, "some pages")


def ids(pages: PageSet) -> list[str]:
    return [page.id for page in pages.pages]


def test_counts_name_every_class_even_where_it_has_no_page() -> None:
    assert PageSet((blank("a", "memo"), blank("b", None)), LABELS, "x").counts() == {"letter": 0, "memo": 1, "email": 0}


def test_repeated_ids_are_refused() -> None:
    with pytest.raises(InputError, match="first 'a'"):
        PageSet((blank("a", None), blank("a", None)), (), "x")


def test_a_page_of_an_unlisted_class_is_refused_with_the_closest_name() -> None:
    with pytest.raises(InputError, match="closest: letter"):
        PageSet((blank("a", "leter"),), LABELS, "x")


def test_fingerprint_changes_with_ids_classes_and_order_but_not_with_the_name() -> None:
    pages = some(8)
    others = [
        replace(pages, pages=pages.pages[:-1]),
        replace(pages, pages=pages.pages[::-1]),
        replace(pages, labels=LABELS[::-1]),
        replace(pages, pages=(replace(pages.pages[0], label="memo"), *pages.pages[1:])),
        replace(pages, pages=(replace(pages.pages[0], label=None), *pages.pages[1:])),
    ]
    assert len({pages.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert replace(pages, name="renamed").fingerprint == pages.fingerprint


def test_hold_out_takes_the_same_share_of_every_class_and_loses_nothing() -> None:
    rest, held = hold_out(some(), fraction=0.2, seed=3)
    assert held.counts() == {"letter": 6, "memo": 3, "email": 3}
    assert sorted(ids(rest) + ids(held)) == sorted(ids(some()))


def test_hold_out_depends_on_the_seed_and_not_on_the_order_of_pages() -> None:
    pages = some()
    turned = replace(pages, pages=pages.pages[::-1])
    held = ids(hold_out(pages, fraction=0.2, seed=3)[1])
    assert sorted(held) == sorted(ids(hold_out(turned, fraction=0.2, seed=3)[1]))
    assert sorted(held) != sorted(ids(hold_out(pages, fraction=0.2, seed=4)[1]))


def test_hold_out_leaves_a_page_of_a_class_with_one_where_it_is() -> None:
    pages = PageSet((blank("a", "letter"), blank("b", "memo"), blank("c", "memo")), LABELS, "x")
    rest, held = hold_out(pages, fraction=0.01, seed=0)
    assert rest.counts()["letter"] == 1 and held.counts() == {"letter": 0, "memo": 1, "email": 0}


@pytest.mark.parametrize("lengths", [(4,) * 10, (1, 30, 2, 7), (20, 1), (3, 3)])
def test_hold_out_parts_no_document_of_several_pages(lengths: tuple[int, ...]) -> None:
    pages = [
        Page(f"{name}.pdf#{n}", f"{name}.pdf", n, lambda longest_px: Image.new("L", (8, 8)), "memo")
        for name, length in enumerate(lengths)
        for n in range(1, length + 1)
    ]
    rest, held = hold_out(PageSet(tuple(pages), LABELS, "reports"), fraction=0.2, seed=0)
    assert not {page.source for page in rest.pages} & {page.source for page in held.pages}
    assert len(rest) and 1 <= len(held) <= max(min(lengths), 0.2 * sum(lengths))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_hold_out_refuses_a_fraction_that_leaves_one_side_empty(fraction: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        hold_out(some(), fraction=fraction, seed=0)


def test_per_class_takes_the_first_of_each_class_of_the_shuffle_of_datasets() -> None:
    # The oracle is the shuffle of the `datasets` library, with which the paper's subsets were drawn.
    pages = some()
    rows = datasets.Dataset.from_dict({"id": ids(pages), "label": [page.label for page in pages.pages]})
    expected: dict[str, list[str]] = {label: [] for label in LABELS}
    for row in rows.shuffle(seed=42):
        if len(expected[row["label"]]) < 5:
            expected[row["label"]].append(row["id"])
    chosen = per_class(pages, 5, seed=42)
    assert {label: [p.id for p in chosen.pages if p.label == label] for label in LABELS} == expected


def test_per_class_names_the_class_that_has_too_few_pages() -> None:
    with pytest.raises(InputError, match="'memo' has 15 pages, 16 are asked for; ask for at most 15"):
        per_class(some(), 16, seed=0)


def test_relabel_merges_and_drops_by_name() -> None:
    pages = relabel(some(), LabelMap({"email": "letter"}, drop=("memo",)))
    assert pages.labels == ("letter",)
    assert pages.counts() == {"letter": 45}


def test_relabel_keeps_pages_without_a_class() -> None:
    pages = PageSet((blank("a", None), blank("b", "memo")), LABELS, "x")
    assert ids(relabel(pages, LabelMap({}, drop=("memo",)))) == ["a"]


def test_relabel_names_the_closest_class_of_a_misspelt_one() -> None:
    with pytest.raises(InputError, match="closest: email"):
        relabel(some(), LabelMap({"emial": "letter"}))


def test_written_ids_give_the_same_pages_again(tmp_path: Path) -> None:
    chosen = per_class(some(), 4, seed=1)
    write_ids(chosen, tmp_path / "chosen.txt")
    assert only(some(), tmp_path / "chosen.txt").pages == chosen.pages
    assert (tmp_path / "chosen.txt").read_text().splitlines()[1:] == ids(chosen)


def test_written_ids_hold_names_that_are_no_utf8(tmp_path: Path) -> None:
    pages = PageSet((blank(os.fsdecode(b"f\xfcr.png"), "memo"),), LABELS, "odd")
    write_ids(pages, tmp_path / "ids.txt")
    assert ids(only(pages, tmp_path / "ids.txt")) == ids(pages)


def test_a_written_id_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_ids(some(), tmp_path / "ids.txt")
    with pytest.raises(InputError, match="1 of 60 pages are not in some pages, first 'p59'"):
        only(some(59), tmp_path / "ids.txt")


def test_an_id_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt"):
        only(some(), tmp_path / "gone.txt")


def damaged(tmp_path: Path) -> PageSet:
    """One readable page, one missing, one that is no image, one that failed when it was listed."""
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    pages = [image_page(tmp_path / name, id=name, label="memo") for name in ("good.png", "gone.png", "bad.png")]
    failed = FailedPage("locked.pdf", "locked.pdf", 0, "locked.pdf: the PDF is encrypted")
    return PageSet((*pages, labelled(failed, "memo")), LABELS, "scans")


def test_check_pages_names_the_first_bad_page_and_counts_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scans: 3 of 4 cannot be read, first .*gone\.png: no such file.*--skip"):
        check_pages(damaged(tmp_path), skip_bad=False)


def test_check_pages_leaves_bad_pages_out_where_asked_and_reports_them(tmp_path: Path) -> None:
    done: list[int] = []
    kept, failed = check_pages(damaged(tmp_path), skip_bad=True, progress=done.append)
    assert ids(kept) == ["good.png"]
    assert [failure.id for failure in failed] == ["gone.png", "bad.png", "locked.pdf"]
    assert done == [1, 2, 3, 4]


def test_check_pages_refuses_to_lose_a_whole_class(tmp_path: Path) -> None:
    pages = damaged(tmp_path)
    alone = replace(pages.pages[1], label="letter")
    with pytest.raises(InputError, match="no page of class 'letter' can be read"):
        check_pages(replace(pages, pages=(pages.pages[0], alone)), skip_bad=True)


def test_check_pages_gives_sound_pages_back_unchanged() -> None:
    pages = some(8)
    assert check_pages(pages, skip_bad=False) == (pages, [])
