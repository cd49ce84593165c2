"""A student as one ONNX file: pixels in, calibrated logits out.

Input `pixels` float32 [batch, 3, height, width], RGB in 0..1 with a dynamic batch; output `logits` [batch, classes],
divided by the calibration temperature (Guo et al. 2017, arXiv:1706.04599, section 4.2), so that their softmax is
calibrated. Grey conversion and normalisation are in the graph. One image in, N x C logits out: the shape that
docling's image classification engine reads too.
"""

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from distildoc.core.model import Model
from distildoc.export.graphs import EXAMPLES, Ports, checked_session, strip, write_graph
from distildoc.schema.bundle import Graph
from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file

PORTS = Ports(("pixels",), ("logits",))


class Calibrated(nn.Module):
    """A model whose logits are divided by a temperature."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels)["logits"]
        return logits / self.temperature


def to_onnx(model: Model, path: Path, *, size: tuple[int, int], temperature: float = 1.0) -> Graph:
    """Write the model for pages of (height, width) pixels; what stands in `path` is checked and has run once.

    The model itself is left as it is. Raises InputError where no exporter can write it or the disk is full.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    network = Calibrated(deepcopy(model).cpu().eval(), temperature).eval()
    example = torch.rand(EXAMPLES, 3, *size, generator=torch.Generator().manual_seed(0))
    with new_file(path) as part:
        write_graph(network, (example,), part, PORTS)
        strip(part)
        opset = _check(part, size, len(model.labels))
    return Graph(path.name, PORTS.inputs, PORTS.outputs, opset)


def _check(path: Path, size: tuple[int, int], classes: int) -> int:
    """Check the graph, run it with another batch than it was made with, and give its operator set."""
    session, opset = checked_session(path)
    for pages in (1, EXAMPLES + 1):
        (logits,) = session.run(list(PORTS.outputs), {PORTS.inputs[0]: np.ones((pages, 3, *size), np.float32)})
        if logits.shape != (pages, classes):
            raise InputError(f"the exported graph gives {logits.shape} for {pages} pages, not ({pages}, {classes})")
    return opset
