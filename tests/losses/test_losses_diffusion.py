"""losses.diffusion against NumPy, published values and a predictor that knows the answer."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.losses.diffusion import denoised, kept, noised, step_back

TIMES = (400, 300, 200, 100, 0)


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_schedule_is_the_cumulative_product_in_numpy_and_ends_where_the_paper_says() -> None:
    shares = kept().numpy()
    np.testing.assert_allclose(shares, np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)), rtol=1e-6)
    # Ho et al. 2020, section 4: KL(q(x_T | x_0) || N(0, I)) of about 1e-5 bits a dimension, for x in -1..1
    left = shares[-1]
    divergence = 0.5 * (1 - left + left * 0.25 - 1 - np.log(1 - left)) / np.log(2)  # x_0^2 = 1/4
    assert divergence == pytest.approx(1e-5, abs=1e-5)


def test_noised_equals_the_numpy_line() -> None:
    clean, noise = features(3, 2, 4, 4), features(3, 2, 4, 4, seed=1)
    shares = np.array([0.9, 0.5, 0.01])[:, None, None, None]
    expected = np.sqrt(shares) * clean.numpy() + np.sqrt(1 - shares) * noise.numpy()
    found = noised(clean, noise, torch.from_numpy(shares.ravel()))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_a_step_back_is_the_hand_value() -> None:
    noisy, noise = torch.tensor([[1.0]]), torch.tensor([[0.5]])
    then, clean = step_back(noisy, noise, now=0.36, then=0.64)
    assert clean.item() == pytest.approx(1.0)  # (1 - 0.8 x 0.5) / 0.6
    assert then.item() == pytest.approx(1.1)  # 0.8 x 1 + 0.6 x 0.5


def test_a_predictor_that_knows_the_noise_gives_the_feature_back_from_its_noised_version() -> None:
    clean, noise, shares = features(3, 8, 4, 4), features(3, 8, 4, 4, seed=1), kept()
    noisy = noised(clean, noise, shares[torch.full((3,), TIMES[0])])
    path = denoised(noisy, lambda x, times: noise, shares, times=TIMES)
    assert len(path) == 5
    for found in path:
        np.testing.assert_allclose(found.numpy(), clean.numpy(), atol=1e-5)


def test_denoised_equals_a_numpy_loop_of_song_s_formula() -> None:
    noisy, shares = features(2, 3, 2, 2), kept()
    x, expected, left = noisy.numpy(), [], shares.double().numpy()
    for time in TIMES:
        noise = np.tanh(x) + time / 1000
        clean = (x - np.sqrt(1 - left[time]) * noise) / np.sqrt(left[time])
        expected.append(clean)
        before = left[time - 100] if time else 1.0
        x = np.sqrt(before) * clean + np.sqrt(1 - before) * noise
    found = denoised(noisy, lambda x, times: x.tanh() + times[0].item() / 1000, shares, times=TIMES)
    np.testing.assert_allclose(torch.stack(found).numpy(), np.stack(expected), rtol=1e-9)
    np.testing.assert_allclose(found[-1].numpy(), x, rtol=1e-9)  # nothing is left to take away at the end


def test_every_page_is_told_the_time() -> None:
    told: list[list[int]] = []

    def predict(noisy: Tensor, times: Tensor) -> Tensor:
        told.append(times.tolist())
        return torch.zeros_like(noisy)

    denoised(features(2, 1, 1, 1), predict, kept(), times=(300, 100))
    assert told == [[300, 300], [100, 100]]


def test_gradients_agree_with_finite_differences() -> None:
    clean, noise, share = features(2, 2, 2, 1), features(2, 2, 2, 1, seed=1), features(2).sigmoid()
    shares = kept()
    inputs = (clean.requires_grad_(), noise.requires_grad_())
    assert torch.autograd.gradcheck(lambda c, n: noised(c, n, share), inputs)
    assert torch.autograd.gradcheck(
        lambda x: denoised(x, lambda y, _: y.tanh(), shares, times=TIMES)[-1], (features(2, 2, 2, 1).requires_grad_(),)
    )


def test_half_precision_is_computed_in_full() -> None:
    half = torch.ones(1, 1, 1, 1, dtype=torch.bfloat16)
    assert denoised(half, lambda x, _: torch.zeros_like(x), kept(), times=(0,))[0].dtype == torch.float32
    assert noised(half, half, torch.tensor([0.5])).dtype == torch.float32


@pytest.mark.parametrize("times", [(), (0, 100), (100, 100)])
def test_times_that_do_not_fall_are_an_error(times: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must fall"):
        denoised(torch.zeros(1, 1, 1, 1), lambda x, _: x, kept(), times=times)
