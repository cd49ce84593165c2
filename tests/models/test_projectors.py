"""models.projectors against hand counts and NumPy."""

import numpy as np
import pytest
import torch

from distildoc.models.projectors import build_projector, cnn_projector, mlp_projector
from distildoc.schema.errors import InputError


def weights(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_mlp_has_two_hidden_layers_of_half_the_students_width() -> None:
    assert weights(mlp_projector(8, 6)) == (8 * 4 + 4) + (4 * 4 + 4) + (4 * 6 + 6)


def test_mlp_equals_three_matrix_products_in_numpy() -> None:
    projector = mlp_projector(4, 3).double()
    features = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    state = {name: value.numpy() for name, value in projector.state_dict().items()}
    hidden = np.maximum(features.numpy() @ state["0.weight"].T + state["0.bias"], 0)
    hidden = np.maximum(hidden @ state["2.weight"].T + state["2.bias"], 0)
    expected = hidden @ state["4.weight"].T + state["4.bias"]
    np.testing.assert_allclose(projector(features).detach().numpy(), expected, rtol=1e-12)


def test_cnn_is_a_bottleneck_of_half_the_teachers_width() -> None:
    convolutions = 8 * 3 + 3 * 3 * 9 + 3 * 6  # 1x1 to t/2, 3x3, 1x1 to t, without biases
    norms = 2 * (3 + 3 + 6)
    assert weights(cnn_projector(8, 6)) == convolutions + norms


def test_cnn_keeps_the_size_of_the_map() -> None:
    assert cnn_projector(8, 6)(torch.randn(2, 8, 5, 7)).shape == (2, 6, 5, 7)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "conv", "source": 4, "target": 4}, "unknown projector 'conv'"),
        ({"kind": "mlp", "source": 4, "target": "4"}, "`target` must be a whole number from 1 to 65536, got '4'"),
        ({"kind": "mlp", "source": 1 << 40, "target": 4}, "`source` must be a whole number"),
        ({"kind": "mlp", "source": True, "target": 4}, "got True"),
        ({"kind": "mlp", "source": 4, "target": 4, "last": "gelu"}, "must be linear or relu, got 'gelu'"),
    ],
)
def test_a_damaged_description_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_projector(spec)
