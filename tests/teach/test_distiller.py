"""teach.distiller: the sum, the names, and what is and is not inside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, Schedule, constant, linear
from distildoc.core.method import Losses, Needs, Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods import method_module
from distildoc.models.heads import ProjectedHead
from distildoc.schema.errors import ConfigError, TapError
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.live import Live

CLOCK = Clock(0, 10, 0.0)


@dataclass(frozen=True)
class Gives:
    """A method whose losses are so many times the sum of the student's logits."""

    factors: dict[str, float]
    needs: Needs = Needs(teacher=False)  # noqa: RUF009  # frozen

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        total = student.outputs["logits"].sum()
        return {name: factor * total for name, factor in self.factors.items()}


class PixelGradient:
    """Size of the gradient of the first logit with respect to the pixels."""

    needs = Needs(teacher=False, input_gradients=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        score = student.outputs["logits"][:, 0].sum()
        (gradient,) = torch.autograd.grad(score, batch.inputs, create_graph=True)
        return {"norm": gradient.square().sum()}


def terms(*parts: tuple[str, dict[str, float], Schedule]) -> list[Term]:
    return [Term(name, Gives(factors), weight) for name, factors, weight in parts]


def term(name: str, pair: Pair, **settings: object) -> Term:
    return Term(name, method_module(name).build(pair, **settings), constant(1.0))


def test_total_is_the_weighted_sum_and_losses_are_unweighted(pair: Pair, batch: Batch) -> None:
    student = pair.student.eval()
    distiller = Distiller(student, terms(("a", {"x": 1.0}, constant(2.0)), ("b", {"y": 3.0, "z": 4.0}, constant(0.5))))
    total, losses = distiller(batch, None, CLOCK)
    logits = student(batch.inputs)["logits"].sum()
    assert set(losses) == {"a", "b/y", "b/z"}
    torch.testing.assert_close(losses["b/z"], 4 * logits)
    torch.testing.assert_close(total, (2 * 1 + 0.5 * (3 + 4)) * logits)


def test_a_weight_follows_the_clock(pair: Pair, batch: Batch) -> None:
    distiller = Distiller(pair.student.eval(), terms(("a", {"x": 1.0}, linear(1.0, 0.0))))
    totals = [distiller(batch, None, Clock(step, 10, 0.0))[0].item() for step in (0, 5)]
    assert totals[1] == pytest.approx(totals[0] / 2)


def test_a_term_of_weight_zero_is_left_out(pair: Pair, batch: Batch) -> None:
    distiller = Distiller(
        pair.student, terms(("a", {"x": 1.0}, constant(1.0)), ("b", {"x": float("nan")}, constant(0.0)))
    )
    total, losses = distiller(batch, None, CLOCK)
    assert set(losses) == {"a"}
    assert torch.isfinite(total)


def test_where_every_weight_is_zero_the_gradient_is_zero(pair: Pair, batch: Batch) -> None:
    distiller = Distiller(pair.student, terms(("a", {"x": 1.0}, linear(0.0, 1.0))))
    total, losses = distiller(batch, None, CLOCK)
    total.backward()
    assert (total.item(), dict(losses)) == (0, {})
    assert not any(p.grad is None or p.grad.any() for p in pair.student.parameters())


@pytest.mark.parametrize("order", [1, -1])
def test_two_methods_that_each_put_in_a_head_are_an_error_that_names_both(order: int, pair: Pair) -> None:
    both = [Term(name, method_module("simkd").build(pair, projector=name), constant(1.0)) for name in ("cnn", "mlp")]
    with pytest.raises(ConfigError, match=r"'(cnn|mlp)' and '(cnn|mlp)'"):
        adapted(pair.student, both[::order])


def test_what_a_term_put_into_the_student_is_not_lost_to_a_later_one(pair: Pair, batch: Batch) -> None:
    def terms_in(order: tuple[str, ...]) -> list[Term]:
        return [Term(name, method_module(name).build(pair), constant(1.0)) for name in order]

    with pytest.raises(ConfigError, match="a later term replaces what term 'vam' put into the student; name it last"):
        adapted(pair.student, terms_in(("vam", "one")))
    terms = terms_in(("one", "vam"))
    distiller = Distiller(adapted(pair.student, terms), terms)
    distiller(batch, None, CLOCK)[0].backward()
    affinities = [value for name, value in distiller.student.named_parameters() if name.endswith("affinity")]
    assert affinities
    assert all(value.grad is not None and value.grad.any() for value in affinities)


def test_two_terms_of_one_name_are_an_error(pair: Pair) -> None:
    with pytest.raises(ConfigError, match=r"names of their own, got \['a', 'a'\]"):
        Distiller(pair.student, terms(("a", {}, constant(1.0)), ("a", {}, constant(1.0))))


def test_a_student_tap_that_is_not_there_is_an_error_at_once(pair: Pair) -> None:
    method = Gives({}, Needs(teacher=False, student_taps=("penultimat",)))
    with pytest.raises(TapError, match="closest: penultimate"):
        Distiller(pair.student, [Term("a", method, constant(1.0))])


def test_holds_the_student_and_what_methods_learn_and_never_the_teacher(pair: Pair, batch: Batch) -> None:
    assert pair.teacher is not None
    all_terms = [term("fitnet", pair), term("simkd", pair), term("kd", pair)]
    distiller = Distiller(adapted(pair.student, all_terms), all_terms)
    distiller(batch, Live(pair.teacher, taps=("map", "middle", "penultimate"))(batch), CLOCK)
    roots = {".".join(name.split(".")[:2]) for name in distiller.state_dict()}
    assert roots == {"student.body", "student.head", "learned.fitnet"}
    inside = {p.data_ptr() for p in distiller.parameters()}
    assert not inside & {p.data_ptr() for p in pair.teacher.parameters()}


def test_terms_of_several_methods_work_together_on_an_adapted_student(pair: Pair, batch: Batch) -> None:
    assert pair.teacher is not None
    all_terms = [
        term("supervised", pair),
        term("simkd", pair, projector="mlp"),
        term("fitnet", pair),
        term("nkd", pair),
    ]
    distiller = Distiller(adapted(pair.student, all_terms), all_terms)
    total, losses = distiller(batch, Live(pair.teacher, taps=("middle", "penultimate"))(batch), CLOCK)
    total.backward()
    assert isinstance(distiller.student.head, ProjectedHead)
    assert set(losses) == {"supervised", "simkd", "fitnet", "nkd/target", "nkd/non_target", "nkd/cross_entropy"}


def test_a_method_can_differentiate_the_student_with_respect_to_the_pixels(pair: Pair, batch: Batch) -> None:
    student = pair.student.eval()
    total, _ = Distiller(student, [Term("g", PixelGradient(), constant(1.0))])(batch, None, CLOCK)
    total.backward()
    pixels = batch.inputs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(student(pixels)["logits"][:, 0].sum(), pixels)
    torch.testing.assert_close(total, expected.square().sum())
    assert not batch.inputs.requires_grad
    assert any(p.grad is not None and p.grad.any() for p in student.parameters())


def test_a_method_can_run_the_student_again(pair: Pair, batch: Batch) -> None:
    distiller = Distiller(pair.student.eval(), terms(("a", {"x": 1.0}, constant(1.0))))
    again = distiller.look(batch, None, CLOCK)[1].again
    assert again is not None
    other = 1 - batch.inputs
    torch.testing.assert_close(again(other).outputs["logits"], pair.student(other)["logits"])


def test_a_released_student_runs_without_hooks(pair: Pair, batch: Batch) -> None:
    all_terms = [term("fitnet", pair)]
    student = Distiller(pair.student, all_terms).release()
    assert not any(module._forward_hooks for module in student.modules())


def test_compiling_the_student_changes_nothing(pair: Pair, model_of: Callable[[int], Model], batch: Batch) -> None:
    assert pair.teacher is not None
    view = Live(pair.teacher, taps=("middle",))(batch)
    torch.manual_seed(0)
    distiller = Distiller(pair.student, [term("supervised", pair), term("fitnet", pair)])
    plain, _ = distiller(batch, view, CLOCK)
    plain.backward()
    gradients = [p.grad.clone() for p in distiller.parameters() if p.grad is not None]
    distiller.zero_grad()
    pair.student.compile(backend="eager")
    compiled, _ = distiller(batch, view, CLOCK)
    compiled.backward()
    torch.testing.assert_close(compiled, plain)
    again = [p.grad for p in distiller.parameters() if p.grad is not None]
    torch.testing.assert_close(again, gradients)


def test_under_autocast_the_total_is_in_fp32(pair: Pair, batch: Batch) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, losses = Distiller(pair.student, terms(("a", {"x": 1.0}, constant(1.0))))(batch, None, CLOCK)
    assert total.dtype == torch.float32
    assert isinstance(losses["a"], Tensor)


def test_a_learning_method_is_a_module_and_moves_with_the_distiller(pair: Pair) -> None:
    distiller = Distiller(pair.student, [term("fitnet", pair)])
    assert isinstance(distiller.learned["fitnet"], nn.Module)
    assert all(p.dtype == torch.float64 for p in distiller.double().learned.parameters())
