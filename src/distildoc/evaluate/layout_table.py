"""LayoutTable: true and found regions page by page; what an evaluation keeps, and the report is made from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distildoc.metrics.detection import LayoutOutcomes, layout_outcomes
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes
from distildoc.schema.errors import InputError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import Page
from distildoc.schema.predictions import Layout


@dataclass(frozen=True, eq=False)
class LayoutTable:
    """Pages [N] by id, in order.

    labels  class names; classes are positions in them.
    sizes   (width, height) in pixels that the boxes of a page are counted in.
    groups  kind of document of each page, None where it is not known.
    truth   what is on each page.
    found   what the detector says, as it says it.
    post    what is left of it for people to see (thresholds, overlaps); None where that was not asked for.
    """

    pages: tuple[str, ...]
    labels: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    groups: tuple[str | None, ...]
    truth: tuple[TrueBoxes, ...]
    found: tuple[FoundBoxes, ...]
    post: tuple[FoundBoxes, ...] | None = None

    def __len__(self) -> int:
        return len(self.pages)

    @cached_property
    def outcomes(self) -> LayoutOutcomes:
        """What the scores of the raw detections read."""
        return layout_outcomes(self.truth, self.found, self.labels)

    @cached_property
    def post_outcomes(self) -> LayoutOutcomes | None:
        """What the scores of the post-processed detections read."""
        return None if self.post is None else layout_outcomes(self.truth, self.post, self.labels)

    @property
    def hash(self) -> str:
        """Sixteen hex digits that change with the page ids and their true boxes, not with the order of the pages."""
        lines = sorted(
            page.encode(errors="surrogateescape") + b"\t" + digest
            for page, digest in zip(self.pages, self.outcomes.digests, strict=True)
        )
        return hashlib.sha256(b"\n".join([*(label.encode() for label in self.labels), *lines])).hexdigest()[:16]


def truth_of(page: Page, labels: Sequence[str]) -> TrueBoxes:
    """The regions of a page; raises InputError where its layout is not known, or a class is not among the labels."""
    if page.regions is None:
        raise InputError(f"page '{page.id}' has no known layout; evaluation needs regions, use `predict`")
    where = f"page '{page.id}'"
    return TrueBoxes(
        np.array([region.box for region in page.regions], np.float64).reshape(-1, 4),
        np.array([label_index(labels, region.label, where) for region in page.regions], np.int64),
        np.array([region.crowd for region in page.regions], bool),
    )


def found_in(layout: Layout) -> FoundBoxes:
    """The regions of a Layout."""
    return FoundBoxes(layout.boxes, layout.classes, layout.scores)


def groups_of(groups: Sequence[str | None]) -> Mapping[str, list[int]]:
    """Rows of every group that is known, by name."""
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group is not None:
            rows.setdefault(group, []).append(row)
    return dict(sorted(rows.items()))
