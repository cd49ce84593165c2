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


def by_hand(pixels: Tensor, label: Tensor, student: Tensor, teacher: Tensor) -> dict[str, float]:
    """The losses of two linear models in NumPy at gamma 1 and T = 1: G = (p - onehot) W."""
    flat, wanted, known = pixels.detach().flatten(1).numpy(), label.numpy(), (label >= 0).numpy()
    weights = [weight.numpy() for weight in (student, teacher)]
    p_s, p_t = (softmax(flat @ weight.T) for weight in weights)
    g_s, g_t = ((p[known] - np.eye(CLASSES)[wanted[known]]) @ w for p, w in zip((p_s, p_t), weights, strict=True))
    kl = (p_t * np.log(p_t / p_s)).sum(1).mean()
    return {"kl": float(kl), "alignment": float(np.linalg.norm(g_s - g_t, axis=1).mean())}


def curved_by_hand(first: Tensor, second: Tensor, pixels: Tensor, label: Tensor) -> Tensor:
    """The pixel gradient of `curved` in NumPy: ( (p - onehot) W_2 * (1 - h^2) ) W_1 with h = tanh(W_1 x)."""
    hidden = np.tanh(pixels.flatten(1).numpy() @ first.numpy().T)
    wrong = softmax(hidden @ second.numpy().T) - np.eye(CLASSES)[label.numpy()]
    return torch.from_numpy((wrong @ second.numpy() * (1 - hidden**2)) @ first.numpy()).view_as(pixels)


def test_equals_numpy_on_linear_models_and_skips_pages_without_a_label(pair_of: PairOf) -> None:
    batch, weights = pages(unlabelled=True), (draw(0, CLASSES, WIDTH), draw(1, CLASSES, WIDTH))
    student, teacher = (view(linear(weight), batch) for weight in weights)
    found = losses(pair_of, student, teacher, batch, gamma=0.5)
    expected = by_hand(batch.inputs, batch.targets["label"], *weights)
    assert found["alignment"].item() == pytest.approx(0.5 * expected["alignment"])
    assert found["kl"].item() == pytest.approx(expected["kl"])


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
    """CE_s(x+d) <= CE_t(x+d) + |CE_s - CE_t| + eps ||G_s - G_t||_1 + LLM_s + LLM_t, LLM the error of linearising.

    Errors are those of the gradients in NumPy, the alignment term that of our gradients: of others it would not hold.
    """
    batch, epsilon = pages(), 0.05
    label, pixels = batch.targets["label"], batch.inputs.detach()
    nets = [(0.3 * draw(seed, 6, WIDTH), draw(seed + 5, CLASSES, 6)) for seed in (0, 1)]

    def ce(run: Run) -> Callable[[Tensor], Tensor]:
        return lambda x: cross_entropy(run(x).outputs["logits"], label)

    student, teacher = (ce(curved(*net)) for net in nets)
    ours = [pixel_gradient(loss, pixels) for loss in (student, teacher)]
    g_s, g_t = (curved_by_hand(*net, pixels, label) for net in nets)
    torch.testing.assert_close(ours, [g_s, g_t])
    random = [
        epsilon * (2 * torch.rand(pixels.shape, generator=torch.Generator().manual_seed(i)) - 1) for i in range(200)
    ]
    moves = [*random, epsilon * (g_s - g_t).sign()]

    def bent(loss: Callable[[Tensor], Tensor], gradient: Tensor) -> Tensor:
        errors = [loss(pixels + d) - loss(pixels) - (d * gradient).flatten(1).sum(1) for d in moves]
        return torch.stack(errors).abs().amax(0)

    apart = (student(pixels) - teacher(pixels)).abs()
    rest = apart + bent(student, g_s) + bent(teacher, g_t)
    aligned = epsilon * (ours[0] - ours[1]).flatten(1).abs().sum(1)
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


def test_noise_variant_takes_both_losses_on_the_noisy_pages(pair_of: PairOf) -> None:
    batch, seen = pages(unlabelled=True), list[Tensor]()
    weights = draw(0, CLASSES, WIDTH), draw(1, CLASSES, WIDTH)
    student, teacher = view(linear(weights[0]), batch, seen), view(linear(weights[1]), batch)
    found = losses(pair_of, student, teacher, batch, variant="noise", epsilon=0.03)
    noisy, clean = (by_hand(x, batch.targets["label"], *weights) for x in (seen[0], batch.inputs))
    for name, value in found.items():
        assert value.item() == pytest.approx(noisy[name], rel=1e-9)
        assert value.item() != pytest.approx(clean[name], rel=1e-3)


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
