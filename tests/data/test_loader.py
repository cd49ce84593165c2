"""Batches: order, views, resuming, processes, memory."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distildoc.core.batch import Batch, Key
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.readers import folder
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess, to_network_input

LABELS = ("memo", "letter", "email")
SMALL = Preprocess(24, 16)


class Scan:
    """A page image made from a number; counts how often it is read."""

    def __init__(self, number: int, *, colour: bool) -> None:
        self.number = number
        self.colour = colour
        self.reads = 0

    def __call__(self, longest_px: int | None) -> Image.Image:
        self.reads += 1
        rng = np.random.default_rng(self.number)
        return Image.fromarray(rng.integers(0, 255, (60, 40, 3) if self.colour else (60, 40), dtype=np.uint8))


def scans(count: int = 22) -> PageSet:
    """Every third page in colour, every fifth without a class."""
    pages = [
        Page(f"p{i}", f"p{i}", 1, Scan(i, colour=i % 3 == 0), None if i % 5 == 4 else LABELS[i % 3])
        for i in range(count)
    ]
    return PageSet(tuple(pages), LABELS, "scans")


def reads(pages: PageSet) -> list[int]:
    return [page.load.reads for page in pages.pages if isinstance(page.load, Scan)]


def loader(pages: PageSet | None = None, augmentation: Augmentation | None = None, **settings: object) -> Loader:
    settings = {"batch": 4, "seed": 3, **settings}
    return Loader(scans() if pages is None else pages, LABELS, SMALL, augmentation, **settings)


def same(first: Iterator[Batch], second: Iterator[Batch]) -> bool:
    one, two = list(first), list(second)
    assert len(one) > 0
    return len(one) == len(two) and all(
        a.keys == b.keys and torch.equal(a.inputs, b.inputs) and torch.equal(a.targets["label"], b.targets["label"])
        for a, b in zip(one, two, strict=True)
    )


def names(batches: Iterator[Batch]) -> list[str]:
    return [key.page for batch in batches for key in batch.keys]


def test_pixels_are_those_of_prediction_and_targets_those_of_the_labels() -> None:
    pages = scans()
    expected = np.stack([SMALL(page.image()) for page in pages.pages])
    (batch,) = loader(pages, batch=22, shuffle=False).epoch(0)
    assert batch.inputs.shape == (22, 3, 24, 16) and batch.inputs.is_contiguous()
    assert np.array_equal(batch.inputs.numpy(), to_network_input(expected))
    assert batch.targets["label"].dtype == torch.int64
    assert batch.targets["label"].tolist()[:6] == [0, 1, 2, 0, -1, 2]
    assert batch.keys[:2] == (("p0", 0), ("p1", 0))


def test_targets_follow_the_labels_of_the_task_and_not_those_of_the_data() -> None:
    (batch,) = Loader(scans(), ("email", "memo", "other", "letter"), SMALL, batch=22, seed=0, shuffle=False).epoch(0)
    assert batch.targets["label"].tolist()[:6] == [1, 3, 0, 1, -1, 0]


def test_a_class_that_the_task_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="unknown class 'email'"):
        Loader(scans(), ("memo", "letter"), SMALL, batch=4, seed=0)


@pytest.mark.parametrize("augmentation", [None, Augmentation(), Augmentation(views=2)])
def test_an_epoch_is_the_same_bit_for_bit_whatever_was_read_before(augmentation: Augmentation | None) -> None:
    used = loader(augmentation=augmentation)
    for epoch in (0, 1, 2):
        list(used.epoch(epoch))
    assert same(used.epoch(1), loader(augmentation=augmentation).epoch(1))


def test_batches_after_a_skip_are_those_that_would_have_come_and_nothing_skipped_is_decoded() -> None:
    pages = scans()
    resumed = loader(pages, Augmentation(views=3))
    batches = list(resumed.epoch(1, skip=3))
    assert same(iter(batches), iter(list(loader(augmentation=Augmentation(views=3)).epoch(1))[3:]))
    assert sum(reads(pages)) == len(names(iter(batches))) == 8


def test_two_epochs_have_different_orders_and_another_seed_another_one() -> None:
    first = loader()
    assert names(first.epoch(0)) != names(first.epoch(1))
    assert names(first.epoch(0)) != names(loader(seed=4).epoch(0))


def test_training_drops_the_incomplete_batch_and_evaluation_keeps_it() -> None:
    assert [len(batch) for batch in loader().epoch(0)] == [4] * 5
    assert [len(batch) for batch in loader(shuffle=False).epoch(0)] == [4] * 5 + [2]
    assert [len(batch) for batch in loader(batch=100).epoch(0)] == [22]
    assert [len(loader()), len(loader(shuffle=False)), len(loader(drop_last=False))] == [5, 6, 6]


def test_two_processes_together_see_the_order_of_one() -> None:
    shards = [list(loader(rank=rank, world=2).epoch(1)) for rank in range(2)]
    together = [key.page for pair in zip(*shards, strict=True) for batch in pair for key in batch.keys]
    assert not set(names(iter(shards[0]))) & set(names(iter(shards[1])))
    assert together == names(loader(batch=8).epoch(1))


def test_views_walk_through_their_bounded_ids() -> None:
    augmented = loader(augmentation=Augmentation(views=3))
    seen: dict[str, list[int]] = {}
    for epoch in range(3):
        for batch in loader(augmentation=Augmentation(views=3), drop_last=False).epoch(epoch):
            for key in batch.keys:
                seen.setdefault(key.page, []).append(key.augmentation)
    assert len(seen) == 22 and all(sorted(ids) == [1, 2, 3] for ids in seen.values())
    assert {key.augmentation for batch in augmented.epoch(40) for key in batch.keys} <= {1, 2, 3}


def test_all_views_covers_every_view_that_epochs_show_with_the_same_pixels() -> None:
    augmentation = Augmentation(views=3)
    every = {
        key: pixels
        for batch in loader(augmentation=augmentation).all_views()
        for key, pixels in zip(batch.keys, batch.inputs, strict=True)
    }
    assert len(every) == 22 * 3
    shown = 0
    for batch in loader(augmentation=augmentation).epoch(5):
        for key, pixels in zip(batch.keys, batch.inputs, strict=True):
            assert torch.equal(every[key], pixels)
            shown += 1
    assert shown == 20


def test_all_views_are_shared_among_processes_without_overlap() -> None:
    parts = [{key for b in loader(rank=rank, world=3).all_views() for key in b.keys} for rank in range(3)]
    assert sum(map(len, parts)) == 22 == len(set.union(*parts))


def test_every_view_is_the_same_for_all_processes() -> None:
    augmentation = Augmentation(views=3)
    parts = [
        [key for b in loader(augmentation=augmentation, rank=rank, world=2).every_view() for key in b.keys]
        for rank in range(2)
    ]
    assert parts[0] == parts[1] == [Key(f"p{i}", view) for i in range(22) for view in (1, 2, 3)]


def test_every_view_of_unbounded_augmentation_is_each_page_as_it_is() -> None:
    found = [key for batch in loader(augmentation=Augmentation()).every_view() for key in batch.keys]
    assert found == [Key(f"p{i}", 0) for i in range(22)]


def test_all_views_of_unbounded_augmentation_are_refused() -> None:
    with pytest.raises(ConfigError, match="set `views`"):
        loader(augmentation=Augmentation()).all_views()


def test_pages_are_decoded_once_where_memory_allows() -> None:
    pages = scans()
    kept = loader(pages, Augmentation(), drop_last=False)
    for epoch in range(3):
        list(kept.epoch(epoch))
    assert reads(pages) == [1] * 22


def test_without_memory_pages_are_decoded_anew_and_the_batches_are_the_same() -> None:
    pages = scans()
    poor = loader(pages, Augmentation(views=2), cache_bytes=0)
    list(poor.epoch(0))
    assert same(poor.epoch(1), loader(augmentation=Augmentation(views=2)).epoch(1))
    assert sum(reads(pages)) == 40


def test_memory_stays_within_its_bound_and_pages_come_before_views() -> None:
    grey, colour = 24 * 16, 24 * 16 * 3
    pages = scans()
    bound = 14 * grey + 8 * colour + 5 * grey  # all pages, and a little more
    tight = loader(pages, Augmentation(views=2), cache_bytes=bound, drop_last=False)
    for epoch in range(4):
        list(tight.epoch(epoch))
    kept = tight._source.kept
    assert sum(pixels.nbytes for pixels in kept.values()) <= bound
    assert reads(pages) == [1] * 22
    assert sum(augmentation == 0 for _, augmentation in kept) == 22 < len(kept)


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_workers_give_the_same_batches_bit_for_bit_and_leave_the_global_generator_alone(cache_bytes: int) -> None:
    alone, helped = (
        loader(augmentation=Augmentation(views=3), workers=workers, cache_bytes=cache_bytes) for workers in (0, 2)
    )
    before = torch.get_rng_state()
    for epoch, skip in ((0, 0), (1, 2), (4, 0)):
        assert same(alone.epoch(epoch, skip), helped.epoch(epoch, skip))
    next(helped.epoch(2))  # left in the middle
    assert same(alone.epoch(3), helped.epoch(3))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_page_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, workers: int) -> None:
    folder_of_class = tmp_path / "memo"
    folder_of_class.mkdir()
    (folder_of_class / "torn.png").write_bytes(b"not a picture")
    pages = folder.read(path=tmp_path)
    with pytest.raises(InputError, match=r"torn\.png: cannot read the image") as caught:
        list(Loader(pages, ("memo",), SMALL, batch=1, seed=0, workers=workers).epoch(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"workers": -1}, {"rank": 2, "world": 2}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="loader: batch"):
        loader(**wrong)


def test_a_page_set_without_pages_or_without_a_full_batch_is_refused() -> None:
    with pytest.raises(InputError, match="no pages to load"):
        loader(replace(scans(), pages=()))
    with pytest.raises(InputError, match="lower `batch`"):
        loader(batch=100, drop_last=True)


def test_real_pages_load_with_their_counts(real_data: Path) -> None:
    train, val = (folder.read(path=real_data / "rvl5", split=split) for split in ("train", "val"))
    assert (len(train), len(val)) == (1745, 374)
    assert (
        train.labels
        == val.labels
        == (
            "advertisement",
            "email",
            "letter",
            "news_article",
            "scientific_publication",
        )
    )
    loading = Loader(val, train.labels, Preprocess(64, 64, grey=True), batch=128, seed=0, shuffle=False)
    batches = list(loading.epoch(0))
    assert [len(batch) for batch in batches] == [128, 128, 118]
    targets = torch.cat([batch.targets["label"] for batch in batches])
    assert torch.bincount(targets).tolist() == list(val.counts().values())
    assert all(0.4 < batch.inputs.mean() < 1.0 for batch in batches)  # pages are mostly white


def test_scaled_batches_have_sizes_that_depend_on_seed_epoch_and_batch_alone() -> None:
    tall = Preprocess(96, 64)
    scaled = Loader(scans(), LABELS, tall, batch=2, seed=3, scales=(64, 96, 160))
    sizes = [[tuple(batch.inputs.shape[-2:]) for batch in scaled.epoch(epoch)] for epoch in range(4)]
    assert {size for epoch in sizes for size in epoch} == {(64, 32), (96, 64), (160, 96)}  # of 64 x 42.7, 160 x 106.7
    assert sizes[0] != sizes[1]
    again = Loader(scans(), LABELS, tall, batch=2, seed=3, scales=(64, 96, 160))
    assert [tuple(batch.inputs.shape[-2:]) for batch in again.epoch(2, skip=5)] == sizes[2][5:]
    other = Loader(scans(), LABELS, tall, batch=1, seed=3, scales=(64, 96, 160), rank=1, world=2)
    assert [tuple(batch.inputs.shape[-2:]) for batch in other.epoch(2)] == sizes[2]


def test_scaled_pixels_are_the_same_page_smaller_and_targets_and_keys_stay() -> None:
    grey = PageSet(tuple(Page(f"p{i}", "p", i, flat(shade)) for i, shade in enumerate((51, 204))), LABELS, "flat")
    (batch,) = Loader(grey, LABELS, Preprocess(64, 64), batch=2, seed=0, shuffle=False, scales=(32,)).epoch(0)
    assert batch.inputs.shape == (2, 3, 32, 32)
    assert batch.inputs.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.2, 0.8], abs=1e-6)
    assert [key.page for key in batch.keys] == ["p0", "p1"] and batch.targets["label"].tolist() == [-1, -1]
    (whole,) = Loader(grey, LABELS, Preprocess(64, 64), batch=2, seed=0, scales=(32,)).all_views()
    assert whole.inputs.shape == (2, 3, 64, 64)


def flat(shade: int) -> Callable[[int | None], Image.Image]:
    return lambda longest_px: Image.new("L", (50, 50), shade)


def test_a_scale_that_networks_cannot_halve_five_times_is_refused() -> None:
    with pytest.raises(ConfigError, match="scales has 100, which is no multiple of 32 pixels"):
        loader(scales=(64, 100))
