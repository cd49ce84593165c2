"""Published networks in small: folders as transformers writes them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    BeitConfig,
    ConvNextConfig,
    DeiTConfig,
    Dinov2Config,
    PreTrainedConfig,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
)

from distildoc.models.hub import network_class

BLOCKS = {
    "image_size": 64,
    "patch_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "resnet": lambda: ResNetConfig(hidden_sizes=[8, 16], depths=[1, 1], embedding_size=8, layer_type="basic"),
    "vit": lambda: ViTConfig(**BLOCKS),
    "deit": lambda: DeiTConfig(**BLOCKS),
    "beit": lambda: BeitConfig(**BLOCKS, use_absolute_position_embeddings=True),
    "dinov2": lambda: Dinov2Config(**{key: value for key, value in BLOCKS.items() if key != "intermediate_size"}),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1]),
    "swin": lambda: SwinConfig(image_size=64, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4),
}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a small network of a family with random weights, once; gives its folder."""
    folders: dict[str, Path] = {}

    def folder(family: str, *labels: str, processor: dict[str, object] | None = None) -> Path:
        key = f"{family} {labels} {processor}"
        if key not in folders:
            config = FAMILIES[family]()
            config.id2label = dict(enumerate(labels or ("LABEL_0", "LABEL_1")))
            torch.manual_seed(0)
            network = network_class(config)(config)
            path = tmp_path_factory.mktemp(family)
            network.save_pretrained(path)
            if processor is not None:
                (path / "preprocessor_config.json").write_text(json.dumps(processor))
            folders[key] = path
        return folders[key]

    return folder
