"""A student as one ONNX file: pixels in, calibrated logits out.

Input `pixels` float32 [batch, 3, height, width], RGB in 0..1 with a dynamic batch; output `logits` [batch, classes],
divided by the calibration temperature (Guo et al. 2017, arXiv:1706.04599, section 4.2), so that their softmax is
calibrated. Grey conversion and normalisation are in the graph. One image in, N x C logits out: the shape that
docling's image classification engine reads too.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from distildoc.core.model import Model
from distildoc.schema.bundle import Graph
from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file

INPUT, OUTPUT = "pixels", "logits"
OPSET = 18
OLD_OPSET = 17  # what the tracing exporter, the second choice, is sure of
EXAMPLES = 2  # pages to export with; one would make the batch a constant

logger = logging.getLogger(__name__)


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
        _write(network, example, part)
        _strip(part)
        opset = _check(part, size, len(model.labels))
    return Graph(path.name, (INPUT,), (OUTPUT,), opset)


def _write(network: Calibrated, example: Tensor, path: Path) -> None:
    with _silence():
        try:
            _export_graph(network, example, path)
            return
        except OSError:
            raise
        except Exception as error:  # the exporter raises whatever its passes raise; the other one may still do
            reason = _reason(error)
        try:
            _export_trace(network, example, path)
        except OSError:
            raise
        except Exception as error:
            raise InputError(
                f"the student cannot be exported to ONNX: {reason}; and by tracing: {_reason(error)}"
            ) from None
    logger.info("exported by tracing, because the graph exporter failed: %s", reason)


def _export_graph(network: Calibrated, example: Tensor, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=True,
        verbose=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={"pixels": {0: batch}},
        opset_version=OPSET,
        external_data=False,
    )


def _export_trace(network: Calibrated, example: Tensor, path: Path) -> None:
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=False,
        verbose=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        opset_version=OLD_OPSET,
    )


def _strip(path: Path) -> None:
    """Take out what only the exporter needs: stack traces with the paths of this machine, and inferred shapes.

    The shapes also stop onnxruntime's dynamic quantisation of transformers.
    """
    graph = onnx.load(str(path))
    del graph.metadata_props[:], graph.graph.metadata_props[:], graph.graph.value_info[:]
    for nodes in (graph.graph.node, *(function.node for function in graph.functions)):
        for node in nodes:
            del node.metadata_props[:]
            node.doc_string = ""
    onnx.save(graph, str(path))


def _check(path: Path, size: tuple[int, int], classes: int) -> int:
    """Check the graph, run it with another batch than it was made with, and give its operator set."""
    graph = onnx.load(str(path))
    onnx.checker.check_model(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for pages in (1, EXAMPLES + 1):
        (logits,) = session.run([OUTPUT], {INPUT: np.ones((pages, 3, *size), np.float32)})
        if logits.shape != (pages, classes):
            raise InputError(f"the exported graph gives {logits.shape} for {pages} pages, not ({pages}, {classes})")
    return int(next(item.version for item in graph.opset_import if item.domain in ("", "ai.onnx")))


def _reason(error: Exception) -> str:
    """First sentence, without terminal colours."""
    return re.sub(r"\x1b\[\d*m", "", " ".join(str(error).split())).split(". ")[0][:200]


@contextmanager
def _silence() -> Iterator[None]:
    """Exporters warn about their own inside; what fails is raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [item.level for item in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for item in loggers:
            item.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for item, level in zip(loggers, levels, strict=True):
                item.setLevel(level)
