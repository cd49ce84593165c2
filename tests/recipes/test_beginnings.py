"""All runs of a comparison begin alike: initial weights, order of pages, views."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distildoc.core.model import Model
from distildoc.models.load import load_model
from distildoc.recipes.build import parts_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import training_pages
from distildoc.recipes.tasks import TASKS

ConfigOf = Callable[..., RunConfig]
TERMS = {
    "supervised": [{"method": "supervised"}],
    "kd": [{"method": "kd"}],
    "labels and logits": [{"method": "supervised"}, {"method": "logit_mse"}],
    "nkd": [{"method": "nkd"}],
    "fitnet": [{"method": "supervised"}, {"method": "fitnet"}],
    "simkd": [{"method": "simkd"}],
}


def body(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.body.network.state_dict().items()}


def test_methods_of_one_seed_share_body_order_and_views(config_of: ConfigOf, teacher: Path) -> None:
    bodies, orders = [], []
    for terms in TERMS.values():
        config = config_of(teacher={"runs": [str(teacher)]}, terms=terms, augmentation={"views": 3})
        parts = parts_of(config, training_pages(config.data))
        bodies.append(body(parts.distiller.student))
        orders.append([batch.keys for epoch in range(2) for batch in parts.loader.epoch(epoch)])
    assert len(bodies[0]) > 10
    for other in bodies[1:]:
        assert other.keys() == bodies[0].keys()
        assert all(torch.equal(other[name], bodies[0][name]) for name in other)
    assert all(order == orders[0] for order in orders)


def test_another_seed_changes_weights_and_order(config_of: ConfigOf) -> None:
    found = []
    for seed in (0, 1):
        config = config_of(seed=seed)
        parts = parts_of(config, training_pages(config.data))
        found.append((body(parts.distiller.student), [batch.keys for batch in parts.loader.epoch(0)]))
    (one, order), (other, order_of_other) = found
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert order != order_of_other


def test_model_seed_alone_keeps_the_order(config_of: ConfigOf) -> None:
    configs = [config_of(model={"seed": seed}) for seed in (0, 1)]
    parts = [parts_of(config, training_pages(config.data)) for config in configs]
    one, other = (body(found.distiller.student) for found in parts)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert len({tuple(b.keys for b in found.loader.epoch(0)) for found in parts}) == 1


def test_start_takes_the_body_of_another_run_and_keeps_a_new_head(config_of: ConfigOf, teacher: Path) -> None:
    model = {"name": "cnn-micro", "widths": [8, 16], "depths": [1, 1], "embedding": 8}
    begun = TASKS["classification"].initial(config_of(model=model, start=str(teacher)), ("form", "letter", "memo"))
    taught = load_model(teacher / "model")
    assert all(torch.equal(value, body(taught)[name]) for name, value in body(begun).items())
    assert not torch.equal(begun.head.weight, taught.head.weight)


@pytest.mark.parametrize("epoch", [0, 1])
def test_views_of_a_page_are_the_same_pixels_for_every_method(epoch: int, config_of: ConfigOf, teacher: Path) -> None:
    found = []
    for terms in (TERMS["supervised"], TERMS["fitnet"]):
        config = config_of(teacher={"runs": [str(teacher)]}, terms=terms, augmentation={"views": 3})
        parts = parts_of(config, training_pages(config.data))
        found.append(torch.cat([batch.inputs for batch in parts.loader.epoch(epoch)]))
    assert torch.equal(*found)
