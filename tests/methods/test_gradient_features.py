"""methods.gradient_features against NumPy, hand values and autograd through the whole teacher."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.taps import weights_tap
from distildoc.core.view import View
from distildoc.methods.gradient_features import GradientFeatures, OfHead, OfTap, build
from distildoc.models.grids import Grid
from distildoc.models.text.build import build_text_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)


def method_of(pair: Pair, **settings: object) -> GradientFeatures:
    method = build(pair, **settings)  # type: ignore[arg-type]
    assert isinstance(method, GradientFeatures)
    return method


def test_one_step_of_descent_is_the_hand_value(batch: Batch) -> None:
    regressor, head = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(2, 2, bias=False)
    nn.init.constant_(regressor.weight, 2.0)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 3.0], [-1.0, 3.0]]))
    taps = ("penultimate", "penultimate")
    method = GradientFeatures(regressor, taps=taps, grids=(Grid(), Grid()), weights=OfHead(head, taps[1]))
    student, teacher = View({}, {taps[0]: torch.full((1, 1), 3.0)}), View({}, {taps[0]: torch.tensor([[0.0, 5.0]])})
    loss = method(student, teacher, batch, CLOCK)["square"]
    assert loss.item() == 18.0  # p = (1/2, 1/2), w = (1, 0): (1 x (2 x 3 - 0)^2 + 0) / 2
    loss.backward()
    assert regressor.weight.grad is not None
    assert regressor.weight.grad.flatten().tolist() == [18.0, 0.0]  # 2 x (6 - 0) x 3 / 2, and no weight


def test_equals_numpy_with_weights_of_mean_one(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    method = method_of(pair)
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(6, 48, generator=generator), torch.randn(6, 64, generator=generator)
    views = View({}, {"penultimate": student}), View({}, {"penultimate": teacher})
    method.survey([(batch, views[1])])
    rows, bias = (p.detach().double().numpy() for p in pair.teacher.head.parameters())
    p = softmax(teacher.double().numpy() @ rows.T + bias, -1)
    weight = np.stack([(q[:, None] * (rows - q @ rows) ** 2).sum(0) for q in p])
    state = method.regressor.state_dict()
    mapped = student.numpy() @ state["weight"][:, :, 0, 0].numpy().T + state["bias"].numpy()
    expected = np.mean(weight / weight.mean() * (mapped - teacher.numpy()) ** 2)
    assert method(*views, batch, CLOCK)["square"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("teacher", ["cnn", "vit"])
def test_closed_form_equals_backward_passes_through_the_live_teacher(
    teacher: str, pair_of: Callable[..., Pair], batch: Batch
) -> None:
    pair = pair_of("cnn", teacher)
    assert pair.teacher is not None
    method = method_of(pair)
    assert isinstance(method.weights, OfHead)
    name = weights_tap("penultimate")
    view = Live(pair.teacher, taps=["penultimate", name], outputs=False)(batch)
    torch.testing.assert_close(method.weights(view), OfTap(name)(view), rtol=1e-4, atol=1e-9)
    assert all(p.grad is None for p in pair.teacher.parameters())


@pytest.mark.parametrize("draws", [0, 2])
@pytest.mark.parametrize("networks", [("cnn", "cnn"), ("vit", "cnn"), ("cnn", "vit"), ("vit", "vit")])
def test_deeper_taps_of_any_two_networks_fit_and_train_the_student_alone(
    networks: tuple[str, str], draws: int, pair_of: Callable[..., Pair], batch: Batch
) -> None:
    pair = pair_of(*networks)
    assert pair.teacher is not None
    method = method_of(pair, student_tap="middle", teacher_tap="middle", draws=draws)
    distiller = Distiller(pair.student, [Term("features", method, constant(1.0))])
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    method.survey([(batch, teacher(batch))])
    check_terms(distiller, teacher, sample=batch)
    total, _ = distiller(batch, teacher(batch), CLOCK)
    total.backward()
    assert torch.isfinite(total) and total > 0
    assert sum(p.grad.abs().sum() for p in pair.student.parameters() if p.grad is not None) > 0
    assert all(p.grad is None for p in pair.teacher.parameters())


def test_weights_have_mean_one_over_the_training_pages(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    method = method_of(pair, teacher_tap="middle")
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    parts = [batch.select(torch.arange(5)), batch.select(torch.tensor([5]))]
    method.survey([(part, teacher(part)) for part in parts])
    assert method.weights is not None
    found = method.weights(teacher(batch)) / method.mean
    assert found.mean().item() == pytest.approx(1.0, rel=1e-5)
    assert found.std() > 0.1


def test_plain_features_have_the_same_regressor_and_weights_of_one(pair_of: Callable[..., Pair], batch: Batch) -> None:
    torch.manual_seed(0)
    weighted = method_of(pair_of("cnn", "cnn"))
    torch.manual_seed(0)
    plain = method_of(pair_of("cnn", "cnn"), weights="none")
    assert all(
        torch.equal(a, b) for a, b in zip(weighted.regressor.parameters(), plain.regressor.parameters(), strict=True)
    )
    student, teacher = torch.randn(6, 48), torch.randn(6, 64)
    found = plain(View({}, {"penultimate": student}), View({}, {"penultimate": teacher}), batch, CLOCK)["square"]
    expected = (plain.regressor(student[:, :, None, None])[:, :, 0, 0] - teacher).square().mean()
    torch.testing.assert_close(found, expected)
    assert not plain.needs.live_teacher


def test_features_behind_the_last_use_of_a_page_are_refused(pair_of: Callable[..., Pair]) -> None:
    pair = pair_of("cnn", "vit")  # the head reads the CLS token of the last layer alone
    assert pair.teacher is not None
    modes = [module.training for module in pair.teacher.modules()]
    with pytest.raises(ConfigError, match=r"do not depend on its 'late'; set `teacher_tap` to an earlier layer"):
        method_of(pair, teacher_tap="late")
    assert [module.training for module in pair.teacher.modules()] == modes
    assert all(p.grad is None for p in pair.teacher.parameters())
    method_of(pair, teacher_tap="late", weights="none")


def test_a_teacher_that_is_certain_of_every_page_is_refused(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    with torch.no_grad():
        for weight in pair.teacher.head.parameters():
            weight.mul_(1e6)
    method = method_of(pair, teacher_tap="middle")
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    with pytest.raises(ConfigError, match=r"certain of every page.*at its 'middle'.*set `weights: none`"):
        method.survey([(batch, teacher(batch))])


def test_identity_is_zero_at_agreement_and_refuses_other_widths(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    method = method_of(replace(pair, teacher=pair.student), regressor="identity")
    feature = View({}, {"penultimate": torch.randn(6, 48)})
    assert method(feature, feature, batch, CLOCK)["square"].item() == 0
    with pytest.raises(ConfigError, match="48 channels are not 64"):
        method_of(pair_of("cnn", "cnn"), regressor="identity")


@pytest.mark.parametrize("draws", [0, 3])
def test_a_page_has_the_same_weights_in_every_batch(draws: int, pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    name = weights_tap("middle", draws)
    teacher = Live(pair.teacher, taps=["middle", name])
    alone = teacher(batch.select(torch.tensor([4])))
    torch.testing.assert_close(teacher(batch).features[name][4:5], alone.features[name], rtol=1e-4, atol=1e-9)
    assert set(Live(pair.teacher, taps=[name])(batch).features) == {name}
    assert not any(values.requires_grad for values in (*alone.features.values(), *alone.outputs.values()))


def test_no_tap_wants_a_live_teacher_and_texts_have_no_deeper_one(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of()
    assert pair.teacher is not None
    assert not any(method_of(pair, teacher_tap=tap).needs.live_teacher for tap in ("penultimate", "middle"))
    words = replace(batch, inputs=torch.zeros(6, 20, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="compare `penultimate`"):
        Live(pair.teacher, taps=[weights_tap("middle")])(words)
    reader = build_text_model(
        "bert-micro", labels=pair.task.labels, texts=lambda: ["a few words"], width=16, tokens=8, vocabulary=270
    )
    with pytest.raises(ConfigError, match="compare `penultimate`"):
        method_of(replace(pair, teacher=reader), teacher_tap="bert.pooler")


def test_nothing_of_the_teacher_is_trained_or_kept(pair_of: Callable[..., Pair]) -> None:
    method = method_of(pair_of())
    assert {name for name, _ in method.named_parameters()} == {"regressor.weight", "regressor.bias"}
    assert set(method.state_dict()) == {"regressor.weight", "regressor.bias"}
