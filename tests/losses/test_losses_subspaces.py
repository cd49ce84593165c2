"""losses.subspaces against NumPy's pseudo-inverse and singular vectors, and the variance that a rotation promises."""

import numpy as np
import pytest
import torch

from distildoc.losses.subspaces import principal, rotation, unseen_by


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [2, 5])
def test_projector_equals_the_numpy_pseudo_inverse_and_hides_the_classifier(classes: int) -> None:
    weight = some(classes, 9)
    centred = weight.numpy() - weight.numpy().mean(0)
    expected = np.eye(9) - np.linalg.pinv(centred) @ centred
    found = unseen_by(weight)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    assert np.abs(found.numpy() @ centred.T).max() < 1e-12
    assert np.linalg.matrix_rank(found.numpy()) == 9 - (classes - 1)


def test_a_softmax_does_not_see_what_the_projector_keeps() -> None:
    weight, embeddings = some(3, 6), some(10, 6, seed=1)
    moved = embeddings + 5 * some(10, 6, seed=2) @ unseen_by(weight)
    torch.testing.assert_close((moved @ weight.T).softmax(1), (embeddings @ weight.T).softmax(1))


def test_principal_directions_are_the_right_singular_vectors() -> None:
    points = some(40, 7) * torch.arange(1.0, 8.0)
    centred = (points - points.mean(0)).numpy()
    _, _, rows = np.linalg.svd(centred)
    found = principal(torch.from_numpy(centred.T @ centred / 40), 3, least=1e-9).numpy()
    np.testing.assert_allclose(np.abs(rows[:3] @ found), np.eye(3), atol=1e-9)
    assert (found[np.abs(found).argmax(0), range(3)] > 0).all()


def test_directions_without_variance_are_zeros() -> None:
    points = some(3, 6)  # three pages have two directions
    centred = points - points.mean(0)
    found = principal(centred.T @ centred, 8, least=1e-9)
    assert found.shape == (6, 8)
    torch.testing.assert_close(found.norm(dim=0), torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0], dtype=torch.float64))


def test_a_rotation_is_orthogonal_and_the_seeds() -> None:
    first, again, other = (rotation(5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    torch.testing.assert_close(first.T @ first, torch.eye(5, dtype=torch.float64))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_on_average_a_rotation_gives_every_direction_the_same_variance() -> None:
    variances, generator = torch.tensor([16.0, 4.0, 1.0, 0.0], dtype=torch.float64), torch.Generator().manual_seed(0)
    turns = [rotation(4, generator=generator) for _ in range(4000)]
    found = torch.stack([(variances[:, None] * turn.square()).sum(0) for turn in turns]).mean(0)
    torch.testing.assert_close(found, torch.full((4,), 21 / 4, dtype=torch.float64), rtol=0.03, atol=0)
