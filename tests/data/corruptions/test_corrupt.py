"""Damaged pages: how far from the clean one, how reproducible, and where boxes go."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from distildoc.data.corruptions import KINDS, SEVERITIES, corrupted, moved
from distildoc.data.corruptions.lens import BLUR, MOTION, SKEW_DEG
from distildoc.schema.errors import ConfigError

DRAWN = [kind for kind in KINDS if kind not in ("jpeg", "low_resolution")]  # these two leave nothing to chance


def draw_page(number: int, height: int = 500) -> Image.Image:
    """A grey page with a heading, lines of words and a table, on paper that is not quite white."""
    rng = np.random.default_rng(number)
    width = round(0.75 * height)
    page = Image.new("L", (width, height), 246)
    pen = ImageDraw.Draw(page)
    unit = height / 100
    pen.rectangle((10 * unit, 6 * unit, (30 + 5 * number) * unit, 10 * unit), fill=20)
    for line in range(16, 60, 3):
        x = 8 * unit
        while x < 0.85 * width:
            wide = float(rng.uniform(1.5, 7)) * unit
            pen.rectangle((x, line * unit, x + wide, (line + 1.2) * unit), fill=60)
            x += wide + 1.2 * unit
    for step in range(6):
        pen.line((10 * unit, (65 + 5 * step) * unit, 60 * unit, (65 + 5 * step) * unit), fill=0, width=round(unit / 2))
    return page


@pytest.fixture(scope="module")
def pages() -> list[Image.Image]:
    return [draw_page(number) for number in range(6)]


def floats(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


def damaged(pages: list[Image.Image], kind: str, severity: int) -> Iterator[tuple[Image.Image, Image.Image]]:
    for number, page in enumerate(pages):
        yield page, corrupted(page, kind, severity=severity, seed=0, page=f"page {number}")


def distance(pages: list[Image.Image], kind: str, severity: int) -> float:
    """Mean over pages of the mean difference, in grey levels.

    Of turned pages the difference of what is left without detail: two lines of text are as far apart as ten.
    """
    spot = 25.0 if kind == "skew" else 0.0
    soft = [
        [ndimage.gaussian_filter(floats(image), (spot, spot, 0)[: floats(image).ndim]) for image in pair]
        for pair in damaged(pages, kind, severity)
    ]
    return float(np.mean([np.abs(clean - other).mean() for clean, other in soft]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_distance_to_the_clean_page_rises_with_severity(kind: str, mode: str, pages: list[Image.Image]) -> None:
    shown = [page.convert(mode) for page in pages]
    distances = [distance(shown, kind, severity) for severity in SEVERITIES]
    assert distances[0] > 0
    assert all(low < high for low, high in pairwise(distances)), distances


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(61, 97), (97, 61), (40, 700), (16, 16)])
def test_size_and_mode_stay(kind: str, size: tuple[int, int]) -> None:
    for mode in ("L", "RGB"):
        for severity in (1, 5):
            found = corrupted(Image.new(mode, size, "white"), kind, severity=severity, seed=1, page="a")
            assert (found.size, found.mode) == (size, mode)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_page_depends_on_kind_severity_seed_and_page_alone(kind: str, pages: list[Image.Image]) -> None:
    first = corrupted(pages[0], kind, severity=3, seed=4, page="a").tobytes()
    corrupted(pages[1], kind, severity=2, seed=9, page="b")
    assert corrupted(pages[0], kind, severity=3, seed=4, page="a").tobytes() == first


@pytest.mark.parametrize("kind", DRAWN)
def test_other_seeds_and_pages_draw_other_damage(kind: str, pages: list[Image.Image]) -> None:
    found = {
        corrupted(pages[0], kind, severity=5, seed=seed, page=page).tobytes() for seed in range(4) for page in "abcd"
    }
    assert len(found) >= 3  # blur has three causes, the others any number


@pytest.mark.parametrize("kind", ["scan_noise", "skew", "blur", "low_resolution", "fax"])
def test_a_grey_page_in_three_channels_is_damaged_as_in_one(kind: str, pages: list[Image.Image]) -> None:
    for severity in SEVERITIES:
        one = corrupted(pages[0], kind, severity=severity, seed=0, page="a")
        three = corrupted(pages[0].convert("RGB"), kind, severity=severity, seed=0, page="a")
        assert np.array_equal(np.asarray(three), np.repeat(np.asarray(one)[..., None], 3, axis=2))


def test_colour_gives_a_grey_page_the_grey_of_the_tint(pages: list[Image.Image]) -> None:
    for number, page in enumerate(pages):
        grey = corrupted(page, "colour", severity=4, seed=0, page=str(number))
        tinted = corrupted(page.convert("RGB"), "colour", severity=4, seed=0, page=str(number))
        red, green, blue = (floats(channel) for channel in tinted.split())
        luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601
        assert np.abs(luma - floats(grey)).max() <= 1.5
        assert max(np.abs(red - blue).mean(), np.abs(red - green).mean()) > 10


@pytest.mark.parametrize("kind", ["stamps", "fax"])
def test_ink_only_darkens_where_stamps_fall_and_a_fax_has_two_levels(kind: str) -> None:
    page = draw_page(0, height=1140)
    found = np.asarray(corrupted(page, kind, severity=1, seed=0, page="a"))
    if kind == "stamps":
        assert (found <= np.asarray(page)).all() and 0.001 < (found < np.asarray(page)).mean() < 0.2
    else:
        assert set(np.unique(found).tolist()) == {0, 255}  # at 1,140 lines nothing is resized


def test_blur_is_a_gaussian_or_a_mean_along_an_axis_as_scipy_has_them(pages: list[Image.Image]) -> None:
    sharp = floats(pages[0])
    spot = BLUR[2] * max(sharp.shape)
    reach = MOTION * spot
    row = np.clip(reach + 1 - np.abs(np.arange(-20, 21)), 0, 1)  # Pillow counts the last pixels in part
    wanted = [
        ndimage.gaussian_filter(sharp, spot, mode="nearest"),
        *(ndimage.convolve1d(sharp, row / row.sum(), axis, mode="nearest") for axis in (0, 1)),
    ]
    seen = set()
    for name in "abcdefghijklmnop":
        found = floats(corrupted(pages[0], "blur", severity=3, seed=0, page=name))
        errors = [float(np.abs(found - other).mean()) for other in wanted]
        assert min(errors) < 1.0  # grey levels; Pillow makes its Gaussian of three boxes
        seen.add(int(np.argmin(errors)))
    assert seen == {0, 1, 2}


def test_low_resolution_keeps_the_mean_and_no_detail_finer_than_its_pixels() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (720, 270))
    found = floats(corrupted(Image.fromarray(stripes), "low_resolution", severity=5, seed=0, page="a"))
    assert found.mean() == pytest.approx(127.5, abs=1)
    assert np.ptp(found) <= 1  # a coarse pixel is 10 x 10, five stripes of each


@pytest.mark.parametrize("kind", KINDS)
def test_small_and_large_pages_have_lost_alike_at_the_size_of_a_network(kind: str) -> None:
    ratios = []
    for severity in (3, 5):
        lost = []
        for height in (256, 1280):
            small = [
                [floats(image.resize((96, 128), Image.Resampling.BOX)) for image in pair]
                for pair in damaged([draw_page(number, height) for number in range(4)], kind, severity)
            ]
            lost.append(np.mean([np.abs(a - b).mean() for a, b in small]))
        ratios.append(lost[0] / lost[1])
    assert all(0.6 < ratio < 1.6 for ratio in ratios), ratios


def test_boxes_go_where_skew_takes_what_is_in_them() -> None:
    boxes = np.array([[60.0, 40.0, 200.0, 90.0], [220.0, 300.0, 330.0, 460.0]])
    for number in range(4):
        for severity in SEVERITIES:
            found = moved(boxes, "skew", severity=severity, seed=0, page=str(number), size=(400, 500))
            for box, wanted in zip(boxes, found, strict=True):
                page = Image.new("L", (400, 500), 255)
                ImageDraw.Draw(page).rectangle((*box[:2], *(box[2:] - 1)), fill=0)
                turned = corrupted(page, "skew", severity=severity, seed=0, page=str(number))
                rows, columns = np.nonzero(np.asarray(turned) < 128)
                seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert np.abs(np.array(seen) - wanted).max() < 1.5


def test_skew_turns_a_page_the_same_way_at_every_severity_within_its_limits() -> None:
    ways = set()
    for number in range(12):
        far = np.array([[180.0, 9.0, 181.0, 10.0]])  # 90 px right of the middle
        rises = []
        for severity, most in zip(SEVERITIES, SKEW_DEG, strict=True):
            left, top, right, bottom = moved(
                far, "skew", severity=severity, seed=0, page=str(number), size=(181, 19)
            ).ravel()
            angle = np.degrees(np.arctan2(9.5 - (top + bottom) / 2, (left + right) / 2 - 90.5))
            assert 0.7 * most - 1e-6 <= abs(angle) <= most + 1e-6
            rises.append(np.sign(angle))
        assert len(set(rises)) == 1
        ways.add(rises[0])
    assert ways == {-1, 1}


def test_boxes_stay_under_damage_that_moves_nothing() -> None:
    boxes = np.array([[1.0, 2.0, 30.0, 40.0]])
    for kind in KINDS:
        if kind != "skew":
            assert np.array_equal(moved(boxes, kind, severity=5, seed=0, page="a", size=(50, 60)), boxes)


def test_an_unknown_kind_or_severity_names_those_there_are() -> None:
    page = Image.new("L", (20, 20))
    with pytest.raises(ConfigError, match="no corruption 'stamp'; closest: stamps"):
        corrupted(page, "stamp", severity=1, seed=0, page="a")
    with pytest.raises(ConfigError, match=r"no severity 6; there are \[1, 2, 3, 4, 5\]"):
        corrupted(page, "fax", severity=6, seed=0, page="a")
