"""Class-incremental runs: pages of new classes alone, a head that keeps old rows, a teacher of the old classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.view import View, one
from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.build import Parts, parts_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import test_pages as pages_to_test  # pytest would take its name for a test's
from distildoc.recipes.pages import training_pages
from distildoc.recipes.tasks import TASKS
from distildoc.schema.errors import ConfigError, InputError

ConfigOf = Callable[..., RunConfig]
TEACHER = {"name": "cnn-micro", "widths": [8, 16], "depths": [1, 1], "embedding": 8}
OLD, NEW = ("form", "letter"), "memo"
CLOCK = Clock(0, 1, 0.0)


@pytest.fixture(scope="module")
def old(config_of: ConfigOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows two of the three classes."""
    folder = tmp_path_factory.mktemp("old") / "run"
    stages.train(config_of(name="old", model=TEACHER, data={"labels": {"drop": [NEW]}}, train={"epochs": 4}), folder)
    return folder


def going_on(config_of: ConfigOf, old: Path, **changes: Any) -> RunConfig:
    """A run that starts from the old one and learns the new class alone."""
    teacher = {"runs": [str(old)], "labels": {"missing": "ignore"}}
    settings: dict[str, Any] = {"model": TEACHER, "start": str(old), "start_with": "classes", "teacher": teacher}
    return config_of(**{**settings, "data": {"classes": [NEW]}, **changes})


def parts(config: RunConfig) -> Parts:
    return parts_of(config, training_pages(config.data))


def said(found: Parts, batch: Batch) -> View:
    """What the teacher says of a batch."""
    assert found.teacher is not None
    return one(found.teacher(batch))


def test_pages_of_the_classes_named_train_and_select_and_all_are_tested(config_of: ConfigOf) -> None:
    config = config_of(data={"classes": [NEW]})
    splits = training_pages(config.data)
    assert {page.label for page in (*splits.train.pages, *splits.validation.pages)} == {NEW}
    assert splits.train.labels == (*OLD, NEW)
    assert {page.label for page in pages_to_test(config.data, splits.train.labels).pages} == {*OLD, NEW}


def test_the_pages_kept_are_those_of_the_whole_run(config_of: ConfigOf) -> None:
    found = [
        {page.id for page in training_pages(config_of(data={"per_class": 5, "classes": classes}).data).train.pages}
        for classes in ([], list(OLD), [NEW])
    ]
    assert found[0] == found[1] | found[2]
    assert [len(ids) for ids in found] == [15, 10, 5]


def test_a_class_without_pages_is_named(config_of: ConfigOf) -> None:
    with pytest.raises(InputError, match=r"no page of class 'mamo'.*memo"):
        training_pages(config_of(data={"classes": ["mamo"]}).data)


def test_rows_of_the_old_head_come_by_the_name_of_their_class(config_of: ConfigOf, old: Path) -> None:
    config = going_on(config_of, old)
    begun, taught = TASKS["classification"].initial(config, ("letter", NEW, "form")), load_model(old / "model")
    fresh = TASKS["classification"].initial(going_on(config_of, old, start_with="body"), ("letter", NEW, "form"))
    assert taught.labels == OLD
    assert torch.equal(begun.head.weight[[2, 0]], taught.head.weight)
    assert torch.equal(begun.head.bias[[2, 0]], taught.head.bias)
    assert torch.equal(begun.head.weight[1], fresh.head.weight[1])
    body = taught.body.state_dict()
    assert all(torch.equal(value, body[name]) for name, value in begun.body.state_dict().items())


@pytest.mark.parametrize("labels", [("memo", "table"), ("memo",)])
def test_heads_without_a_class_in_common_are_refused(labels: tuple[str, ...], config_of: ConfigOf, old: Path) -> None:
    with pytest.raises(InputError, match="0 of the classes"):
        TASKS["classification"].initial(going_on(config_of, old), labels)


@pytest.mark.parametrize("method", ["kd", "logit_mse", "gradient_logits"])
def test_before_the_first_step_the_student_says_what_the_teacher_says_of_the_old_classes(
    method: str, config_of: ConfigOf, old: Path
) -> None:
    found = parts(going_on(config_of, old, terms=[{"method": method}]))
    batch = next(found.loader.epoch(0))
    found.distiller.eval()
    view = said(found, batch)
    assert view.outputs["logits"].shape[1] == len(OLD)
    total, _ = found.distiller(batch, view, CLOCK)
    assert total.item() == pytest.approx(0, abs=1e-9)


def test_labels_alone_see_all_classes_and_comparisons_those_of_the_teacher(config_of: ConfigOf, old: Path) -> None:
    found = parts(going_on(config_of, old, terms=[{"method": "supervised"}, {"method": "nkd", "variant": "alone"}]))
    batch = next(found.loader.epoch(0))
    found.distiller.eval()
    view = said(found, batch)
    _, losses = found.distiller(batch, view, CLOCK)
    logits = found.distiller.student(batch.inputs)["logits"]
    expected = -torch.log_softmax(logits, -1)[:, 2].mean()
    torch.testing.assert_close(losses["supervised"], expected)
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("cached", [False, True], ids=["live", "cached"])
def test_a_run_goes_through_and_its_teacher_holds_what_new_pages_say_of_old_classes(
    cached: bool, config_of: ConfigOf, old: Path, tmp_path: Path
) -> None:
    gaps = {}
    for name, terms in {"none": [], "kd": [{"method": "kd", "weight": 5.0}]}.items():
        cache = str(tmp_path / "cache") if cached and terms else None
        teacher = {"runs": [str(old)], "labels": {"missing": "ignore"}, "cache": cache}
        train = {"epochs": 8, "lr": 0.01, "keep": "last"}
        config = going_on(config_of, old, terms=[{"method": "supervised"}, *terms], teacher=teacher, train=train)
        if cache is not None:
            stages.cache(config)
        stages.train(config, tmp_path / name)
        stages.evaluate(tmp_path / name)
        student = load_model(tmp_path / name / "model")
        assert student.labels == (*OLD, NEW)
        pixels = next(parts(config).loader.epoch(0)).inputs
        with torch.no_grad():
            wanted, found = load_model(old / "model")(pixels)["logits"], student(pixels)["logits"]
        p, q = torch.softmax(wanted, -1), torch.softmax(found[:, : len(OLD)], -1)
        gaps[name] = (p - q).abs().max().item()
    assert gaps["kd"] < gaps["none"]


def test_a_teacher_that_lacks_classes_is_refused_unless_asked_for(config_of: ConfigOf, old: Path) -> None:
    with pytest.raises(InputError, match="only the student has"):
        parts(going_on(config_of, old, teacher={"runs": [str(old)]}, terms=[{"method": "kd"}]))


def test_a_teacher_that_knows_no_class_is_refused(config_of: ConfigOf, old: Path) -> None:
    labels = {"missing": "ignore", "drop": list(OLD)}
    with pytest.raises(ConfigError, match="knows none"):
        parts(going_on(config_of, old, teacher={"runs": [str(old)], "labels": labels}, terms=[{"method": "kd"}]))
