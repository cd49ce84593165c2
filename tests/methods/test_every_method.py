"""What holds for every method of classifiers in the table; a new one is tested here by being listed."""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from cases import CASES, CLASSIFIERS_METHODS, CLOCK, Case, PairOf, check_works, every_case, gradients, with_own_student
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import constant
from distildoc.core.method import Paces, Term
from distildoc.core.view import View
from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.models.load import load_model, save_model
from distildoc.teach.check import teacher_taps
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

NETWORKS = [(student, teacher) for student in ("cnn", "vit") for teacher in ("cnn", "vit")]
NOT_ZERO_AT_AGREEMENT = {
    "supervised": "its target is the label, not the teacher",
    "adversarial": "its target is the label, not the teacher",
    "one": "its targets are the labels and the ensemble of its branches; it has no teacher",
    "nkd": "cross-entropies, not divergences: at agreement the teacher's entropy is left",
    "gates": "the entropy of the student's own gates, whatever a teacher says",
}
READS_NO_VIEW = {
    "vam": "the entropy of weights inside the student",
    "gates": "the entropy of weights inside the student",
}
RUNS_NETWORKS = {  # their values come from running a network, not from a View
    "adversarial",
    "kdiga",
    "masked_image",
    "bss",
    "kdiga, noise",
    "kdiga, adversarial",
    "kdiga, released",
}
every_method = pytest.mark.parametrize("name", CLASSIFIERS_METHODS)
every_pair = pytest.mark.parametrize("networks", NETWORKS, ids=["-".join(pair) for pair in NETWORKS])


@pytest.fixture
def pair_of(pair_of: PairOf, request: pytest.FixtureRequest) -> PairOf:
    return with_own_student(pair_of, request.node.callspec.params["name"])


@every_case
@every_pair
def test_gives_finite_scalars_and_a_gradient_into_the_student_alone(
    name: str, networks: tuple[str, str], pair_of: PairOf, batch: Batch
) -> None:
    check_works(Case(name, pair_of(*networks)), batch)


@every_case
@every_pair
def test_a_few_steps_on_one_batch_lower_its_loss(
    name: str, networks: tuple[str, str], pair_of: PairOf, batch: Batch
) -> None:
    case = Case(name, pair_of(*networks))
    optimiser = torch.optim.Adam([p for p in case.distiller.parameters() if p.requires_grad], lr=3e-3)
    totals = []
    for _ in range(6):
        total, _ = case(batch)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < totals[0]


@every_case
def test_order_of_pages_does_not_matter(name: str, pair_of: PairOf, batch: Batch) -> None:
    total, _ = Case(name, pair_of("cnn", "vit"))(batch)
    again, _ = Case(name, pair_of("cnn", "vit"))(batch.select(torch.tensor([3, 5, 0, 1, 4, 2])))
    torch.testing.assert_close(again, total, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS_METHODS if name not in NOT_ZERO_AT_AGREEMENT])
@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_is_zero_where_student_and_teacher_agree_and_nothing_is_learned(
    name: str, network: str, pair_of: PairOf, batch: Batch
) -> None:
    pair = pair_of(network, "none")
    pair.student.eval()
    case = Case(name, replace(pair, teacher=deepcopy(pair.student)))
    if case.distiller.student is not pair.student or list(case.distiller.learned.parameters()):
        pytest.skip("it changes the student or learns something, which does not agree at first")
    case.distiller.eval()
    total, _ = case(batch)
    assert total.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if name not in READS_NO_VIEW and name not in RUNS_NETWORKS])
@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_values(name: str, size: float, pair_of: PairOf, batch: Batch) -> None:
    case = Case(name, pair_of("cnn", "cnn"))
    student, teacher = (_scaled(view, size) for view in case.views(batch))
    leaves = [*student.outputs.values(), *student.features.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    losses = case.method(student, teacher, batch, CLOCK)
    sum(losses.values()).backward()
    found = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert found
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(gradient).all() for gradient in found)


@every_case
def test_methods_that_run_networks_say_so(name: str, pair_of: PairOf) -> None:
    needs = Case(name, pair_of("cnn", "cnn")).method.needs
    assert (name in RUNS_NETWORKS) == (needs.live_teacher or needs.input_gradients or needs.own_pixels)


@pytest.mark.parametrize("name", sorted(RUNS_NETWORKS))
@pytest.mark.parametrize("size", [0.0, 1e4])
@pytest.mark.parametrize("whose", ["student's", "both"])
@pytest.mark.parametrize("page", ["black", "noise"])
def test_losses_and_gradients_are_finite_on_equal_pages_with_equal_and_extreme_logits(
    name: str, size: float, whose: str, page: str, pair_of: PairOf, batch: Batch
) -> None:
    case = Case(name, pair_of("cnn", "cnn"))
    models = [case.distiller.student, *(case.teacher_models if whose == "both" else ())]
    with torch.no_grad():
        for weight in (weight for model in models for weight in model.head.parameters()):
            weight.mul_(size)
    pixels = torch.zeros_like(batch.inputs[0]) if page == "black" else batch.inputs[0]
    total, losses = case(replace(batch, inputs=pixels.expand(len(batch), -1, -1, -1).clone()))
    total.backward()
    found = gradients(case.distiller)
    assert found
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(gradient).all() for gradient in found.values())


@every_case
def test_a_batch_without_labels_gives_finite_losses_and_gradients(name: str, pair_of: PairOf, batch: Batch) -> None:
    case = Case(name, pair_of("vit", "cnn"))
    total, _ = case(replace(batch, targets={"label": torch.full((6,), -1)}))
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(case.distiller).values())


@every_case
@every_pair
def test_bf16_is_near_fp32(name: str, networks: tuple[str, str], pair_of: PairOf, batch: Batch) -> None:
    total, losses = Case(name, pair_of(*networks))(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half, half_losses = Case(name, pair_of(*networks))(batch)
    assert all(loss.dtype == torch.float32 for loss in half_losses.values())
    torch.testing.assert_close(half, total, rtol=0.1, atol=1e-3)
    assert losses.keys() == half_losses.keys()


@every_case
@every_pair
def test_saved_student_is_whole_and_has_no_leftovers(
    name: str, networks: tuple[str, str], pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    pair = pair_of(*networks)
    case = Case(name, pair)
    case(batch)[0].backward()
    student = case.distiller.release().eval()
    if student is pair.student:
        assert set(student.state_dict()) == set(pair_of(*networks).student.state_dict())
    save_model(student, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with torch.no_grad():
        torch.testing.assert_close(loaded(batch.inputs)["logits"], student(batch.inputs)["logits"], rtol=0, atol=0)


@every_method
def test_at_weight_zero_the_supervised_run_is_the_same_bit_for_bit(name: str, pair_of: PairOf, batch: Batch) -> None:
    finals = []
    for others in ((), (name,)):
        pair = pair_of("cnn", "vit")
        supervised = Term("labels", method_module("supervised").build(pair), constant(1.0))
        methods = [method_module(other).build(pair) for other in others]
        if any(method.adapt(pair.student) is not pair.student for method in methods):
            pytest.skip("it changes the student, so there is no equal run without it")
        if any(isinstance(method, Paces) for method in methods):
            pytest.skip("it sets something inside the student by the time, at any weight")
        terms = [supervised, *(Term(other, m, constant(0.0)) for other, m in zip(others, methods, strict=True))]
        distiller = Distiller(pair.student, terms)
        teacher = Live(pair.teacher, taps=teacher_taps(terms))
        optimiser = torch.optim.AdamW(distiller.parameters(), lr=1e-2)
        for _ in range(3):
            distiller(batch, teacher(batch), CLOCK)[0].backward()
            nn.utils.clip_grad_norm_(distiller.parameters(), 0.5)
            optimiser.step()
            optimiser.zero_grad()
        finals.append(pair.student.state_dict())
    assert all(torch.equal(finals[0][key], finals[1][key]) for key in finals[0])


@pytest.mark.parametrize("name", METHODS)
def test_settings_have_types_defaults_and_a_page_of_documentation(name: str) -> None:
    module = method_module(name)
    settings = list(inspect.signature(module.build).parameters.values())[1:]
    assert all(setting.kind is setting.KEYWORD_ONLY for setting in settings)
    assert all(inspect.Parameter.empty not in (setting.default, setting.annotation) for setting in settings)
    assert module.build.__doc__
    assert any(word in module.__doc__ for word in ("arXiv:", "doi:", "No paper"))
    assert " = " in module.__doc__, "the formula"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_tested_here_or_with_detectors(name: str) -> None:
    assert set(tasks_of(method_module(name))) & {"classification", "detection"}


def test_the_table_lists_every_module_and_every_module_has_its_own_test() -> None:
    package = import_module("distildoc.methods")
    modules = {path.stem for path in Path(package.__path__[0]).glob("*.py")} - {"__init__"}
    assert {path.rpartition(".")[2] for path in METHODS.values()} == modules
    tests = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert modules <= tests
    assert len(modules) >= 6


def _scaled(view: View | tuple[View, ...], size: float) -> View | tuple[View, ...]:
    if isinstance(view, tuple):
        return tuple(_scaled(one, size) for one in view)

    def scale(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: size * values.detach() for name, values in named.items()}

    return View(scale(view.outputs), scale(view.features))
