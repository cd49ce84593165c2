"""Targets of batches: classes and boxes of views."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from distildoc.core.batch import TRUE, UNKNOWN
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.targets import BoxTargets, ClassTargets
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.pages import Box, Page, Region
from distildoc.schema.preprocess import Preprocess

LABELS = ("Text", "Table")
SIZE = (200, 400)  # width, height of every page here
STILL = Augmentation(
    rotate_deg=0, shear_deg=0, scale=0, shift=0, brightness=0, contrast=0, gamma=0, blur_px=0, noise=0, erase=0
)


class Drawn:
    """A white page with its regions as black boxes."""

    def __init__(self, boxes: tuple[Box, ...]) -> None:
        self.boxes = boxes

    def __call__(self, longest_px: int | None) -> Image.Image:
        image = Image.new("L", SIZE, 255)
        for left, top, right, bottom in self.boxes:
            ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=0)
        return image


def page(id: str, *boxes: Box, label: str = "Text", crowd: bool = False) -> Page:
    regions = tuple(Region(label, box, crowd) for box in boxes)
    return Page(id, id, 1, Drawn(boxes), regions=regions, size=SIZE)


def unknown(id: str) -> Page:
    return Page(id, id, 1, Drawn(()))


def pages(*members: Page) -> PageSet:
    return PageSet(members, LABELS, "layouts")


def targets(set: PageSet, fit: str = "stretch", **settings: object) -> BoxTargets:
    return BoxTargets(set, LABELS, Preprocess(100, 100, "pad" if fit == "pad" else "stretch"), **settings)


def test_boxes_are_centre_and_size_in_shares_of_the_input_by_hand() -> None:
    found = targets(pages(page("a", (20, 40, 60, 120), label="Table")))([(0, 0)])
    assert found["boxes"].dtype == torch.float32 and found["classes"].dtype == torch.int64
    assert found["boxes"][0].tolist() == [pytest.approx([0.2, 0.2, 0.2, 0.2])]  # (40, 80) and 40 x 80 of 200 x 400
    assert found["classes"].tolist() == [[1]] and found["origin"].tolist() == [TRUE]


def test_a_padded_page_takes_up_part_of_the_input_and_its_boxes_too() -> None:
    found = targets(pages(page("a", (20, 40, 60, 120))), fit="pad")([(0, 0)])
    assert found["boxes"][0].tolist() == [pytest.approx([0.1, 0.2, 0.1, 0.2])]  # 400 high fits: half of the width


def test_rows_are_padded_to_the_longest_of_the_batch_and_never_to_nothing() -> None:
    made = targets(pages(page("a", (0, 0, 20, 40), (0, 0, 40, 40)), page("b"), unknown("c")))
    found = made([(0, 0), (1, 0), (2, 0)])
    assert found["boxes"].shape == (3, 2, 4) and found["classes"].tolist() == [[0, 0], [-1, -1], [-1, -1]]
    assert found["origin"].tolist() == [TRUE, TRUE, UNKNOWN]
    assert found["boxes"][1:].abs().sum() == 0
    alone = made([(2, 0)])
    assert alone["boxes"].shape == (1, 1, 4) and alone["classes"].tolist() == [[-1]]


def test_crowd_regions_are_no_targets() -> None:
    assert targets(pages(page("a", (0, 0, 20, 40), crowd=True)))([(0, 0)])["classes"].tolist() == [[-1]]


class Shifted(Augmentation):
    """Every view shows the page a quarter further to the left."""

    def boxes(self, key, boxes, *, height, width):  # type: ignore[no-untyped-def]
        return boxes - np.array([0.25, 0, 0.25, 0])


@pytest.mark.parametrize(("min_visible", "kept"), [(0.0, 2), (0.3, 2), (0.6, 1), (1.0, 0)])
def test_what_leaves_the_view_is_cut_off_and_dropped_where_too_little_is_left(min_visible: float, kept: int) -> None:
    # After the shift by 50 px: (-50..0) nothing left, (-25..25) half of it, (-10..30) three quarters.
    set = pages(page("a", (0, 0, 50, 40), (25, 0, 75, 40), (40, 0, 80, 40)))
    found = targets(set, augmentation=Shifted(), min_visible=min_visible)([(0, 1)])
    boxes = found["boxes"][0][found["classes"][0] >= 0].tolist()
    expected = [[0.0625, 0.05, 0.125, 0.1], [0.075, 0.05, 0.15, 0.1]]
    assert boxes == [pytest.approx(box) for box in expected[len(expected) - kept :]]


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize(
    "augmentation",
    [
        replace(STILL, rotate_deg=10.0),
        replace(STILL, shear_deg=10.0, scale=0.2),
        replace(STILL, rotate_deg=4.0, shift=0.1, flip=0.5),
        None,
    ],
)
def test_targets_of_a_batch_lie_where_its_pixels_show_the_regions(fit: str, augmentation: Augmentation | None) -> None:
    set = pages(*(page(f"p{i}", (60, 120 + 10 * i, 140, 240)) for i in range(6)))
    preprocess = Preprocess(320, 240, "pad" if fit == "pad" else "stretch")
    made = BoxTargets(set, LABELS, preprocess, augmentation)
    (batch,) = Loader(set, LABELS, preprocess, augmentation, batch=6, seed=0, targets=made).epoch(0)
    assert len(batch) == 6 and set_of(batch.keys) == {f"p{i}" for i in range(6)}
    for pixels, boxes in zip(batch.inputs.numpy(), batch.targets["boxes"].numpy(), strict=True):
        rows, columns = np.nonzero(pixels[0] < 0.5)
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        x, y, wide, high = boxes[0] * (240, 320, 240, 320)
        assert np.abs(found - (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)).max() <= 1.5


def set_of(keys: tuple[tuple[str, int], ...]) -> set[str]:
    return {key[0] for key in keys}


def test_scores_go_with_their_regions_where_one_is_less_than_certain() -> None:
    sure, unsure = page("a", (0, 0, 20, 40)), page("b", (0, 0, 20, 40), (60, 0, 100, 40), (40, 0, 80, 40))
    assert "scores" not in targets(pages(sure, unsure))([(0, 0)])
    assert unsure.regions is not None
    scored = replace(
        unsure, regions=tuple(replace(one, score=s) for one, s in zip(unsure.regions, (0.1, 0.5, 1), strict=True))
    )
    made = targets(pages(sure, scored))([(0, 0), (1, 0)])
    assert made["scores"].tolist() == [[1, 1, 1], pytest.approx([0.1, 0.5, 1])]
    shifted = targets(pages(sure, scored), augmentation=Shifted())([(1, 1)])  # the first leaves the view
    assert shifted["scores"].tolist() == [pytest.approx([0.5, 1])]


def test_a_class_that_the_task_does_not_know_is_refused_before_the_first_batch() -> None:
    set = pages(page("a", (0, 0, 20, 40), label="Table"))
    with pytest.raises(InputError, match="data set layouts: unknown class 'Table'; known: Text"):
        BoxTargets(set, ("Text",), Preprocess(10, 10))
    with pytest.raises(ConfigError, match=r"min_visible = 1\.5"):
        targets(set, min_visible=1.5)


def test_class_targets_are_positions_in_the_labels_of_the_task() -> None:
    set = PageSet((replace(unknown("a"), label="Table"), unknown("b")), LABELS, "x")
    assert ClassTargets(set, ("Table", "Text"))([(1, 0), (0, 3)])["label"].tolist() == [-1, 0]
