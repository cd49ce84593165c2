"""Weighted boxes fusion: several layout bundles that answer as one.

The regions of all detectors, the most certain first, join the region of their class that they overlap most, by more
than `iou`, or begin one of their own. A region's box is the mean of those that joined it, weighted by their scores,

    b = sum_i s_i b_i / sum_i s_i,      s = mean_i s_i * min(1, n / N)

and its score s their mean, less where n boxes of N detectors agree on it.

Paper: Solovyev et al. 2021, arXiv:1910.13302, section 3; the score is its equation 5. NumPy alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import tee
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distildoc.predict.layout import OnnxLayout, shown
from distildoc.predict.postprocess import overlaps
from distildoc.schema.bundle import Bundle
from distildoc.schema.errors import InputError
from distildoc.schema.labels import align
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout

IOU = 0.55  # of the paper
LEAST = 0.05  # score of a region that takes part


@dataclass(frozen=True)
class Bundles(Bundle):
    """What the first of several bundles says, under the names of all."""

    ids: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return " + ".join(self.ids)


class FusedLayouts:
    """Bundles of the same classes, in any order, as one: their regions are fused, then cut at the first's thresholds.

    Each bundle reads pages at its own size. Raises InputError where their classes differ, or one is named twice.
    """

    def __init__(self, members: Sequence[OnnxLayout], folders: Sequence[Path]) -> None:
        first = members[0]
        ids: list[str] = []
        for member, folder in zip(members, folders, strict=True):
            if set(member.labels) != set(first.labels):
                only = sorted(set(member.labels) ^ set(first.labels))
                raise InputError(f"{folder}: bundles that answer as one need the same classes, and not all have {only}")
            if member.bundle.id in ids:
                raise InputError(f"{folder}: that bundle is named twice; name each once")
            ids.append(member.bundle.id)
        self._members = tuple(members)
        self.thresholds: Mapping[str, float] = first.thresholds
        said = {field.name: getattr(first.bundle, field.name) for field in fields(first.bundle)}
        self.bundle = Bundles(**said, ids=tuple(ids))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels

    def __call__(self, pages: Iterable[Page | FailedPage]) -> Iterator[Layout | FailedPage]:
        """What is worth showing: `raw`, with the thresholds and the overlap of the first bundle applied."""
        return shown(self.raw(pages), thresholds=self.thresholds, nms_iou=self.bundle.nms_iou)

    def raw(self, pages: Iterable[Page | FailedPage]) -> Iterator[Layout | FailedPage]:
        """All regions that were fused; a page that one bundle fails on has failed."""
        streams = tee(pages, len(self._members))
        answers = (member.raw(stream) for member, stream in zip(self._members, streams, strict=True))
        for found in zip(*answers, strict=True):
            failed = next((one for one in found if isinstance(one, FailedPage)), None)
            yield failed or fused([_ordered(one, self.labels) for one in found if isinstance(one, Layout)])


def fused(layouts: Sequence[Layout], *, iou: float = IOU, least: float = LEAST) -> Layout:
    """One layout of the same page from one a detector, the most certain region first.

    iou    overlap above which two regions of a class are one.
    least  score of a region that takes part.

    Raises ValueError for layouts of different pages or classes, or none at all.
    """
    if not layouts:
        raise ValueError("there is no layout to fuse")
    first = layouts[0]
    if strange := [one for one in layouts if one.page.id != first.page.id or one.labels != first.labels]:
        raise ValueError(f"layouts of '{first.page.id}' and '{strange[0].page.id}' differ in page or classes")
    rows = np.concatenate([_rows(one, least) for one in layouts])
    rows = rows[np.argsort(-rows[:, 5], kind="stable")]
    found = [
        _one(group, len(layouts)) for kind in np.unique(rows[:, 4]) for group in _groups(rows[rows[:, 4] == kind], iou)
    ]
    kept = np.array(sorted(found, key=lambda row: -row[5]), np.float32).reshape(-1, 6)
    return replace(first, boxes=kept[:, :4], classes=kept[:, 4].astype(np.int64), scores=kept[:, 5])


def _ordered(layout: Layout, labels: tuple[str, ...]) -> Layout:
    """With its classes as positions in `labels`."""
    place = np.argsort(align(layout.labels, labels))
    return replace(layout, labels=labels, classes=place[layout.classes].astype(np.int64))


def _rows(layout: Layout, least: float) -> NDArray[np.float64]:
    """[N, 6]: box, class, score of the regions that take part."""
    kept = layout.scores >= least
    return np.column_stack([layout.boxes[kept], layout.classes[kept], layout.scores[kept]]).astype(np.float64)


def _groups(rows: NDArray[np.float64], iou: float) -> list[NDArray[np.float64]]:
    """Regions of one class, the most certain first, put together where they are the same."""
    groups: list[list[NDArray[np.float64]]] = []
    means = np.zeros((0, 4), np.float32)
    for row in rows:
        overlap = overlaps(row[None, :4].astype(np.float32), means)[0]
        best = int(overlap.argmax()) if len(overlap) else -1
        if best >= 0 and overlap[best] > iou:
            groups[best].append(row)
            means[best] = _mean(np.array(groups[best]))
        else:
            groups.append([row])
            means = np.concatenate([means, row[None, :4].astype(np.float32)])
    return [np.array(group) for group in groups]


def _mean(group: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((group[:, :4] * group[:, 5:]).sum(0) / group[:, 5].sum())


def _one(group: NDArray[np.float64], detectors: int) -> tuple[float, ...]:
    """Box, class and score of regions that are one."""
    score = group[:, 5].mean() * min(1.0, len(group) / detectors)
    return (*_mean(group).tolist(), group[0, 4], score)
