"""What holds for every method of classifiers in a run: accumulated batches, going on after a stop, the ONNX file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from cases import CASES, Case, PairOf, every_case, gradients, surveyed_pages, with_own_student
from cut_runs import Cut, Pages
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from distildoc.core.batch import Batch
from distildoc.core.method import Finishes, Inside
from distildoc.export.graphs import checked_session
from distildoc.export.to_onnx import to_onnx
from distildoc.models.branches import Gate
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, TrainState, begin
from distildoc.train.steps import steps
from distildoc.train.stored import read_tensors

COMPARES_PAGES = {"pkt", "flow", "flow, information", "rkd", "sp", "bss", "kdiga, released"}
CHANGE_THE_STUDENT = {"simkd", "lelp", "one", "vam", "gates"}
UNDONE = {"one", "vam", "gates"}  # of these: those whose student is in the end of the make it was in the beginning
SAME = 1e-4  # share of a gradient's norm that the order of sums may change in fp32


@pytest.fixture
def pair_of(pair_of: PairOf, request: pytest.FixtureRequest) -> PairOf:
    return with_own_student(pair_of, request.node.callspec.params["name"])


@pytest.fixture(autouse=True)
def _random_state_returns() -> Iterator[None]:
    before = torch.get_rng_state()
    yield
    torch.set_rng_state(before)


@every_case
def test_accumulated_batches_give_the_gradient_of_the_whole_one_or_are_refused(name: str, pair_of: PairOf) -> None:
    pages = surveyed_pages(pair_of("vit", "cnn"))
    cases = [Case(name, pair_of("vit", "cnn")) for _ in range(2)]
    whole = _gradient(cases[0], [pages])
    parts = _gradient(cases[1], [pages.select(torch.arange(4)), pages.select(torch.arange(4, 12))])
    apart = float((whole - parts).norm() / whole.norm())
    if name in COMPARES_PAGES:
        assert apart > SAME  # else it would be refused for nothing
        with pytest.raises(ConfigError, match=rf"'{name}' compares.*accumulate"):
            check_terms(cases[0].distiller, cases[0].teacher, accumulate=2)
    else:
        assert apart < SAME
        check_terms(cases[0].distiller, cases[0].teacher, accumulate=2)


@every_case
@pytest.mark.parametrize("networks", [("cnn", "vit"), ("vit", "cnn")], ids="-".join)
def test_a_run_that_goes_on_ends_bit_for_bit_where_one_without_a_stop_does(
    name: str, networks: tuple[str, str], pair_of: PairOf, tmp_path: Path
) -> None:
    _train(Case(name, pair_of(*networks)), tmp_path / "straight")
    with pytest.raises(Cut):
        _train(Case(name, pair_of(*networks)), tmp_path / "stopped", cut=True)
    resumed = Case(name, pair_of(*networks))
    state = _train(resumed, tmp_path / "stopped")
    wanted, found = (read_tensors(tmp_path / folder / "last.safetensors")[0] for folder in ("straight", "stopped"))
    assert state.step == 4
    assert wanted.keys() == found.keys()
    assert {f"distiller/{key}" for key, _ in resumed.distiller.named_parameters(remove_duplicate=True)} <= wanted.keys()
    assert [key for key in wanted if not torch.equal(wanted[key], found[key])] == []


@pytest.mark.parametrize("name", CASES)
def test_the_methods_that_change_the_student_are_those_whose_graph_is_checked(name: str, pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    method = Case(name, pair).method
    changes = isinstance(method, Finishes | Inside) or method.adapt(pair.student) is not pair.student
    assert changes == (name in CHANGE_THE_STUDENT)


@pytest.mark.parametrize("name", sorted(CHANGE_THE_STUDENT))
def test_the_graph_of_a_changed_student_says_the_same_and_has_no_leftovers(
    name: str, pair_of: PairOf, tmp_path: Path
) -> None:
    pair = pair_of("cnn", "vit")
    pages = surveyed_pages(pair)
    with torch.no_grad():
        for weight in pair.teacher.head.parameters():
            weight.mul_(50)  # it lends its head to a student of `simkd`
    case = Case(name, pair)
    _gradient(case, [pages])
    student = case.distiller.release().eval()
    to_onnx(student, tmp_path / "model.onnx", size=pair.size)
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    read = {part for node in graph.node for part in node.input}
    assert [one.name for one in graph.input] == ["pixels"]
    assert {one.name for one in graph.initializer} <= read
    plain = pair_of("cnn", "vit").student if name in UNDONE else student
    stored = sum(tensor.numel() for tensor in (*plain.state_dict().values(), *plain.entry.buffers()))
    assert sum(int(np.prod(one.dims)) for one in graph.initializer) <= stored
    with torch.no_grad():
        logits = student(pages.inputs)["logits"].numpy()
    session, _ = checked_session(tmp_path / "model.onnx")
    assert np.ptp(logits) > 0.1  # the comparison would say nothing about logits that are all alike
    np.testing.assert_allclose(session.run(["logits"], {"pixels": pages.inputs.numpy()})[0], logits, atol=2e-5)


def _begun(case: Case, optimisation: Optimisation) -> TrainState:
    return begin(case.distiller, make_accelerator("no", cpu=True), optimisation=optimisation, seed=7)


def _gradient(case: Case, batches: Sequence[Batch]) -> Tensor:
    """What one step of these batches hands to the optimiser, in one row; no page depends on another by a norm."""
    for module in case.distiller.modules():
        if isinstance(module, _BatchNorm | Gate | nn.Dropout):  # the gate of `one` runs its norm itself
            module.register_forward_pre_hook(_in_evaluation)
    state = _begun(case, Optimisation("sgd", lr=0.1))
    found: list[Tensor] = []
    state.optimiser.register_step_pre_hook(
        lambda *_: found.append(torch.cat([g.flatten().clone() for g in gradients(case.distiller).values()]))
    )
    teacher = case.teacher if case.method.needs.teacher else None
    list(steps(state, batches, teacher, horizon=Horizon(len(batches), 1, accumulate=len(batches))))
    (row,) = found
    return row


def _in_evaluation(module: nn.Module, _: object) -> None:
    module.eval()


def _train(case: Case, folder: Path, *, cut: bool = False) -> TrainState:
    """Two epochs of two steps, with everything a checkpoint has to hold."""
    state = _begun(case, Optimisation(lr=0.01, weight_decay=0.01, ema=0.9))
    fit(
        state,
        Pages(surveyed_pages(case.pair), cut=cut),
        case.teacher if case.method.needs.teacher else None,
        plan=Plan(2, clip_norm=1.0),
        checkpoints=Checkpoints(folder, identity="every method", every_seconds=None),
        journal=Journal(state.accelerator),
    )
    return state
