import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from transformers import PPLCNetConfig

from distildoc.models.detectors.build import build_detector


class Named(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixels):
        outputs = self.model(pixels)
        return outputs["logits"], outputs["boxes"]


@pytest.fixture(scope="module", params=["resnet-micro", "vit-micro", "pp_lcnet"])
def model(request, tmp_path_factory):
    """With weights that give regions of many scores and places."""
    backbone = request.param
    if backbone == "pp_lcnet":
        backbone = str(tmp_path_factory.mktemp("pp_lcnet"))
        PPLCNetConfig(scale=0.25).save_pretrained(backbone)
    model = build_detector("mask-rcnn-micro", labels=("a", "b", "c"), size=(64, 64), backbone=backbone).eval()
    generator = torch.Generator().manual_seed(0)
    if request.param == "pp_lcnet":  # whose random weights are so small that no map tells one place from another
        for layer in (one for one in model.body.network.modules() if isinstance(one, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    spread = {model.head.rpn.objectness: 0.5, model.head.rpn.offsets: 0.05, model.head.box.classes: 0.3}
    for layer, std in (spread | {model.head.box.offsets: 0.1}).items():
        nn.init.normal_(layer.weight, std=std, generator=generator)
    return model


@pytest.fixture(scope="module")
def session(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Named(model).eval(),
            (torch.rand(1, 3, 64, 96),),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["pixels"],
            output_names=["logits", "boxes"],
            dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}, "boxes": {0: "batch"}},
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def rows(logits, boxes):
    """Class, score and box of every region, in an order that small errors do not change much."""
    there = logits.max(-1) > -19
    best = logits[there]
    table = np.concatenate([best.argmax(-1)[:, None], 1 / (1 + np.exp(-best.max(-1)[:, None])), boxes[there]], 1)
    return table[np.lexsort(table.round(3).T)]


@pytest.mark.parametrize("pages", [1, 3])
def test_the_graph_finds_the_same_set_of_regions_for_any_batch(pages, model, session):
    pixels = torch.rand(pages, 3, 64, 96, generator=torch.Generator().manual_seed(pages))
    with torch.no_grad():
        wanted = Named(model)(pixels)
    found = session.run(None, {"pixels": pixels.numpy()})
    assert found[0].shape == (pages, 100, 3) and found[1].shape == (pages, 100, 4)
    for page in range(pages):
        expected = rows(wanted[0][page].numpy(), wanted[1][page].numpy())
        assert len(expected) > 50
        assert np.allclose(rows(found[0][page], found[1][page]), expected, atol=1e-3)
