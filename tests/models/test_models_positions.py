import pytest
import torch

from distildoc.models.build import build_model
from distildoc.models.hub import load_network, read_config
from distildoc.models.positions import interpolates_itself, resample

PAGE = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
WIDE = torch.rand(2, 3, 64, 128, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", ["vit", "deit", "beit", "dinov2"])
@pytest.mark.parametrize("pages", [PAGE, WIDE], ids=["square", "wide"])
def test_resampled_once_equals_the_interpolation_of_transformers(family, pages, published):
    folder = published(family, "a", "b")
    whole = load_network(folder, read_config(folder)).eval()
    size = (pages.shape[2], pages.shape[3])
    model = build_model(str(folder), labels=("a", "b"), size=size, pretrained=True).eval()
    asked = {} if interpolates_itself(whole) else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        normal = model.entry(pages)
        torch.testing.assert_close(model.head(model.body(normal)), whole(normal, **asked).logits)


def test_positions_are_resampled_in_the_weights(published):
    model = build_model(str(published("vit")), labels=("a", "b"), size=(96, 64), pretrained=True)
    assert model.body.network.vit.embeddings.position_embeddings.shape == (1, 1 + 6 * 4, 32)
    assert model.recipe["config"]["image_size"] == [96, 64]


def test_same_grid_keeps_the_positions():
    positions = torch.rand(1, 2 + 9, 4)
    torch.testing.assert_close(resample(positions, 11, skip=2, aspect=1.0), positions)


def test_a_constant_grid_stays_constant():
    grid = torch.full((1, 16, 4), 7.0)
    torch.testing.assert_close(resample(grid, 24, skip=0, aspect=1.5), torch.full((1, 24, 4), 7.0))
