"""DiffKD: take the student's features for noisy ones of the teacher, denoise them, then compare.

    L = sum_spots ( L_kd + L_noise + L_code )
    L_code  = mean ( F_t - D(E(F_t)) )^2                            z_t = E(F_t), held fixed below
    L_noise = mean ( e - p( sqrt(A_t) z_t + sqrt(1 - A_t) e, t ) )^2        t drawn from all times, e normal
    L_kd    = mean ( r(x) - z_t )^2         x = DDIM of g z_s + (1 - g) e',  z_s = q(F_s),  g = adapter(z_s) in 0..1

p predicts noise, E and D are a linear auto-encoder, q and r 1x1 convolutions, r with batch norm. The diffusion learns
on the teacher alone; it then runs the last `steps` of `of` even times back from 1000 on the student, eta 0 (losses/
diffusion.py). On logits there is no auto-encoder, and L_kd is KL(softmax(z_t) || softmax(r(x))) at temperature 1.

Paper: Huang et al. 2023, arXiv:2305.15712, section 3; all weights are 1, beside a cross-entropy of 1: add the term
`supervised`. Spots there are the last map and the logits; `penultimate` is ours, with the layers of the logits' spot
and an auto-encoder. Code width there 1024, here half of the teacher's by default. The gradient of L_kd runs through p
and into it, as in the released code; with `detach_denoiser` the noise it tells counts as a constant. Maps meet at the
smaller of two sizes, tokens on their places. Layers are those of the released code as far as we know them; a residual
block without a closing ReLU is our reading. All is in fp32, and everything learned is left behind at export.

To test the claim: `denoise: false` compares r(z_s) with z_t, by the same adapters; `adapter: none` leaves g at 1, so
that no noise is added; `autoencoder: false` takes F_t for z_t.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.draws import page_generator
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.diffusion import TIMES, denoised, kept, noised
from distildoc.losses.features import mse, same_grid
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.precision import full
from distildoc.models.diffusion import LinearCode, NoiseAdapter, NoisePredictor, pointwise
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "features"
PAPER = Paper("Huang et al.", 2023, "2305.15712", "Knowledge Diffusion for Distillation")
LOGITS = "logits"

Place = Literal["map", "penultimate", "logits"]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Settings:
    """times: of the denoising, falling; none: the student's code is compared as it is. Else as in `build`."""

    times: tuple[int, ...]
    width: int | None
    autoencoder: bool
    adapter: bool
    detach: bool


class Spot(nn.Module):
    """One place where student and teacher are compared, with what is learned there.

    grids, shapes  of student and teacher, in that order; shapes are (channels, rows, columns) on the grid.
    """

    shares: Tensor

    def __init__(self, tap: str, *, grids: tuple[Grid, Grid], shapes: tuple[Shape, Shape], settings: Settings) -> None:
        super().__init__()
        (source, *ours), (target, *theirs) = shapes
        self.tap, self.grids, self.times, self.detach = tap, grids, settings.times, settings.detach
        coded = settings.autoencoder and tap != LOGITS
        width = (settings.width or max(1, target // 2)) if coded else target
        vector = all(min(cells) == 1 for cells in zip(ours, theirs, strict=True))
        self.code = LinearCode(target, width) if coded else None
        self.enter = nn.Conv2d(source, width, 1)
        self.leave = pointwise(width, width)
        self.predictor = NoisePredictor(width, vector=vector) if self.times else None
        self.adapter = NoiseAdapter(width, vector=vector) if self.times and settings.adapter else None
        self.register_buffer("shares", kept(), persistent=False)

    def forward(self, student: View, teacher: View, generators: Sequence[torch.Generator]) -> dict[str, Tensor]:
        """Losses of every page by name, [B] each."""
        wanted, found = self.features(student, teacher)
        code, told = (wanted, None) if self.code is None else self.code(wanted)
        code = code.detach()
        ready = self.leave(self.path(self.enter(found), self.noise(generators, code))[-1])
        losses = {"kd": self._distance(code, ready)}
        if self.predictor is not None:
            times = torch.stack([torch.randint(TIMES, (), generator=one) for one in generators]).to(code.device)
            noise = self.noise(generators, code)
            losses["noise"] = mse(noise, self.predictor(noised(code, noise, self.shares[times]), times))
        return losses if told is None else {**losses, "code": mse(wanted, told)}

    def features(self, student: View, teacher: View) -> tuple[Tensor, Tensor]:
        """The teacher's and the student's, as maps of one size."""
        views = (student, teacher) if self.tap != LOGITS else (View({}, student.outputs), View({}, teacher.outputs))
        found, wanted = (full(grid(v.features[self.tap])) for grid, v in zip(self.grids, views, strict=True))
        return same_grid(wanted, found)

    def path(self, code: Tensor, noise: Tensor) -> list[Tensor]:
        """What the student's code is after each step of denoising; the code itself where there is none."""
        if self.predictor is None:
            return [code]
        if self.adapter is not None:
            share = self.adapter(code)
            code = share * code + (1 - share) * noise
        return denoised(code, self._noise_in, self.shares, times=self.times)

    def noise(self, generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
        """Normal noise of every page, from its own generator."""
        return torch.stack([torch.randn(like.shape[1:], generator=one) for one in generators]).to(like)

    def _noise_in(self, noisy: Tensor, times: Tensor) -> Tensor:
        assert self.predictor is not None
        noise: Tensor = self.predictor(noisy, times)
        return noise.detach() if self.detach else noise

    def _distance(self, code: Tensor, ready: Tensor) -> Tensor:
        if self.tap == LOGITS:
            return kl_from_logits(code.flatten(1), ready.flatten(1), temperature=1.0)
        return mse(code, ready)


class DiffKD(nn.Module):
    """The spots, and the seed of all noise."""

    def __init__(self, spots: Sequence[Spot], *, seed: int) -> None:
        super().__init__()
        self.spots = nn.ModuleList(spots)
        self.seed = seed
        taps = tuple(spot.tap for spot in spots if spot.tap != LOGITS)
        logits = len(taps) < len(spots)  # one of the spots
        self.needs = Needs(student_taps=taps, teacher_taps=taps, teacher_outputs=logits, every_class=logits)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        generators = [page_generator(key, seed=self.seed, step=clock.step) for key in batch.keys]
        losses: dict[str, Tensor] = {}
        with torch.autocast(batch.inputs.device.type, enabled=False):
            for spot in self.spots:
                pages = spot(student, one(teacher), generators)
                losses |= {f"{spot.tap}_{name}": values.mean() for name, values in pages.items()}
        return losses


def build(
    pair: Pair,
    *,
    spots: tuple[Place, ...] = ("map", "logits"),
    steps: PositiveInt = 5,
    of: PositiveInt = 10,
    width: PositiveInt | None = None,
    autoencoder: bool = True,
    adapter: Literal["noise", "none"] = "noise",
    denoise: bool = True,
    detach_denoiser: bool = False,
    seed: NonNegativeInt = 0,
) -> Method:
    """spots: where to compare. steps, of: how many of how many even times are run back. width: channels of the code;
    by default half of the teacher's. detach_denoiser: L_kd leaves the predictor alone. seed: of the noise. For the
    rest see the module.
    """
    if not spots or len(set(spots)) < len(spots):
        raise ConfigError(f"diffkd: `spots` names each place once, and at least one; got {list(spots)}")
    if not steps <= of <= TIMES:
        raise ConfigError(f"diffkd: `steps` {steps} must be at most `of` {of}, and that at most {TIMES}")
    times = tuple(step * (TIMES // of) for step in reversed(range(steps))) if denoise else ()
    settings = Settings(times, width, autoencoder, adapter == "noise", detach_denoiser)
    return DiffKD([_spot(pair, place, settings) for place in spots], seed=seed)


def _spot(pair: Pair, place: Place, settings: Settings) -> Spot:
    if place == LOGITS:
        shape = (len(pair.task.labels), 1, 1)
        return Spot(place, grids=(Grid(), Grid()), shapes=(shape, shape), settings=settings)
    teacher = pair.require_teacher("diffkd")
    grids = grid_of(pair.student, pair.size), grid_of(teacher, pair.size)
    shapes = grids[0].shape(pair.student_shape(place)), grids[1].shape(pair.teacher_shape(place, "diffkd"))
    return Spot(place, grids=grids, shapes=shapes, settings=settings)
