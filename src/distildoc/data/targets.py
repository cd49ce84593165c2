"""Targets of batches: what the pages of some views are known to hold.

Classes stay as they are in every view; boxes go the way of the pixels. A region in pixels of `Page.size` becomes
shares of the page, shares of the network input (`Preprocess.share`: a padded page takes up part of it), and moves
with the augmentation of the view. What the view no longer shows is cut off, and a region of which too little is left
is no target: a model cannot be asked for what it cannot see.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distildoc.core.batch import TRUE, UNKNOWN, UNLABELLED, Key
from distildoc.data.augment import Augmentation, Boxes
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import ConfigError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess

View = tuple[int, int]  # page index, augmentation id
MIN_VISIBLE = 0.3  # share of a region's area, by default


class Targets(Protocol):
    """Targets of a batch by name, each with a leading axis of len(views), as `core.batch.Batch` describes them."""

    def __call__(self, views: Sequence[View]) -> dict[str, Tensor]: ...


class ClassTargets:
    """`label` [B] int64: the position of each page's class in `labels`, UNLABELLED where it has none.

    Raises InputError for a class that is not among the labels.
    """

    def __init__(self, pages: PageSet, labels: Sequence[str]) -> None:
        names = {page.label for page in pages.pages if page.label is not None}
        ids = _positions(pages, labels, names)
        self._labels = torch.tensor([UNLABELLED if page.label is None else ids[page.label] for page in pages.pages])

    def __call__(self, views: Sequence[View]) -> dict[str, Tensor]:
        return {"label": self._labels[torch.tensor([index for index, _ in views])]}


class BoxTargets:
    """`boxes` [B, M, 4], `classes` [B, M] and `origin` [B] of the regions that the views show, and `scores` [B, M].

    boxes        centre x, centre y, width, height in shares of the network input, within it; zero in padding.
    classes      positions in `labels`, UNLABELLED in padding.
    scores       only where a region of the page set is less than certain; 1 in padding.
    origin       TRUE where the layout of the page is known, also where it has no region; UNKNOWN where it is not.
    min_visible  share of a region's area that a view must show, or the region is left out.

    M is the largest number of regions in the batch, at least 1. Crowd regions are no targets.
    Raises InputError for a region of a class that is not among the labels.
    """

    def __init__(
        self,
        pages: PageSet,
        labels: Sequence[str],
        preprocess: Preprocess,
        augmentation: Augmentation | None = None,
        *,
        min_visible: float = MIN_VISIBLE,
    ) -> None:
        if not 0 <= min_visible <= 1:
            raise ConfigError(f"box targets: min_visible = {min_visible} is not within 0 to 1")
        regions = [region for page in pages.pages for region in page.regions or ()]
        ids = _positions(pages, labels, {region.label for region in regions})
        self._ids = [page.id for page in pages.pages]
        self._size = (preprocess.height, preprocess.width)
        self._augmentation = augmentation
        self._min_visible = min_visible
        self._boxes = [_shares(page, preprocess) for page in pages.pages]
        kept = [[region for region in page.regions or () if not region.crowd] for page in pages.pages]
        self._classes = [np.array([ids[region.label] for region in own], dtype=np.int64) for own in kept]
        self._scores = [np.array([region.score for region in own], dtype=np.float32) for own in kept]
        self._certain = all(region.score == 1 for own in kept for region in own)
        self._origin = torch.tensor([UNKNOWN if page.regions is None else TRUE for page in pages.pages])

    def __call__(self, views: Sequence[View]) -> dict[str, Tensor]:
        seen = [self._seen(index, augmentation) for index, augmentation in views]
        most = max(1, *(len(one.classes) for one in seen))
        boxes, scores = torch.zeros(len(views), most, 4), torch.ones(len(views), most)
        classes = torch.full((len(views), most), UNLABELLED)
        for row, one in enumerate(seen):
            count = len(one.classes)
            boxes[row, :count] = torch.from_numpy(one.boxes)
            classes[row, :count] = torch.from_numpy(one.classes)
            scores[row, :count] = torch.from_numpy(one.scores)
        origin = self._origin[torch.tensor([index for index, _ in views])]
        found = {"boxes": boxes, "classes": classes, "origin": origin}
        return found if self._certain else {**found, "scores": scores}

    def _seen(self, index: int, augmentation: int) -> "_Seen":
        whole = self._boxes[index]
        if self._augmentation is not None:
            height, width = self._size
            whole = self._augmentation.boxes(Key(self._ids[index], augmentation), whole, height=height, width=width)
        shown = whole.clip(0, 1)
        kept = (_area(shown) > 0) & (_area(shown) >= self._min_visible * _area(whole))
        low, high = shown[kept, :2], shown[kept, 2:]
        boxes = np.concatenate([(low + high) / 2, high - low], axis=1).astype(np.float32)
        return _Seen(boxes, self._classes[index][kept], self._scores[index][kept])


class _Seen(NamedTuple):
    """Boxes [N, 4], classes [N] and scores [N] of one view."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


def _positions(pages: PageSet, labels: Sequence[str], names: set[str]) -> dict[str, int]:
    return {name: label_index(labels, name, f"data set {pages.name}") for name in sorted(names)}


def _shares(page: Page, preprocess: Preprocess) -> Boxes:
    """Regions of a page in shares of the network input, left, top, right, bottom."""
    boxes = np.array([region.box for region in page.regions or () if not region.crowd], dtype=np.float64).reshape(-1, 4)
    if page.size is None:
        return boxes  # none: regions have a size
    across, down = preprocess.share(*page.size)
    return boxes / (*page.size, *page.size) * (across, down, across, down)


def _area(boxes: Boxes) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area
