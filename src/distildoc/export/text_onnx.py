"""A student that reads texts as one ONNX file: tokens in, calibrated logits out.

Inputs `input_ids` and `attention_mask`, int64 [batch, tokens], both axes dynamic; output `logits` [batch, classes],
divided by the calibration temperature. The names are those of transformers' own exports.
"""

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from distildoc.core.model import Model
from distildoc.core.texts import Tokenise
from distildoc.export.graphs import EXAMPLES, Ports, checked_session, strip, write_traced
from distildoc.schema.bundle import Graph
from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file

PORTS = Ports(("input_ids", "attention_mask"), ("logits",))
LENGTH = 8  # tokens of the examples it is exported with; every model takes so many
LONGEST = 512  # tokens of the text that the graph is tried on; fewer where the tokenizer cuts earlier


class OfTokens(nn.Module):
    """A model behind its tokenizer, whose logits are divided by a temperature."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.body = model.body
        self.head = model.head
        self.temperature = temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(torch.stack((input_ids, attention_mask), 1)))
        return logits / self.temperature


def tokenizer_of(model: Model) -> str:
    """The content of a model's tokenizer.json; raises InputError for a model of pages."""
    return _tokenise(model).tokenizer


def _tokenise(model: Model) -> Tokenise:
    if not isinstance(model.normalise, Tokenise):
        raise InputError("the student reads pages, and the run reads texts; train it on texts")
    return model.normalise


def text_to_onnx(model: Model, path: Path, *, temperature: float = 1.0) -> Graph:
    """Write the model without its tokenizer; what stands in `path` is checked and has run on other shapes.

    The model itself is left as it is. Raises InputError where no exporter can write it or the disk is full.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    cut = (_tokenise(model).opened.truncation or {}).get("max_length", LONGEST)
    network = OfTokens(deepcopy(model).cpu().eval(), temperature).eval()
    ids, mask = (torch.ones(EXAMPLES, LENGTH, dtype=torch.int64) for _ in PORTS.inputs)
    mask[0, LENGTH // 2 :] = 0
    with new_file(path) as part:
        write_traced(network, (ids, mask), part, PORTS, axes={0: "batch", 1: "tokens"})
        strip(part)
        opset = _check(part, len(model.labels), longest=min(cut, LONGEST))
    return Graph(path.name, PORTS.inputs, PORTS.outputs, opset)


def _check(path: Path, classes: int, *, longest: int) -> int:
    """Check the graph, run it with other batches and lengths than it was made with, and give its operator set."""
    session, opset = checked_session(path)
    for texts, length in ((1, longest), (EXAMPLES + 1, LENGTH - 1)):
        tokens = np.ones((texts, length), np.int64)
        (logits,) = session.run(list(PORTS.outputs), dict.fromkeys(PORTS.inputs, tokens))
        if logits.shape != (texts, classes):
            raise InputError(f"the exported graph gives {logits.shape} for {texts} texts, not ({texts}, {classes})")
    return opset
