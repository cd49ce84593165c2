"""methods.simkd: what must hold when student and teacher agree, and what must be refused."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.simkd import SimKD, build
from distildoc.models.build import build_model
from distildoc.models.heads import ProjectedHead
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]
PROJECTORS: tuple[Literal["none", "mlp", "cnn"], ...] = ("none", "mlp", "cnn")


def twins(pair_of: PairOf, network: str = "cnn") -> Pair:
    pair = pair_of(network, "none")
    return replace(pair, teacher=deepcopy(pair.student).eval())


def logits(model: Model, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(batch.inputs)["logits"]


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_without_projector_a_student_like_its_teacher_has_zero_loss_and_its_logits(
    network: str, pair_of: PairOf, batch: Batch
) -> None:
    pair = twins(pair_of, network)
    method = build(pair, projector="none")
    distiller = Distiller(method.adapt(pair.student), [Term("simkd", method, constant(1.0))]).eval()
    total, _ = distiller(batch, Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)(batch), CLOCK)
    assert total.item() == 0
    assert torch.equal(logits(distiller.student, batch), logits(pair.teacher, batch))


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_a_map_learned_perfectly_gives_the_teachers_logits(network: str, pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", network)
    assert pair.teacher is not None
    method = build(pair, projector="cnn")
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps)(batch)
    assert isinstance(method, SimKD) and method.grid is not None
    learned = method.grid(teacher.features["map"])
    learned = learned + (teacher.features["penultimate"] - learned.mean((2, 3)))[:, :, None, None]
    loss = method(View({}, {"head.projector": learned}), teacher, batch, CLOCK)["mse"]
    assert loss.item() == pytest.approx(0, abs=1e-10)
    torch.testing.assert_close(method.classifier(learned.mean((2, 3))), teacher.outputs["logits"], rtol=1e-4, atol=1e-5)


def test_the_uncentred_map_is_the_teachers_own(pair_of: PairOf, batch: Batch) -> None:
    method = build(pair_of("cnn", "vit"), centre="map")
    assert method.needs.teacher_taps == ("map",)
    tokens = torch.randn(6, 17, 32, generator=torch.Generator().manual_seed(0))
    student = torch.randn(6, 32, 4, 4, generator=torch.Generator().manual_seed(1))
    patches = tokens[:, 1:].transpose(1, 2).reshape(6, 32, 4, 4)
    found = method(View({}, {"head.projector": student}), View({}, {"map": tokens}), batch, CLOCK)["mse"]
    assert found.item() == pytest.approx(np.mean((patches.numpy() - student.numpy()) ** 2), rel=1e-5)


def test_centring_changes_nothing_for_a_teacher_whose_head_reads_the_mean(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    view = Live(pair.teacher, taps=("map", "penultimate"))(batch)
    student = View({}, {"head.projector": torch.randn(6, 64, 2, 2)})
    head, plain = (build(pair, centre=centre)(student, view, batch, CLOCK)["mse"] for centre in ("head", "map"))
    torch.testing.assert_close(head, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_the_teachers_classifier_is_frozen_and_saved_inside_the_student(
    projector: Literal["none", "mlp", "cnn"], pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    pair = twins(pair_of)
    method = build(pair, projector=projector)
    student = method.adapt(pair.student)
    assert isinstance(student.head, ProjectedHead)
    assert not any(p.requires_grad for p in student.head.classifier.parameters())
    distiller = Distiller(student, [Term("simkd", method, constant(1.0))])
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    optimiser = torch.optim.SGD([p for p in distiller.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    batch = replace(batch, inputs=batch.inputs.flip(0))
    distiller(batch, teacher(batch), CLOCK)[0].backward()
    optimiser.step()
    save_model(distiller.release(), tmp_path / "student")
    loaded = load_model(tmp_path / "student")
    assert isinstance(loaded.head, ProjectedHead)
    assert isinstance(pair.teacher, Model) and isinstance(pair.teacher.head, torch.nn.Linear)
    assert torch.equal(loaded.head.classifier.weight, pair.teacher.head.weight)
    assert torch.equal(loaded.head.classifier.bias, pair.teacher.head.bias)
    assert torch.equal(logits(loaded, batch), logits(student, batch))
    assert not distiller.learned


def test_classes_of_the_teacher_are_put_in_the_students_order(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    other = build_model("cnn-micro", labels=tuple(reversed(pair.student.labels)), size=(32, 32), channels=1, seed=5)
    other.body = deepcopy(pair.student.body)
    pair = replace(pair, teacher=other.eval())
    student = build(pair, projector="none").adapt(pair.student)
    torch.testing.assert_close(logits(student, batch), logits(other, batch).flip(1), rtol=1e-5, atol=1e-6)


def test_other_classes_are_an_error_that_names_them(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    labels = (*pair.student.labels[:4], "poster")
    other = build_model("cnn-micro", labels=labels, size=(32, 32), channels=1)
    with pytest.raises(InputError, match=r"only the student has \['table'\], only the teacher has \['poster'\]"):
        build(replace(pair, teacher=other))


def test_without_projector_unequal_widths_are_an_error_that_names_both(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="reads 48 features and the teacher's 64; set `projector`"):
        build(pair_of("cnn", "cnn"), projector="none")


@pytest.mark.parametrize("projector", ["mlp", "cnn"])
def test_only_a_linear_last_layer_reaches_negative_features(
    projector: Literal["mlp", "cnn"], pair_of: PairOf, batch: Batch
) -> None:
    lowest = {}
    for last in ("linear", "relu"):
        pair = pair_of("vit", "cnn")
        student = build(pair, projector=projector, last=last).adapt(pair.student)
        assert isinstance(student.head, ProjectedHead)
        lowest[last] = student.head.projector(student.body(student.entry(batch.inputs))).min().item()
    assert lowest["linear"] < 0
    assert lowest["relu"] == 0


def test_adapting_twice_gives_heads_that_share_nothing(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    method = build(pair)
    first, second = method.adapt(pair.student), method.adapt(pair.student)
    addresses = [{p.data_ptr() for p in model.head.parameters()} for model in (first, second)]
    assert not addresses[0] & addresses[1]
    assert pair.teacher is not None
    assert not addresses[0] & {p.data_ptr() for p in pair.teacher.parameters()}


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_student_of_simkd_can_be_the_next_teacher(
    projector: Literal["none", "mlp", "cnn"], pair_of: PairOf, batch: Batch
) -> None:
    pair = twins(pair_of)
    assistant = build(pair, projector=projector).adapt(pair.student).eval().requires_grad_(False)
    pupil = deepcopy(pair.student)
    method = build(Pair(pupil, assistant, pair.task, pair.size), projector="mlp")
    teacher = Live(assistant, taps=method.needs.teacher_taps)(batch)
    assert isinstance(method, SimKD) and method.vector is not None
    torch.testing.assert_close(method.classifier(teacher.features[method.vector]), teacher.outputs["logits"])
