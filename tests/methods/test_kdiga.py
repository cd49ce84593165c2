"""methods.kdiga against NumPy, finite differences, and the bound that the paper's claim rests on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.attacks import cross_entropy, pixel_gradient
from distildoc.methods.kdiga import build

CLOCK = Clock(3, 10, 0.0)
CLASSES, SIDE = 4, 4
WIDTH = 3 * SIDE * SIDE
PairOf = Callable[..., Pair]
Run = Callable[[Tensor], View]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pages(count: int = 5, *, unlabelled: bool = False) -> Batch:
    pixels = torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    label = torch.arange(count) % CLASSES
    if unlabelled:
        label[-1] = -1
    return Batch(pixels.requires_grad_(), {"label": label}, tuple(Key(f"p{i}", 0) for i in range(count)))


def linear(weight: Tensor) -> Run:
    return lambda pixels: View({"logits": pixels.flatten(1) @ weight.T})


def curved(first: Tensor, second: Tensor) -> Run:
    return lambda pixels: View({"logits": torch.tanh(pixels.flatten(1) @ first.T) @ second.T})


def view(run: Run, batch: Batch, seen: list[Tensor] | None = None) -> View:
    def again(pixels: Tensor) -> View:
        if seen is not None:
            seen.append(pixels.detach().clone())
        return run(pixels)

    return View(run(batch.inputs).outputs, {}, again, again)


def losses(pair_of: PairOf, student: View, teacher: View, batch: Batch, **settings: Any) -> dict[str, Tensor]:
    return dict(build(pair_of("cnn", "cnn"), **settings)(student, teacher, batch, CLOCK))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def test_equals_numpy_on_linear_models_and_skips_pages_without_a_label(pair_of: PairOf) -> None:
    batch, weights = pages(unlabelled=True), (draw(0, CLASSES, WIDTH), draw(1, CLASSES, WIDTH))
    student, teacher = (view(linear(weight), batch) for weight in weights)
    found = losses(pair_of, student, teacher, batch, gamma=0.5)
    flat, label = batch.inputs.detach().flatten(1).numpy(), batch.targets["label"].numpy()
    said = [softmax(flat @ weight.numpy().T) for weight in weights]
    gaps = [(p[:4] - np.eye(CLASSES)[label[:4]]) @ w.numpy() for p, w in zip(said, weights, strict=True)]
    assert found["alignment"].item() == pytest.approx(0.5 * np.linalg.norm(gaps[0] - gaps[1], axis=1).mean())
    assert found["kl"].item() == pytest.approx((said[1] * np.log(said[1] / said[0])).sum(1).mean())


def test_released_norm_is_gamma_over_the_batch_squared_times_the_norm_over_the_batch(pair_of: PairOf) -> None:
    """The Frobenius norm of gradients of the batch-mean loss, divided by the batch: torch's own, in one line."""
    batch, weights = pages(), (draw(0, CLASSES, WIDTH), draw(1, CLASSES, WIDTH))
    student, teacher = (view(linear(weight), batch) for weight in weights)
    means = [torch.nn.functional.cross_entropy(v.outputs["logits"], batch.targets["label"]) for v in (student, teacher)]
    first, second = (torch.autograd.grad(mean, batch.inputs, retain_graph=True)[0] for mean in means)
    found = losses(pair_of, student, teacher, batch, gamma=100, norm="released")["alignment"]
    assert found.item() == pytest.approx(100 / len(batch) * torch.linalg.vector_norm(first - second).item())


def test_a_single_page_has_the_same_loss_under_both_norms(pair_of: PairOf) -> None:
    batch = pages(1)
    student, teacher = (view(linear(draw(seed, CLASSES, WIDTH)), batch) for seed in (0, 1))
    one, other = (losses(pair_of, student, teacher, batch, norm=norm)["alignment"] for norm in ("page", "released"))
    torch.testing.assert_close(one, other)


def test_alignment_is_zero_for_the_same_network_and_its_gradient_is_too(pair_of: PairOf) -> None:
    first, second = draw(0, 6, WIDTH).requires_grad_(), draw(1, CLASSES, 6)
    batch = pages()
    student, teacher = view(curved(first, second), batch), view(curved(first.detach(), second), batch)
    found = losses(pair_of, student, teacher, batch)["alignment"]
    found.backward()
    assert found.item() == 0
    assert first.grad is not None and first.grad.abs().max() == 0


@pytest.mark.parametrize("norm", ["page", "released"])
def test_gradient_of_the_gradient_passes_gradcheck_and_none_reaches_the_teacher(pair_of: PairOf, norm: str) -> None:
    batch, second = pages(), draw(1, CLASSES, 6)
    taught = draw(2, 6, WIDTH).requires_grad_()
    method = build(pair_of("cnn", "cnn"), norm=norm)  # type: ignore[arg-type]

    def loss(first: Tensor) -> Tensor:
        return method(view(curved(first, second), batch), view(curved(taught, second), batch), batch, CLOCK)[
            "alignment"
        ]

    first = draw(0, 6, WIDTH).requires_grad_()
    assert torch.autograd.gradcheck(loss, first)
    loss(first).backward()
    assert taught.grad is None


def test_bound_of_the_loss_under_perturbation_holds_and_needs_the_alignment_term() -> None:
    """CE_s(x+d) <= CE_t(x+d) + |CE_s - CE_t| + eps ||G_s - G_t||_1 + LLM_s + LLM_t, LLM the error of linearising."""
    batch, epsilon = pages(), 0.05
    label, pixels = batch.targets["label"], batch.inputs.detach()
    runs = [curved(0.3 * draw(seed, 6, WIDTH), draw(seed + 5, CLASSES, 6)) for seed in (0, 1)]

    def ce(run: Run) -> Callable[[Tensor], Tensor]:
        return lambda x: cross_entropy(run(x).outputs["logits"], label)

    student, teacher = (ce(run) for run in runs)
    g_s, g_t = pixel_gradient(student, pixels), pixel_gradient(teacher, pixels)
    random = [
        epsilon * (2 * torch.rand(pixels.shape, generator=torch.Generator().manual_seed(i)) - 1) for i in range(200)
    ]
    moves = [*random, epsilon * (g_s - g_t).sign()]

    def bent(loss: Callable[[Tensor], Tensor], gradient: Tensor) -> Tensor:
        errors = [loss(pixels + d) - loss(pixels) - (d * gradient).flatten(1).sum(1) for d in moves]
        return torch.stack(errors).abs().amax(0)

    apart = (student(pixels) - teacher(pixels)).abs()
    rest = apart + bent(student, g_s) + bent(teacher, g_t)
    aligned = epsilon * (g_s - g_t).flatten(1).abs().sum(1)
    assert all((student(pixels + d) <= teacher(pixels + d) + rest + aligned + 1e-12).all() for d in moves)
    assert not all((student(pixels + d) <= teacher(pixels + d) + rest).all() for d in moves)


def test_noise_moves_the_pages_of_both_models_alike_and_by_epsilon_at_most(pair_of: PairOf) -> None:
    batch, (s, t) = pages(), (list[Tensor](), list[Tensor]())
    student, teacher = (view(linear(draw(i, CLASSES, WIDTH)), batch, seen) for i, seen in enumerate((s, t)))
    found = losses(pair_of, student, teacher, batch, variant="noise", epsilon=0.03)
    assert len(s) == 1 and all(torch.equal(s[0], one) for one in t) and len(t) == 2
    off = (s[0] - batch.inputs).abs().max().item()
    assert 0.02 < off <= 0.03 + 1e-9
    assert found.keys() == {"kl", "alignment"}


def test_adversarial_variant_takes_the_kl_on_worse_pages_and_the_gradients_on_clean_ones(pair_of: PairOf) -> None:
    batch, (s, t) = pages(), (list[Tensor](), list[Tensor]())
    run = linear(draw(0, CLASSES, WIDTH))
    student, teacher = view(run, batch, s), view(linear(draw(1, CLASSES, WIDTH)), batch, t)
    found = losses(pair_of, student, teacher, batch, variant="adversarial", epsilon=0.03, steps=5)
    plain = losses(pair_of, student, teacher, batch)
    label = batch.targets["label"]
    before, after = (cross_entropy(run(x).outputs["logits"], label) for x in (batch.inputs, s[5]))
    assert (after > before).all() and (s[5] - batch.inputs).abs().max() <= 0.03 + 1e-9
    assert torch.equal(t[1], s[5]), "the teacher is asked about the pages the student was attacked on"
    torch.testing.assert_close(found["alignment"], plain["alignment"])
    assert found["kl"] != plain["kl"]


def test_needs_follow_the_settings(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    plain, released, noise = build(pair).needs, build(pair, norm="released").needs, build(pair, variant="noise").needs
    assert plain.live_teacher and plain.input_gradients and not plain.couples_batch and not plain.own_pixels
    assert released.couples_batch and noise.own_pixels
