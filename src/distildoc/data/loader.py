"""Loader: pages to batches, in an order and with views that are pure functions of (seed, epoch).

Stopping and going on at any batch gives the batches that would have come: `epoch(number, skip)` does not decode what
it skips. Pages once decoded and resized stay in memory as bytes, one channel for grey pages, until `cache_bytes` are
used; bounded views stay as well where there is room. With workers each keeps a share of that memory, and the batches
are the same bit for bit.

With `scales` every batch of an epoch comes in a size of its own, a pure function of (seed, epoch, batch number), the
same for all processes. Targets are shares of the network input and need no change. Pages are read at the size of
`preprocess`, so that should be the largest scale. Outputs of a teacher that were cached at one size do not fit another:
whoever caches refuses a loader whose `scales` are not empty.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset, Sampler

from distildoc.core.batch import Batch, Key
from distildoc.data.augment import Augmentation, squeezed
from distildoc.data.order import epoch_order, shares, step_scale
from distildoc.data.pageset import PageSet
from distildoc.data.targets import ClassTargets, Targets, View
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.preprocess import Preprocess, to_network_input
from distildoc.schema.texts import TextInput

STRIDE = 32  # pixels; sides of a scaled batch are multiples, as networks with five halvings want them


@dataclass(eq=False)
class Loader:
    """Batches of a page set.

    labels      class names of the task, in the order of the targets.
    batch       pages a batch and process.
    seed        of the order; the views have their own in the augmentation.
    shuffle     a new order each epoch; False keeps the order of the page set.
    rank, world this process among how many; together they see the order of one process with batch x world.
    workers     processes that decode; 0 decodes here.
    drop_last   leave out the incomplete batch; None: when shuffling, unless no batch would be left.
    targets     makes the targets of a batch; None: the classes of the pages, as `ClassTargets`.
    scales      longest sides in pixels, one of which each batch of an epoch is resized to; empty: none is.

    Raises InputError for a class that is not among the labels, and, while reading, for the first page that cannot be
    read. One epoch at a time may be read.
    """

    pages: PageSet
    labels: Sequence[str]
    preprocess: Preprocess | TextInput
    augmentation: Augmentation | None = None
    _: KW_ONLY
    batch: int
    seed: int
    shuffle: bool = True
    rank: int = 0
    world: int = 1
    workers: int = 0
    drop_last: bool | None = None
    cache_bytes: int = 1 << 30
    targets: Targets | None = None
    scales: tuple[int, ...] = ()
    _targets: Targets = field(init=False, repr=False)
    _steps: list[range] = field(init=False, repr=False)
    _source: "_Views" = field(init=False, repr=False)
    _plan: "_Plan" = field(init=False, repr=False)
    _processes: "DataLoader[Tensor | str] | None" = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.batch < 1 or self.workers < 0 or not 0 <= self.rank < self.world:
            raise ConfigError(
                f"loader: batch {self.batch} must be at least 1, workers {self.workers} at least 0, "
                f"rank {self.rank} below world {self.world}"
            )
        for scale in self.scales:
            if scale < STRIDE or scale % STRIDE:
                raise ConfigError(f"loader: scales has {scale}, which is no multiple of {STRIDE} pixels")
        if not len(self.pages):
            raise InputError(f"{self.pages.name}: no pages to load")
        self._targets = ClassTargets(self.pages, self.labels) if self.targets is None else self.targets
        if self.drop_last is None:
            self.drop_last = self.shuffle and len(self.pages) >= self.batch * self.world
        shared = shares(len(self.pages), batch=self.batch, world=self.world, drop_last=self.drop_last)
        self._steps = shared[self.rank]
        if not self._steps:
            raise InputError(f"{self.pages.name}: {len(self.pages)} pages give no batch of {self.batch}; lower `batch`")
        self._source = _Views(self.pages, self.preprocess, self.augmentation, self.cache_bytes // max(1, self.workers))
        self._plan = _Plan()

    def __len__(self) -> int:
        """Batches an epoch, for this process."""
        return len(self._steps)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """Batches of an epoch (from 0) from the batch `skip` on; the same for the same seed, however often asked."""
        order = epoch_order(len(self.pages), seed=self.seed, epoch=number, shuffle=self.shuffle)
        batches = self._batches([[self._view(order[i], number) for i in step] for step in self._steps[skip:]])
        if not self.scales:
            return batches
        return (self._scaled(batch, number, step) for step, batch in enumerate(batches, start=skip))

    def once(self) -> Iterator[Batch]:
        """Each page once, in the order of the page set, whatever the process: as it is, or in the first of its views
        where these are bounded, so that a cache can answer.
        """
        return self._in_turn(range(len(self.pages)), self._foreseen[:1])

    def every_view(self) -> Iterator[Batch]:
        """Each page once in each of its views, whatever the process; as it is, where these are unbounded."""
        return self._in_turn(range(len(self.pages)), self._foreseen)

    def all_views(self) -> Iterator[Batch]:
        """Every (page, augmentation id) that epochs can show, once; with several processes, this one's share.

        The size is always that of `preprocess`. Raises ConfigError where the views are unbounded.
        """
        if self.augmentation is not None and self.augmentation.views is None:
            raise ConfigError("all views of unbounded augmentation were asked for; set `views` in `augmentation`")
        mine = range(self.rank * len(self.pages) // self.world, (self.rank + 1) * len(self.pages) // self.world)
        return self._in_turn(mine, self._foreseen)

    @property
    def _foreseen(self) -> list[int]:
        """The augmentation ids that are known beforehand: those of bounded views, else 0, the page as it is."""
        views = None if self.augmentation is None else self.augmentation.views
        return [0] if views is None else list(range(1, views + 1))

    def _in_turn(self, pages: range, ids: Sequence[int]) -> Iterator[Batch]:
        views = [(index, augmentation) for index in pages for augmentation in ids]
        return self._batches([views[start : start + self.batch] for start in range(0, len(views), self.batch)])

    def _view(self, index: int, epoch: int) -> View:
        if self.augmentation is None:
            return index, 0
        return index, self.augmentation.view_of(self.pages.pages[index].id, epoch)

    def _scaled(self, batch: Batch, epoch: int, step: int) -> Batch:
        longest = step_scale(self.scales, seed=self.seed, epoch=epoch, step=step)
        share = longest / max(batch.inputs.shape[-2:])
        size = [max(STRIDE, round(side * share / STRIDE) * STRIDE) for side in batch.inputs.shape[-2:]]
        if size == list(batch.inputs.shape[-2:]):
            return batch
        return replace(batch, inputs=interpolate(batch.inputs, size, mode="bilinear", antialias=True))

    def _batches(self, plan: list[list[View]]) -> Iterator[Batch]:
        for views, pixels in zip(plan, self._pixels(plan), strict=True):
            if isinstance(pixels, str):
                raise InputError(pixels)
            keys = tuple(Key(self.pages.pages[index].id, augmentation) for index, augmentation in views)
            yield Batch(self._network(pixels), self._targets(views), keys)

    def _network(self, rows: Tensor) -> Tensor:
        if isinstance(self.preprocess, TextInput):
            return rows
        return torch.from_numpy(to_network_input(rows.numpy().transpose(0, 2, 3, 1)))

    def _pixels(self, plan: list[list[View]]) -> Iterator[Tensor | str]:
        if not self.workers:
            return (self._source[views] for views in plan)
        self._plan.batches = plan
        if self._processes is None:
            self._processes = DataLoader(
                self._source,
                sampler=self._plan,
                batch_size=None,
                num_workers=self.workers,
                persistent_workers=True,
                generator=torch.Generator(),  # else each epoch would draw from the global one
            )
        return iter(self._processes)


class _Plan(Sampler[list[View]]):
    """What the workers are to make next; a new plan each epoch, while they live on."""

    def __init__(self) -> None:
        self.batches: list[list[View]] = []

    def __iter__(self) -> Iterator[list[View]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Views(Dataset[Tensor | str]):
    """Views of pages as bytes; remembers pages, and bounded views, while there is room."""

    def __init__(
        self, pages: PageSet, preprocess: Preprocess | TextInput, augmentation: Augmentation | None, cache_bytes: int
    ) -> None:
        self.pages = pages.pages
        self.preprocess = preprocess
        self.augmentation = augmentation
        self.room = cache_bytes
        self.kept: dict[View, NDArray[np.uint8]] = {}
        self.unseen = len(pages)  # pages that may yet need room

    def __getitem__(self, views: list[View]) -> Tensor | str:
        """[B, 3, H, W] bytes, of texts [B, L]; or why a page cannot be read: exceptions lose their line on the way."""
        pixels = np.empty((len(views), *self.preprocess.shape), dtype=np.uint8)
        try:
            for row, view in enumerate(views):
                shown = self._view(*view)
                pixels[row] = shown.transpose(2, 0, 1) if shown.ndim == 3 else shown
        except InputError as error:
            return str(error)
        return torch.from_numpy(pixels)

    def _view(self, index: int, augmentation: int) -> NDArray[np.uint8]:
        if (index, augmentation) in self.kept:
            return self.kept[index, augmentation]
        page = self._page(index)
        if self.augmentation is None or augmentation == 0:
            return page
        view = self.augmentation(page, Key(self.pages[index].id, augmentation))
        if self.augmentation.views is not None:
            self._keep((index, augmentation), view, reserve=self.unseen * self._largest)
        return view

    def _page(self, index: int) -> NDArray[np.uint8]:
        if (index, 0) in self.kept:
            return self.kept[index, 0]
        page = squeezed(self.preprocess.of(self.pages[index]))
        self.unseen = max(0, self.unseen - 1)
        self._keep((index, 0), page, reserve=0)
        return page

    def _keep(self, view: View, pixels: NDArray[np.uint8], *, reserve: int) -> None:
        if pixels.nbytes + reserve <= self.room:
            self.room -= pixels.nbytes
            self.kept[view] = pixels

    @property
    def _largest(self) -> int:
        size = math.prod(self.preprocess.shape)
        return size // 3 if isinstance(self.preprocess, Preprocess) and self.preprocess.grey else size
