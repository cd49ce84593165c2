"""core.draws: the same numbers for the same page, view, step and seed, and other ones for any other."""

import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.draws import page_generator, uniform_noise


def test_numbers_are_a_function_of_seed_step_page_and_view() -> None:
    asked = [("a", 0, 0, 0), ("b", 0, 0, 0), ("a", 1, 0, 0), ("a", 0, 1, 0), ("a", 0, 0, 1)]
    drawn = [
        torch.rand(4, generator=page_generator(Key(page, view), seed=seed, step=step)).tolist()
        for page, view, seed, step in asked
    ]
    assert len({tuple(numbers) for numbers in drawn}) == len(asked)
    assert torch.rand(4, generator=page_generator(Key("a", 0), seed=0, step=0)).tolist() == drawn[0]


def test_names_that_are_no_text_are_taken() -> None:
    assert page_generator(Key("page\udcff", 0), seed=0, step=0).initial_seed() >= 0


def test_noise_is_even_within_epsilon_the_same_for_all_colours_and_goes_with_the_page() -> None:
    batch = Batch(torch.zeros(3, 3, 40, 40), {}, tuple(Key(f"p{i}", 0) for i in range(3)))
    noise = uniform_noise(batch, epsilon=0.1, seed=0, step=2)
    assert noise.shape == (3, 1, 40, 40) and noise.abs().max() <= 0.1
    assert abs(noise.mean().item()) < 0.005 and abs(noise.std().item() - 0.1 / 3**0.5) < 0.002
    turned = uniform_noise(batch.select(torch.tensor([2, 0, 1])), epsilon=0.1, seed=0, step=2)
    assert torch.equal(turned, noise[[2, 0, 1]]) and not torch.equal(noise[0], noise[1])
