"""What holds for every method of detectors in the table; a new one is tested here by naming the task in its TASKS."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from layout_cases import CLOCK, LAYOUT_METHODS, Case, PairOf, every_method, gradients, own_pair
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import constant
from distildoc.core.method import Relabels, Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.precision import full
from distildoc.methods import method_module
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms, teacher_taps
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

OTHER_PAIRS = [("rt-detr", "d-fine"), ("d-fine-2", "d-fine"), ("d-fine", "r-cnn"), ("r-cnn", "r-cnn")]
RATES = {"roi_kd": 5e-4}  # where both networks say nearly nothing at first, and a larger step leads past the teacher
REFUSED = {  # pairs that a method says it is not for, and the words it says it with
    ("simkd_layout", "d-fine-2", "d-fine"): "take models with the same strides",
    ("simkd_layout", "d-fine", "r-cnn"): "take models with the same strides",
    ("query_kd", "r-cnn", "r-cnn"): "student of the DETR family",
    **{("roi_kd", *pair): "second stages" for pair in OTHER_PAIRS if pair != ("r-cnn", "r-cnn")},
    ("edge_kd", "rt-detr", "d-fine"): "D-FINE",
    ("edge_kd", "d-fine", "r-cnn"): "D-FINE",
    ("edge_kd", "r-cnn", "r-cnn"): "D-FINE",
}
NOT_ZERO_AT_AGREEMENT = {
    "supervised": "its targets are regions, not the teacher",
    "pseudo_labels": "its targets are regions that the teacher names, and the student's own loss is never 0",
}


def check_gradients(name: str, pair: Pair, batch: Batch) -> None:
    case = Case(name, pair)
    check_terms(case.distiller, case.teacher, sample=batch)
    total, losses = case(batch)
    total.backward()
    assert losses
    assert all(loss.shape == () and torch.isfinite(loss) for loss in losses.values())
    found = gradients(case.distiller.student)
    assert sum(gradient.abs().sum() for gradient in found.values()) > 0
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    assert not gradients(case.teacher_model)


@every_method
def test_gives_finite_scalars_and_a_gradient_into_the_student_alone(
    name: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    check_gradients(name, own_pair(layout_pair_of, name), layout_batch)


@every_method
@pytest.mark.parametrize("networks", OTHER_PAIRS, ids=["+".join(pair) for pair in OTHER_PAIRS])
def test_other_pairs_work_or_are_refused_before_the_first_step(
    name: str, networks: tuple[str, str], layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    pair = layout_pair_of(*networks)
    if (name, *networks) in REFUSED:
        with pytest.raises(ConfigError, match=REFUSED[name, *networks]):
            method_module(name).build(pair)
    else:
        check_gradients(name, pair, layout_batch)


@every_method
def test_a_few_steps_on_one_batch_lower_its_loss(name: str, layout_pair_of: PairOf, layout_batch: Batch) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    optimiser = torch.optim.Adam([p for p in case.distiller.parameters() if p.requires_grad], lr=RATES.get(name, 2e-3))
    totals = []
    for _ in range(6):
        total, _ = case(layout_batch)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < totals[0]


@every_method
def test_order_of_pages_does_not_matter(name: str, layout_pair_of: PairOf, layout_batch: Batch) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    case.distiller.eval()
    total, _ = case(layout_batch)
    again, _ = case(layout_batch.select(torch.tensor([3, 0, 4, 1, 2])))
    torch.testing.assert_close(again, total, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in LAYOUT_METHODS if name not in NOT_ZERO_AT_AGREEMENT])
def test_is_zero_where_student_and_teacher_agree_and_nothing_is_learned(
    name: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    pair = own_pair(layout_pair_of, name, "none")
    pair.student.eval()
    case = Case(name, replace(pair, teacher=deepcopy(pair.student)))
    if case.distiller.student is not pair.student or list(case.distiller.learned.parameters()):
        pytest.skip("it changes the student or learns something, which does not agree at first")
    case.distiller.eval()
    total, _ = case(layout_batch)
    assert total.item() == pytest.approx(0, abs=1e-5)


@every_method
@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_values(
    name: str, size: float, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    batch, student, teacher = case.views(layout_batch)
    student, teacher = _scaled(student, size), _scaled(teacher, size)
    leaves = [*student.outputs.values(), *student.features.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    losses = case.method(student, teacher, batch, CLOCK)
    sum(losses.values()).backward()
    found = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert found
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(gradient).all() for gradient in found)


@every_method
def test_pages_of_unknown_layout_give_finite_losses_and_gradients(
    name: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    unknown = {"boxes": torch.zeros(5, 1, 4), "classes": torch.full((5, 1), -1), "origin": torch.zeros(5).long()}
    total, _ = case(replace(layout_batch, targets=unknown))
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(case.distiller).values())


@every_method
def test_half_precision_views_give_nearly_the_same_in_fp32(
    name: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    case.distiller.eval()
    batch, student, teacher = case.views(layout_batch)
    losses = case.method(student, teacher, batch, CLOCK)
    halved = [replace(v, features={k: f.bfloat16() for k, f in v.features.items()}) for v in (student, teacher)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = case.method(*halved, batch, CLOCK)
    assert losses.keys() == half.keys()
    assert all(loss.dtype == torch.float32 for loss in half.values())
    for key in losses:
        torch.testing.assert_close(half[key], losses[key], rtol=0.1, atol=1e-3)


@every_method
def test_saved_student_is_whole_and_has_no_leftovers(
    name: str, layout_pair_of: PairOf, layout_batch: Batch, tmp_path: Path
) -> None:
    pair = own_pair(layout_pair_of, name)
    case = Case(name, pair)
    case(layout_batch)[0].backward()
    student = case.distiller.release().eval()
    if student is pair.student:
        assert set(student.state_dict()) == set(own_pair(layout_pair_of, name).student.state_dict())
    save_model(student, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with torch.no_grad():
        found, expected = loaded(layout_batch.inputs), student(layout_batch.inputs)
    assert all(torch.equal(found[key], expected[key]) for key in ("logits", "boxes"))


@every_method
def test_at_weight_zero_the_supervised_run_is_the_same_bit_for_bit(
    name: str, layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    finals = []
    for others in ((), (name,)):
        pair = own_pair(layout_pair_of, name)
        supervised = Term("labels", method_module("supervised").build(pair), constant(1.0))
        methods = [method_module(other).build(pair) for other in others]
        if any(isinstance(m, Relabels) or m.adapt(pair.student) is not pair.student for m in methods):
            pytest.skip("it changes the student or the pages, so there is no equal run without it")
        terms = [supervised, *(Term(other, m, constant(0.0)) for other, m in zip(others, methods, strict=True))]
        distiller = Distiller(pair.student, terms)
        teacher = Live(pair.teacher, taps=teacher_taps(terms))
        optimiser = torch.optim.AdamW(distiller.parameters(), lr=1e-3)
        torch.manual_seed(0)  # of denoising queries
        for _ in range(2):
            distiller(layout_batch, teacher(layout_batch), CLOCK)[0].backward()
            optimiser.step()
            optimiser.zero_grad()
        finals.append(pair.student.state_dict())
    assert all(torch.equal(finals[0][key], finals[1][key]) for key in finals[0])


def test_the_methods_of_detectors_are_many() -> None:
    assert len(LAYOUT_METHODS) >= 7
    assert {name for name, *_ in REFUSED} | set(NOT_ZERO_AT_AGREEMENT) <= set(LAYOUT_METHODS)


def _scaled(view: View, size: float) -> View:
    """Features and scores times `size`; boxes and losses as they are."""

    def scale(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        kept = {"boxes", "layers/boxes", "references"}
        return {name: full(v.detach()) * (1.0 if name in kept else size) for name, v in named.items()}

    return View(scale(view.outputs), scale(view.features))
