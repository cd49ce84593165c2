import math

import pytest
import torch
from torch import nn

from distildoc.core.taps import Taps
from distildoc.models.detectors.build import build_detector

NAMES = ["d-fine-micro", "rtdetrv2-micro"]
PAGES = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=NAMES)
def model(request):
    return build_detector(request.param, labels=tuple("abcde"), size=(128, 128), seed=3).eval()


def test_a_new_encoder_gives_features_before_its_batch_norms_have_seen_pages(model):
    with torch.no_grad(), Taps(model, ["level:0", "level:1", "level:2"]) as taps:
        stds = [float(feature.std()) for feature in taps(PAGES).features.values()]
    assert all(0.05 < std < 100 for std in stds), stds


def test_the_queries_of_a_new_detector_differ(model):
    with torch.no_grad():
        logits = model(PAGES)["logits"]
    assert logits.std(1).min() > 1e-3


def test_a_new_detector_scores_classes_near_their_prior(model):
    prior = -math.log(5)  # logit of 1 / (classes + 1)
    layers = [*model.head.network.decoder.class_embed, model.head.network.enc_score_head]
    assert all(torch.allclose(layer.bias, torch.full((5,), prior)) for layer in layers)


def test_boxes_of_a_new_detector_start_at_their_anchors(model):
    last = model.head.network.enc_bbox_head.layers[-1]
    assert not last.weight.any() and not last.bias.any()
    offsets = [m for name, m in model.named_modules() if name.endswith("sampling_offsets")]
    assert offsets and all(not m.weight.any() and m.bias.any() for m in offsets)


def test_batch_norms_start_as_the_identity_and_learn(model):
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and not [m for m in model.modules() if "Frozen" in type(m).__name__]
    assert all((m.weight == 1).all() and not m.bias.any() and m.weight.requires_grad for m in norms)


def test_the_seed_alone_draws_the_weights():
    first, again, other = (
        build_detector("rtdetrv2-micro", labels=("a",), size=(128, 128), seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
