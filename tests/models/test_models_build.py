import inspect
import json
import logging

import pytest
import torch

from distildoc.models.build import body_from, build_model, settings_of
from distildoc.models.presets import resnet
from distildoc.schema.errors import ConfigError, InputError

PAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def same_weights(one, other):
    state = other.state_dict()
    return all(torch.equal(value, state[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("name", ["cnn-micro", "vit-micro"])
def test_same_seed_gives_the_same_bits(name):
    first, second = (build_model(name, labels=("a", "b"), size=(64, 64), seed=3) for _ in range(2))
    assert same_weights(first, second)


def test_another_seed_gives_other_weights():
    first, second = (build_model("cnn-micro", labels=("a", "b"), size=(64, 64), seed=seed) for seed in (0, 1))
    assert not same_weights(first, second)


def test_building_leaves_the_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build_model("cnn-micro", labels=("a", "b"), size=(64, 64), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_pages_of_another_size_are_resized_to_the_networks_own():
    model = build_model("vit-micro", labels=("a", "b"), size=(64, 64)).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 96, 80))["logits"].shape == (1, 2)


def test_published_size_is_used_when_none_is_asked_for(published):
    folder = published("vit", processor={"size": {"height": 32, "width": 48}})
    model = build_model(str(folder), labels=("a", "b"))
    assert model.normalise.size == (32, 48)


def test_recipe_is_plain_json(published):
    for name in ("cnn-micro", "vit-micro", str(published("swin"))):
        recipe = build_model(name, labels=("a", "b"), size=(64, 64)).recipe
        assert json.loads(json.dumps(recipe)) == recipe


def test_recipe_rebuilds_a_body_of_the_same_make():
    model = build_model("vit-micro", labels=("a", "b"), size=(64, 96), channels=1)
    body = body_from(model.recipe)
    body.load_state_dict(model.body.state_dict())
    pixels = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(body.eval()(pixels), model.body.eval()(pixels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body": "other"}, "body 'other' is neither"),
        ({"source": "pickle"}, "source 'pickle' is neither"),
        ({"config": "x"}, "neither 'transformers' with a config"),
        ({"config": {"model_type": "bert"}}, "'bert' is no image classifier"),
        ({"config": {"model_type": "resnet", "hidden_sizes": "x"}}, "not a usable resnet config"),
        ({"config": {"model_type": "resnet", "depths": []}}, "makes no network"),
    ],
)
def test_a_damaged_recipe_is_named(change, message):
    recipe = build_model("cnn-micro", labels=("a", "b"), size=(64, 64)).recipe
    with pytest.raises(InputError, match=message):
        body_from({**recipe, **change})


def test_classes_known_by_name_keep_their_rows_in_the_new_order(published):
    folder = str(published("resnet", "letter", "form", "scientific report"))
    known = build_model(folder, labels=("letter", "form", "scientific report"), size=(64, 64), pretrained=True)
    other = build_model(folder, labels=("scientific_report", "letter"), size=(64, 64), pretrained=True)
    assert torch.equal(other.head.weight, known.head.weight[[2, 0]])
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(PAGES)["logits"], known.eval()(PAGES)["logits"][:, [2, 0]])


def test_unknown_classes_get_a_new_classifier_and_a_log_line(published, caplog):
    folder = str(published("resnet", "letter", "form", "scientific report"))
    with caplog.at_level(logging.INFO, logger="distildoc"):
        model = build_model(folder, labels=("letter", "memo"), size=(64, 64), pretrained=True)
    assert "new classifier for 2 classes" in caplog.text
    assert model.head.weight.abs().max() < 0.2  # drawn with std 0.02
    assert model.head.bias.abs().sum() == 0


def test_pretrained_without_published_weights_is_refused():
    with pytest.raises(ConfigError, match="'cnn-micro' has no published weights"):
        build_model("cnn-micro", labels=("a", "b"), size=(64, 64), pretrained=True)


def test_an_unknown_setting_shows_the_closest():
    with pytest.raises(ConfigError, match="unknown setting 'dept'; closest: depth"):
        build_model("vit-micro", labels=("a", "b"), size=(64, 64), dept=3)


def test_a_published_network_has_no_settings(published):
    with pytest.raises(ConfigError, match="unknown setting 'depth'; it has none"):
        build_model(str(published("vit")), labels=("a", "b"), size=(64, 64), depth=3)


def test_settings_of_a_preset_are_keyword_arguments_with_its_values():
    parameters = inspect.signature(settings_of("cnn-micro")).parameters
    assert parameters["widths"].default == (16, 32, 48)
    assert set(parameters) == set(inspect.signature(resnet).parameters)


@pytest.mark.parametrize("labels", [(), ("a", "a")])
def test_labels_must_be_distinct_and_present(labels):
    with pytest.raises(ConfigError, match="no label twice"):
        build_model("cnn-micro", labels=labels, size=(64, 64))


def test_two_channels_are_refused():
    with pytest.raises(ConfigError, match=r"channels must be 1 .* got 2"):
        build_model("cnn-micro", labels=("a", "b"), size=(64, 64), channels=2)
