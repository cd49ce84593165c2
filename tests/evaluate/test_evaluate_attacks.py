"""evaluate.attacks on linear models, whose accuracy under attack is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model, Normalise, Places
from distildoc.evaluate.attacks import Attack, right, share, withstood
from distildoc.schema.errors import InputError

EPSILON = 0.015


def model(seed: int, labels: tuple[str, ...] = ("form", "letter")) -> Model:
    """A linear classifier of 4 x 4 pixels in 0..1, as they are."""
    head = nn.Linear(48, 2)
    with torch.no_grad():
        head.weight.copy_(torch.randn(2, 48, generator=torch.Generator().manual_seed(seed)))
        head.bias.copy_(-0.5 * head.weight.sum(1))
    normalise = Normalise((0.0,) * 3, (1.0,) * 3)
    return Model(nn.Flatten(), head, normalise=normalise, labels=labels, places=Places("body", "body", ()), recipe={})


@pytest.fixture
def batches() -> list[Batch]:
    """Forty pages that lie around the boundary, in two batches."""
    pixels = 0.5 + 0.15 * torch.randn(40, 3, 4, 4, generator=torch.Generator().manual_seed(3)).clamp(-2, 2)
    label = torch.arange(40) % 2
    both = Batch(pixels, {"label": label}, tuple(Key(f"p{i}", 0) for i in range(40)))
    return [both.select(torch.arange(25)), both.select(torch.arange(25, 40))]


def margins(classifier: Model, batches: list[Batch]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """NumPy: how far each page is on the right side; the direction of that; the pixels."""
    weight = classifier.head.weight.detach().numpy()
    pixels = np.concatenate([batch.inputs.flatten(1).numpy() for batch in batches])
    label = np.concatenate([batch.targets["label"].numpy() for batch in batches])
    towards = weight[label] - weight[1 - label]
    return (towards * (pixels - 0.5)).sum(1), towards, pixels


@pytest.mark.parametrize("steps", [0, 20, 100])
def test_a_linear_model_withstands_where_its_margin_exceeds_epsilon_times_the_l1_norm(
    steps: int, batches: list[Batch]
) -> None:
    classifier = model(0)
    margin, towards, _ = margins(classifier, batches)
    wanted = margin > EPSILON * np.abs(towards).sum(1)
    found = withstood(classifier, batches, Attack("any", EPSILON, steps))
    assert 0 < wanted.sum() < (margin > 0).sum()
    assert found.tolist() == wanted.tolist()
    assert right(classifier, batches).tolist() == (margin > 0).tolist()


def test_a_transfer_attack_follows_the_source_and_is_weaker(batches: list[Batch]) -> None:
    classifier, source = model(0), model(1)
    margin, towards, _ = margins(classifier, batches)
    _, along, _ = margins(source, batches)
    moved = margin - EPSILON * (towards * np.sign(along)).sum(1)
    found = withstood(classifier, batches, Attack("transfer", EPSILON, 20, source=source))
    assert found.tolist() == ((margin > 0) & (moved > 0)).tolist()
    assert found.sum() > withstood(classifier, batches, Attack("white", EPSILON, 20)).sum()


def test_a_source_with_its_classes_in_another_order_attacks_the_same(batches: list[Batch]) -> None:
    source, turned = model(1), model(1, ("letter", "form"))
    with torch.no_grad():
        turned.head.weight.copy_(source.head.weight.flip(0))
        turned.head.bias.copy_(source.head.bias.flip(0))
    attack = Attack("transfer", EPSILON, 10, source=source)
    found = [withstood(model(0), batches, replace(attack, source=one)).tolist() for one in (source, turned)]
    assert found[0] == found[1]
    with pytest.raises(InputError, match="memo"):
        withstood(model(0), batches, replace(attack, source=model(1, ("letter", "memo"))))


def test_restarts_and_steps_only_take_pages_away_and_epsilon_zero_takes_none(batches: list[Batch]) -> None:
    classifier = model(0)
    one, three = (withstood(classifier, batches, Attack("pgd", EPSILON, 2, restarts=n)) for n in (1, 3))
    assert (three <= one).all()
    assert torch.equal(withstood(classifier, batches, Attack("pgd", 0.0, 5)), right(classifier, batches))


def test_the_model_is_left_in_its_mode(batches: list[Batch]) -> None:
    classifier = model(0).train()
    withstood(classifier, batches, Attack("fgsm", EPSILON, 0))
    assert classifier.training


def test_interval_of_a_share_is_clopper_and_pearson_s() -> None:
    """0 of n: [0, 1 - 0.025^(1/n)]; n of n: [0.025^(1/n), 1]."""
    none, every = share(torch.zeros(20, dtype=torch.bool)), share(torch.ones(20, dtype=torch.bool))
    edge = 0.025 ** (1 / 20)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, 1 - edge))
    assert (every.value, every.low, every.high) == pytest.approx((1, edge, 1))
