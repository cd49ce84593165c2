import pytest
import torch
from torch import nn

from distildoc.schema.errors import ConfigError
from distildoc.train.optimisers import OPTIMISERS, build_optimiser, parameter_groups


class _Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.position_embeddings = nn.Parameter(torch.ones(1, 4, 3))
        self.cls_token = nn.Parameter(torch.ones(1, 1, 3))
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 2)
        self.frozen = nn.Linear(3, 2).requires_grad_(False)


def test_only_matrices_decay_and_frozen_weights_are_left_out():
    decayed, undecayed = parameter_groups(_Patches(), weight_decay=0.1)
    assert [name for name, _ in decayed["params"]] == ["head.weight"]
    names = {name for name, _ in undecayed["params"]}
    assert names == {"position_embeddings", "cls_token", "norm.weight", "norm.bias", "head.bias"}
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_step_without_gradient_shrinks_matrices_by_lr_times_decay_and_leaves_the_rest(name):
    # hand value: both optimisers turn w into w (1 - lr decay) where the gradient of the loss is zero and it is step one
    module = _Patches()
    settings = {"momentum": 0.0, "nesterov": False} if name == "sgd" else {}
    optimiser = build_optimiser(name, module, lr=0.5, weight_decay=0.2, settings=settings)
    before = {key: weight.detach().clone() for key, weight in module.named_parameters()}
    for weight in module.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    for key, weight in module.named_parameters():
        factor = 0.9 if key == "head.weight" else 1.0
        torch.testing.assert_close(weight, before[key] * factor)


def test_an_unknown_optimiser_names_the_closest():
    with pytest.raises(ConfigError, match="'adam'; closest: adamw"):
        build_optimiser("adam", _Patches(), lr=0.1)


def test_an_unknown_setting_names_the_closest():
    with pytest.raises(ConfigError, match="no setting 'beta'; closest: betas"):
        build_optimiser("adamw", _Patches(), lr=0.1, settings={"beta": (0.9, 0.9)})


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ConfigError, match="nesterov"):
        build_optimiser("sgd", _Patches(), lr=0.1, settings={"momentum": 0.0})


def test_a_module_with_nothing_to_train_is_refused():
    with pytest.raises(ConfigError, match="nothing to train"):
        build_optimiser("sgd", nn.Linear(2, 2).requires_grad_(False), lr=0.1)
