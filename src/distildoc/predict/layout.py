"""A layout bundle on onnxruntime, on the CPU.

The graph reads `images` [batch, 3, height, width] in 0..1 and `orig_target_sizes` [batch, 2] (width, height of the
pages), and gives labels [batch, K], boxes [batch, K, 4] in pixels of the page and scores [batch, K], by position.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distildoc.predict.decoding import Decoded, decoded
from distildoc.predict.postprocess import postprocess
from distildoc.predict.session import bundle_for, check_graph, open_session
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout
from distildoc.schema.preprocess import to_network_input
from distildoc.schema.sources import page_size

Found = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]  # labels, boxes, scores


class OnnxLayout:
    """Pages to their regions, in order; at most `batch` decoded pages are held at a time.

    Boxes are counted in pixels of the stored image, in pixels of 150 dpi for a PDF, or in those of `Page.size`.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch: int = 1,
        threads: int | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        """Open a bundle; raises InputError where it is damaged or does not say what its graph does.

        batch       pages a run of the network; on a CPU more than one only costs memory.
        threads     CPU threads; None: one a core.
        thresholds  least score of a region by class; a class that is not named keeps the one of the bundle.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self.bundle = bundle_for(folder, "detection")
        self.batch = batch
        self.thresholds = {**self.bundle.thresholds, **_checked(thresholds or {}, self.labels)}
        self._session = open_session(Path(folder) / self.bundle.graph.file, threads)
        outputs = check_graph(self._session, self.bundle, str(folder))
        if len(self.bundle.graph.inputs) != 2 or len(self.bundle.graph.outputs) != 3:
            raise InputError(f"{folder}: a layout graph has 2 inputs and 3 outputs, bundle.json says otherwise")
        if outputs[self.bundle.graph.outputs[1]][-1] != 4:
            raise InputError(f"{folder}: the second output of the graph gives no boxes; export the bundle again")

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels

    def __call__(self, pages: Iterable[Page | FailedPage]) -> Iterator[Layout | FailedPage]:
        """What is worth showing: `raw`, with the thresholds and the overlap of the bundle applied."""
        return shown(self.raw(pages), thresholds=self.thresholds, nms_iou=self.bundle.nms_iou)

    def raw(self, pages: Iterable[Page | FailedPage]) -> Iterator[Layout | FailedPage]:
        """All K regions of each page with their scores; an unreadable page comes back as a FailedPage in its place."""
        stream = decoded(pages, self.bundle.pixels)
        while chunk := list(islice(stream, self.batch)):
            yield from self._laid_out([_measured(entry) for entry in chunk])

    def run(self, pixels: NDArray[np.float32], sizes: NDArray[np.int64]) -> Found:
        """[B, 3, height, width] in 0..1 and [B, 2] (width, height) to labels [B, K], boxes [B, K, 4], scores [B, K]."""
        graph = self.bundle.graph
        feeds = {graph.inputs[0]: pixels, graph.inputs[1]: sizes}
        labels, boxes, scores = self._session.run(list(graph.outputs), feeds)
        return labels.astype(np.int64), boxes.astype(np.float32), scores.astype(np.float32)

    def _laid_out(self, chunk: Sequence["Measured"]) -> Iterator[Layout | FailedPage]:
        read = [entry for entry in chunk if not isinstance(entry, FailedPage)]
        if read:
            pixels = to_network_input(np.stack([pixels for _, pixels, _ in read]))
            found = zip(*self.run(pixels, np.array([size for _, _, size in read], np.int64)), strict=True)
        for entry in chunk:
            yield entry if isinstance(entry, FailedPage) else _layout(entry[0], entry[2], self.labels, next(found))


def shown(
    answers: Iterable[Layout | FailedPage], *, thresholds: Mapping[str, float], nms_iou: float | None
) -> Iterator[Layout | FailedPage]:
    """Post-processed layouts; failed pages as they are."""
    for found in answers:
        if isinstance(found, Layout):
            yield postprocess(found, thresholds=thresholds, nms_iou=nms_iou)
        else:
            yield found


Measured = tuple[Page, NDArray[np.uint8], tuple[int, int]] | FailedPage


def load_layout(
    folder: str | Path, *, batch: int = 1, threads: int | None = None, thresholds: Mapping[str, float] | None = None
) -> OnnxLayout:
    """Open a layout bundle; `load_layout(folder)(pages)` gives a Layout for every page."""
    return OnnxLayout(folder, batch=batch, threads=threads, thresholds=thresholds)


def _measured(entry: Decoded) -> Measured:
    if isinstance(entry, FailedPage):
        return entry
    page, pixels = entry
    try:
        return page, pixels, page_size(page)
    except InputError as error:
        return FailedPage(page.id, page.source, page.number, str(error))


def _layout(page: Page, size: tuple[int, int], labels: tuple[str, ...], found: Found) -> Layout | FailedPage:
    """The prediction for a page; a network that gave no finite numbers, or no class of ours, has failed on it."""
    classes, boxes, scores = found
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        return FailedPage(page.id, page.source, page.number, f"{page.id}: the network gave numbers that are not finite")
    if len(classes) and not 0 <= classes.min() <= classes.max() < len(labels):
        return FailedPage(page.id, page.source, page.number, f"{page.id}: the network gave a class without a name")
    order = np.argsort(-scores, kind="stable")
    within = np.clip(boxes[order], 0, np.array(size * 2, np.float32))
    return Layout(page, labels, size, within, classes[order], scores[order])


def _checked(thresholds: Mapping[str, float], labels: tuple[str, ...]) -> Mapping[str, float]:
    for name, value in thresholds.items():
        if name not in labels:
            raise InputError(f"threshold for an unknown class '{name}'; {closest(name, labels)}")
        if not 0 <= value <= 1:
            raise InputError(f"threshold of '{name}': {value} is not from 0 to 1")
    return thresholds
