"""methods.simkd_layout: what must hold when the pyramids agree, what is saved, and what must be refused."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.model import Detector, Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.simkd_layout import build
from distildoc.methods.supervised import build as supervised
from distildoc.models.detectors.build import build_detector
from distildoc.models.detectors.projected import ProjectedLevels
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]
KINDS = ["d-fine", "r-cnn"]


def twins(layout_pair_of: PairOf, kind: str = "d-fine") -> Pair:
    pair = layout_pair_of(kind, "none")
    return replace(pair, teacher=deepcopy(pair.student).eval())


def outputs(model: Model, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = model.eval()(batch.inputs)
    return {name: found[name] for name in ("logits", "boxes")}


def inner(model: Model) -> torch.nn.Module:
    assert isinstance(model.head, ProjectedLevels)
    return model.head.head


@pytest.mark.parametrize("kind", KINDS)
def test_without_projector_a_student_like_its_teacher_has_zero_loss_and_its_regions(
    kind: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    pair = twins(layout_pair_of, kind)
    assert pair.teacher is not None
    method = build(pair, projector="none")
    distiller = Distiller(method.adapt(pair.student), [Term("simkd", method, constant(1.0))]).eval()
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    total, _ = distiller(layout_batch, teacher(layout_batch), CLOCK)
    assert total.item() == pytest.approx(0, abs=1e-10)  # attention rounds otherwise where gradients are kept
    torch.testing.assert_close(outputs(distiller.student, layout_batch), outputs(pair.teacher, layout_batch))


def test_the_loss_is_the_mean_over_levels_of_squared_differences(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    method = build(layout_pair_of())
    generator = torch.Generator().manual_seed(0)
    teacher, student = ([torch.randn(5, 48, side, side, generator=generator) for side in (8, 4, 2)] for _ in range(2))
    found = method(
        View({}, {f"head.levels.{i}": level for i, level in enumerate(student)}),
        View({}, {f"level:{i}": level for i, level in enumerate(teacher)}),
        layout_batch,
        CLOCK,
    )
    expected = np.mean([((t - s).numpy() ** 2).mean() for t, s in zip(teacher, student, strict=True)])
    assert found["mse"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("projector", ["conv", "conv3"])
def test_the_frozen_head_stays_the_teachers_and_is_saved_inside_the_student(
    kind: str, projector: Literal["conv", "conv3"], layout_pair_of: PairOf, layout_batch: Batch, tmp_path: Path
) -> None:
    pair = layout_pair_of(kind, kind)
    assert pair.teacher is not None
    method = build(pair, projector=projector)
    terms = [Term("simkd", method, constant(1.0)), Term("labels", supervised(pair), constant(1.0))]
    distiller = Distiller(adapted(pair.student, terms), terms).train()
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    learning = [p for p in distiller.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.01, weight_decay=0.1)
    total, losses = distiller(layout_batch, teacher(layout_batch), CLOCK)
    total.backward()
    optimiser.step()
    assert any(name.startswith("labels/") for name in losses)
    assert all(p.grad is not None for p in distiller.student.head.get_submodule("projectors").parameters())
    kept, own = inner(distiller.student).state_dict(), pair.teacher.head.state_dict()
    assert kept.keys() == own.keys() and all(torch.equal(kept[name], own[name]) for name in own)
    save_model(distiller.release(), tmp_path / "student")
    loaded = load_model(tmp_path / "student")
    assert isinstance(loaded, Detector)
    found, expected = outputs(loaded, layout_batch), outputs(distiller.student, layout_batch)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_trained_head_learns_from_labels(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    pair = layout_pair_of()
    assert pair.teacher is not None
    method = build(pair, head="trained")
    terms = [Term("simkd", method, constant(1.0)), Term("labels", supervised(pair), constant(1.0))]
    distiller = Distiller(adapted(pair.student, terms), terms).train()
    assert inner(distiller.student).training
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    distiller(layout_batch, teacher(layout_batch), CLOCK)[0].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in inner(distiller.student).parameters())
    assert all(p.grad is None for p in pair.teacher.parameters())


def test_classes_of_the_teacher_are_put_in_the_students_order(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    pair = twins(layout_pair_of)
    assert pair.teacher is not None
    order = [2, 0, 3, 1]
    pair.student.labels = tuple(pair.teacher.labels[i] for i in order)
    student = build(pair, projector="none").adapt(pair.student)
    found, expected = outputs(student, layout_batch), outputs(pair.teacher, layout_batch)
    assert torch.equal(found["logits"], expected["logits"][..., order])
    assert torch.equal(found["boxes"], expected["boxes"])


def test_classes_that_would_have_to_become_one_are_an_error_that_names_them(layout_pair_of: PairOf) -> None:
    pair = layout_pair_of()
    teacher = build_detector("d-fine-micro", labels=("Text", "Title", "Table", "Picture", "Caption"), queries=8)
    with pytest.raises(ConfigError, match=r"only the teacher has \['Caption'\]; train the teacher on the student's"):
        build(replace(pair, teacher=teacher, size=(64, 64)))


def test_pyramids_of_other_depths_are_an_error(layout_pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="the student's pyramid has 2 levels and the teacher's 3"):
        build(layout_pair_of("d-fine-2", "d-fine"))


def test_without_projector_unequal_widths_are_an_error_that_names_both(layout_pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"have \[32, 32, 32\] channels and the teacher's \[48, 48, 48\]; set"):
        build(layout_pair_of(), projector="none")


def test_classifiers_are_refused_with_the_reason(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="'simkd_layout' compares the pyramids of detectors"):
        build(pair_of())


def test_a_student_of_simkd_can_be_the_next_teacher(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    pair = layout_pair_of()
    assistant = build(pair).adapt(deepcopy(pair.student)).eval().requires_grad_(False)
    method = build(replace(pair, teacher=assistant))
    assert method.needs.teacher_taps == ("head.levels.0", "head.levels.1", "head.levels.2")
    view = Live(assistant, taps=method.needs.teacher_taps)(layout_batch)
    found = inner(method.adapt(pair.student))([view.features[tap] for tap in method.needs.teacher_taps], None)
    torch.testing.assert_close(found["logits"], view.outputs["logits"])


def test_adapting_twice_gives_heads_that_share_nothing(layout_pair_of: PairOf) -> None:
    pair = layout_pair_of()
    method = build(pair)
    first, second = method.adapt(pair.student), method.adapt(pair.student)
    addresses = [{p.data_ptr() for p in model.head.parameters()} for model in (first, second)]
    assert not addresses[0] & addresses[1]


def test_a_trained_head_is_still_trained_after_loading(layout_pair_of: Callable[..., Pair], tmp_path: Path) -> None:
    for head in ("trained", "frozen"):
        student = build(layout_pair_of(), head=head).adapt(layout_pair_of().student)
        save_model(student, tmp_path / head)
        loaded = load_model(tmp_path / head).head.head
        assert all(weight.requires_grad == (head == "trained") for weight in loaded.parameters())
