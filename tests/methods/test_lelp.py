"""methods.lelp: the loss against NumPy, targets that add up to the teacher's, a student that folds its own logits."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Seen, Term
from distildoc.core.model import Model, Normalise, Places
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.export.to_onnx import to_onnx
from distildoc.losses.subclasses import log_shares
from distildoc.methods.lelp import SUBCLASSES, Lelp, build
from distildoc.models.heads import SubclassHead, build_head
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live
from distildoc.teach.survey import survey

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def built(pair: Pair, **settings: object) -> Lelp:
    method = build(pair, **settings)  # type: ignore[arg-type]
    assert isinstance(method, Lelp)
    return method


def pages(number: int = 40, *, seed: int = 0) -> Batch:
    pixels = torch.rand(number, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    return Batch(pixels, {"label": torch.arange(number) % 5}, tuple(Key(f"page{i}", 0) for i in range(number)))


def seen(pair: Pair, batch: Batch) -> Seen:
    return batch, Live(pair.teacher, taps=("penultimate",))(batch)


def softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(-1, keepdims=True)


def test_scores_equal_the_numpy_pipeline(pair_of: PairOf) -> None:
    """With one direction a class a rotation can only change its sign, which is read off the scores."""
    pair, batch = pair_of("cnn", "cnn"), pages(60)
    assert pair.teacher is not None and isinstance(pair.teacher.head, torch.nn.Linear)
    method = built(pair, subclasses=1)
    embeddings = 3 + torch.randn(60, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = pair.teacher.head(embeddings) - pair.teacher.head(embeddings).mean(0)
    method.survey([(batch, View({"logits": logits}, {"penultimate": embeddings}))])
    weight = pair.teacher.head.weight.detach().double().numpy()
    weight = weight - weight.mean(0)
    hidden = embeddings.double().numpy() @ (np.eye(64) - np.linalg.pinv(weight) @ weight)
    scores = method.scores(embeddings, batch.keys).double().numpy()[:, :, 0]
    for number in range(5):
        own = logits.numpy().argmax(1) == number
        assert own.sum() >= 3
        centred = hidden - hidden[own].mean(0)
        _, sizes, rows = np.linalg.svd(centred[own], full_matrices=False)
        expected = centred @ rows[0] / (sizes[0] / np.sqrt(own.sum()))
        sign = np.sign(expected @ scores[:, number])
        np.testing.assert_allclose(scores[:, number], sign * expected, atol=1e-3)


def test_loss_is_the_cross_entropy_with_the_shares_of_the_teacher(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    method = built(pair, subclasses=3, temperature=2.0, within=0.5)
    method.survey([seen(pair, pages())])
    teacher = seen(pair, batch)[1]
    assert isinstance(teacher, View)
    student = torch.randn(6, 15, generator=torch.Generator().manual_seed(0))
    scores = method.scores(teacher.features["penultimate"], batch.keys).numpy()
    target = softmax(teacher.outputs["logits"].numpy() / 2.0)[:, :, None] * softmax(scores / 0.5)
    np.testing.assert_allclose(target.sum(2), softmax(teacher.outputs["logits"].numpy() / 2.0), atol=1e-6)
    expected = -(target.reshape(6, 15) * np.log(softmax(student.numpy()))).sum(1).mean()
    found = method(View({}, {SUBCLASSES: student}), teacher, batch, CLOCK)["subclasses"]
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_with_one_sub_class_it_is_soft_labels(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "vit")
    method = built(pair, subclasses=1)
    method.survey([seen(pair, pages())])
    teacher = seen(pair, batch)[1]
    assert isinstance(teacher, View)
    student = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    found = method(View({}, {SUBCLASSES: student}), teacher, batch, CLOCK)["subclasses"]
    expected = -(teacher.outputs["logits"].softmax(1) * student.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(found, expected)


def test_the_survey_may_come_in_pieces_and_in_any_order(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    whole = pages()
    pieces = [whole.select(rows) for rows in torch.arange(39, -1, -1).split(7)]
    embeddings = seen(pair, batch)[1].features["penultimate"]  # type: ignore[union-attr]
    found = []
    for batches in ([whole], pieces):
        method = built(pair, subclasses=2)
        method.survey(seen(pair, part) for part in batches)
        found.append(method.scores(embeddings, batch.keys))
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_pages_are_assigned_by_the_teacher_unless_told_otherwise(pair_of: PairOf, batch: Batch) -> None:
    pair, whole = pair_of("cnn", "cnn"), pages()
    nobody = replace(whole, targets={"label": torch.full((40,), -1)})
    found = []
    for labels in (whole, nobody):
        for assign in ("teacher", "label"):
            method = built(pair, subclasses=2, assign=assign)
            method.survey([(labels, seen(pair, whole)[1])])
            assert method.subclasses is not None
            found.append(method.subclasses.mean)
    by_teacher, by_label, again, unlabelled = found
    assert torch.equal(by_teacher, again)
    assert (by_teacher - by_label).abs().max() > 1e-3
    assert not unlabelled.any()


def test_random_sub_classes_are_the_pages_own_whatever_the_view_and_need_no_survey(pair_of: PairOf) -> None:
    method = built(pair_of("cnn", "cnn"), subclasses=4, directions="random_subclass")

    def pages_of_a_teacher() -> Iterator[Seen]:
        raise AssertionError("there is nothing to look at")
        yield

    method.survey(pages_of_a_teacher())
    keys = [Key("a", 0), Key("a", 3), Key("b", 0)]
    first, view, other = method.scores(torch.rand(3, 64), keys)
    assert torch.equal(first, view) and not torch.equal(first, other)
    many = method.scores(torch.rand(500, 64), [Key(str(i), 0) for i in range(500)])
    assert many.mean().abs() < 0.05 and abs(many.std().item() - 1) < 0.05


def test_without_the_null_space_the_classifiers_own_directions_are_kept(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    weight = pair.teacher.head.weight.detach()
    seen_by_it = []
    for null_space in (True, False):
        method = built(pair, subclasses=2, null_space=null_space)
        method.survey([seen(pair, pages())])
        assert method.subclasses is not None
        units = torch.nn.functional.normalize(method.subclasses.directions, dim=1)
        seen_by_it.append(((weight - weight.mean(0)) @ units).abs().max().item())
    assert seen_by_it[0] < 1e-4 < seen_by_it[1]


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_the_student_says_the_sum_over_its_sub_classes_and_so_does_what_is_saved(
    network: str, pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    pair = pair_of(network, "cnn")
    student = build(pair, subclasses=3).adapt(pair.student).eval()
    assert isinstance(student.head, SubclassHead) and student.body is pair.student.body
    with torch.no_grad():
        raw = student.head.subclasses(student.body(student.entry(batch.inputs))).view(6, 5, 3)
        said = student(batch.inputs)["logits"]
        torch.testing.assert_close(said.softmax(1), raw.flatten(1).softmax(1).view(6, 5, 3).sum(2))
        save_model(student, tmp_path / "model")
        assert torch.equal(load_model(tmp_path / "model")(batch.inputs)["logits"], said)


def test_its_graph_says_the_same(batch: Batch, tmp_path: Path) -> None:
    spec = {"kind": "subclass", "features": 4, "classes": 5, "subclasses": 3}
    body = torch.nn.Sequential(torch.nn.AvgPool2d(16), torch.nn.Flatten())
    places = Places(penultimate="body", map="body.0", stages=())
    labels = ("a", "b", "c", "d", "e")
    head = build_head(spec)
    student = Model(body, head, normalise=Normalise((0.5,), (0.1,)), labels=labels, places=places, recipe={})
    to_onnx(student.eval(), tmp_path / "model.onnx", size=(32, 32))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: batch.inputs.numpy()})
    assert isinstance(head, SubclassHead)
    with torch.no_grad():
        raw = head.subclasses(body(student.entry(batch.inputs))).double().numpy()
    np.testing.assert_allclose(softmax(found), softmax(raw).reshape(6, 5, 3).sum(2), atol=1e-6)


def test_labels_reach_all_sub_classes_through_the_folded_logits(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    student = build(pair, subclasses=3).adapt(pair.student)
    torch.nn.functional.cross_entropy(student(batch.inputs)["logits"][:5], batch.targets["label"][:5]).backward()
    assert isinstance(student.head, SubclassHead)
    gradient = student.head.subclasses.weight.grad
    assert gradient is not None and (gradient.abs().sum(1) > 0).all()


def test_a_run_surveys_its_pages_before_the_term_is_tried(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "vit")
    method = build(pair)
    term = Term("lelp", method, constant(1.0))
    distiller = Distiller(method.adapt(pair.student), [term])
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps)
    check_terms(distiller, teacher, sample=batch)
    with pytest.raises(RuntimeError, match="has not seen the training pages"):
        distiller(batch, teacher(batch), CLOCK)
    survey(distiller, teacher, lambda: iter([pages()]), count=40)
    total, _ = distiller(batch, teacher(batch), CLOCK)
    assert torch.isfinite(total)


def test_a_run_without_one_teacher_model_is_refused(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="'lelp' reads features or the head of one teacher model"):
        build(replace(pair_of("cnn", "cnn"), teacher=None))


def test_a_teacher_to_whom_all_pages_look_alike_shares_evenly(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    method = built(pair, subclasses=4)
    same = replace(batch, inputs=batch.inputs[:1].expand(6, -1, -1, -1))
    method.survey([seen(pair, same)])
    teacher = seen(pair, same)[1]
    assert isinstance(teacher, View)
    shares = log_shares(
        teacher.outputs["logits"],
        method.scores(teacher.features["penultimate"], same.keys),
        temperature=1.0,
        within=0.5,
    ).exp()
    torch.testing.assert_close(shares, (teacher.outputs["logits"].softmax(1) / 4)[:, :, None].expand(-1, -1, 4))
