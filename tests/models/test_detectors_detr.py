from copy import deepcopy

import pytest
import torch
from torch import nn

from distildoc.core.batch import PSEUDO, TRUE, UNKNOWN
from distildoc.core.model import Detector, Normalise
from distildoc.core.taps import Taps
from distildoc.models.detectors.build import assemble, build_detector
from distildoc.models.detectors.families import family_of
from distildoc.models.detectors.initial import draw_weights
from distildoc.models.detectors.presets import d_fine, rt_detr
from distildoc.schema.errors import ConfigError, InputError

SIZE = (64, 96)
LABELS = ("text", "table", "title")
SMALL = {
    "widths": (8, 16, 24, 32),
    "depths": (1, 1, 1, 1),
    "width": 32,
    "heads": 2,
    "feedforward": 32,
    "expansion": 0.5,
    "decoder_layers": 3,
    "queries": 20,
    "denoising": 12,
}
MAKERS = {
    "d_fine": lambda **more: d_fine(
        3, SIZE, **{**SMALL, "stem": (4, 8), "inner": (4, 8, 8, 8), "convolutions": 2, **more}
    ),
    "rt_detr": lambda **more: rt_detr(3, SIZE, **{**SMALL, "version": 1, "embedding": 8, "layer": "basic", **more}),
    "rt_detr_v2": lambda **more: rt_detr(3, SIZE, **{**SMALL, "embedding": 8, "layer": "basic", **more}),
}
FAMILIES = list(MAKERS)
BOXES = torch.tensor([[[0.3, 0.4, 0.2, 0.3], [0.6, 0.7, 0.3, 0.1]], [[0.5, 0.5, 0.4, 0.6], [0, 0, 0, 0]]])
CLASSES = torch.tensor([[0, 2], [1, -1]])


def pages(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def targets(*origin: int) -> dict[str, torch.Tensor]:
    return {"boxes": BOXES.clone(), "classes": CLASSES.clone(), "origin": torch.tensor(origin)}


def whole(family: str, **more) -> nn.Module:
    config = MAKERS[family](**more)
    config.num_labels = len(LABELS)
    torch.manual_seed(1)
    network = family_of(config).network(config)
    draw_weights(network)
    return network


def halves(network: nn.Module) -> Detector:
    """A split copy."""
    return assemble("test", deepcopy(network), Normalise((0.0,) * 3, (1.0,) * 3), LABELS)


def still(model: nn.Module) -> nn.Module:
    """In training mode, but batch norms do not mix the pages."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model


def total(outputs: dict[str, torch.Tensor], prefix: str) -> torch.Tensor:
    return torch.stack([value for name, value in outputs.items() if name.startswith(prefix + "/")]).sum()


@pytest.mark.parametrize("family", FAMILIES)
def test_gives_what_the_whole_network_of_transformers_gives(family):
    network = whole(family).eval()
    model = halves(network).eval()
    with torch.no_grad():
        wanted, found = network(pages()), model(pages())
    assert torch.equal(found["logits"], wanted.logits)
    assert torch.equal(found["boxes"], wanted.pred_boxes)
    if family == "d_fine":
        assert torch.equal(found["corners"], wanted.intermediate_predicted_corners[:, -1])
        assert torch.equal(found["references"], wanted.initial_reference_points[:, -1])


@pytest.mark.parametrize("family", ["rt_detr", "rt_detr_v2"])
@pytest.mark.parametrize("training", [True, False])
def test_rt_detr_sums_the_losses_of_transformers_by_name(family, training):
    network = whole(family).train(training)
    model = halves(network).train(training)
    aims = targets(TRUE, TRUE)
    labels = [
        {"class_labels": c[c >= 0], "boxes": b[c >= 0]} for c, b in zip(aims["classes"], aims["boxes"], strict=True)
    ]
    torch.manual_seed(5)
    wanted = network(pages(), labels=labels).loss_dict
    torch.manual_seed(5)
    found = model(pages(), aims)
    for name in ("vfl", "bbox", "giou"):
        parts = [value for key, value in wanted.items() if key.startswith(f"loss_{name}")]
        assert len(parts) == (3 + 1 + 3 if training else 3 + 1)  # layers, proposals, denoising
        torch.testing.assert_close(found[f"loss/{name}"], torch.stack(parts).sum(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_d_fine_sums_its_losses_over_layers_as_published(training):
    """The oracle calls transformers' terms one by one: each layer's classes, boxes and edges together."""
    network = whole("d_fine").train(training)
    model = halves(network).train(training)
    aims = targets(TRUE, TRUE)
    labels = [
        {"class_labels": c[c >= 0], "boxes": b[c >= 0]} for c, b in zip(aims["classes"], aims["boxes"], strict=True)
    ]
    torch.manual_seed(5)
    said = network.model(pages(), labels=labels)
    torch.manual_seed(5)
    found = model(pages(), aims)
    criterion = family_of(network.config).criterion(network.config)
    sums: dict[str, float] = {}

    def add(entry, indices, boxes):
        for loss in ("vfl", "boxes", "local"):
            for key, value in criterion.get_loss(loss, entry, labels, indices, boxes).items():
                sums[key] = sums.get(key, 0.0) + float(value.detach()) * criterion.weight_dict[key]

    logits, boxes = said.intermediate_logits, said.intermediate_reference_points.clamp(0, 1)
    corners, references = said.intermediate_predicted_corners, said.initial_reference_points
    layers, extra = corners.shape[1], logits.shape[1] - corners.shape[1]
    for noisy in (False, True) if training else (False,):
        part = slice(0, -20) if noisy else slice(-20, None)
        entries = [{"logits": said.enc_topk_logits, "pred_boxes": said.enc_topk_bboxes}] if not noisy else []
        if extra:
            entries.append({"logits": logits[:, 0, part], "pred_boxes": boxes[:, 0, part]})
        for layer in range(layers):
            entries.append(
                {
                    "logits": logits[:, layer + extra, part],
                    "pred_boxes": boxes[:, layer + extra, part],
                    "pred_corners": corners[:, layer, part],
                    "ref_points": references[:, layer, part],
                    "teacher_corners": corners[:, -1, part],
                    "teacher_logits": logits[:, -1, part],
                }
            )
        for entry in entries:
            meta = said.denoising_meta_values
            indices = criterion.get_cdn_matched_indices(meta, labels) if noisy else criterion.matcher(entry, labels)
            add(entry, indices, 3 * (meta["dn_num_group"] if noisy else 1))
    assert set(sums) == {"loss_vfl", "loss_bbox", "loss_giou", "loss_fgl", "loss_ddf"}
    for key, value in sums.items():
        assert float(found[key.replace("_", "/", 1)]) == pytest.approx(value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("training", [True, False])
def test_a_page_with_unknown_boxes_gets_no_gradient(family, training):
    model = still(halves(whole(family))) if training else halves(whole(family)).eval()
    pixels = pages().requires_grad_()
    total(model(pixels, targets(TRUE, UNKNOWN)), "loss").backward()
    assert pixels.grad[0].abs().max() > 0
    assert pixels.grad[1].abs().max() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_pages_of_both_origins_are_supervised_apart(family):
    model = halves(whole(family, denoising=0)).eval()
    both, first = model(pages(), targets(TRUE, PSEUDO)), model(pages(), targets(TRUE, UNKNOWN))
    second = model(pages(), targets(UNKNOWN, TRUE))
    assert not any(name.startswith("pseudo/") for name in first)
    for name in [name for name in both if name.startswith("loss/")]:
        torch.testing.assert_close(both[name], first[name])
        torch.testing.assert_close(both[name.replace("loss", "pseudo")], second[name])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("origin", [TRUE, UNKNOWN])
def test_a_batch_without_boxes_reaches_every_weight_with_finite_gradients(family, training, origin):
    model = halves(whole(family)).train(training)
    aims = {"boxes": torch.zeros(2, 1, 4), "classes": torch.full((2, 1), -1), "origin": torch.tensor([origin] * 2)}
    outputs = model(pages(), aims)
    loss = total(outputs, "loss")
    loss.backward()
    assert (loss > 0) == (origin == TRUE)  # empty pages teach that nothing is there, unknown ones teach nothing
    assert outputs["loss/bbox"] == 0
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing or not training
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_page_beside_a_full_one_is_supervised(family):
    model = still(halves(whole(family)))
    aims = targets(TRUE, TRUE)
    aims["classes"][1] = -1
    pixels = pages().requires_grad_()
    total(model(pixels, aims), "loss").backward()
    assert pixels.grad[1].abs().max() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_denoising_queries_show_in_no_output(family):
    model = halves(whole(family)).train()
    outputs = model(pages(), targets(TRUE, TRUE))
    assert outputs["logits"].shape == (2, 20, 3) and outputs["boxes"].shape == (2, 20, 4)
    assert outputs["layers/logits"].shape == (2, 3, 20, 3) and outputs["layers/boxes"].shape == (2, 3, 20, 4)
    assert torch.equal(outputs["layers/logits"][:, -1], outputs["logits"])
    if family == "d_fine":
        assert outputs["corners"].shape == (2, 20, 4 * 33) and outputs["references"].shape == (2, 20, 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_in_half_precision_stay_near_those_in_full(family):
    model = halves(whole(family, denoising=0)).eval()
    wanted = model(pages(), targets(TRUE, TRUE))
    with torch.autocast("cpu", torch.bfloat16):
        found = model(pages(), targets(TRUE, TRUE))
    for name in [name for name in wanted if name.startswith("loss/")]:
        assert found[name].dtype == torch.float32
        assert float(found[name].detach()) == pytest.approx(float(wanted[name].detach()), rel=0.1, abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_taps_read_the_pyramid_from_fine_to_coarse(family):
    model = halves(whole(family)).eval()
    with torch.no_grad(), Taps(model, ["level:0", "level:2", "map", "stage:0", "late"]) as taps:
        features = taps(pages()).features
    assert features["level:0"].shape == (2, 32, 8, 12)
    assert torch.equal(features["map"], features["level:2"])
    assert features["level:2"].shape == (2, 32, 2, 3)
    assert features["stage:0"].shape == (2, 8, 16, 24) and features["late"].shape == (2, 32, 2, 3)


def test_too_small_pages_are_refused_while_training():
    model = build_detector("d-fine-micro", labels=LABELS, size=(128, 128)).train()
    with pytest.raises(InputError, match="100 queries need as many places"):
        model(torch.rand(1, 3, 64, 64), None)


@pytest.mark.parametrize("family", FAMILIES)
def test_regions_with_scores_are_refused_with_a_way_out(family):
    with pytest.raises(ConfigError, match=r"DETR family takes every region for certain.*read them without `scores`"):
        halves(whole(family))(pages(), {**targets(TRUE, TRUE), "scores": torch.full((2, 2), 0.5)})
