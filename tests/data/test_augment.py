"""Augmented views of a page."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from distildoc.core.batch import Key
from distildoc.data.augment import Augmentation, Pixels
from distildoc.schema.errors import ConfigError

OFF = Augmentation(
    rotate_deg=0, shear_deg=0, scale=0, shift=0, brightness=0, contrast=0, gamma=0, blur_px=0, noise=0, erase=0
)


def page(height: int = 48, width: int = 40) -> Pixels:
    """Smooth blobs on white, in colour."""
    rough = np.random.default_rng(0).random((height, width, 3))
    smooth = ndimage.gaussian_filter(rough, (4, 4, 0))
    return np.asarray(255 * (smooth - smooth.min()) / np.ptp(smooth), dtype=np.uint8)


def grey() -> Pixels:
    return np.repeat(page()[..., :1], 3, axis=2)


def keys(count: int) -> list[Key]:
    return [Key(f"page {i}", 1) for i in range(count)]


def test_augmentation_zero_is_the_page_itself() -> None:
    assert Augmentation()(page(), Key("a", 0)).tobytes() == page().tobytes()


def test_a_view_depends_on_seed_page_and_number_alone() -> None:
    augment = Augmentation(seed=5)
    first = augment(page(), Key("a", 3))
    augment(page(), Key("b", 7))
    assert first.tobytes() == Augmentation(seed=5, views=9)(page(), Key("a", 3)).tobytes()
    others = [augment(page(), Key("a", 4)), augment(page(), Key("b", 3)), Augmentation(seed=6)(page(), Key("a", 3))]
    assert len({first.tobytes(), *(other.tobytes() for other in others)}) == 4


def test_views_keep_shape_and_type_and_the_page_is_left_alone() -> None:
    before = page()
    before.flags.writeable = False
    for key in keys(20):
        view = Augmentation(flip=0.5, invert=0.5)(before, key)
        assert view.shape == before.shape and view.dtype == np.uint8
    assert before.tobytes() == page().tobytes()


def test_a_grey_page_stays_grey_whether_stored_with_one_channel_or_three() -> None:
    for key in keys(20):
        view = Augmentation(invert=0.5)(grey(), key)
        single = Augmentation(invert=0.5)(grey()[..., 0], key)
        assert np.array_equal(view, np.repeat(single[..., None], 3, axis=2))


def test_all_effects_off_gives_the_page() -> None:
    for key in keys(10):
        assert OFF(page(), key).tobytes() == page().tobytes()


def test_rotation_alone_agrees_with_scipy() -> None:
    augment = replace(OFF, rotate_deg=20.0)
    shown = grey()[:40]  # a square
    inner = slice(10, -10)
    candidates = [
        ndimage.rotate(shown[..., 0].astype(float), angle, reshape=False, order=1, cval=255)
        for angle in np.arange(-20, 20.1, 0.5)
    ]
    for key in keys(6):
        view = augment(shown, key)[..., 0].astype(float)
        errors = [np.abs(view - other)[inner, inner].mean() for other in candidates]
        assert min(errors) < 1.0  # bytes; the nearest half degree
        assert max(errors) > 5.0


def test_shift_moves_the_page_and_fills_with_white() -> None:
    augment = replace(OFF, shift=0.25)
    black = np.zeros((40, 40, 3), dtype=np.uint8)
    for key in keys(20):
        row, column = (augment(black, key)[..., 0] > 127).mean(axis=1), (augment(black, key)[..., 0] > 127).mean(axis=0)
        assert (row == 1).sum() <= 10 and (column == 1).sum() <= 10  # a quarter of 40
        assert row[20] < 1 and column[20] < 1


def test_zoom_stays_within_scale() -> None:
    augment = replace(OFF, scale=0.2)
    box = np.full((100, 100, 3), 255, dtype=np.uint8)
    box[30:70, 30:70] = 0
    sides = [np.sqrt((augment(box, key)[..., 0] < 128).sum()) / 40 for key in keys(40)]
    assert 1 / 1.2 - 0.05 < min(sides) < 0.95 and 1.05 < max(sides) < 1.2 + 0.05


def test_flip_of_certain_chance_mirrors_the_page() -> None:
    assert np.array_equal(replace(OFF, flip=1.0)(page(), Key("a", 1)), page()[:, ::-1])


def test_inversion_of_certain_chance_swaps_black_and_white() -> None:
    assert np.array_equal(replace(OFF, invert=1.0)(page(), Key("a", 1)), 255 - page())


def test_erasing_paints_one_rectangle_of_bounded_area() -> None:
    augment = replace(OFF, erase=0.2)
    shares = []
    for key in keys(40):
        changed = (augment(page(), key) != page()).any(axis=2)
        rows, columns = np.nonzero(changed.any(axis=1))[0], np.nonzero(changed.any(axis=0))[0]
        if len(rows):
            shares.append((np.ptp(rows) + 1) * (np.ptp(columns) + 1) / changed.size)
    assert 10 <= len(shares) <= 30  # half of the views
    assert max(shares) <= 0.22


def test_noise_is_the_same_in_all_channels_and_bounded() -> None:
    augment = replace(OFF, noise=0.1)
    flat = np.full((32, 32, 3), 128, dtype=np.uint8)
    flat[..., 1] = 100
    changed = 0
    for key in keys(20):
        difference = augment(flat, key).astype(int) - flat
        assert np.array_equal(difference[..., 0], difference[..., 1]) and np.abs(difference).max() <= 26
        changed += bool(difference.any())
    assert 4 <= changed <= 16


def test_one_setting_does_not_move_what_another_does() -> None:
    stained = replace(OFF, erase=0.2)
    shown = np.full((40, 40, 3), 255, dtype=np.uint8)
    for key in keys(10):
        plain, noisy = stained(shown, key), replace(stained, noise=0.02)(shown, key)
        assert np.abs(plain.astype(int) - noisy).max() <= 6  # the rectangle is where it was


def test_every_page_walks_through_all_its_views_and_starts_where_it_likes() -> None:
    augment = Augmentation(views=4, seed=1)
    for name in ("a", "b", "c"):
        walk = [augment.view_of(name, epoch) for epoch in range(8)]
        assert sorted(walk[:4]) == [1, 2, 3, 4] and walk[:4] == walk[4:]
    assert len({augment.view_of(f"p{i}", 0) for i in range(50)}) == 4


def test_unbounded_views_never_repeat() -> None:
    assert [Augmentation().view_of("a", epoch) for epoch in range(5)] == [1, 2, 3, 4, 5]


def test_fingerprint_follows_everything_that_changes_a_view() -> None:
    settings = {"rotate_deg": 1.0, "noise": 0.5, "erase": 0.5, "flip": 0.5, "invert": 0.5, "seed": 9, "blur_px": 2.0}
    prints = {Augmentation(**{name: value}).fingerprint for name, value in settings.items()}
    assert len(prints | {Augmentation().fingerprint}) == len(settings) + 1
    assert Augmentation(views=3).fingerprint == Augmentation().fingerprint
    assert Augmentation(rotate_deg=3).fingerprint == Augmentation(rotate_deg=3.0).fingerprint


@pytest.mark.parametrize(
    "setting", [{"views": 0}, {"rotate_deg": -1.0}, {"erase": 1.5}, {"shear_deg": 90.0}, {"noise": float("nan")}]
)
def test_settings_out_of_range_are_named(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        Augmentation(**setting)


MOVES = [
    {"rotate_deg": 20.0},
    {"shear_deg": 15.0},
    {"scale": 0.3},
    {"shift": 0.1},
    {"flip": 1.0},
    {"rotate_deg": 8.0, "shear_deg": 6.0, "scale": 0.2, "shift": 0.08, "flip": 0.5},
]


@pytest.mark.parametrize("settings", MOVES)
def test_boxes_go_where_the_pixels_of_a_drawn_rectangle_go(settings: dict[str, float]) -> None:
    height, width = 240, 320
    left, top, right, bottom = 100, 90, 190, 140
    drawn = np.full((height, width), 255, dtype=np.uint8)
    drawn[top:bottom, left:right] = 0
    augment = replace(OFF, **settings)
    box = np.array([[left / width, top / height, right / width, bottom / height]])
    size = np.array([width, height, width, height])
    for key in keys(12):
        rows, columns = np.nonzero(augment(drawn, key) < 128)
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert found.min() > 0, "the rectangle stays inside, so that its box can be read off the pixels"
        said = augment.boxes(key, box, height=height, width=width)[0] * size
        assert np.abs(said - found).max() <= 1.5


def test_boxes_of_the_page_itself_and_of_views_that_do_not_move_stay_bit_for_bit() -> None:
    boxes = np.array([[0.1, 0.2, 0.3, 0.4]])
    assert np.array_equal(Augmentation().boxes(Key("a", 0), boxes, height=9, width=7), boxes)
    assert np.array_equal(replace(OFF, noise=0.1).boxes(Key("a", 1), boxes, height=9, width=7), boxes)
    assert Augmentation().boxes(Key("a", 1), np.zeros((0, 4)), height=9, width=7).shape == (0, 4)


def test_boxes_reach_outside_where_the_view_does() -> None:
    said = [replace(OFF, shift=0.2).boxes(key, np.array([[0, 0, 1, 1]]), height=50, width=50) for key in keys(5)]
    assert all(box.min() < 0 or box.max() > 1 for box in said)
    assert all(np.allclose(box[0, 2:] - box[0, :2], 1) for box in said)
