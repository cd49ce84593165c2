import json
from pathlib import Path

import pytest
import torch

from distildoc.models.detectors.build import build_detector, settings_of
from distildoc.models.detectors.families import family_of
from distildoc.models.detectors.initial import draw_weights
from distildoc.models.detectors.presets import find_detector
from distildoc.schema.errors import ConfigError, InputError

SIZE = (96, 128)
PAGES = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
KNOWN = ("Caption", "Page-footer", "Text")
NAMES = ["d-fine-micro", "rtdetrv2-micro"]


@pytest.fixture(scope="module", params=NAMES)
def published(request, tmp_path_factory) -> tuple[Path, torch.nn.Module]:
    """A folder as transformers writes it, and the network in it; with frozen batch norms, as published ones have."""
    config = find_detector(request.param).config(3, SIZE, queries=30)
    config.id2label = dict(enumerate(KNOWN))
    config.freeze_backbone_batch_norms = True
    torch.manual_seed(0)
    network = family_of(config).network(config).eval()
    draw_weights(network)
    for layer in network.model.decoder.class_embed:
        torch.nn.init.normal_(layer.weight)
    folder = tmp_path_factory.mktemp("published")
    network.save_pretrained(folder)
    return folder, network


def test_a_published_detector_gives_the_regions_of_transformers(published):
    folder, network = published
    model = build_detector(str(folder), labels=KNOWN, size=SIZE, pretrained=True).eval()
    with torch.no_grad():
        wanted, found = network(PAGES), model(PAGES)
    torch.testing.assert_close(found["logits"], wanted.logits)
    torch.testing.assert_close(found["boxes"], wanted.pred_boxes)
    assert model.normalise.mean == (0.0, 0.0, 0.0) and model.normalise.size is None


def test_known_classes_keep_their_rows_under_any_spelling_and_order(published):
    folder, network = published
    model = build_detector(str(folder), labels=("text", "stamp", "page footer"), size=SIZE, pretrained=True).eval()
    old, new = network.model, model.head.network
    layers = [*zip(old.decoder.class_embed, new.decoder.class_embed, strict=True)]
    for before, after in [*layers, (old.enc_score_head, new.enc_score_head)]:
        assert torch.equal(after.weight[0], before.weight[2]) and torch.equal(after.weight[2], before.weight[1])
        assert torch.equal(after.bias[[0, 2]], before.bias[[2, 1]])
        assert after.weight.shape[0] == 3 and after.weight[1].any()
    assert torch.equal(new.denoising_class_embed.weight[[0, 2]], old.denoising_class_embed.weight[[2, 1]])
    assert not new.denoising_class_embed.weight[3].any()


def test_classes_belong_to_their_numbers_in_whatever_order_the_config_names_them(published, tmp_path):
    folder, network = published
    for path in folder.iterdir():
        if path.name != "config.json":
            (tmp_path / path.name).symlink_to(path)
    content = json.loads((folder / "config.json").read_text())
    content["id2label"] = dict(reversed(content["id2label"].items()))
    (tmp_path / "config.json").write_text(json.dumps(content))
    model = build_detector(str(tmp_path), labels=KNOWN, size=SIZE, pretrained=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(PAGES)["logits"], network(PAGES).logits)


def test_a_detector_with_other_classes_can_be_trained(published):
    folder, _ = published
    model = build_detector(str(folder), labels=("stamp", "text"), size=SIZE, pretrained=True).train()
    targets = {"boxes": torch.full((2, 1, 4), 0.5), "classes": torch.tensor([[1], [0]]), "origin": torch.ones(2).long()}
    outputs = model(PAGES, targets)
    sum(value for name, value in outputs.items() if name.startswith("loss/")).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_a_grey_detector_sees_the_same_on_grey_pages(published):
    folder, _ = published
    grey = PAGES[:, :1].expand(-1, 3, -1, -1).contiguous()
    colour = build_detector(str(folder), labels=KNOWN, size=SIZE, pretrained=True).eval()
    luma = build_detector(str(folder), labels=KNOWN, size=SIZE, pretrained=True, channels=1).eval()
    with torch.no_grad():
        torch.testing.assert_close(luma(grey)["logits"], colour(grey)["logits"], atol=1e-3, rtol=1e-3)
    assert luma.entry(PAGES).shape[1] == 1


def test_a_processor_says_how_pixels_are_normalised(published, tmp_path):
    folder, _ = published
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    content = {"do_normalize": True, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**content, "size": {"height": 640, "width": 640}}))
    model = build_detector(str(tmp_path), labels=KNOWN, size=SIZE)
    assert (model.normalise.mean, model.normalise.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    assert model.normalise.size is None


def test_the_config_alone_gives_new_weights_that_learn(published):
    folder, _ = published
    model = build_detector(str(folder), labels=KNOWN, size=SIZE, pretrained=False)
    assert not [module for module in model.modules() if "Frozen" in type(module).__name__]


@pytest.mark.parametrize("name", NAMES)
def test_any_size_of_whole_strides_works(name):
    model = build_detector(name, labels=KNOWN, size=SIZE, queries=20).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64, 160))["logits"].shape == (1, 20, 3)


def test_settings_of_a_name_are_those_of_its_config():
    assert build_detector("d-fine-micro", labels=KNOWN, size=SIZE, queries=7).head.config.num_queries == 7
    assert settings_of("d-fine-micro") is find_detector("d-fine-micro").config


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("d-fine-micro", {"querys": 7}, "closest: queries"),
        ("d-fine-micro", {"channels": 2}, "channels must be 1"),
        ("d-fine-micro", {"labels": ("a", "a")}, "no label twice"),
        ("d-fine-micro", {"size": (100, 128)}, "no multiples of its stride 32"),
        ("d-fine-micro", {"size": (32, 32)}, "100 queries need as many places"),
        ("d-fine-micro", {"pretrained": True}, "no published weights"),
        ("d-fine-mikro", {}, "closest: d-fine-micro"),
    ],
)
def test_what_cannot_be_built_says_why(name, changes, words):
    with pytest.raises(ConfigError, match=words):
        build_detector(name, **{"labels": KNOWN, "size": SIZE, **changes})


def test_folders_of_other_models_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    with pytest.raises(InputError, match="is no detector"):
        build_detector(str(tmp_path), labels=KNOWN, pretrained=True)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "d_fine", "d_model": 7}))
    with pytest.raises(InputError):
        build_detector(str(tmp_path), labels=KNOWN, size=SIZE)
