"""methods.flow: the schedule and the sum by hand, the pairing against information over all pairs of pages."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.method import Surveys
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.flow import CriticalPeriod, FlowByInformation, build, nearest
from distildoc.methods.pkt import build as build_pkt
from distildoc.schema.errors import ConfigError
from distildoc.teach.live import Live

PairOf = Callable[..., Pair]
TAPS = ("early", "middle", "penultimate")


def views() -> tuple[View, View]:
    draw = torch.Generator().manual_seed(0)

    def rows(*shape: int) -> Tensor:
        return torch.randn(6, *shape, generator=draw, dtype=torch.float64)

    student = View({}, {"early": rows(16, 4, 4), "middle": rows(32, 2, 2), "penultimate": rows(48)})
    teacher = View({}, {"early": rows(17, 32), "middle": rows(17, 32), "penultimate": rows(32)})
    return student, teacher


@pytest.mark.parametrize(
    ("over", "clock", "expected"),
    [
        (None, Clock(0, 90, 0.0), 100.0),
        (None, Clock(25, 90, 2.9), 49.0),  # 100 x 0.7^2: within the third epoch
        (50, Clock(0, 300, 0.0), 100.0),
        (50, Clock(6, 300, 0.2), 70.0),  # a fiftieth of the run, whatever its epochs
        (50, Clock(78, 300, 2.6), 100 * 0.7**13),
    ],
)
def test_the_hidden_weight_decays_by_epochs_of_the_run_or_by_shares_of_it(
    over: int | None, clock: Clock, expected: float
) -> None:
    assert CriticalPeriod(100.0, 0.7, over)(clock) == pytest.approx(expected)


def test_last_has_weight_one_and_hidden_layers_the_weight_of_the_clock(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "vit")
    clock = Clock(30, 90, 3.0)
    each = {
        tap: build_pkt(pair, student_taps=(tap,), teacher_taps=(tap,))(*views(), batch, clock)["jeffreys"].item()
        for tap in TAPS
    }
    found = build(pair, over=None)(*views(), batch, clock)
    assert found["last"].item() == pytest.approx(each["penultimate"])
    assert found["hidden"].item() == pytest.approx(100 * 0.7**3 * (each["early"] + each["middle"]))


def test_with_one_tap_it_is_pkt(pair_of: PairOf, batch: Batch) -> None:
    pair, clock = pair_of("cnn", "vit"), Clock(0, 1, 0.0)
    alone = build(pair, student_taps=("penultimate",), teacher_taps=("penultimate",))(*views(), batch, clock)
    assert list(alone) == ["last"]
    assert alone["last"].item() == build_pkt(pair)(*views(), batch, clock)["jeffreys"].item()


def test_nearest_is_the_argmin_of_squared_differences() -> None:
    assert nearest([0.1, 0.35, 0.9], [0.3, 0.05, 0.6]) == [1, 0, 2]
    assert nearest([0.5], [0.4, 0.6]) == [0], "the first of equals"


def noisy(label: Tensor, noise: float, seed: int) -> Tensor:
    """Tokens of a ViT of 16 patches that tell the class the less the noisier they are."""
    draw = torch.Generator().manual_seed(seed)
    return torch.eye(5)[label][:, None, :].repeat(1, 17, 1) + noise * torch.randn(len(label), 17, 5, generator=draw)


def test_hidden_taps_choose_the_layer_of_the_teacher_with_the_nearest_information(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "vit")
    taps = ("stage:0", "stage:1", "stage:2", "penultimate")
    method = build(pair, student_taps=("early", "late", "penultimate"), teacher_taps=taps, pairing="information")
    assert isinstance(method, FlowByInformation) and isinstance(method, Surveys)
    label = torch.arange(40) % 5
    pixels = torch.rand(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    pixels[:, :, :6] = label[:, None, None, None] / 5  # random weights see some of the class
    teacher = {"stage:0": noisy(label, 0.1, 1), "stage:1": noisy(label, 50.0, 2), "stage:2": noisy(label, 1.0, 3)}
    batches = []
    for rows in torch.arange(40).split(16):
        keys = tuple(Key(f"page{i}", 0) for i in rows.tolist())
        view = View({}, {tap: feature[rows] for tap, feature in teacher.items()})
        batches.append((Batch(pixels[rows], {"label": label[rows]}, keys), view))
    assert pair.student.training
    method.survey(batches)
    assert pair.student.training
    student, other = method.information["student"], method.information["teacher"]
    assert other[0] > other[2] > other[1]
    pair.student.eval()
    early = Live(pair.student, taps=("early",))(Batch(pixels, {}, ())).features["early"]
    assert student[0] == pytest.approx(by_pairs(early.flatten(1), label), rel=1e-4)
    assert other[2] == pytest.approx(by_pairs(teacher["stage:2"][:, 1:].flatten(1), label), rel=1e-4)
    partners = [taps[min(range(3), key=lambda j: abs(own - other[j]))] for own in student]
    assert method.flow.taps == (*zip(("early", "late"), partners, strict=True), ("penultimate", "penultimate"))


def by_pairs(rows: Tensor, label: Tensor) -> float:
    """Torkkola's potentials over all pairs, of classes with equally many pages."""
    unit = rows.double() / rows.double().norm(dim=1, keepdim=True)
    kernel, same, classes = (unit @ unit.T + 1) / 2, label[:, None] == label, len(label.unique())
    inside, everything = (kernel * same).mean(), kernel.mean() / classes
    return float(inside + everything - 2 * kernel.mean() / classes)


def test_information_wants_labels(pair_of: PairOf, batch: Batch) -> None:
    method = build(pair_of("cnn", "vit"), pairing="information")
    assert isinstance(method, FlowByInformation)
    unlabelled = Batch(batch.inputs, {"label": torch.full((6,), -1)}, batch.keys)
    with pytest.raises(ConfigError, match="wants labelled pages of two classes"):
        method.survey([(unlabelled, views()[1])])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"student_taps": ("early", "penultimate")}, "are no pairs"),
        ({"student_taps": ()}, "are no pairs"),
        ({"student_taps": ("penultimate",), "pairing": "information"}, "at least two taps"),
    ],
)
def test_taps_that_do_not_fit_the_pairing_are_an_error(
    settings: dict[str, object], reason: str, pair_of: PairOf
) -> None:
    with pytest.raises(ConfigError, match=reason):
        build(pair_of(), **settings)  # type: ignore[arg-type]
