"""Oracles: hand counts, published costs of ResNet-50 and ViT-Tiny, and calls that sleep."""

import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification

from distildoc.evaluate.cost import cost_of, latency, macs, session_latency, torch_latency


def test_convolution_and_linear_layer_equal_the_hand_count():
    # 3x3 convolution, stride 2, 3 -> 4 channels on 8 x 6: 4 * 3 outputs of 3 * 9 products, 4 times; then 48 -> 5
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))
    assert macs(network, (8, 6)) == 4 * 3 * 27 * 4 + 48 * 5


def test_grouped_convolution_counts_only_its_groups():
    assert macs(nn.Conv2d(3, 6, 3, padding=1, groups=3), (5, 5)) == 25 * 6 * 9


def test_attention_equals_the_hand_count():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Linear(3, 3)

        def forward(self, pixels):
            tokens = pixels.flatten(2).transpose(1, 2)  # [1, 20, 3]
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert macs(Attention(), (4, 5)) == 2 * 20 * 20 * 3  # queries with keys, weights with values


def test_resnet_50_costs_what_is_published():
    # He et al. 2016, table 1: 3.8e9 multiply-adds for the first version of its blocks; with the stride in the 3x3
    # convolution 4.1e9, half of the 8.21 GFLOPs in table 2 of the DistilDoc paper
    with torch.device("meta"):
        network = ResNetForImageClassification(ResNetConfig(num_labels=1000))
    assert macs(network, (224, 224)) == pytest.approx(8.21e9 / 2, rel=0.01)


def test_vit_tiny_costs_what_is_published():
    # half of the 2.51 GFLOPs in table 2 of the DistilDoc paper; a tenth of it is attention
    config = ViTConfig(hidden_size=192, num_attention_heads=3, intermediate_size=768, num_labels=16)
    with torch.device("meta"):
        network = ViTForImageClassification(config)
    assert macs(network, (224, 224)) == pytest.approx(2.51e9 / 2, rel=0.002)


def test_latency_is_the_median_and_90th_percentile_after_the_warm_up():
    naps = iter([0.05] * 2 + [0.001, 0.001, 0.001, 0.001, 0.02])
    timed = latency(lambda: time.sleep(next(naps)), threads=3, runs=5, warm_up=2)
    assert 1 <= timed.median_ms < 10
    assert timed.p90_ms > timed.median_ms
    assert (timed.runs, timed.threads) == (5, 3)


def test_timing_leaves_threads_and_modes_as_they_were(model):
    before = torch.get_num_threads()
    model.train()
    timed = torch_latency(model, (8, 6), threads=before + 1, runs=2)
    assert timed.threads == before + 1
    assert torch.get_num_threads() == before
    assert model.training


def test_session_is_fed_one_blank_page():
    fed = []
    session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="pixels")],
        get_session_options=lambda: SimpleNamespace(intra_op_num_threads=2),
        run=lambda names, feed: fed.append(feed),
    )
    timed = session_latency(session, (8, 6), runs=3)
    assert timed.threads == 2
    assert fed[0]["pixels"].shape == (1, 3, 8, 6)
    assert len(fed) == 8


def test_cost_of_a_model_is_plain_numbers(model):
    cost = cost_of(model, (8, 6), runs=2)
    assert set(cost) == {"parameters", "macs", "latency_ms", "latency_p90_ms", "threads", "height", "width"}
    assert cost["parameters"] == 2 * 48 + 48 * 3 + 3
    assert cost["macs"] == 48 * 3
    assert 0 < cost["latency_ms"] <= cost["latency_p90_ms"]
