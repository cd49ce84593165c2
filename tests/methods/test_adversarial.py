"""methods.adversarial: the worst case of a linear model in closed form, and what the attack leaves alone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Method, Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.adversarial import build
from distildoc.teach.distiller import Distiller

CLOCK = Clock(3, 10, 0.0)
PairOf = Callable[..., Pair]


def test_loss_of_a_linear_model_is_its_closed_form_on_labelled_pages(pair_of: PairOf) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = 0.3 + 0.4 * torch.rand(3, 3, 4, 4, generator=generator, dtype=torch.float64)
    weight = torch.randn(2, 48, generator=generator, dtype=torch.float64)

    def run(moved: Tensor) -> View:
        return View({"logits": moved.flatten(1) @ weight.T})

    batch = Batch(pixels, {"label": torch.tensor([0, 1, -1])}, tuple(Key(f"p{i}", 0) for i in range(3)))
    method = build(pair_of("cnn", "none"), epsilon=0.04, steps=9)
    found = method(View({}, {}, run, run), View({}), batch, CLOCK)["cross_entropy"]
    towards = (weight[[0, 1]] - weight[[1, 0]]).numpy()
    margin = (towards * pixels[:2].flatten(1).numpy()).sum(1) - 0.04 * np.abs(towards).sum(1)
    assert found.item() == pytest.approx(np.log1p(np.exp(-margin)).mean())


def statistics(student: nn.Module) -> dict[str, int]:
    return {name: int(value) for name, value in student.state_dict().items() if name.endswith("num_batches_tracked")}


def test_statistics_of_batch_norms_see_each_page_twice_and_the_attack_not_at_all(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    distiller = Distiller(pair.student, [Term("adversarial", build(pair, steps=5), constant(1.0))])
    distiller.train()
    distiller(batch, None, CLOCK)
    counts = statistics(pair.student)
    assert counts and set(counts.values()) == {2}
    assert all(module.training for module in pair.student.modules())


def test_training_on_the_worst_pixels_raises_accuracy_under_attack(pair_of: PairOf) -> None:
    """Two classes told apart by one strong pixel and by many faint ones that an attack can turn."""
    robust = {}
    for epsilon in (1e-6, 0.1):
        pair = pair_of("cnn", "none")
        torch.manual_seed(0)
        weight = nn.Parameter(torch.zeros(5, 3 * 32 * 32))
        method = build(pair, epsilon=epsilon, steps=5)
        _descend(method, weight)
        pixels, label = _pages(1)
        towards = (weight[label] - weight[1 - label]).detach()
        margin = (towards * (pixels.flatten(1) - 0.5)).sum(1) - 0.1 * towards.abs().sum(1)
        robust[epsilon] = (margin > 0).double().mean().item()
    assert robust[0.1] > robust[1e-6] + 0.3


def _pages(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(64) % 2
    sign = (2 * label - 1)[:, None].float()
    flat = 0.5 + 0.02 * sign + 0.02 * torch.randn(64, 3072, generator=generator)
    flat[:, :8] = 0.5 + 0.35 * sign
    return flat.clamp(0, 1).view(64, 3, 32, 32), label


def _descend(method: Method, weight: nn.Parameter) -> None:
    def run(moved: Tensor) -> View:
        return View({"logits": (moved.flatten(1) - 0.5) @ weight.T})

    pixels, label = _pages(0)
    batch = Batch(pixels, {"label": label}, tuple(Key(f"p{i}", 0) for i in range(64)))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    for step in range(40):
        optimiser.zero_grad()
        method(View({}, {}, run, run), View({}), batch, Clock(step, 40, 0.0))["cross_entropy"].backward()
        optimiser.step()
