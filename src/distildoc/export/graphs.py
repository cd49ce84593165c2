"""A torch module as one ONNX file, by whichever of torch's two exporters can write it.

The first axis of every input and output is the batch, and dynamic. What stands in the file is checked and carries no
trace of the machine that made it.
"""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from distildoc.schema.errors import InputError

OPSET = 18
OLD_OPSET = 17  # what the tracing exporter, the second choice, is sure of
BATCH: Mapping[int, str] = {0: "batch"}  # dynamic axes of a graph on pages
EXAMPLES = 2  # pages to export with; one would make the batch a constant

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ports:
    """Names of a graph's inputs and outputs, in order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def write_graph(network: nn.Module, examples: tuple[Tensor, ...], path: Path, ports: Ports) -> None:
    """Write a module, called with `examples` one after another; raises InputError where no exporter can."""
    with _silence():
        try:
            _export_graph(network, examples, path, ports)
            return
        except OSError:
            raise
        except Exception as error:  # the exporter raises whatever its passes raise; the other one may still do
            reason = _reason(error)
        try:
            _export_trace(network, examples, path, ports)
        except OSError:
            raise
        except Exception as error:
            raise InputError(
                f"the student cannot be exported to ONNX: {reason}; and by tracing: {_reason(error)}"
            ) from None
    logger.info("exported by tracing, because the graph exporter failed: %s", reason)


def write_traced(
    network: nn.Module,
    examples: tuple[Tensor, ...],
    path: Path,
    ports: Ports,
    *,
    axes: Mapping[int, str] = BATCH,
) -> None:
    """Write a module by tracing alone: no detector of transformers passes the other exporter, which takes minutes.

    axes  the dynamic axes of the inputs, by name. Raises InputError where it cannot be written.
    """
    try:
        with _silence():
            _export_trace(network, examples, path, ports, axes)
    except OSError:
        raise
    except Exception as error:  # the exporter raises whatever its passes raise
        raise InputError(f"the student cannot be exported to ONNX: {_reason(error)}") from None


def strip(path: Path) -> None:
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


def checked_session(path: Path) -> tuple[onnxruntime.InferenceSession, int]:
    """A session on a file that the checker passes, and the operator set."""
    graph = onnx.load(str(path))
    onnx.checker.check_model(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session, int(next(item.version for item in graph.opset_import if item.domain in ("", "ai.onnx")))


def _export_graph(network: nn.Module, examples: tuple[Tensor, ...], path: Path, ports: Ports) -> None:
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    torch.onnx.export(
        network,
        examples,
        str(path),
        dynamo=True,
        verbose=False,
        input_names=list(ports.inputs),
        output_names=list(ports.outputs),
        dynamic_shapes=tuple({0: batch} for _ in examples),
        opset_version=OPSET,
        external_data=False,
    )


def _export_trace(
    network: nn.Module,
    examples: tuple[Tensor, ...],
    path: Path,
    ports: Ports,
    axes: Mapping[int, str] = BATCH,
) -> None:
    torch.onnx.export(
        network,
        examples,
        str(path),
        dynamo=False,
        verbose=False,
        input_names=list(ports.inputs),
        output_names=list(ports.outputs),
        dynamic_axes={**{name: dict(axes) for name in ports.inputs}, **{name: dict(BATCH) for name in ports.outputs}},
        opset_version=OLD_OPSET,
    )


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
