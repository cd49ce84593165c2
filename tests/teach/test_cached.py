"""teach.cached: the same values as the live teacher, and never somebody else's."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach import partial
from distildoc.teach.aligned import Aligned
from distildoc.teach.cached import Cached, contents_of, open_cache, write_cache
from distildoc.teach.live import Live
from distildoc.teach.store import Store

ModelOf = Callable[[int], Model]
LoaderOf = Callable[..., Loader]
VIEWS = Augmentation(views=2, seed=1)


class Counted:
    """A teacher that counts the pages it is asked about, and may be interrupted."""

    live = True

    def __init__(self, teacher: Live, stop_after: int | None = None) -> None:
        self._teacher = teacher
        self.labels, self.features, self.fingerprint = teacher.labels, teacher.features, teacher.fingerprint
        self.pages = 0
        self._left = stop_after

    def __call__(self, batch: Batch) -> View:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left = None if self._left is None else self._left - 1
        self.pages += len(batch)
        return self._teacher(batch)


@pytest.fixture
def teacher(model_of: ModelOf) -> Live:
    return Live(model_of(1), taps=("penultimate", "map"))


@pytest.fixture
def cache(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> Path:
    write_cache(tmp_path / "cache", teacher, loader=loader_of())
    return tmp_path / "cache"


def same(view: View, other: View) -> bool:
    named = [(view.outputs, other.outputs), (view.features, other.features)]
    return all(set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a) for a, b in named)


@pytest.mark.parametrize("augmentation", [None, VIEWS])
def test_values_are_the_live_teachers_bit_for_bit(
    augmentation: Augmentation | None, teacher: Live, loader_of: LoaderOf, tmp_path: Path
) -> None:
    loader = loader_of(augmentation=augmentation)
    store = write_cache(tmp_path / "cache", teacher, loader=loader)
    cached = Cached(store, contents_of(teacher, loader))
    batches = list(loader.all_views())
    assert sum(len(batch) for batch in batches) == 10 * (1 if augmentation is None else 2)
    assert all(same(cached(batch), teacher(batch)) for batch in batches)


def test_values_follow_their_keys_through_every_epoch(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    loader = loader_of(augmentation=VIEWS)
    cached = Cached(write_cache(tmp_path / "cache", teacher, loader=loader), contents_of(teacher, loader))
    keys = set()
    for epoch in range(2):
        for batch in loader.epoch(epoch):
            keys |= set(batch.keys)
            torch.testing.assert_close(cached(batch).outputs, teacher(batch).outputs, rtol=1e-4, atol=1e-5)
    assert len(keys) == 20


def test_the_order_of_pages_in_a_batch_does_not_change_a_value(cache: Path, teacher: Live, loader_of: LoaderOf) -> None:
    loader = loader_of()
    cached = Cached(Store(cache), contents_of(teacher, loader))
    batch = next(loader.epoch(0))
    order = torch.tensor([2, 0, 1])
    assert torch.equal(cached(batch.select(order)).features["map"], cached(batch).features["map"][order])


def test_is_a_teacher_that_cannot_run_on_other_pixels(cache: Path, teacher: Live, loader_of: LoaderOf) -> None:
    cached = open_cache(cache, teacher, loader=loader_of())
    assert isinstance(cached, Teacher)
    assert not cached.live
    assert cached(next(loader_of().epoch(0))).again is None
    assert (cached.labels, cached.features) == (teacher.labels, ("penultimate", "map"))


def test_only_the_features_that_the_teacher_taps_are_read(cache: Path, model_of: ModelOf, loader_of: LoaderOf) -> None:
    cached = open_cache(cache, Live(model_of(1), taps=("penultimate", "early")), loader=loader_of())
    view = cached(next(loader_of().epoch(0)))
    assert cached.features == ("penultimate",)
    assert (set(view.features), set(view.outputs)) == ({"penultimate"}, {"logits"})


def test_a_run_whose_classes_stand_in_another_order_reads_the_same_scores(
    cache: Path, model_of: ModelOf, loader_of: LoaderOf
) -> None:
    live = Aligned(Live(model_of(1)), ("memo", "invoice", "form", "letter"))
    cached = Aligned(open_cache(cache, live, loader=loader_of()), live.labels)
    batch = next(iter(loader_of().epoch(0)))
    torch.testing.assert_close(cached(batch).outputs, live(batch).outputs)


def test_a_part_of_the_pages_and_views_can_be_read(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=VIEWS))
    fewer = loader_of(pages=4, augmentation=Augmentation(views=1, seed=1))
    cached = open_cache(tmp_path / "cache", teacher, loader=fewer)
    assert all(len(cached(batch).outputs["logits"]) == len(batch) for batch in fewer.epoch(0))


def test_an_interrupted_cache_goes_on_where_it_stopped(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    whole = write_cache(tmp_path / "whole", teacher, loader=loader_of())
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path / "cache", Counted(teacher, stop_after=2), loader=loader_of())
    assert not (tmp_path / "cache").exists()
    rest = Counted(teacher)
    seen: list[tuple[int, int]] = []
    write_cache(tmp_path / "cache", rest, loader=loader_of(), progress=lambda done, rows: seen.append((done, rows)))
    assert rest.pages == 10 - 6
    assert seen[-1] == (10, 10)
    keys = [Key(f"p/{i}", 0) for i in range(10)]
    pairs = zip(whole.read(keys), Store(tmp_path / "cache").read(keys), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_rows_that_were_not_yet_forced_to_disk_are_asked_again(
    teacher: Live, loader_of: LoaderOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial.Partial, "close", lambda self: None)  # as after kill -9: nothing is tidied up
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path / "cache", Counted(teacher, stop_after=2), loader=loader_of())
    monkeypatch.undo()
    rest = Counted(teacher)
    write_cache(tmp_path / "cache", rest, loader=loader_of())
    assert rest.pages == 10


def test_a_finished_cache_is_not_written_again(cache: Path, teacher: Live, loader_of: LoaderOf) -> None:
    again = Counted(teacher)
    write_cache(cache, again, loader=loader_of())
    assert again.pages == 0
    assert not (cache.parent / "cache.partial").exists()


def test_float16_is_rounded_once_and_read_as_float32(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    loader = loader_of()
    write_cache(tmp_path / "half", teacher, loader=loader, dtype="float16")
    cached = open_cache(tmp_path / "half", teacher, loader=loader, dtype="float16")
    batch = next(loader.all_views())
    found = cached(batch).features["map"]
    assert found.dtype == torch.float32
    assert torch.equal(found, teacher(batch).features["map"].half().float())


def test_another_teacher_is_an_error_that_names_both(
    cache: Path, teacher: Live, model_of: ModelOf, loader_of: LoaderOf
) -> None:
    other = Live(model_of(2))
    with pytest.raises(InputError, match=f"the cache is of teacher '{teacher.fingerprint}' and not") as error:
        open_cache(cache, other, loader=loader_of())
    assert other.fingerprint in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augmentation": VIEWS}, "the cache is of augmentation None and not"),
        ({"height": 48}, "the cache is of preprocess {'height': 32"),
        ({"pages": 11}, "the cache holds no page 'p/10'"),
        ({"salt": 1}, "'logits' of the first pages is off by .* the page images were changed"),
    ],
)
def test_other_pixels_are_an_error(
    settings: dict[str, object], message: str, cache: Path, teacher: Live, loader_of: LoaderOf
) -> None:
    with pytest.raises(InputError, match=message):
        open_cache(cache, teacher, loader=loader_of(**settings))


def test_another_precision_is_an_error(cache: Path, teacher: Live, loader_of: LoaderOf) -> None:
    with pytest.raises(InputError, match="dtype 'float32' and not 'float16'"):
        open_cache(cache, teacher, loader=loader_of(), dtype="float16")


def test_another_seed_of_the_augmentation_is_an_error(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=VIEWS))
    with pytest.raises(InputError, match="the cache is of augmentation"):
        open_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=Augmentation(views=2, seed=9)))


def test_a_view_that_was_not_cached_is_an_error(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=VIEWS))
    with pytest.raises(InputError, match=r"the cache is of views \(1, 2\) and not \(1, 2, 3\)"):
        open_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=Augmentation(views=3, seed=1)))


def test_unbounded_views_cannot_be_cached(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bounded number of views"):
        write_cache(tmp_path / "cache", teacher, loader=loader_of(augmentation=Augmentation()))
    assert not list(tmp_path.iterdir())


def test_features_that_a_finished_cache_lacks_are_named(cache: Path, model_of: ModelOf, loader_of: LoaderOf) -> None:
    more = Live(model_of(1), taps=("map", "stage:0"))
    with pytest.raises(InputError, match=r"the cache lacks the features \['stage:0'\]"):
        write_cache(cache, more, loader=loader_of())


def test_an_unfinished_cache_of_another_teacher_is_an_error(
    teacher: Live, model_of: ModelOf, loader_of: LoaderOf, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path / "cache", Counted(teacher, stop_after=1), loader=loader_of())
    with pytest.raises(InputError, match="the unfinished cache there is of teacher"):
        write_cache(tmp_path / "cache", Live(model_of(2)), loader=loader_of())
    with pytest.raises(InputError, match="not finished; run `distildoc cache` again"):
        Store(tmp_path / "cache")


def test_large_features_are_refused_with_their_size(teacher: Live, loader_of: LoaderOf, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"most of it 'map' \(48, 2, 2\).* the limit is 0 KiB"):
        write_cache(tmp_path / "cache", teacher, loader=loader_of(), limit_kib=0)
    assert not list(tmp_path.iterdir())


def test_too_small_a_disk_is_an_error_before_anything_is_written(
    teacher: Live, loader_of: LoaderOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(InputError, match="GiB free"):
        write_cache(tmp_path / "cache", teacher, loader=loader_of())
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_is_one_line_and_can_be_gone_on_from(
    teacher: Live, loader_of: LoaderOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(partial.FileIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return 0 if self.tell() > 400 else super().write(data)

    monkeypatch.setattr(partial, "FileIO", Full)
    with pytest.raises(InputError, match="the disk is full; free some space and run again"):
        write_cache(tmp_path / "cache", teacher, loader=loader_of())
    monkeypatch.undo()
    write_cache(tmp_path / "cache", teacher, loader=loader_of())
    batch = next(loader_of().all_views())
    assert same(open_cache(tmp_path / "cache", teacher, loader=loader_of())(batch), teacher(batch))


def test_values_out_of_the_range_of_float16_are_refused(model_of: ModelOf, loader_of: LoaderOf, tmp_path: Path) -> None:
    model = model_of(1)
    with torch.no_grad():
        model.head.bias += 1e6
    with pytest.raises(InputError, match=r"page 'p/0': the teacher's output 'logits' is not finite in float16"):
        write_cache(tmp_path / "cache", Live(model), loader=loader_of(), dtype="float16")


def test_a_truncated_array_is_an_error_that_names_the_file(cache: Path) -> None:
    os.truncate(cache / "02.npy", 200)
    with pytest.raises(InputError, match=r"02\.npy: missing or truncated"):
        Store(cache)


def test_pickled_arrays_are_not_read(cache: Path) -> None:
    np.save(cache / "00.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"00\.npy: missing or truncated"):
        Store(cache)


def test_an_array_of_another_shape_is_an_error(cache: Path) -> None:
    np.save(cache / "00.npy", np.zeros((3, 4), dtype=np.float32))
    with pytest.raises(InputError, match=r"holds float32 \(3, 4\), cache.json says float32 \(10, 4\)"):
        Store(cache)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"labels": "letter"}, "damaged at 'letter', which is no list"),
        ({"views": [-1]}, "damaged at -1"),
        ({"dtype": "object"}, "damaged at dtype 'object'"),
        ({"arrays": [{"kind": "output", "name": "logits", "shape": []}]}, "damaged at array"),
    ],
)
def test_a_damaged_header_is_an_error(change: dict[str, object], message: str, cache: Path) -> None:
    header = json.loads((cache / "cache.json").read_text()) | change
    (cache / "cache.json").write_text(json.dumps(header))
    with pytest.raises(InputError, match=message):
        Store(cache)


def test_no_cache_is_an_error_that_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cache there; write it with `distildoc cache`"):
        Store(tmp_path / "nothing")
