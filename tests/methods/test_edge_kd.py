"""methods.edge_kd against SciPy, transformers' D-FINE and hand values."""

from dataclasses import replace

import pytest
import torch
from scipy.special import rel_entr, softmax
from transformers.loss.loss_d_fine import weighting_function
from transformers.models.d_fine.modeling_d_fine import distance2bbox

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.boxes import iou, xyxy
from distildoc.losses.edges import Frame, moved_offsets, rebinned
from distildoc.methods.edge_kd import EdgeKD, build
from distildoc.models.build import build_model
from distildoc.models.detectors.build import build_detector
from distildoc.schema.errors import ConfigError
from distildoc.tasks.classification import classification

CLOCK = Clock(0, 1, 0.0)
BATCH = Batch(torch.zeros(1, 3, 8, 8), {}, ())
BINS = 32
FRAME = Frame(weighting_function(BINS, torch.tensor([0.5]), 4.0), 4.0)
LABELS = ("text", "table")
METHOD = EdgeKD((FRAME, FRAME), temperature=5.0, top=100, threshold=0.0)


def said(seed: int, *, queries: int = 5, references: int = 7) -> View:
    """A page whose boxes are what its distributions and references give."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.Generator().manual_seed(references)
    centre = 0.2 + 0.6 * torch.rand(1, queries, 2, generator=places)
    boxes = torch.cat([centre, 0.2 + 0.1 * torch.rand(1, queries, 2, generator=places)], -1)
    middle = torch.linspace(-3, 3, BINS + 1)
    corners = torch.randn(1, queries, 4, BINS + 1, generator=generator) - 4 * middle**2
    found = distance2bbox(boxes, (corners.softmax(-1) * FRAME.offsets).sum(-1), FRAME.scale)
    logits = 2 * torch.randn(1, queries, 2, generator=generator)
    return View({"logits": logits, "boxes": found, "corners": corners.flatten(2), "references": boxes})


def edges(teacher: View, student: View, method: EdgeKD = METHOD) -> torch.Tensor:
    return method(student, teacher, BATCH, CLOCK)["edges"]


def test_with_equal_references_it_is_localisation_distillation_in_scipy() -> None:
    teacher, student = said(0), said(1)
    student = View({**student.outputs, "logits": teacher.outputs["logits"]})  # the same queries are matched
    u, v = (x.outputs["corners"].double().numpy().reshape(5, 4, BINS + 1) / 5 for x in (teacher, student))
    distance = 25 * rel_entr(softmax(u, -1), softmax(v, -1)).sum(-1).mean(-1)
    confidence = teacher.outputs["logits"][0].sigmoid().amax(-1).double().numpy()
    overlap = iou(xyxy(teacher.outputs["boxes"][0]), xyxy(student.outputs["boxes"][0])).double().numpy()
    expected = (confidence * overlap * distance).sum() / confidence.sum()
    assert edges(teacher, student).item() == pytest.approx(expected, rel=1e-4)


def test_is_zero_where_both_say_the_same() -> None:
    assert edges(said(0), said(0)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_a_student_that_has_learnt_it_puts_its_edges_where_the_teacher_does_from_other_references(
    temperature: float,
) -> None:
    teacher = said(0)
    references = teacher.outputs["references"] + torch.tensor([0.03, -0.02, 0.04, -0.03])
    masses = teacher.outputs["corners"].reshape(1, 5, 4, BINS + 1).softmax(-1)
    places = moved_offsets(teacher.outputs["references"], references, frames=(FRAME, FRAME))
    learnt, _ = rebinned(masses, places, FRAME.offsets)
    fixed = {name: teacher.outputs[name] for name in ("logits", "boxes")}
    corners = learnt.log().clamp(min=-1e4).flatten(2)
    student = View({**fixed, "corners": corners, "references": references})
    assert edges(teacher, student, replace(METHOD, temperature=temperature)).item() == pytest.approx(0, abs=1e-5)
    found = distance2bbox(references, (learnt * FRAME.offsets).sum(-1), FRAME.scale)
    unmoved = distance2bbox(references, (masses * FRAME.offsets).sum(-1), FRAME.scale)
    assert (found - teacher.outputs["boxes"]).abs().max() < 2e-3
    assert (unmoved - teacher.outputs["boxes"]).abs().max() > 0.03
    plain = View({**teacher.outputs, **fixed, "references": references})  # the teacher's own logits, in another frame
    assert edges(teacher, plain, replace(METHOD, temperature=temperature)).item() > 0.1


@pytest.mark.parametrize("settings", [{"max_num_bins": 16}, {"reg_scale": 8.0}, {"up": 0.25}])
def test_heads_with_other_bins_are_compared(settings: dict[str, float]) -> None:
    bins = int(settings.get("max_num_bins", BINS))
    scale = float(settings.get("reg_scale", 4.0))
    own = Frame(weighting_function(bins, torch.tensor([settings.get("up", 0.5)]), scale), scale)
    teacher, student = said(0), said(1)
    corners = torch.zeros(1, 5, 4 * (bins + 1), requires_grad=True)
    loss = edges(teacher, View({**student.outputs, "corners": corners}), replace(METHOD, frames=(FRAME, own)))
    loss.backward()
    assert loss.item() > 0
    assert torch.isfinite(corners.grad).all()


def test_only_the_distributions_learn() -> None:
    teacher, student = said(0), said(1)
    for values in student.outputs.values():
        values.requires_grad_()
    edges(teacher, student).backward()
    assert student.outputs["corners"].grad.abs().sum() > 0
    assert student.outputs["boxes"].grad is None and student.outputs["references"].grad is None


def test_what_the_teacher_does_not_believe_in_does_not_count() -> None:
    teacher, student = said(0), said(1)
    logits = torch.full_like(teacher.outputs["logits"], -20.0)
    logits[:, 0] = 3.0
    teacher = View({**teacher.outputs, "logits": logits})
    alone = View({name: values[:, :1] for name, values in teacher.outputs.items()})
    student = View({**student.outputs, "logits": logits})
    assert edges(teacher, student).item() == pytest.approx(edges(alone, student).item(), rel=1e-4)


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_values(size: float) -> None:
    teacher, student = (View({n: size * x for n, x in said(seed).outputs.items()}) for seed in (0, 1))
    corners = student.outputs["corners"].requires_grad_()
    loss = edges(teacher, student)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(corners.grad).all()


def test_a_page_without_certain_queries_gives_zero_and_a_gradient_path() -> None:
    student = said(1)
    corners = student.outputs["corners"].requires_grad_()
    loss = edges(said(0), student, replace(METHOD, threshold=1 - 1e-6))
    loss.backward()
    assert loss.item() == 0
    assert (corners.grad == 0).all()


def test_bf16_is_near_fp32() -> None:
    half = [View({n: x.bfloat16() for n, x in said(seed).outputs.items()}) for seed in (0, 1)]
    rounded = [View({n: x.float() for n, x in v.outputs.items()}) for v in half]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = edges(*half)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, edges(*rounded))


@pytest.fixture(scope="module")
def detectors() -> dict[str, object]:
    small = {"labels": LABELS, "size": (128, 128), "queries": 12, "denoising": 0}
    return {name: build_detector(name, **small) for name in ("d-fine-micro", "rtdetrv2-micro")}


def test_bins_are_those_that_the_decoder_turns_into_boxes(detectors) -> None:
    model = detectors["d-fine-micro"].eval()
    method = build(Pair(model, model, classification(LABELS), (128, 128)))
    assert isinstance(method, EdgeKD)
    with torch.no_grad():
        found = model(torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    masses = found["corners"].reshape(2, 12, 4, -1).softmax(-1)
    frame = method.frames[1]
    boxes = distance2bbox(found["references"], (masses * frame.offsets).sum(-1), frame.scale)
    torch.testing.assert_close(boxes, found["boxes"])


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_a_model_without_distributions_is_refused(who: str, detectors) -> None:
    models = {"student": detectors["d-fine-micro"], "teacher": detectors["d-fine-micro"]}
    models[who] = detectors["rtdetrv2-micro"]
    with pytest.raises(ConfigError, match=f"the {who} has another head"):
        build(Pair(models["student"], models["teacher"], classification(LABELS), (128, 128)))


def test_a_classifier_is_refused() -> None:
    student = build_model("cnn-micro", labels=LABELS, size=(32, 32))
    with pytest.raises(ConfigError, match="D-FINE"):
        build(Pair(student, student, classification(LABELS), (32, 32)))
