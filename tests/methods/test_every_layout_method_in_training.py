"""What holds for every method of detectors in a run: accumulated batches, and going on after a stop."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cut_runs import Cut, Pages
from layout_cases import LAYOUT_METHODS, Case, PairOf, every_method, gradients, own_pair
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from distildoc.core.batch import TRUE, UNKNOWN, Batch, Key
from distildoc.core.view import View
from distildoc.teach.check import check_terms
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, TrainState, begin
from distildoc.train.steps import steps
from distildoc.train.stored import read_tensors

PER_REGION = {"supervised", "pseudo_labels", "query_kd", "edge_kd"}  # mean over the regions of a batch, not its pages
OF_LABELS = {"supervised", "pseudo_labels", "icd"}  # to the others a teacher that knows all tells as much
PLAIN_STUDENT = {"supervised": "rt-detr", "pseudo_labels": "rt-detr"}  # D-FINE's `ddf` has roots of counts of a batch
EQUAL, UNLIKE = (2, 2, 2, 2, 2, 2), (1, 3, 3, 2, 3, 3)  # regions of the six pages
FIRST = 2  # pages of the first of two batches
SURE, NOTHING = 2.0, -20.0  # logits of a region, and of a query that sees none
NOWHERE = (0.5, 0.5, 0.0, 0.0)  # box of a query that sees none, which matching leaves out
SAME = 1e-4  # share of a gradient's norm that the order of sums may change in fp32


@pytest.fixture(autouse=True)
def _random_state_returns() -> Iterator[None]:
    before = torch.get_rng_state()
    yield
    torch.set_rng_state(before)


@pytest.fixture
def draws_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every region gets the same denoising queries; they are drawn a batch, and no two cuts of pages draw alike."""
    monkeypatch.setattr(torch, "rand_like", lambda like, **_: torch.full_like(like, 0.5, dtype=torch.float32))
    monkeypatch.setattr(torch, "randint_like", lambda like, low, high, **_: torch.full_like(like, high - 1))


class _Knowing:
    """A teacher that sees the regions of the targets, all with one score, and nothing else; features as they are."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def __call__(self, batch: Batch) -> View:
        view = self.case.teacher(batch)
        if not view.outputs:
            return view
        logits = torch.full_like(view.outputs["logits"], NOTHING)
        boxes = torch.tensor(NOWHERE).repeat(*logits.shape[:2], 1)
        for page, query in (batch.targets["classes"] >= 0).nonzero().tolist():
            logits[page, query, batch.targets["classes"][page, query]] = SURE
            boxes[page, query] = batch.targets["boxes"][page, query]
        return replace(view, outputs={**view.outputs, "logits": logits, "boxes": boxes})


@every_method
def test_accumulated_batches_of_equal_pages_give_the_gradient_of_the_whole_one(
    name: str, layout_pair_of: PairOf, draws_are_alike: None
) -> None:
    case = Case(name, own_pair(layout_pair_of, name))
    pages = _pages(name, EQUAL)
    whole, together = _gradient(case, [pages]), _gradient(case, _parts(pages))
    assert whole.norm() > 0
    assert _apart(whole, together) < SAME
    assert _apart(whole, _gradient(case, _parts(pages)[:1])) > SAME  # the parts differ
    check_terms(case.distiller, case.teacher, accumulate=2)  # none of them compares pages, so none refuses it


@every_method
def test_accumulated_batches_that_are_labelled_in_part_give_the_gradient_of_the_whole_one(
    name: str, layout_pair_of: PairOf, draws_are_alike: None
) -> None:
    """Every second page is labelled, so that each batch is in the same part."""
    case = Case(name, own_pair(layout_pair_of, name))
    pages = _pages(name, EQUAL)
    mixed = replace(pages, targets={**pages.targets, "origin": torch.tensor([TRUE, UNKNOWN] * 3)})
    whole, together = _gradient(case, [mixed]), _gradient(case, _parts(mixed))
    assert whole.norm() > 0
    assert _apart(whole, together) < SAME
    assert (_apart(whole, _gradient(case, [pages])) > SAME) == (name in OF_LABELS)


@every_method
def test_accumulation_weighs_pages_where_a_detectors_own_batch_weighs_regions(
    name: str, layout_pair_of: PairOf, draws_are_alike: None
) -> None:
    """As docs/decisions/0007 says of the losses of detectors; those of features do not know the difference."""
    student = PLAIN_STUDENT.get(name)
    case = Case(name, own_pair(layout_pair_of, name) if student is None else layout_pair_of(student, "d-fine"))
    pages = _pages(name, UNLIKE)
    parts = _parts(pages)
    whole, together = _gradient(case, [pages]), _gradient(case, parts)
    assert (_apart(whole, together) > SAME) == (name in PER_REGION)
    if name in PER_REGION:
        regions = [int((part.targets["classes"] >= 0).sum()) for part in parts]
        sums = [count * _gradient(case, [part]) for count, part in zip(regions, parts, strict=True)]
        assert _apart(whole, sum(sums[1:], sums[0]) / sum(regions)) < SAME


@pytest.mark.parametrize(("name", "student"), [*((name, "") for name in LAYOUT_METHODS), ("supervised", "r-cnn")])
def test_a_run_that_goes_on_ends_bit_for_bit_where_one_without_a_stop_does(
    name: str, student: str, layout_pair_of: PairOf, tmp_path: Path
) -> None:
    pairs = [layout_pair_of(student) if student else own_pair(layout_pair_of, name) for _ in range(3)]
    _train(Case(name, pairs[0]), name, tmp_path / "straight")
    with pytest.raises(Cut):
        _train(Case(name, pairs[1]), name, tmp_path / "stopped", cut=True)
    resumed = Case(name, pairs[2])
    state = _train(resumed, name, tmp_path / "stopped")
    wanted, found = (read_tensors(tmp_path / folder / "last.safetensors")[0] for folder in ("straight", "stopped"))
    assert state.step == 4
    assert wanted.keys() == found.keys()
    assert {f"distiller/{key}" for key, _ in resumed.distiller.named_parameters(remove_duplicate=True)} <= wanted.keys()
    assert [key for key in wanted if not torch.equal(wanted[key], found[key])] == []


def test_the_methods_whose_mean_is_over_regions_are_in_the_table() -> None:
    assert set(LAYOUT_METHODS) >= PER_REGION >= PLAIN_STUDENT.keys()


def _pages(name: str, regions: Sequence[int]) -> Batch:
    """Pages of noise with so many regions, one below the other; nobody labelled those that get pseudo-labels."""
    draw = torch.Generator().manual_seed(0)
    count, most = len(regions), max(regions)
    boxes = 0.3 + 0.4 * torch.rand(count, most, 4, generator=draw)
    boxes[..., 1], boxes[..., 3] = 0.2 + 0.3 * torch.arange(most), 0.2
    classes = torch.randint(0, 4, (count, most), generator=draw)
    classes[torch.arange(most) >= torch.tensor(regions)[:, None]] = -1
    origin = torch.full((count,), UNKNOWN if name == "pseudo_labels" else TRUE)
    pixels = torch.rand(count, 3, 64, 64, generator=draw)
    targets = {"boxes": boxes, "classes": classes, "origin": origin}
    return Batch(pixels, targets, tuple(Key(f"page{i}", 0) for i in range(count)))


def _parts(pages: Batch) -> list[Batch]:
    return [pages.select(torch.arange(FIRST)), pages.select(torch.arange(FIRST, len(pages)))]


def _apart(whole: Tensor, other: Tensor) -> float:
    return float((whole - other).norm() / whole.norm())


def _begun(case: Case, optimisation: Optimisation) -> TrainState:
    return begin(case.distiller, make_accelerator("no", cpu=True), optimisation=optimisation, seed=7)


def _gradient(case: Case, batches: Sequence[Batch]) -> Tensor:
    """What one step of these batches hands to the optimiser, in one row; no page depends on another by a norm."""
    for module in case.distiller.modules():
        if isinstance(module, _BatchNorm | nn.Dropout):
            module.register_forward_pre_hook(_in_evaluation)
    state = _begun(case, Optimisation("sgd", lr=0.0))
    found: list[Tensor] = []
    state.optimiser.register_step_pre_hook(
        lambda *_: found.append(torch.cat([g.flatten().clone() for g in gradients(case.distiller).values()]))
    )
    teacher = _Knowing(case) if case.method.needs.teacher else None
    list(steps(state, batches, teacher, horizon=Horizon(len(batches), 1, accumulate=len(batches))))
    (row,) = found
    return row


def _in_evaluation(module: nn.Module, _: object) -> None:
    module.eval()


def _train(case: Case, name: str, folder: Path, *, cut: bool = False) -> TrainState:
    """Two epochs of two steps, with everything a checkpoint has to hold; denoising queries and proposals are drawn."""
    state = _begun(case, Optimisation(lr=0.01, weight_decay=0.01, ema=0.9))
    fit(
        state,
        Pages(_pages(name, UNLIKE), cut=cut),
        _Knowing(case) if case.method.needs.teacher else None,
        plan=Plan(2, clip_norm=1.0),
        checkpoints=Checkpoints(folder, identity="every method", every_seconds=None),
        journal=Journal(state.accelerator),
    )
    return state
