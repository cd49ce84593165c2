"""Normalisation inside the model, against Pillow and hand values."""

import numpy as np
import pytest
import torch
from PIL import Image

from distildoc.core.model import Normalise, Pixels


def test_grey_conversion_equals_pillow() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(colours).convert("L"), dtype=np.float32) / 255
    pixels = torch.from_numpy(colours.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    ours = Pixels(Normalise((0.0,), (1.0,)))(pixels)
    assert np.abs(ours[0, 0].numpy() - grey).max() <= 1 / 255  # Pillow rounds to whole bytes


def test_colour_is_centred_and_scaled_per_channel() -> None:
    pixels = torch.full((1, 3, 2, 2), 0.5)
    ours = Pixels(Normalise((0.1, 0.5, 0.9), (0.2, 1.0, 0.4)))(pixels)
    assert torch.allclose(ours[0, :, 0, 0], torch.tensor([2.0, 0.0, -1.0]))


def test_batch_of_another_size_is_resized_to_the_models_own() -> None:
    pixels = Pixels(Normalise(size=(4, 6)))(torch.rand(2, 3, 9, 9))
    assert pixels.shape == (2, 3, 4, 6)


@pytest.mark.parametrize(("mean", "std"), [((0.5, 0.5), (1.0, 1.0)), ((0.5,), (0.0,)), ((0.5,), (1.0, 1.0, 1.0))])
def test_impossible_normalisation_is_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="std"):
        Normalise(mean, std)
