"""models.heads and models.grids: rebuilding from a description, copying, laying out."""

import pytest
import torch
from torch import nn

from distildoc.models.build import build_model
from distildoc.models.grids import Grid, grid_of
from distildoc.models.heads import ProjectedHead, SubclassHead, build_head, classifier_of, linear_spec, reordered
from distildoc.schema.errors import ConfigError, InputError

MLP = {"kind": "mlp", "source": 8, "target": 6, "last": "linear"}


def test_reordered_classifier_permutes_the_logits() -> None:
    linear = nn.Linear(4, 3)
    features = torch.randn(2, 4)
    torch.testing.assert_close(reordered(linear, [2, 0, 1])(features), linear(features)[:, [2, 0, 1]])


def test_reordered_classifier_of_a_layer_without_bias_has_a_bias_of_zero() -> None:
    copy = reordered(nn.Linear(4, 3, bias=False), [0, 1, 2])
    assert not copy.bias.any()


def test_a_projected_head_of_a_map_is_the_classifier_of_its_mean() -> None:
    spec = {
        "kind": "projected",
        "projector": {"kind": "none", "source": 4, "target": 4},
        "classifier": {"kind": "linear", "features": 4, "classes": 3},
    }
    vector = build_head(spec)
    spec["projector"] = {"kind": "cnn", "source": 4, "target": 4, "factor": 2}
    mapped = build_head(spec)
    assert isinstance(vector, ProjectedHead) and isinstance(mapped, ProjectedHead)
    features = torch.randn(2, 4)
    assert torch.equal(vector(features), vector.classifier(features))
    image = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(mapped(image), mapped.classifier(mapped.projector(image).mean((2, 3))))


def test_a_head_of_sub_classes_says_the_sum_of_their_probabilities() -> None:
    head = build_head({"kind": "subclass", "features": 4, "classes": 3, "subclasses": 5})
    assert isinstance(head, SubclassHead)
    features = torch.randn(2, 4)
    summed = head.subclasses(features).softmax(1).reshape(2, 3, 5).sum(2)
    torch.testing.assert_close(head(features).softmax(1), summed)


def test_the_classifier_behind_a_projector_is_frozen() -> None:
    head = build_head({"kind": "projected", "projector": MLP, "classifier": linear_spec(nn.Linear(6, 3))})
    assert isinstance(head, ProjectedHead)
    assert not any(p.requires_grad for p in head.classifier.parameters())
    assert all(p.requires_grad for p in head.projector.parameters())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "lienar"}, "unknown head 'lienar'; closest: linear"),
        ({"kind": "projected", "projector": MLP}, "`head.classifier` must be a mapping, got NoneType"),
        ({"kind": "linear", "features": 4, "classes": -1}, "`classes` must be a whole number"),
        ({"kind": "subclass", "features": 4, "classes": 2}, "`subclasses` must be a whole number"),
    ],
)
def test_a_damaged_description_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_head(spec)


def test_a_head_that_is_not_linear_cannot_be_lent() -> None:
    model = build_model("cnn-micro", labels=("a", "b"), size=(32, 32), channels=1)
    model.head = nn.Sequential(nn.Dropout(), nn.Linear(48, 2))
    with pytest.raises(ConfigError, match="Sequential, not one linear layer"):
        classifier_of(model)


def test_a_grid_follows_the_size_that_the_network_works_at() -> None:
    model = build_model("vit-micro", labels=("a", "b"), size=(48, 32), channels=1, width=16, depth=1, heads=1, patch=16)
    assert grid_of(model, (500, 500)).shape(torch.Size([7, 16])) == (16, 3, 2)


def test_tokens_take_their_places_row_by_row() -> None:
    tokens = torch.arange(7.0)[None, :, None]  # one leading token, then six patches of a page twice as wide as high
    assert Grid(1, 2 / 3)(tokens)[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_branched_head_gives_the_kept_branch_or_the_gated_sum() -> None:
    classifier = {"kind": "linear", "features": 4, "classes": 3}
    kept, all_of_them = (
        build_head({"kind": "branched", "count": 2, "keep": keep, "classifier": classifier}).eval()
        for keep in (1, None)
    )
    all_of_them.load_state_dict(kept.state_dict())
    features = torch.randn(2, 5, 4)
    each = [kept.get_submodule(f"classifiers.{b}")(features[b]) for b in (0, 1)]
    trust = kept.get_submodule("gate")(features.mean(0)).softmax(-1)
    torch.testing.assert_close(trust.sum(1), torch.ones(5))
    torch.testing.assert_close(kept(features.flatten(0, 1)), each[1])
    torch.testing.assert_close(all_of_them(features.flatten(0, 1)), trust[:, :1] * each[0] + trust[:, 1:] * each[1])
