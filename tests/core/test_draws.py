"""core.draws: the same numbers for the same page, view, step and seed, and other ones for any other."""

import torch

from distildoc.core.batch import Key
from distildoc.core.draws import page_generator


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
