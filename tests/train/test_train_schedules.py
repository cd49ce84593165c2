import warnings

import pytest
import torch

from distildoc.core.clock import Clock
from distildoc.schema.errors import ConfigError
from distildoc.train.schedules import SHAPES, learning_rate

STEPS, WARM = 40, 8


def _torch_factors(after: type, **settings: float) -> list[float]:
    """The same schedule from torch.optim.lr_scheduler, at a base rate of 1."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedulers = torch.optim.lr_scheduler
    warm = schedulers.LinearLR(optimiser, start_factor=1 / (WARM + 1), total_iters=WARM)
    rest = after(optimiser, **settings)
    both = schedulers.SequentialLR(optimiser, [warm, rest], milestones=[WARM])
    factors = []
    for _ in range(STEPS):
        factors.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR calls its parts in a way torch itself warns about
            both.step()
    return factors


def _factors(name: str, **settings: float) -> list[float]:
    schedule = learning_rate(name, warmup=WARM / STEPS, **settings)
    return [schedule(Clock(step, STEPS, 0.0)) for step in range(STEPS)]


def test_cosine_equals_torchs_linear_warmup_then_cosine_annealing():
    expected = _torch_factors(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=STEPS - WARM, eta_min=0.1)
    assert _factors("cosine", end=0.1) == pytest.approx(expected, abs=1e-9)


def test_linear_equals_torchs_linear_warmup_then_linear_decay():
    decay = {"start_factor": 1.0, "end_factor": 0.2, "total_iters": STEPS - WARM}
    expected = _torch_factors(torch.optim.lr_scheduler.LinearLR, **decay)
    assert _factors("linear", end=0.2) == pytest.approx(expected, abs=1e-9)


def test_constant_stays_at_one_after_warmup():
    assert _factors("constant")[WARM:] == [1.0] * (STEPS - WARM)


@pytest.mark.parametrize("name", SHAPES)
def test_no_step_has_a_rate_of_zero(name):
    assert min(_factors(name)) > 0


def test_a_training_of_one_step_has_the_full_rate():
    assert learning_rate("cosine", warmup=0.1)(Clock(0, 1, 0.0)) == 1.0


def test_an_unknown_schedule_names_the_closest():
    with pytest.raises(ConfigError, match="'cosin'; closest: cosine"):
        learning_rate("cosin")


@pytest.mark.parametrize("settings", [{"warmup": 1.0}, {"warmup": -0.1}, {"end": 1.5}])
def test_shares_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        learning_rate("linear", **settings)
