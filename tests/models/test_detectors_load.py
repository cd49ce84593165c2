import json
from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file

from distildoc.core.batch import TRUE
from distildoc.core.model import Detector
from distildoc.core.taps import Taps
from distildoc.models.detectors.build import build_detector
from distildoc.models.detectors.classes import reordered_decoder
from distildoc.models.detectors.projected import projected_levels
from distildoc.models.load import fingerprint, load_body, load_model, load_start, save_model
from distildoc.schema.errors import ConfigError, InputError

LABELS = ("text", "table", "title")
SIZE = (64, 64)
PAGES = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
TARGETS = {
    "boxes": torch.full((2, 1, 4), 0.4),
    "classes": torch.tensor([[1], [0]]),
    "origin": torch.full((2,), TRUE),
}
NAMES = ["d-fine-micro", "rtdetrv2-micro"]


def small(name: str, labels=LABELS, **settings) -> Detector:
    return build_detector(name, labels=labels, size=SIZE, channels=1, **{"queries": 12, **settings})


def same(one, other) -> bool:
    with torch.no_grad():
        wanted, found = one.eval()(PAGES, TARGETS), other.eval()(PAGES, TARGETS)
    return wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)


def behind_projectors(student: Detector, teacher: Detector, **how) -> Detector:
    head, spec = projected_levels([64] * 3, [32] * 3, head=deepcopy(teacher.head), spec=teacher.recipe["head"], **how)
    return Detector(
        student.body,
        head,
        normalise=student.normalise,
        labels=student.labels,
        places=student.places,
        recipe={**student.recipe, "head": spec},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_detector_gives_identical_outputs_and_losses(name, tmp_path):
    model = small(name, one_to_many=1.0)
    model.train()(PAGES, TARGETS)  # moves the running statistics of the batch norms
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert isinstance(again, Detector) and not again.training
    assert (again.labels, again.normalise, again.places) == (model.labels, model.normalise, model.places)
    assert fingerprint(again) == fingerprint(model)
    assert same(model, again)


def test_no_tensor_is_saved_twice(tmp_path):
    model = small("d-fine-micro")
    save_model(model, tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    stored = {value.data_ptr() for value in model.state_dict().values() if value.numel()}
    assert len(saved) == len(model.state_dict()) == len(stored)
    assert not [name for name in saved if name.startswith("head.network.class_embed")]


@pytest.mark.parametrize("projector", ["point", "cnn"])
def test_a_lent_head_behind_projectors_is_saved_with_the_student(projector, tmp_path):
    teacher = small("rtdetrv2-micro", width=32)
    model = behind_projectors(small("d-fine-micro"), teacher, projector=projector)
    save_model(model, tmp_path / "model")
    assert same(model, load_model(tmp_path / "model"))
    with torch.no_grad(), Taps(model.eval(), ["head.levels.0", "head.levels.2"]) as taps:
        features = taps(PAGES).features
    assert features["head.levels.0"].shape == (2, 32, 8, 8) and features["head.levels.2"].shape == (2, 32, 2, 2)


def test_a_lent_head_neither_learns_nor_moves_while_its_student_trains():
    teacher = small("d-fine-micro", width=32)
    model = behind_projectors(small("d-fine-micro"), teacher).train()
    before = deepcopy(model.head.head.state_dict())
    outputs = model(PAGES, TARGETS)
    sum(value for name, value in outputs.items() if name.startswith("loss/")).backward()
    assert all(parameter.grad is None for parameter in model.head.head.parameters())
    assert all(parameter.grad is not None for parameter in model.head.projectors.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.head.head.state_dict().items())


def test_pyramids_of_other_depths_do_not_fit():
    with pytest.raises(ConfigError, match="2 levels and the teacher's 3"):
        projected_levels([64] * 2, [64] * 3, head=torch.nn.Identity(), spec={})


@pytest.mark.parametrize("name", NAMES)
def test_a_reordered_head_gives_the_same_scores_in_another_order(name):
    model = small(name).eval()
    with torch.no_grad():
        maps = model.body(model.entry(PAGES))
        wanted, found = model.head(maps), reordered_decoder(model.head, [2, 0, 1])(maps)
    torch.testing.assert_close(found["logits"], wanted["logits"][..., [2, 0, 1]])
    torch.testing.assert_close(found["boxes"], wanted["boxes"])


def test_a_start_with_its_head_gives_the_same_regions(tmp_path):
    save_model(small("d-fine-micro", seed=1), tmp_path / "run" / "model")
    model = small("d-fine-micro", seed=2)
    load_start(model, tmp_path / "run", take="all")
    assert same(model, load_model(tmp_path / "run" / "model"))


def test_a_start_without_its_head_keeps_the_new_head(tmp_path):
    save_model(small("d-fine-micro", labels=("a", "b"), seed=1), tmp_path / "model")
    model = small("d-fine-micro", seed=2)
    head = deepcopy(model.head.state_dict())
    load_start(model, tmp_path / "model", take="body")
    assert all(torch.equal(head[name], value) for name, value in model.head.state_dict().items())
    other = small("d-fine-micro", seed=3)
    load_body(other, tmp_path / "model")
    assert all(torch.equal(value, other.body.state_dict()[name]) for name, value in model.body.state_dict().items())


def test_a_start_with_a_head_for_other_labels_names_the_way_out(tmp_path):
    save_model(small("d-fine-micro", labels=("a", "b")), tmp_path / "model")
    with pytest.raises(InputError, match=r"other labels \(a, b: 2\) than this model .*body alone"):
        load_start(small("d-fine-micro"), tmp_path / "model", take="all")
    with pytest.raises(InputError, match="no finished run or model"):
        load_start(small("d-fine-micro"), tmp_path / "nowhere", take="all")


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"body": "pyramid", "head": {"kind": "decoder"}}, "need a `config`"),
        ({"head": {"kind": "decodr"}}, "closest: decoder"),
        ({"head": {"kind": "decoder", "classes": "3"}}, "head.classes"),
        ({"head": {"kind": "projected-levels", "projectors": [], "head": {"kind": "decoder"}}}, "one description a"),
        (
            {"head": {"kind": "projected-levels", "projectors": [], "head": {"kind": "projected-levels"}}},
            "another kind",
        ),
        ({"config": {"model_type": "resnet"}}, "no detector"),
    ],
)
def test_a_damaged_description_is_refused(recipe, words, tmp_path):
    save_model(small("d-fine-micro"), tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    content = json.loads(path.read_text())
    content["recipe"] |= recipe
    if recipe.get("body"):
        del content["recipe"]["config"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        load_model(tmp_path / "model")
