import ast
import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import BeitConfig, PPLCNetConfig, ResNetConfig, ViTConfig

import distildoc.models.detectors.rcnn as package
from distildoc.core.model import Detector, parameter_count
from distildoc.core.taps import Taps, shapes
from distildoc.models.detectors.build import build_detector, settings_of
from distildoc.models.detectors.rcnn.presets import RCNNS
from distildoc.models.hub import network_class
from distildoc.models.load import fingerprint, load_model, save_model
from distildoc.schema.errors import ConfigError

LABELS = ("text", "title", "table")
DOCLAYNET = tuple(f"class {number}" for number in range(11))


BLOCKS = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 64, "patch_size": 16}


def micro(**settings):
    return build_detector("mask-rcnn-micro", labels=LABELS, size=(96, 96), **settings)


def pages(size, count=2):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0))


TARGETS = {
    "boxes": torch.tensor([[[0.5, 0.5, 0.4, 0.3]], [[0.3, 0.6, 0.2, 0.2]]]),
    "classes": torch.tensor([[1], [2]]),
    "origin": torch.tensor([1, 1]),
}


def test_a_saved_detector_answers_the_same(tmp_path):
    model = micro(norm="still", masks=False).eval()
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert isinstance(again, Detector) and fingerprint(again) == fingerprint(model)
    with torch.no_grad():
        one, two = model(pages((96, 128))), again(pages((96, 128)))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not any(
        norm.training for norm in again.train().body.network.modules() if isinstance(norm, torch.nn.BatchNorm2d)
    )


def test_a_seed_gives_the_same_weights():
    assert fingerprint(micro(seed=1)) == fingerprint(micro(seed=1)) != fingerprint(micro(seed=2))


def test_levels_and_stages_can_be_tapped():
    found = shapes(micro(), ["level:0", "level:4", "map", "stage:0", "late"], (96, 64))
    assert [tuple(found[name]) for name in ("level:0", "level:4", "map")] == [(64, 24, 16), (64, 2, 1), (64, 2, 1)]
    assert tuple(found["stage:0"]) == (16, 24, 16) and tuple(found["late"]) == (96, 3, 2)


def test_taps_and_losses_come_from_one_forward():
    model = micro().train()
    with Taps(model, ["level:1"]) as taps:
        view = taps(pages((96, 96)), TARGETS)
    assert view.features["level:1"].requires_grad and "loss/box" in view.outputs


@pytest.mark.parametrize("size", [(64, 64), (97, 150), (160, 33)])
def test_boxes_stay_on_pages_of_any_size(size):
    with torch.no_grad():
        outputs = micro(score=0.0).eval()(pages(size))
    corners = [outputs["boxes"][..., :2] + sign * outputs["boxes"][..., 2:] / 2 for sign in (-1, 1)]
    assert corners[0].min() >= -1e-6 and corners[1].max() <= 1 + 1e-6
    assert outputs["logits"].shape == (2, 100, 3)


def test_grey_networks_read_luma():
    model = micro(channels=1).eval()
    assert model.normalise.mean == (0.5,)
    with torch.no_grad():
        assert model(pages((64, 64)))["logits"].shape == (2, 100, 3)


FAMILIES = {
    "resnet": ResNetConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], embedding_size=8, layer_type="basic"),
    "pp_lcnet": PPLCNetConfig(scale=0.25),
    "vit": ViTConfig(num_hidden_layers=4, **BLOCKS),
    "beit": BeitConfig(num_hidden_layers=4, use_absolute_position_embeddings=True, **BLOCKS),
}
BASES = {"pp_lcnet": "encoder"}  # where the body of a classifier is, if not under the name of its family


@pytest.fixture(params=FAMILIES)
def published(request, tmp_path):
    """A family's name, and a classifier of it that stands in `tmp_path / "published"`."""
    torch.manual_seed(7)
    classifier = network_class(FAMILIES[request.param])(FAMILIES[request.param])
    classifier.save_pretrained(tmp_path / "published")
    return request.param, classifier


def test_published_weights_of_a_folder_fill_the_backbone(published, tmp_path):
    family, classifier = published
    model = micro(backbone=str(tmp_path / "published"), pretrained=True)
    weights = classifier.state_dict()
    kept = {name: value for name, value in model.body.network.state_dict().items() if value.is_floating_point()}
    assert len(kept) > 20
    base = BASES.get(family, family)
    if family == "pp_lcnet":  # published for blue, green, red
        kept["convolution.convolution.weight"] = kept["convolution.convolution.weight"].flip(1)
    assert all(torch.equal(value, weights[f"{base}.{name}"]) for name, value in kept.items())


def test_a_published_pp_lcnet_reads_pages_as_its_processor_of_transformers_gives_them(tmp_path):
    torch.manual_seed(7)
    classifier = network_class(FAMILIES["pp_lcnet"])(FAMILIES["pp_lcnet"]).eval()
    classifier.save_pretrained(tmp_path)
    network = micro(backbone=str(tmp_path), pretrained=True).eval().body.network
    red_first = pages((64, 64))
    with torch.no_grad():
        ours, theirs = (
            net(one).last_hidden_state for net, one in ((network, red_first), (classifier.encoder, red_first.flip(1)))
        )
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-7) and ours.abs().max() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_detector_on_a_published_backbone_loads_again(published, channels, tmp_path):
    family, _ = published
    given = {"backbone": str(tmp_path / "published"), "pretrained": True, "channels": channels}
    if family == "pp_lcnet" and channels == 1:
        config = tmp_path / "published" / "config.json"
        meaningless = {"num_channels": 3}  # to a PP-LCNet
        config.write_text(json.dumps(json.loads(config.read_text()) | meaningless))
        with pytest.raises(ConfigError, match=r"\(pp_lcnet\) reads colour only; set `input: {grey: false}`"):
            micro(**given)
        return
    save_model(micro(**given).eval(), tmp_path / "saved")
    with torch.no_grad():
        assert load_model(tmp_path / "saved")(pages((64, 96)))["boxes"].isfinite().all()


def test_a_backbone_without_weights_is_named():
    with pytest.raises(ConfigError, match="backbone 'resnet-micro' has no published weights"):
        micro(pretrained=True)


def test_a_misspelt_setting_shows_the_closest():
    with pytest.raises(ConfigError, match="unknown setting 'mask'; closest: masks"):
        micro(mask=False)
    assert settings_of("mask-rcnn-r50") is RCNNS["mask-rcnn-r50"].config


@pytest.mark.parametrize(
    ("name", "millions"),
    [("mask-rcnn-r101", 63), ("mask-rcnn-r50", 44), ("mask-rcnn-vit-b", 114), ("mask-rcnn-vit-t", 26)],
)
def test_sizes_are_the_papers(name, millions):
    """DistilDoc, arXiv:2406.08226, table of layout detectors (11 classes of DocLayNet)."""
    with torch.device("meta"):
        model = build_detector(name, labels=DOCLAYNET, size=(384, 384))
    assert abs(parameter_count(model) / 1e6 - millions) < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", RCNNS)
def test_every_preset_takes_a_training_step(name):
    model = build_detector(name, labels=LABELS, size=(64, 64), proposals=50, rois=16).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    outputs = model(pages((64, 96)), TARGETS)
    loss = sum(value for key, value in outputs.items() if key.startswith("loss/"))
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    optimiser.step()
    with torch.no_grad():
        assert model.eval()(pages((64, 96)))["boxes"].isfinite().all()


def test_nothing_here_imports_torchvision():
    files = sorted(Path(package.__file__).parent.glob("*.py"))
    assert len(files) > 10
    names = [
        name
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert not [name for name in names if name.split(".")[0] == "torchvision"]
    assert "torchvision" not in sys.modules
