"""methods.query_kd against SciPy, transformers and hand values, on Views made by hand."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, rel_entr, xlogy
from transformers.loss.loss_for_object_detection import generalized_box_iou

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.boxes import xyxy
from distildoc.losses.matching import Weights
from distildoc.methods.query_kd import QueryKD, build
from distildoc.models.build import build_model
from distildoc.schema.errors import ConfigError
from distildoc.tasks.classification import classification

CLOCK = Clock(0, 1, 0.0)
BATCH = Batch(torch.zeros(2, 3, 8, 8), {}, ())
NAMES = ("class", "l1", "giou")


def said(queries: int, seed: int, *, layers: int = 0, classes: int = 3) -> View:
    """Two pages."""
    generator = torch.Generator().manual_seed(seed)
    shape = (2, layers, queries) if layers else (2, queries)
    logits = 2 * torch.randn(*shape, classes, generator=generator) - 1
    centre = 0.2 + 0.6 * torch.rand(*shape, 2, generator=generator)
    boxes = torch.cat([centre, 0.05 + 0.3 * torch.rand(*shape, 2, generator=generator)], -1)
    if not layers:
        return View({"logits": logits, "boxes": boxes})
    final = {"logits": logits[:, -1], "boxes": boxes[:, -1]}
    return View({**final, "layers/logits": logits, "layers/boxes": boxes})


def method(**settings: object) -> QueryKD:
    values = {"weights": Weights(), "top": 100, "threshold": 0.0, "layers": "last", "confident": True}
    return QueryKD(**(values | settings))  # type: ignore[arg-type]


def losses(teacher: View, student: View, **settings: object) -> dict[str, float]:
    return {name: loss.item() for name, loss in method(**settings)(student, teacher, BATCH, CLOCK).items()}


def numpy_pairs(teacher: View, student: View, page: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(student's rows, teacher's rows, GIoU of all) by the formula of losses.matching."""
    (z, b), (u, d) = ((v.outputs["logits"][page], v.outputs["boxes"][page]) for v in (student, teacher))
    p = expit(u.double().numpy())
    entropy = (np.logaddexp(0, z.double().numpy())[:, None] - z.double().numpy()[:, None] * p[None]).sum(-1)
    giou = generalized_box_iou(xyxy(b), xyxy(d)).double().numpy()
    distance = np.abs(b.double().numpy()[:, None] - d.double().numpy()[None]).sum(-1)
    return *linear_sum_assignment(entropy + 5 * distance + 2 * (1 - giou)), giou


@pytest.mark.parametrize("confident", [True, False])
def test_equals_the_formula_in_numpy(confident: bool) -> None:
    teacher, student = said(6, 0), said(6, 1)
    totals, number = dict.fromkeys(NAMES, 0.0), 0.0
    for page in range(2):
        rows, columns, giou = numpy_pairs(teacher, student, page)
        p = expit(teacher.outputs["logits"][page].double().numpy()[columns])
        q = expit(student.outputs["logits"][page].double().numpy()[rows])
        share = p.max(-1) if confident else np.ones(len(p))
        worth = p + 0.75 * q**2 * (1 - p) if confident else 1.0
        boxes = [v.outputs["boxes"][page].double().numpy()[i] for v, i in ((student, rows), (teacher, columns))]
        totals["class"] += (worth * (rel_entr(p, q) + rel_entr(1 - p, 1 - q))).sum()
        totals["l1"] += 5 * (share * np.abs(boxes[0] - boxes[1]).sum(-1)).sum()
        totals["giou"] += 2 * (share * (1 - giou[rows, columns])).sum()
        number += share.sum()
    expected = {name: total / number for name, total in totals.items()}
    assert losses(teacher, student, confident=confident) == pytest.approx(expected, rel=1e-4)


def test_equal_weights_have_the_gradient_of_detrdistills_soft_cross_entropy() -> None:
    teacher, student = said(6, 0), said(6, 1)
    logits = student.outputs["logits"].requires_grad_()
    found = method(confident=False)(student, teacher, BATCH, CLOCK)["class"]
    total = torch.zeros(())
    for page in range(2):
        rows, columns, _ = numpy_pairs(teacher, View({k: v.detach() for k, v in student.outputs.items()}), page)
        scores = teacher.outputs["logits"][page][columns].sigmoid()
        total = total + torch.nn.functional.binary_cross_entropy_with_logits(
            logits[page][rows], scores, reduction="sum"
        )
    torch.testing.assert_close(torch.autograd.grad(found, logits)[0], torch.autograd.grad(total / 12, logits)[0])


@pytest.mark.parametrize("settings", [{}, {"top": 4}, {"threshold": 0.5}, {"confident": False}])
def test_is_zero_at_agreement_whatever_the_order_of_queries(settings: dict[str, object]) -> None:
    teacher = said(9, 0)
    order = torch.tensor([3, 1, 4, 0, 8, 5, 2, 7, 6])
    student = View({name: values[:, order] for name, values in teacher.outputs.items()})
    assert losses(teacher, student, **settings) == pytest.approx(dict.fromkeys(NAMES, 0.0), abs=1e-7)


@pytest.mark.parametrize(("teachers", "students"), [(4, 9), (9, 4)])
def test_a_teacher_with_another_number_of_queries_teaches_as_many_as_fit(teachers: int, students: int) -> None:
    teacher, student = said(teachers, 0), said(students, 1)
    boxes = student.outputs["boxes"].requires_grad_()
    found = method()(student, teacher, BATCH, CLOCK)
    (gradient,) = torch.autograd.grad(found["l1"], boxes)
    assert (gradient.abs().sum(-1) > 0).sum(1).tolist() == [4, 4]


def test_regions_of_an_rcnn_are_matched_and_its_empty_rows_are_not() -> None:
    teacher = said(3, 0)
    logits = torch.full((2, 5, 3), -20.0)
    boxes = torch.tensor([0.5, 0.5, 0.0, 0.0]).expand(2, 5, 4).clone()
    logits[:, :3, 0], boxes[:, :3] = teacher.outputs["logits"][..., 0], teacher.outputs["boxes"]
    filled, whole = View({"logits": logits, "boxes": boxes}), View({"logits": logits[:, :3], "boxes": boxes[:, :3]})
    student = said(7, 1)
    assert losses(filled, student) == pytest.approx(losses(whole, student))


def test_a_lone_query_is_pushed_down_to_the_best_that_was_left_out() -> None:
    box = torch.tensor([[[0.3, 0.3, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2]]]).expand(2, 2, 4)
    teacher = View({"logits": torch.tensor([[[4.0], [-1.0]]]).expand(2, 2, 1), "boxes": box})
    for logit, below in ((-2.0, True), (2.0, False)):
        logits = torch.tensor([[[4.0], [logit]]]).expand(2, 2, 1).clone().requires_grad_()
        found = method(top=1)(View({"logits": logits, "boxes": box}), teacher, BATCH, CLOCK)
        (gradient,) = torch.autograd.grad(found["class"], logits)
        assert found["class"].item() == pytest.approx(0.0) if below else found["class"].item() > 0.1
        assert (gradient[:, 1] == 0).all() if below else (gradient[:, 1] > 0).all()
        alone = method(top=1, confident=False)(View({"logits": logits, "boxes": box}), teacher, BATCH, CLOCK)
        assert alone["class"].item() == pytest.approx(0.0)


def test_lone_queries_of_a_larger_student_are_pushed_to_nothing() -> None:
    box = torch.tensor([[[0.3, 0.3, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2]]]).expand(2, 2, 4)
    teacher = View({"logits": torch.tensor([[[4.0]]]).expand(2, 1, 1), "boxes": box[:, :1]})
    student = View({"logits": torch.tensor([[[4.0], [-2.0]]]).expand(2, 2, 1), "boxes": box})
    q, p = expit(-2.0), expit(-20.0)
    expected = (p + 0.75 * q**2 * (1 - p)) * (rel_entr(p, q) + rel_entr(1 - p, 1 - q)) / expit(4.0)
    assert losses(teacher, student)["class"] == pytest.approx(expected, rel=1e-4)
    assert losses(teacher, student)["class"] < -xlogy(1, 1 - q)


def test_all_layers_learn_from_the_teachers_last() -> None:
    teacher, student = said(6, 0), said(6, 1, layers=3)
    each = [
        losses(teacher, View({"logits": x, "boxes": b}))
        for x, b in zip(
            student.outputs["layers/logits"].unbind(1), student.outputs["layers/boxes"].unbind(1), strict=True
        )
    ]
    assert losses(teacher, student, layers="last") == pytest.approx(each[-1])
    assert losses(teacher, student, layers="all") == pytest.approx(
        {name: sum(layer[name] for layer in each) for name in NAMES}, rel=1e-5
    )
    final = View({name: student.outputs[name] for name in ("logits", "boxes")})
    assert losses(teacher, final, layers="all") == pytest.approx(each[-1])  # evaluation: no other layers


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_values(size: float) -> None:
    teacher, student = (
        View({name: size * values for name, values in said(6, seed, layers=2).outputs.items()}) for seed in (0, 1)
    )
    leaves = list(student.outputs.values())
    for leaf in leaves:
        leaf.requires_grad_()
    found = method(layers="all")(student, teacher, BATCH, CLOCK)
    sum(found.values()).backward()
    assert all(torch.isfinite(loss) for loss in found.values())
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves if leaf.grad is not None)


def test_pages_where_the_teacher_finds_nothing_give_zero_boxes_and_a_gradient_path() -> None:
    teacher, student = said(6, 0), said(6, 1)
    for values in student.outputs.values():
        values.requires_grad_()
    found = method(threshold=1 - 1e-6)(student, teacher, BATCH, CLOCK)
    sum(found.values()).backward()
    assert found["l1"].item() == found["giou"].item() == 0
    assert all(torch.isfinite(values.grad).all() for values in student.outputs.values())


def test_bf16_is_near_fp32() -> None:
    teacher, student = said(6, 0), said(6, 1)
    half = [View({name: values.bfloat16() for name, values in v.outputs.items()}) for v in (teacher, student)]
    rounded = [View({name: values.float() for name, values in v.outputs.items()}) for v in half]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = method()(half[1], half[0], BATCH, CLOCK)
    assert all(loss.dtype == torch.float32 for loss in found.values())
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(losses(*rounded))


def test_a_student_without_queries_is_refused() -> None:
    student = build_model("cnn-micro", labels=("a", "b"), size=(32, 32))
    with pytest.raises(ConfigError, match="query_kd teaches the queries of a student of the DETR family"):
        build(Pair(student, None, classification(("a", "b")), (32, 32)))
