import pytest
import torch
from torch import nn
from transformers import BeitConfig, ConvNextConfig, PPLCNetConfig, ResNetConfig, ViTConfig

from distildoc.models.detectors.rcnn.bodies import Pyramid, blank_backbone, body_from, build_body
from distildoc.models.detectors.rcnn.norms import StillNorm, with_still_norms
from distildoc.schema.errors import InputError

BLOCKS = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 64, "patch_size": 16}
STAGES = [[[3, width // 2, width, 2, False]] for width in (64, 128, 256, 512)]  # of a PP-LCNet, after the first
CONFIGS = {
    "resnet": ResNetConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], embedding_size=8, layer_type="basic"),
    "pp_lcnet": PPLCNetConfig(scale=0.25),
    "vit": ViTConfig(num_hidden_layers=12, **BLOCKS),
    "beit": BeitConfig(num_hidden_layers=4, use_absolute_position_embeddings=True, use_mean_pooling=True, **BLOCKS),
}


@pytest.fixture(params=CONFIGS)
def body(request):
    torch.manual_seed(0)
    return build_body(blank_backbone(CONFIGS[request.param]), channels=8).eval()


def vit_body():
    torch.manual_seed(0)
    return build_body(blank_backbone(CONFIGS["vit"]), channels=8).eval()


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_maps_have_strides_4_to_64_on_pages_of_any_shape(body, size):
    with torch.no_grad():
        maps = body(torch.rand(2, 3, *size))
    strides = [4, 8, 16, 32, 64]
    assert [tuple(one.shape) for one in maps] == [(2, 8, *(-(-side // stride) for side in size)) for stride in strides]


def test_a_page_is_stretched_to_whole_cells(body):
    pixels = torch.rand(1, 3, 70, 33)
    stretched = nn.functional.interpolate(pixels, size=(96, 64), mode="bilinear", align_corners=False)
    with torch.no_grad():
        assert all(torch.allclose(a, b) for a, b in zip(body(pixels), body(stretched), strict=True))


def test_no_weight_of_a_body_is_idle(body):
    sum(one.sum() for one in body(torch.rand(1, 3, 64, 64))).backward()
    assert [name for name, weight in body.named_parameters() if weight.grad is None] == []


def test_blocks_3_5_7_and_11_of_twelve_make_the_pyramid():
    body = vit_body()
    seen: dict[int, torch.Tensor] = {}
    for index in (3, 5, 7, 11):
        body.network.layers[index].register_forward_hook(lambda _, __, out, index=index: seen.update({index: out}))
    given = []
    for scale in body.scales:
        scale.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    with torch.no_grad():
        body(torch.rand(1, 3, 64, 96))
    for index, one in zip((3, 5, 7, 11), given, strict=True):
        assert one.shape == (1, 16, 4, 6)
        assert torch.equal(one[0, :, 2, 5], seen[index][0, 1 + 2 * 6 + 5])


def test_positions_at_the_size_of_the_weights_are_the_weights():
    body, pixels = vit_body(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = body.network(pixels, output_hidden_states=True).hidden_states[-1]
        asked = body.network(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states[-1]
    assert torch.equal(plain, asked)


def test_the_pyramid_adds_coarser_maps_to_finer_ones():
    """One channel, lateral weight 1 and the identity as smoothing: cells are sums down the pyramid."""
    pyramid = Pyramid([1, 1, 1, 1], 1)
    for lateral, smooth in zip(pyramid.lateral, pyramid.smooth, strict=True):
        nn.init.ones_(lateral.weight)
        nn.init.dirac_(smooth.weight)
    maps = [torch.full((1, 1, side, side), value) for side, value in ((16, 1.0), (8, 10.0), (4, 100.0), (2, 1000.0))]
    maps[3][0, 0, 0, 0] = 2000.0
    found = pyramid(maps)
    assert found[0][0, 0, :8, :8].unique().tolist() == [2111.0]
    assert found[0][0, 0, 8:].unique().tolist() == [1111.0]
    assert [one.mean().item() for one in found[3:]] == [1250.0, 2000.0]


def test_still_norms_keep_values_names_and_statistics_in_training():
    torch.manual_seed(0)
    moving = blank_backbone(CONFIGS["resnet"]).train()
    moving(torch.rand(4, 3, 64, 64))
    before = {name: value.clone() for name, value in moving.state_dict().items()}
    still = with_still_norms(moving).train()
    assert sum(isinstance(module, StillNorm) for module in still.modules()) > 8
    still(torch.rand(4, 3, 64, 64))
    after = still.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert not any(weight.requires_grad for name, weight in still.named_parameters() if "normalization" in name)


def test_a_family_without_a_pyramid_is_named():
    with pytest.raises(InputError, match="no pyramid on a convnext; Mask R-CNN takes resnet, pp_lcnet, vit"):
        build_body(blank_backbone(ConvNextConfig(hidden_sizes=[8] * 4, depths=[1] * 4)), channels=8)


def test_a_cnn_of_three_stages_is_refused():
    config = ResNetConfig(hidden_sizes=[8, 8, 8], depths=[1, 1, 1], embedding_size=8, layer_type="basic")
    with pytest.raises(InputError, match="needs a CNN of 4 stages, got 3"):
        build_body(blank_backbone(config), channels=8)


@pytest.mark.parametrize(
    ("changes", "strides"),
    [
        ({"stem_stride": 1}, r"\[1, 1, 2, 2, 2, 2\]"),
        ({"block_configs": [[[3, 16, 32, 2, False]], *STAGES]}, r"\[2, 2, 2, 2, 2, 2\]"),
        ({"block_configs": [[], *STAGES]}, r"\[2, 1, 2, 2, 2, 2\]"),
    ],
)
def test_a_pp_lcnet_of_other_strides_is_refused(changes, strides):
    with pytest.raises(InputError, match=rf"pp_lcnet of strides \[2, 1, 2, 2, 2, 2\], a stage each, got {strides}"):
        build_body(blank_backbone(PPLCNetConfig(**changes)), channels=8)


def test_patches_of_another_size_are_refused():
    config = ViTConfig(num_hidden_layers=4, **{**BLOCKS, "patch_size": 8})
    with pytest.raises(InputError, match="needs 16-pixel patches and 4 blocks or more, got patches of 8"):
        build_body(blank_backbone(config), channels=8)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"channels": 0}, "number of `channels`"), ({"config": 3}, "the `config`"), ({"norm": "x"}, "batch or still")],
)
def test_a_damaged_recipe_is_named(change, words):
    config = {"model_type": "resnet", "hidden_sizes": [8] * 4, "depths": [1] * 4, "embedding_size": 8}
    with pytest.raises(InputError, match=words):
        body_from({"config": config, "channels": 8, "norm": "batch", **change})
