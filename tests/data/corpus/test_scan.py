"""The scan model: size kept, brightness plausible, boxes follow the page."""

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("reportlab")

from distildoc.data.corpus.camera import shifted_scan
from distildoc.data.corpus.raster import place
from distildoc.data.corpus.scan import ScanPlan, plain_scan


def _page(colour: bool) -> np.ndarray:
    page = np.full((1000, 773, 3) if colour else (1000, 773), 255, dtype=np.uint8)
    page[480:520, 300:400] = 0
    return page


@pytest.mark.parametrize("regime", ["flatbed", "photocopy", "archive", "fax"])
def test_paper_stays_light_and_ink_dark_in_every_plain_regime(regime: str) -> None:
    ghost = _page(False)
    for seed in range(4):
        plan = ScanPlan(regime, 0.0, (0.0, 0.0), colour=False)
        jpeg = plain_scan(_page(False), ghost, plan, np.random.default_rng(seed))
        image = np.asarray(Image.open(io.BytesIO(jpeg)), dtype=np.float32)
        assert image.shape == (1000, 773)
        assert np.median(image) > 180
        assert image[485:515, 310:390].mean() < 90


def test_skewed_placement_keeps_the_middle_and_turns_the_rest() -> None:
    placement = place((612.0, 792.0), skew_deg=2.0)
    middle = placement.box((305.0, 395.0, 307.0, 397.0))
    assert middle is not None
    assert (middle[0] + middle[2]) / 2 == pytest.approx(placement.width_px / 2, abs=0.1)
    # a point 100 pt right of the middle goes down by 100 tan 2 deg pt = 3.49 pt, 4.4 px at 1000 px for 792 pt
    right = placement.box((405.0, 395.0, 407.0, 397.0))
    assert right is not None and right[1] - middle[1] == pytest.approx(4.4, abs=0.15)


def test_a_box_off_the_page_is_dropped_and_one_across_the_edge_clamped() -> None:
    placement = place((612.0, 792.0))
    assert placement.box((-50.0, 10.0, -5.0, 20.0)) is None
    across = placement.box((-50.0, 10.0, 50.0, 20.0))
    assert across is not None and across[0] == 0.0


@pytest.mark.parametrize("regime", ["export", "photo", "careless"])
def test_the_dark_block_is_where_the_placement_says_in_every_shifted_regime(regime: str) -> None:
    start = place((612.0, 792.0))
    scale = 1000 / 792
    block_pt = (300 / scale, 480 / scale, 400 / scale, 520 / scale)
    for seed in range(4):
        plan = ScanPlan(regime, 0.0, (0.0, 0.0), colour=True)
        jpeg, placement = shifted_scan(_page(True), start, plan, np.random.default_rng(seed))
        box = placement.box(block_pt)
        assert box is not None
        x0, y0, x1, y1 = (int(v) for v in box)
        grey = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), dtype=np.float32)
        inner, outer = grey[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8], grey[y0 - 30 : y0 - 12, x0:x1]
        assert inner.mean() + 60 < outer.mean()
