"""A detector as one ONNX file: pixels and page sizes in, regions in pixels of the page out.

Inputs `images` float32 [batch, 3, height, width], RGB in 0..1, and `orig_target_sizes` int64 [batch, 2], width and
height of the pages; outputs, by position, labels int64 [batch, K], boxes float32 [batch, K, 4] (left, top, right,
bottom in pixels of the page, within it) and scores float32 [batch, K], the most certain first. Nothing is thresholded.
These are the names and shapes that docling's ONNX layout engine feeds and reads. Where pages are padded, the graph
takes the padding off again: it knows the page's size.
"""

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from distildoc.core.model import Detector
from distildoc.export.graphs import EXAMPLES, Ports, checked_session, strip, write_traced
from distildoc.losses.boxes import xyxy
from distildoc.models.detectors.decode import LIMIT, decode
from distildoc.schema.bundle import Graph
from distildoc.schema.errors import InputError
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.writing import new_file

PORTS = Ports(("images", "orig_target_sizes"), ("labels", "boxes", "scores"))
PAGE = (1240, 1754)  # width and height of the pages to export with


class Regions(nn.Module):
    """A detector and the way from its queries to regions of the page."""

    def __init__(self, model: Detector, preprocess: Preprocess, *, limit: int = LIMIT) -> None:
        super().__init__()
        self.model = model
        self.preprocess = preprocess
        self.limit = limit

    def forward(self, images: Tensor, orig_target_sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = self.model(images)
        classes, boxes, scores = decode(outputs["logits"], outputs["boxes"].float(), limit=self.limit)
        sizes = orig_target_sizes.to(boxes.dtype)
        corners = xyxy(boxes)
        if self.preprocess.fit == "pad":
            corners = corners / self._share(sizes).repeat(1, 2)[:, None]
        return classes, corners.clamp(0, 1) * sizes.repeat(1, 2)[:, None], scores

    def _share(self, sizes: Tensor) -> Tensor:
        """[B, 2] of the input that each page takes up: `Preprocess.share` in tensors."""
        inputs = torch.tensor([self.preprocess.width, self.preprocess.height], dtype=sizes.dtype, device=sizes.device)
        scale = (inputs / sizes).amin(1, keepdim=True)
        return (sizes * scale).round().clamp(min=1) / inputs


def detector_to_onnx(model: Detector, path: Path, preprocess: Preprocess) -> Graph:
    """Write the detector for pages that `preprocess` makes; what stands in `path` is checked and has run once.

    The model itself is left as it is. Raises InputError where no exporter can write it or the disk is full.
    """
    network = Regions(deepcopy(model).cpu().eval(), preprocess).eval()
    shape = (EXAMPLES, 3, preprocess.height, preprocess.width)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with new_file(path) as part:
        write_traced(network, (images, torch.tensor([PAGE] * EXAMPLES)), part, PORTS)
        strip(part)
        opset = _check(part, shape[1:])
    return Graph(path.name, PORTS.inputs, PORTS.outputs, opset)


def _check(path: Path, shape: tuple[int, ...]) -> int:
    """Check the graph, run it with another batch than it was made with, and give its operator set."""
    session, opset = checked_session(path)
    for pages in (1, EXAMPLES + 1):
        images = np.random.default_rng(0).random((pages, *shape), np.float32)
        feeds = dict(zip(PORTS.inputs, (images, np.array([PAGE] * pages, np.int64)), strict=True))
        labels, boxes, scores = session.run(list(PORTS.outputs), feeds)
        if not (len(labels) == pages and boxes.shape == (*labels.shape, 4) and scores.shape == labels.shape):
            raise InputError(
                f"the exported graph gives boxes {boxes.shape} and scores {scores.shape} for {pages} pages"
            )
    return opset
