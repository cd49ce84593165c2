"""losses.edges against transformers' D-FINE, SciPy and hand values."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from transformers.loss.loss_d_fine import bbox2distance, weighting_function
from transformers.models.d_fine.modeling_d_fine import distance2bbox

from distildoc.losses.boxes import xyxy
from distildoc.losses.edges import Frame, moved_offsets, rebinned, tempered_kl


def frame(bins: int = 32, up: float = 0.5, scale: float = 4.0) -> Frame:
    return Frame(weighting_function(bins, torch.tensor([up], dtype=torch.float64), scale), scale)


def references(seed: int, count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centre = 0.45 + 0.1 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([centre, 0.25 + 0.1 * torch.rand(count, 2, generator=generator, dtype=torch.float64)], -1)


def mass(seed: int, bins: int = 32, count: int = 6) -> torch.Tensor:
    """Distributions around an edge that does not move far: little mass at the outermost bins."""
    logits = torch.randn(count, 4, bins + 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    middle = torch.linspace(-3, 3, bins + 1, dtype=torch.float64)
    return (logits - 4 * middle**2).softmax(-1)


def expected_box(masses: torch.Tensor, reference: torch.Tensor, own: Frame) -> torch.Tensor:
    """What D-FINE makes of its distributions, by transformers' code."""
    return distance2bbox(reference, (masses * own.offsets).sum(-1), own.scale)


@pytest.mark.parametrize("own", [frame(), frame(16, 0.5, 4.0), frame(32, 0.5, 8.0), frame(24, 0.25, 4.0)])
def test_the_expected_box_stays_where_it_was_in_the_students_frame(own: Frame) -> None:
    teacher, student, masses = references(0), references(1), mass(2)
    moved, reached = rebinned(masses, moved_offsets(teacher, student, frames=(frame(), own)), own.offsets)
    torch.testing.assert_close(moved.sum(-1), torch.ones_like(moved[..., 0]))
    assert reached.min() > 0.99
    known = expected_box(masses, teacher, frame())
    torch.testing.assert_close(expected_box(moved, student, own), known, atol=2e-3, rtol=0)


def test_the_expected_box_is_exact_where_all_mass_is_within_reach() -> None:
    teacher, student, masses = references(0), references(1), mass(2)
    masses = masses * (frame().offsets.abs() < 1)
    masses = masses / masses.sum(-1, keepdim=True)
    moved, reached = rebinned(masses, moved_offsets(teacher, student, frames=(frame(), frame())), frame().offsets)
    torch.testing.assert_close(reached, torch.ones_like(reached))
    torch.testing.assert_close(
        expected_box(moved, student, frame()), expected_box(masses, teacher, frame()), atol=1e-9, rtol=0
    )


def test_one_certain_edge_becomes_the_two_bin_target_that_d_fine_makes_of_its_box() -> None:
    teacher, student = references(0), references(1)
    bins = torch.tensor([10, 14, 18, 21])
    masses = torch.nn.functional.one_hot(bins, 33).double().expand(6, 4, 33)
    moved, _ = rebinned(masses, moved_offsets(teacher, student, frames=(frame(), frame())), frame().offsets)
    box = xyxy(expected_box(masses, teacher, frame()))
    places, right, left = bbox2distance(student.float(), box.float(), 32, 4.0, torch.tensor([0.5]))
    for found, place, above, below in zip(moved.reshape(24, 33), places.long(), right, left, strict=True):
        assert found[place].item() == pytest.approx(below.item(), abs=1e-4)
        assert found[place + 1].item() == pytest.approx(above.item(), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_references_and_bins_leave_every_bin_as_it_is(dtype: torch.dtype) -> None:
    same, masses = references(0).to(dtype), mass(2).to(dtype)
    moved, reached = rebinned(masses, moved_offsets(same, same, frames=(frame(), frame())), frame().offsets)
    assert torch.equal(moved, masses)
    torch.testing.assert_close(reached, torch.ones_like(reached))


def test_mass_between_two_bins_is_split_by_distance_and_beyond_the_ends_kept_there() -> None:
    bins = torch.tensor([0.0, 1.0, 3.0])
    moved, reached = rebinned(torch.tensor([0.5, 0.25, 0.25]), torch.tensor([1.5, -2.0, 3.0]), bins)
    assert moved.tolist() == pytest.approx([0.25, 0.375, 0.375])
    assert reached.item() == pytest.approx(0.75)


def test_references_without_size_stay_finite() -> None:
    nothing = torch.zeros(6, 4, dtype=torch.float64)
    moved, _ = rebinned(mass(2), moved_offsets(references(0), nothing, frames=(frame(), frame())), frame().offsets)
    torch.testing.assert_close(moved.sum(-1), torch.ones_like(moved[..., 0]))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_tempered_kl_equals_localisation_distillation_in_scipy(temperature: float) -> None:
    teacher, student = 2 * torch.randn(2, 4, 33, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p, q = (softmax(x.numpy() / temperature, -1) for x in (teacher, student))
    found = tempered_kl(teacher.softmax(-1), student, temperature=temperature)
    np.testing.assert_allclose(found.numpy(), temperature**2 * rel_entr(p, q).sum(-1), rtol=1e-9)


def test_bins_without_mass_stay_without_at_any_temperature() -> None:
    student = torch.tensor([0.0, 0.0, 0.0])
    found = tempered_kl(torch.tensor([0.5, 0.0, 0.5]), student, temperature=5.0)
    assert found.item() == pytest.approx(25 * np.log(1.5), rel=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_logits(size: float) -> None:
    teacher, student = size * torch.randn(2, 4, 33, generator=torch.Generator().manual_seed(0))
    student.requires_grad_()
    loss = tempered_kl(teacher.softmax(-1), student, temperature=5.0)
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert torch.isfinite(loss).all() and torch.isfinite(gradient).all()


def test_gradient_agrees_with_finite_differences() -> None:
    masses = mass(0, bins=6, count=2)
    student = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: tempered_kl(masses, x, temperature=2.0), (student.requires_grad_(),))


def test_a_temperature_of_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="positive, got 0"):
        tempered_kl(mass(0), mass(0), temperature=0.0)
