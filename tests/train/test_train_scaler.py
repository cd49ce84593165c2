"""The fp16 path with torch's gradient scaler on a CPU, as Accelerate would set it on a GPU."""

import copy

import torch

from distildoc.train.checkpoint import Checkpoints
from distildoc.train.state import Horizon
from distildoc.train.steps import steps


def _scaled(toy, scale):
    state = toy.toy_state()
    state.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return state


def _steep(toy):
    """A finite loss whose gradient, times the scale, is beyond fp32."""
    state = _scaled(toy, 3e38)
    with torch.no_grad():
        state.distiller.projector.weight.mul_(100)
    return state


def test_scaling_the_loss_changes_neither_the_weights_nor_the_clipped_norm(toy):
    plain, scaled = toy.toy_state(), _scaled(toy, 2.0**10)
    logs = [
        list(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1), clip_norm=0.5))
        for state in (plain, scaled)
    ]
    for a, b in zip(plain.distiller.parameters(), scaled.distiller.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close([log.grad_norm for log in logs[0]], [log.grad_norm for log in logs[1]])


def test_an_overflowing_gradient_skips_the_step_and_halves_the_scale(toy):
    state = _steep(toy)
    before = copy.deepcopy(state.distiller)
    log = next(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1)))
    assert not torch.isfinite(log.grad_norm) and torch.isfinite(log.total)
    for a, b in zip(state.distiller.parameters(), before.parameters(), strict=True):
        assert torch.equal(a, b)
    assert state.accelerator.scaler.get_scale() == torch.tensor(1.5e38).item()


def test_the_scale_is_part_of_a_checkpoint(toy, tmp_path):
    state = _steep(toy)
    next(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1)))
    Checkpoints(tmp_path, identity="x").save(state)
    other = _scaled(toy, 8.0)
    assert Checkpoints(tmp_path, identity="x").restore(other)
    assert other.accelerator.scaler.state_dict() == state.accelerator.scaler.state_dict()
