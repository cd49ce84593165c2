"""models.diffusion: shapes, ranges, and what batch norm does with a single value."""

import pytest
import torch

from distildoc.models.diffusion import Bottleneck, LinearCode, NoiseAdapter, NoisePredictor, Norm, pointwise


def feature(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("vector", [True, False])
def test_predictor_keeps_the_shape_and_hears_the_time(vector: bool) -> None:
    torch.manual_seed(0)
    predictor = NoisePredictor(8, vector=vector).eval()
    noisy = feature(3, 8, 1, 1) if vector else feature(3, 8, 4, 5)
    early, late = (predictor(noisy, torch.full((3,), time)) for time in (0, 999))
    assert early.shape == noisy.shape
    assert not torch.allclose(early, late)


@pytest.mark.parametrize("vector", [True, False])
@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0])
def test_adapter_keeps_a_share_between_0_and_1_of_each_page(vector: bool, scale: float) -> None:
    torch.manual_seed(0)
    share = NoiseAdapter(8, vector=vector)(scale * (feature(3, 8, 1, 1) if vector else feature(3, 8, 4, 4)))
    assert share.shape == (3, 1, 1, 1)
    assert ((share > 0) & (share < 1)).all()


def test_a_bottleneck_without_weights_lets_negative_values_through() -> None:
    bottleneck = Bottleneck(8, reduction=4)
    for parameter in bottleneck.parameters():
        torch.nn.init.zeros_(parameter)
    noisy = feature(2, 8, 4, 4)
    assert torch.equal(bottleneck(noisy), noisy)


def test_a_code_is_normalised_and_linear_place_by_place() -> None:
    code = LinearCode(16, 4)
    places = feature(3, 16, 4, 4)
    found, told = code(places)
    assert (found.shape, told.shape) == ((3, 4, 4, 4), (3, 16, 4, 4))
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    code.eval()
    middle = code((places + places.flip(0)) / 2)[1]
    torch.testing.assert_close(middle, (code(places)[1] + code(places.flip(0))[1]) / 2, atol=1e-5, rtol=1e-5)


def test_a_single_value_is_normalised_by_what_was_seen_before() -> None:
    norm = Norm(2)
    norm(
        torch.tensor([[1.0, 5.0], [3.0, 9.0]])[:, :, None, None]
    )  # running mean 0.1 x (2, 7), variance 0.9 + 0.1 x (2, 8)
    found = norm(torch.tensor([[0.2, 0.7]])[:, :, None, None])
    torch.testing.assert_close(found, torch.zeros(1, 2, 1, 1))
    found = norm(torch.tensor([[0.2 + 1.1**0.5, 0.7 + 1.7**0.5]])[:, :, None, None])
    torch.testing.assert_close(found.flatten(), torch.ones(2), rtol=1e-4, atol=0)


def test_more_than_one_value_is_what_torch_s_batch_norm_gives() -> None:
    places = feature(3, 2, 2, 2)
    assert torch.equal(Norm(2)(places), torch.nn.BatchNorm2d(2)(places))


def test_pointwise_changes_channels_alone() -> None:
    assert pointwise(3, 5)(feature(2, 3, 4, 4)).shape == (2, 5, 4, 4)
