"""losses.relations against NumPy, hand values, identities of the mathematics and finite differences."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.losses.relations import flow, flow_difference, rkd_angle, rkd_distance, similarity

Loss = Callable[[Tensor, Tensor], Tensor]
OF_PAGES = (rkd_distance, rkd_angle, similarity)
of_pages = pytest.mark.parametrize("loss", OF_PAGES, ids=lambda loss: loss.__name__)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def huber(off: np.ndarray) -> np.ndarray:
    return np.where(np.abs(off) < 1, off**2 / 2, np.abs(off) - 0.5)


def test_distances_equal_the_numpy_line() -> None:
    teacher, student = random(5, 4), random(5, 7, seed=1)
    relative = []
    for rows in (teacher.numpy(), student.numpy()):
        distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
        relative.append(distances / distances[distances > 0].mean())
    np.testing.assert_allclose(rkd_distance(teacher, student).numpy(), huber(relative[1] - relative[0]), rtol=1e-10)


def test_distances_of_three_pages_on_a_line_are_the_hand_value() -> None:
    even, uneven = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [1.0], [4.0]])
    # in units of the means 4/3 and 8/3: 0.75, 0.75, 1.5 and 0.375, 1.125, 1.5
    found = rkd_distance(even, uneven)
    assert found[0].tolist() == pytest.approx([0, 0.375**2 / 2, 0])
    assert found[1, 2].item() == pytest.approx(0.375**2 / 2)


def test_angles_equal_a_loop_over_all_triplets() -> None:
    teacher, student = random(4, 3), random(4, 6, seed=1)

    def cosine(rows: np.ndarray, i: int, j: int, k: int) -> float:
        first, second = rows[j] - rows[i], rows[k] - rows[i]
        size = np.linalg.norm(first) * np.linalg.norm(second)
        return float(first @ second / size) if size > 0 else 0.0

    found = rkd_angle(teacher, student)
    for i, j, k in product(range(4), repeat=3):
        off = cosine(student.numpy(), i, j, k) - cosine(teacher.numpy(), i, j, k)
        assert found[i, j, k].item() == pytest.approx(float(huber(np.array(off))), abs=1e-12)


def test_similarity_equals_the_numpy_line_and_its_mean_the_frobenius_norm() -> None:
    teacher, student = random(5, 3, 2, 2), random(5, 8, 1, 1, seed=1)
    rows = []
    for features in (teacher.numpy().reshape(5, -1), student.numpy().reshape(5, -1)):
        products = features @ features.T
        rows.append(products / np.linalg.norm(products, axis=1, keepdims=True))
    found = similarity(teacher, student)
    np.testing.assert_allclose(found.numpy(), (rows[1] - rows[0]) ** 2, rtol=1e-9, atol=1e-15)
    assert found.mean().item() == pytest.approx(np.linalg.norm(rows[1] - rows[0], "fro") ** 2 / 25)


@of_pages
def test_relations_of_pages_do_not_change_when_features_are_rotated(loss: Loss) -> None:
    features = random(6, 5)
    rotation = torch.linalg.qr(random(5, 5, seed=2)).Q
    assert loss(features, features @ rotation).abs().max() < 1e-20
    assert loss(features, random(6, 5, seed=3)).mean() > 1e-3


@of_pages
def test_relations_of_pages_do_not_change_with_the_scale_of_features(loss: Loss) -> None:
    features = random(6, 5)
    assert loss(features, 37.0 * features).abs().max() < 1e-20


@pytest.mark.parametrize("loss", [rkd_distance, rkd_angle], ids=lambda loss: loss.__name__)
def test_distances_and_angles_do_not_change_when_all_pages_are_moved(loss: Loss) -> None:
    features = random(6, 5)
    assert loss(features, features + 11.0).abs().max() < 1e-20


@of_pages
def test_gradient_agrees_with_finite_differences(loss: Loss) -> None:
    teacher, student = random(4, 3), random(4, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(teacher, s), (student,))


@of_pages
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_equal_pages_have_a_finite_gradient(loss: Loss, value: float) -> None:
    student = torch.full((4, 3), value).requires_grad_()
    loss(torch.randn(4, 3), student).mean().backward()
    assert student.grad is not None and torch.isfinite(student.grad).all()


@of_pages
def test_products_stay_in_full_precision_under_autocast(loss: Loss) -> None:
    teacher, student = torch.randn(2, 6, 40, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = loss(teacher, student)
    assert torch.equal(half, loss(teacher, student))


def test_flow_of_a_hand_made_page() -> None:
    first = torch.tensor([[[[1.0, 2.0]], [[0.0, 1.0]]]])  # two channels on two cells
    second = torch.tensor([[[[3.0, 4.0]]]])
    assert flow(first, second).tolist() == [[[5.5], [2.0]]]  # (1 x 3 + 2 x 4) / 2, (0 x 3 + 1 x 4) / 2


def test_flow_does_not_change_when_cells_change_places() -> None:
    first, second = random(2, 3, 4, 4), random(2, 5, 4, 4, seed=1)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    moved = [maps.flatten(2)[:, :, order].reshape(maps.shape) for maps in (first, second)]
    torch.testing.assert_close(flow(*moved), flow(first, second))


def test_flow_refuses_two_grids() -> None:
    with pytest.raises(ValueError, match="two grids"):
        flow(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2))


def test_flow_difference_equals_numpy_and_its_gradient_finite_differences() -> None:
    teacher, maps, other = random(2, 3, 4), random(2, 3, 2, 2, seed=1), random(2, 4, 2, 2, seed=2)
    expected = ((np.einsum("bchw,bdhw->bcd", maps, other) / 4 - teacher.numpy()) ** 2).mean((1, 2))
    np.testing.assert_allclose(flow_difference(teacher, flow(maps, other)).numpy(), expected, rtol=1e-10)
    assert torch.autograd.gradcheck(lambda m: flow_difference(teacher, flow(m, other)), (maps.requires_grad_(),))
