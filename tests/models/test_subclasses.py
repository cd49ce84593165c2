"""models.subclasses: scores against NumPy's principal components of each class, and classes with few pages."""

import numpy as np
import pytest
import torch

from distildoc.losses.subspaces import unseen_by
from distildoc.models.subclasses import Moments, Subclasses, subclasses_of

WIDTH, COUNT = 9, 3


def pages(number: int = 120, classes: int = 2, *, away: float = 50.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings far from the origin, more spread in some directions than in others, and their classes."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.randn(number, WIDTH, generator=generator) * torch.arange(1.0, WIDTH + 1)
    return spread + away, torch.arange(number) % classes


def moments(embeddings: torch.Tensor, classes: torch.Tensor, *, of: int = 2) -> Moments:
    found = Moments(of, WIDTH)
    for start in range(0, len(embeddings), 32):
        found.add(embeddings[start : start + 32], classes[start : start + 32])
    return found


def split(found: Moments, unseen: torch.Tensor, *, random: bool = False, seed: int = 0) -> Subclasses:
    return subclasses_of(found, unseen, COUNT, random=random, generator=torch.Generator().manual_seed(seed))


def hidden() -> tuple[torch.Tensor, torch.Tensor]:
    """A classifier of two classes, and the projector off it."""
    weight = torch.randn(2, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return weight, unseen_by(weight)


def test_moments_in_pieces_equal_numpys_mean_and_covariance() -> None:
    embeddings, classes = pages()
    mean, second = moments(embeddings, classes).mean_and_second()
    for number in range(2):
        own = embeddings[classes == number].double().numpy()
        np.testing.assert_allclose(mean[number].numpy(), own.mean(0), rtol=1e-12)
        covariance = second[number].numpy() - np.outer(mean[number], mean[number])
        np.testing.assert_allclose(covariance, np.cov(own.T, bias=True), atol=1e-9)


def test_pages_of_an_unknown_class_are_left_out() -> None:
    embeddings, classes = pages(12)
    classes[5:] = -1
    assert moments(embeddings, classes).count.tolist() == [3, 2]


def test_scores_are_a_rotation_of_numpys_principal_components() -> None:
    """Distances between pages do not change under a rotation; they are those of the projected, whitened-by-one PCA."""
    embeddings, classes = pages()
    _, unseen = hidden()
    scores = split(moments(embeddings, classes), unseen).scores(embeddings).numpy()
    for number in range(2):
        own = embeddings[classes == number].double().numpy() @ unseen.numpy()
        centred = own - own.mean(0)
        _, sizes, rows = np.linalg.svd(centred, full_matrices=False)
        components = centred @ rows[:COUNT].T / np.sqrt((sizes[:COUNT] ** 2).sum() / COUNT / len(own))
        mine = scores[(classes == number).numpy(), number]
        expected = np.linalg.norm(components[:, None] - components, axis=-1)
        np.testing.assert_allclose(np.linalg.norm(mine[:, None] - mine, axis=-1), expected, atol=1e-4)
        assert not np.allclose(np.abs(mine), np.abs(components), atol=0.1)


@pytest.mark.parametrize("random", [False, True])
def test_scores_of_a_class_have_a_mean_of_0_and_a_pooled_variance_of_1(random: bool) -> None:
    embeddings, classes = pages()
    scores = split(moments(embeddings, classes), hidden()[1], random=random).scores(embeddings)
    for number in range(2):
        own = scores[classes == number, number]
        torch.testing.assert_close(own.mean(0), torch.zeros(COUNT), rtol=0, atol=1e-4)
        assert own.square().mean().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("random", [False, True])
def test_directions_are_orthogonal_of_one_length_and_off_the_classifier(random: bool) -> None:
    weight, unseen = hidden()
    found = split(moments(*pages()), unseen, random=random).directions.double()
    for directions in found:
        unit = directions / directions.norm(dim=0)
        torch.testing.assert_close(unit.T @ unit, torch.eye(COUNT, dtype=torch.float64), rtol=0, atol=1e-5)
        torch.testing.assert_close(directions.norm(dim=0), directions.norm(dim=0).mean().expand(COUNT))
        assert ((weight - weight.mean(0)) @ unit).abs().max() < 1e-5


def test_random_directions_depend_on_the_seed_alone_and_not_on_the_variance() -> None:
    embeddings, classes = pages()
    first = split(moments(embeddings, classes), hidden()[1], random=True).directions[0]
    stretched = split(moments(embeddings.flip(1), classes), hidden()[1], random=True).directions[0]
    other = split(moments(embeddings, classes), hidden()[1], random=True, seed=1).directions[0]
    torch.testing.assert_close(first / first.norm(), stretched / stretched.norm())
    assert (first / first.norm() - other / other.norm()).abs().max() > 0.1


def test_a_class_of_two_pages_turns_its_one_direction_into_all() -> None:
    embeddings, classes = pages(60)
    classes[4:] = 0
    found = split(moments(embeddings, classes), hidden()[1])
    scores = found.scores(embeddings[[1, 3]])[:, 1]
    torch.testing.assert_close(scores[0], -scores[1], rtol=0, atol=1e-4)
    assert scores.square().mean().item() == pytest.approx(1, abs=1e-4)
    assert torch.linalg.matrix_rank(found.directions[1], rtol=1e-4) == 1


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("own", [0, 1])
def test_a_class_without_variance_has_scores_of_0(own: int, random: bool) -> None:
    embeddings, classes = pages(60)
    classes[:] = 0
    classes[:own] = 1
    scores = split(moments(embeddings, classes), hidden()[1], random=random).scores(embeddings)
    assert not scores[:, 1].any()
    assert scores[:, 0].any()


def test_scores_stay_in_full_precision_under_autocast() -> None:
    embeddings, classes = pages()
    found = split(moments(embeddings, classes), hidden()[1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = found.scores(embeddings)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, found.scores(embeddings))
