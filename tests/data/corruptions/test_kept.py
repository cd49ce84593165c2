"""Damaged pages kept at network size: what is written, when, and what comes back."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distildoc.data.corruptions import corrupted, moved
from distildoc.data.corruptions.kept import CLEAN, DamagedPages
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page, Region
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.sources import image_page

GREY = Preprocess(32, 24, grey=True)
WANTED = [("skew", 3), ("fax", 2)]


def pixels_of(number: int, size: tuple[int, int] = (60, 90)) -> Image.Image:
    noise = np.random.default_rng(number).integers(0, 256, (size[1] // 6, size[0] // 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def pages(tmp_path: Path) -> PageSet:
    """Three coloured pages in files, with a class and two regions each."""
    (tmp_path / "pages").mkdir()
    found = []
    regions = (Region("Text", (5.0, 10.0, 40.0, 30.0)), Region("Table", (10.0, 50.0, 50.0, 80.0), crowd=True))
    for number in range(3):
        path = tmp_path / "pages" / f"{number}.png"
        pixels_of(number).save(path)
        found.append(replace(image_page(path, id=path.name), regions=regions, size=(60, 90)))
    return PageSet(tuple(found), ("Table", "Text"), "three")


def unread(pages: PageSet) -> PageSet:
    """The same pages, which raise when their pixels are asked for."""

    def load(longest_px: int | None) -> Image.Image:
        raise InputError("read again")

    return replace(pages, pages=tuple(replace(page, load=load) for page in pages.pages))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("preprocess", [GREY, Preprocess(24, 40), Preprocess(48, 48, "pad"), Preprocess(48, 20, "pad")])
def test_pages_come_back_as_the_network_would_see_them_damaged(
    preprocess: Preprocess, pages: PageSet, tmp_path: Path
) -> None:
    kept = DamagedPages(pages, preprocess, tmp_path / "cache", seed=5)
    home = kept.make(WANTED)
    for kind, severity in (CLEAN, *WANTED):
        for page, shown in zip(pages.pages, kept.under((kind, severity), home), strict=True):
            clean = page.image().convert("L" if preprocess.grey else "RGB")
            wanted = corrupted(clean, kind, severity=severity, seed=5, page=page.id) if severity else clean
            found = shown.image()
            assert np.array_equal(preprocess(found), preprocess(wanted))
            assert preprocess.share(*found.size) == preprocess.share(*wanted.size)
            assert (shown.id, shown.size) == (page.id, page.size)


def test_pages_are_damaged_at_a_thousand_pixels_and_shrunk_afterwards(tmp_path: Path) -> None:
    pixels_of(0, (900, 2000)).save(tmp_path / "large.png")
    pages = PageSet((image_page(tmp_path / "large.png", id="large", label="a"),), ("a",), "one")
    kept = DamagedPages(pages, GREY, tmp_path / "cache", seed=0)
    (found,) = kept.under(("stamps", 5), kept.make([("stamps", 5)]))
    sheet = Image.open(tmp_path / "large.png").convert("L").resize((450, 1000), Image.Resampling.BILINEAR)
    wanted = GREY(corrupted(sheet, "stamps", severity=5, seed=0, page="large"))
    assert np.array_equal(GREY(found.image()), wanted)


def test_what_is_there_is_not_made_again(pages: PageSet, tmp_path: Path) -> None:
    first = DamagedPages(pages, GREY, tmp_path / "cache", seed=0)
    home = first.make(WANTED)
    before = {path.name: path.stat().st_mtime_ns for path in home.iterdir()}
    assert set(before) == {"clean.npy", "skew-3.npy", "fax-2.npy", "sizes.npy"}
    again = DamagedPages(unread(pages), GREY, tmp_path / "cache", seed=0)
    assert again.make(WANTED[:1]) == home
    assert {path.name: path.stat().st_mtime_ns for path in home.iterdir()} == before
    first.make([*WANTED, ("blur", 1)])
    assert "blur-1.npy" in files(home)
    assert home.joinpath("fax-2.npy").stat().st_mtime_ns == before["fax-2.npy"]


@pytest.mark.parametrize(
    "other",
    [
        lambda kept: replace(kept, seed=1),
        lambda kept: replace(kept, preprocess=Preprocess(32, 24)),
        lambda kept: replace(kept, pages=replace(kept.pages, pages=kept.pages.pages[:2])),
        lambda kept: replace(kept, pages=replace(kept.pages, pages=kept.pages.pages[::-1])),
    ],
)
def test_other_pages_seeds_or_inputs_have_another_home(
    other: Callable[[DamagedPages], DamagedPages], pages: PageSet, tmp_path: Path
) -> None:
    kept = DamagedPages(pages, GREY, tmp_path, seed=0)
    assert other(kept).home != kept.home == DamagedPages(pages, GREY, tmp_path, seed=0).home


def test_a_file_that_was_written_again_has_another_home(pages: PageSet, tmp_path: Path) -> None:
    kept = DamagedPages(pages, GREY, tmp_path, seed=0)
    before = kept.home
    os.utime(pages.pages[1].source, ns=(1, 1))
    assert kept.home != before


def test_a_page_that_cannot_be_read_leaves_nothing_behind(pages: PageSet, tmp_path: Path) -> None:
    bad = replace(pages, pages=(*pages.pages[:2], unread(pages).pages[2]))
    with pytest.raises(InputError, match="read again"):
        DamagedPages(bad, GREY, tmp_path / "cache", seed=0).make(WANTED)
    assert files(tmp_path / "cache") == set()


def test_two_writers_of_the_same_pages_do_no_harm(pages: PageSet, tmp_path: Path) -> None:
    kept = DamagedPages(pages, GREY, tmp_path / "cache", seed=0)
    alone = DamagedPages(pages, GREY, tmp_path / "alone", seed=0).make(WANTED)
    with ThreadPoolExecutor(4) as pool:
        homes = {future.result() for future in [pool.submit(kept.make, WANTED) for _ in range(4)]}
    (home,) = homes
    assert {path.name: path.read_bytes() for path in home.iterdir()} == {
        path.name: path.read_bytes() for path in alone.iterdir()
    }


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"\x93NUMPY"), lambda path: path.unlink()])
def test_a_damaged_file_is_named(damage: Callable[[Path], object], pages: PageSet, tmp_path: Path) -> None:
    kept = DamagedPages(pages, GREY, tmp_path / "cache", seed=0)
    home = kept.make(WANTED)
    damage(home / "fax-2.npy")
    with pytest.raises(InputError, match=r"fax-2\.npy: damaged or gone"):
        kept.under(("fax", 2), home)


def test_regions_move_with_skew_and_are_cut_at_the_edge(tmp_path: Path) -> None:
    regions = (
        Region("Text", (0.0, 0.0, 100.0, 20.0), crowd=True),  # reaches out of the page once it is turned
        Region("Text", (40.0, 60.0, 60.0, 80.0)),
        Region("Text", (0.0, 0.0, 2.0, 2.0)),  # in the corner, turned away
    )
    page = Page("p", "p", 1, lambda longest: pixels_of(0, (100, 140)), regions=regions, size=(100, 140))
    kept = DamagedPages(PageSet((page,), ("Text",), "one"), GREY, tmp_path, seed=2)
    (found,) = kept.under(("skew", 5), kept.make([("skew", 5)]))
    boxes = np.array([region.box for region in regions])
    wanted = moved(boxes, "skew", severity=5, seed=2, page="p", size=(100, 140))
    assert found.regions is not None
    assert [region.crowd for region in found.regions] == [True, False]
    assert np.allclose([region.box for region in found.regions], np.clip(wanted[:2], 0, [100, 140, 100, 140]))
    (same,) = kept.under(CLEAN, kept.home)
    assert same.regions == regions
