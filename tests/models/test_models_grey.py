import pytest
import torch

from distildoc.core.model import Normalise
from distildoc.models.build import build_model
from distildoc.models.grey import grey_normalise


@pytest.mark.parametrize("family", ["vit", "beit"])
def test_a_grey_page_gives_the_same_logits_as_before(family, published):
    folder = str(published(family, "a", "b"))
    colour = build_model(folder, labels=("a", "b"), size=(64, 64), pretrained=True).eval()
    grey = build_model(folder, labels=("a", "b"), size=(64, 64), pretrained=True, channels=1).eval()
    pages = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)).expand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(grey(pages)["logits"], colour(pages)["logits"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["resnet", "convnext", "swin", "deit"])
def test_the_first_convolution_reads_one_channel(family, published):
    model = build_model(str(published(family)), labels=("a", "b"), size=(64, 64), pretrained=True, channels=1).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64, 64))["logits"].shape == (1, 2)
    assert model.recipe["config"]["num_channels"] == 1
    assert len(model.normalise.mean) == 1


def test_mean_and_std_are_averaged():
    found = grey_normalise(Normalise((0.0, 0.3, 0.6), (0.1, 0.2, 0.3), (8, 8)))
    assert found.mean == pytest.approx((0.3,))
    assert found.std == pytest.approx((0.2,))
    assert found.size == (8, 8)
