"""TorchDetector: a torch detector as a Predictor, so that it is scored by the code that scores its bundle."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distildoc.core.model import Detector, evaluating
from distildoc.evaluate.streams import Decoded, streamed
from distildoc.losses.boxes import xyxy
from distildoc.metrics.detection_matching import FoundBoxes
from distildoc.models.detectors.decode import LEAST, LIMIT, decode
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout
from distildoc.schema.preprocess import Preprocess, to_network_input
from distildoc.schema.sources import page_size


class TorchDetector:
    """Streams pages through a detector in batches; holds the pixels of one batch.

    Boxes are in pixels of the page (`schema.sources.page_size`), as a bundle counts them, and within it.
    Nothing is thresholded: a Layout holds up to `limit` regions, also unlikely ones. The model runs in eval mode
    without gradients, and every module is back in its own mode after each batch. `device` None leaves the model where
    it is.
    """

    def __init__(
        self,
        model: Detector,
        preprocess: Preprocess,
        *,
        batch: int = 8,
        limit: int = LIMIT,
        device: torch.device | str | None = None,
    ) -> None:
        if batch < 1 or limit < 1:
            raise ValueError(f"batch and limit must be at least 1, got {batch} and {limit}")
        self.model = model if device is None else model.to(device)
        self.preprocess = preprocess
        self.batch = batch
        self.limit = limit

    @property
    def labels(self) -> tuple[str, ...]:
        return self.model.labels

    def __call__(self, pages: Iterable[Page]) -> Iterator[Layout | FailedPage]:
        """Regions in page order; a page that cannot be read comes back as a FailedPage in its place.

        So does one for which the network gives numbers that are not finite.
        """
        for answer in streamed(pages, self.preprocess, self._forward, batch=self.batch):
            yield answer if isinstance(answer, FailedPage) else self._layout(*answer)

    def _forward(self, pixels: NDArray[np.uint8]) -> list[FoundBoxes]:
        return detect(self.model, torch.from_numpy(to_network_input(pixels)), limit=self.limit)

    def _layout(self, decoded: Decoded, found: FoundBoxes) -> Layout | FailedPage:
        """Shares of the input to pixels of the page: less the padding, times its size."""
        page = decoded.page
        if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
            return FailedPage(page.id, page.source, page.number, "the network gave numbers that are not finite")
        try:
            width, height = page_size(page)
        except InputError as error:
            return FailedPage(page.id, page.source, page.number, str(error))
        across, down = self.preprocess.share(*decoded.size)
        most = np.array([width, height, width, height], np.float32)
        boxes = found.boxes / np.array([across, down, across, down]) * most
        boxes = np.clip(boxes, 0, most).astype(np.float32)
        scores = np.asarray(found.scores, np.float32)
        return Layout(page, self.labels, (width, height), boxes, found.classes, scores)


def detect(model: Detector, pixels: Tensor, *, limit: int = LIMIT) -> list[FoundBoxes]:
    """Regions of every page of [B, 3, H, W] pixels, in shares of the input; the most certain first."""
    device = next(model.parameters()).device
    with evaluating(model), torch.no_grad():
        outputs: Mapping[str, Tensor] = model(pixels.to(device))
        classes, boxes, scores = decode(outputs["logits"], outputs["boxes"].float(), limit=limit)
    rows = zip(xyxy(boxes).cpu().numpy(), classes.cpu().numpy(), scores.cpu().numpy(), strict=True)
    return [FoundBoxes(box[kept], one[kept], score[kept]) for box, one, score in rows for kept in [~(score <= LEAST)]]
