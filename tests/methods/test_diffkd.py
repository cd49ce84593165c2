"""methods.diffkd against NumPy, and who learns from what."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.draws import page_generator
from distildoc.core.method import Term
from distildoc.core.model import parameter_count
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.diffusion import kept, noised
from distildoc.methods.diffkd import DiffKD, Settings, Spot, build
from distildoc.models.grids import Grid
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller

CLOCK = Clock(3, 10, 0.0)
SHARES = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
PairOf = Callable[..., Pair]


class Known(nn.Module):
    """A predictor whose noise is a line of NumPy, or known from the clean feature."""

    def __init__(self, noise: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, noisy: Tensor, times: Tensor) -> Tensor:
        return self.noise(noisy, times.view(-1, 1, 1, 1))


def method_of(pair: Pair, **settings: object) -> DiffKD:
    torch.manual_seed(0)
    method = build(pair, **settings)  # type: ignore[arg-type]
    assert isinstance(method, DiffKD)
    return method


def bare(method: DiffKD) -> tuple[DiffKD, Spot]:
    """The first spot with nothing before and behind the denoising."""
    spot = method.spots[0]
    assert isinstance(spot, Spot)
    spot.enter, spot.leave = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    return method, spot


def views(**shapes: tuple[int, ...]) -> tuple[View, View]:
    """Student's and teacher's, of features of these shapes and of logits [6, 5]."""
    generator = torch.Generator().manual_seed(1)

    def one() -> View:
        features = {tap: torch.randn(6, *shape, generator=generator) for tap, shape in shapes.items()}
        return View({"logits": torch.randn(6, 5, generator=generator)}, features)

    return one(), one()


def learned_from(losses: list[Tensor], module: nn.Module) -> set[str]:
    """Parts of a module that these losses have a gradient for."""
    module.zero_grad()
    torch.stack(losses).sum().backward(retain_graph=True)
    return {name.split(".")[0] for name, p in module.named_parameters() if p.grad is not None and p.grad.any()}


def test_losses_equal_numpy_lines_of_the_formulas(pair_of: PairOf, batch: Batch) -> None:
    method, spot = bare(method_of(pair_of("cnn", "cnn"), spots=("penultimate",), autoencoder=False, adapter="none"))
    spot.predictor = Known(lambda noisy, times: noisy.tanh() + times / 1000)  # type: ignore[assignment]
    student, teacher = views(penultimate=(64,))
    found = method(student, teacher, batch, CLOCK)
    x, wanted = student.features["penultimate"].double().numpy(), teacher.features["penultimate"].double().numpy()
    for time in (400, 300, 200, 100, 0):
        noise = np.tanh(x) + time / 1000
        clean = (x - np.sqrt(1 - SHARES[time]) * noise) / np.sqrt(SHARES[time])
        before = SHARES[time - 100] if time else 1.0
        x = np.sqrt(before) * clean + np.sqrt(1 - before) * noise
    assert found["penultimate_kd"].item() == pytest.approx(np.mean((x - wanted) ** 2), rel=1e-4)
    generators = [page_generator(key, seed=0, step=CLOCK.step) for key in batch.keys]
    for one in generators:
        torch.randn(64, generator=one)  # the noise that adapts the student
    times = np.array([torch.randint(1000, (), generator=one).item() for one in generators])
    noise = np.stack([torch.randn(64, 1, 1, generator=one).double().numpy() for one in generators])[:, :, 0, 0]
    noisy = np.sqrt(SHARES[times])[:, None] * wanted + np.sqrt(1 - SHARES[times])[:, None] * noise
    expected = np.mean((noise - np.tanh(noisy) - times[:, None] / 1000) ** 2)
    assert found["penultimate_noise"].item() == pytest.approx(expected, rel=1e-4)
    assert found.keys() == {"penultimate_kd", "penultimate_noise"}


def test_a_predictor_that_knows_the_teacher_s_code_leaves_nothing_to_learn(pair_of: PairOf, batch: Batch) -> None:
    method, spot = bare(method_of(pair_of("cnn", "cnn"), spots=("map",), autoencoder=False))
    student, teacher = views(map=(64, 2, 2))
    shares = kept()

    def noise(noisy: Tensor, times: Tensor) -> Tensor:
        left = shares[times]
        return (noisy - left.sqrt() * teacher.features["map"]) / (1 - left).sqrt()

    spot.predictor = Known(noise)  # type: ignore[assignment]
    losses = method(student, teacher, batch, CLOCK)
    assert losses["map_kd"].item() == pytest.approx(0, abs=1e-5)
    assert losses["map_noise"].item() == pytest.approx(0, abs=1e-3)  # A_0 leaves a hundredth of noise, divided by


def test_the_code_s_loss_is_how_far_its_decoding_is_off(pair_of: PairOf, batch: Batch) -> None:
    method = method_of(pair_of("cnn", "cnn"), spots=("map",))
    student, teacher = views(map=(64, 2, 2))
    student = View({}, {"map": torch.randn(6, 48, 2, 2)})
    wanted = teacher.features["map"].double().numpy()
    state = {name: value.double().numpy() for name, value in method.spots[0].state_dict().items()}
    code = np.einsum("oc,bchw->bohw", state["code.encode.0.weight"][:, :, 0, 0], wanted)
    code = (code - code.mean((0, 2, 3), keepdims=True)) / np.sqrt(code.var((0, 2, 3), keepdims=True) + 1e-5)
    told = np.einsum("oc,bchw->bohw", state["code.decode.weight"][:, :, 0, 0], code)
    expected = np.mean((wanted - told - state["code.decode.bias"][:, None, None]) ** 2)
    assert method(student, teacher, batch, CLOCK)["map_code"].item() == pytest.approx(expected, rel=1e-4)


def test_without_denoising_the_student_s_code_is_compared_through_the_same_adapters(
    pair_of: PairOf, batch: Batch
) -> None:
    pair = pair_of("cnn", "cnn")
    plain, whole = (method_of(pair, spots=("map",), denoise=denoise) for denoise in (False, True))
    named = dict(plain.named_parameters())
    assert set(named) < set(dict(whole.named_parameters()))
    student, teacher = View({}, {"map": torch.randn(6, 48, 2, 2)}), View({}, {"map": torch.randn(6, 64, 2, 2)})
    spot = plain.spots[0]
    assert isinstance(spot, Spot) and spot.code is not None
    with torch.no_grad():
        entered = spot.enter(student.features["map"]).double().numpy()
        wanted = spot.code.encode(teacher.features["map"]).double().numpy()
    ready = np.einsum("oc,bchw->bohw", spot.leave[0].weight.detach().double().numpy()[:, :, 0, 0], entered)
    ready = (ready - ready.mean((0, 2, 3), keepdims=True)) / np.sqrt(ready.var((0, 2, 3), keepdims=True) + 1e-5)
    losses = plain(student, teacher, batch, CLOCK)
    assert losses["map_kd"].item() == pytest.approx(np.mean((ready - wanted) ** 2), rel=1e-4)
    assert losses.keys() == {"map_kd", "map_code"}


def test_logits_are_compared_by_a_divergence_at_temperature_1(pair_of: PairOf, batch: Batch) -> None:
    method, _ = bare(method_of(pair_of("cnn", "none"), spots=("logits",), denoise=False))
    student, teacher = views()
    p, q = (np.exp(v.outputs["logits"].double().numpy()) for v in (teacher, student))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    found = method(student, teacher, batch, CLOCK)
    assert found["logits_kd"].item() == pytest.approx((p * np.log(p / q)).sum(1).mean(), rel=1e-4)
    assert found.keys() == {"logits_kd"}


def test_each_loss_teaches_its_own_part(pair_of: PairOf, batch: Batch) -> None:
    method = method_of(pair_of("cnn", "cnn"), spots=("map",))
    feature = torch.randn(6, 48, 4, 4, requires_grad=True)
    losses = method(View({}, {"map": feature}), View({}, {"map": torch.randn(6, 64, 2, 2)}), batch, CLOCK)
    spot = method.spots[0]
    assert learned_from([losses["map_code"]], spot) == {"code"}
    assert learned_from([losses["map_noise"]], spot) == {"predictor"}
    assert feature.grad is None  # the diffusion knows the teacher alone
    assert learned_from([losses["map_kd"]], spot) == {"enter", "adapter", "predictor", "leave"}
    assert feature.grad is not None and feature.grad.any()


def test_with_a_detached_denoiser_the_student_learns_and_the_predictor_does_not(pair_of: PairOf, batch: Batch) -> None:
    method = method_of(pair_of("cnn", "cnn"), spots=("map",), detach_denoiser=True)
    feature = torch.randn(6, 48, 4, 4, requires_grad=True)
    losses = method(View({}, {"map": feature}), View({}, {"map": torch.randn(6, 64, 2, 2)}), batch, CLOCK)
    assert learned_from([losses["map_kd"]], method.spots[0]) == {"enter", "adapter", "leave"}
    assert feature.grad is not None and feature.grad.any()


def test_the_student_s_code_is_mixed_with_noise_in_a_line(pair_of: PairOf, batch: Batch) -> None:
    _method, spot = bare(method_of(pair_of("cnn", "cnn"), spots=("map",), autoencoder=False))
    spot.predictor = Known(lambda noisy, times: torch.zeros_like(noisy))  # type: ignore[assignment]
    spot.times = (0,)
    code, noise = torch.randn(2, 6, 64, 2, 2).unbind()
    assert spot.adapter is not None
    share = spot.adapter(code).detach().numpy()
    mixed = share * code.numpy() + (1 - share) * noise.numpy()
    found = spot.path(code, noise)[-1].detach().numpy()
    np.testing.assert_allclose(found, mixed / np.sqrt(1 - 1e-4), rtol=1e-4, atol=1e-6)


def test_noise_changes_from_step_to_step_and_page_to_page_and_repeats_when_asked_again(
    pair_of: PairOf, batch: Batch
) -> None:
    method = method_of(pair_of("cnn", "cnn")).eval()
    student, teacher = (
        View({"logits": torch.ones(6, 5)}, {"map": torch.ones(6, 48, 2, 2)}),
        View({"logits": torch.ones(6, 5)}, {"map": torch.ones(6, 64, 2, 2)}),
    )
    first = method(student, teacher, batch, CLOCK)
    again = method(student, teacher, batch, CLOCK)
    later = method(student, teacher, batch, Clock(4, 10, 0.0))
    other = method_of(pair_of("cnn", "cnn"), seed=1).eval()(student, teacher, batch, CLOCK)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in ("map_kd", "map_noise", "logits_kd", "logits_noise"):
        assert len({first[name].item(), later[name].item(), other[name].item()}) == 3
    spot = method.spots[0]
    assert isinstance(spot, Spot)
    drawn = spot.noise([page_generator(Key(page, 0), seed=0, step=0) for page in ("a", "b", "a")], torch.ones(1))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_leading_tokens_are_not_compared(pair_of: PairOf, batch: Batch) -> None:
    method = method_of(pair_of("vit", "vit"), spots=("map",)).eval()
    student, tokens = View({}, {"map": torch.randn(6, 17, 24)}), torch.randn(6, 17, 32)
    other = torch.cat([tokens[:, :1] + 100, tokens[:, 1:]], 1)
    one, two = (method(student, View({}, {"map": teacher}), batch, CLOCK) for teacher in (tokens, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("networks", [("cnn", "cnn"), ("cnn", "vit"), ("vit", "cnn"), ("vit", "vit")])
@pytest.mark.parametrize("spot", ["map", "penultimate", "logits"])
def test_a_single_page_can_be_trained_on_at_any_spot(
    spot: str, networks: tuple[str, str], pair_of: PairOf, batch: Batch
) -> None:
    pair = pair_of(*networks)
    assert pair.teacher is not None
    method = method_of(pair, spots=(spot,))
    distiller = Distiller(pair.student, [Term("diffkd", method, constant(1.0))])
    teacher = Distiller(pair.teacher, [Term("diffkd", method, constant(1.0))])
    page = batch.select(torch.tensor([0]))
    with torch.no_grad():
        said = teacher.look(page, None, CLOCK)[1]
    total, _ = distiller(page, said, CLOCK)
    total.backward()
    assert torch.isfinite(total)


def test_denoising_that_was_learned_on_the_teacher_alone_brings_noisy_codes_nearer() -> None:
    """Every page is one of four points in a space of 16; what lies beside them is noise that can be told."""
    torch.manual_seed(0)
    settings = Settings((400, 300, 200, 100, 0), None, autoencoder=False, adapter=False, detach=False)
    spot = Spot("map", grids=(Grid(), Grid()), shapes=((16, 4, 4), (16, 4, 4)), settings=settings)
    assert spot.predictor is not None
    points = nn.functional.normalize(torch.randn(4, 16), dim=1) * 4

    def codes(count: int) -> Tensor:
        return points[torch.randint(4, (count,)), :, None, None].expand(-1, -1, 4, 4)

    optimiser = torch.optim.Adam(spot.predictor.parameters(), lr=1e-2)
    for _ in range(250):
        clean, times = codes(64), torch.randint(1000, (64,))
        noise = torch.randn_like(clean)
        loss = (noise - spot.predictor(noised(clean, noise, spot.shares[times]), times)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    clean = codes(256)
    noisy = noised(clean, torch.randn_like(clean), spot.shares[torch.full((256,), 400)])
    with torch.no_grad():
        path = spot.path(noisy, torch.zeros_like(noisy))
    off = [(found - clean).square().mean().item() for found in (noisy, path[0], path[-1])]
    assert off[1] < 0.7 * off[0]
    assert off[2] < off[1]


def test_the_student_has_no_more_weights_afterwards(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "vit")
    before = parameter_count(pair.student)
    distiller = Distiller(pair.student, [Term("diffkd", method_of(pair), constant(1.0))])
    assert parameter_count(distiller) > before
    assert parameter_count(distiller.release()) == before


def test_what_is_read_of_the_teacher_depends_on_the_spots(pair_of: PairOf) -> None:
    needs = method_of(pair_of("cnn", "cnn"), spots=("map", "penultimate")).needs
    assert (needs.student_taps, needs.teacher_outputs) == (("map", "penultimate"), False)
    needs = method_of(pair_of("cnn", "none"), spots=("logits",)).needs  # an ensemble has logits
    assert (needs.teacher_taps, needs.teacher_outputs) == ((), True)


@pytest.mark.parametrize(("width", "channels"), [(None, 32), (7, 7)])
def test_width_is_half_of_the_teacher_s_or_as_asked(width: int | None, channels: int, pair_of: PairOf) -> None:
    spot = method_of(pair_of("cnn", "cnn"), spots=("map",), width=width).spots[0]
    assert isinstance(spot, Spot)
    assert spot.leave(spot.enter(torch.zeros(2, 48, 2, 2))).shape == (2, channels, 2, 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"spots": ()}, "at least one"), ({"spots": ("map", "map")}, "once"), ({"steps": 11}, "at most `of` 10")],
)
def test_settings_that_make_no_sense_are_one_line(settings: dict[str, object], said: str, pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=said):
        method_of(pair_of("cnn", "cnn"), **settings)


def test_features_without_a_teacher_model_are_one_line(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"'diffkd' reads features .* name a single `teacher`"):
        build(pair_of("cnn", "none"))
