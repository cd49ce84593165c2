import pytest
import torch
from torch._dynamo.testing import CompileCounter

from distildoc.core.taps import Taps
from distildoc.schema.errors import ConfigError
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, begin, student_of


class _Hint(torch.nn.Module):
    """A feature of the student, read through a tap, drawn to zero."""

    def __init__(self, student):
        super().__init__()
        self.student = student
        self.taps = Taps(student, ["early"])

    def forward(self, batch, teacher, clock):
        view = self.taps(batch.inputs)
        loss = view.features["early"].square().mean() + view.outputs["logits"].square().mean()
        return loss, {"hint": loss}


def _gradients(toy, backend, steps=1):
    state = begin(
        _Hint(toy.toy_student()),
        make_accelerator("no", cpu=True),
        optimisation=Optimisation(),
        seed=0,
        compile_backend=backend,
    )
    for batch in list(toy.ToyLoader(pages=8).epoch(0)) * steps:
        state.module(batch, None, None)[0].backward()
    return {name: weight.grad for name, weight in state.distiller.named_parameters()}


@pytest.fixture(autouse=True)
def _forget_compiled_code():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_a_compiled_student_gives_the_same_gradients_through_its_taps(toy):
    eager, compiled = _gradients(toy, None), _gradients(toy, "aot_eager")
    assert compiled.keys() == eager.keys()  # compiling renames nothing
    for name, gradient in eager.items():
        torch.testing.assert_close(compiled[name], gradient)


def test_a_tapped_student_is_compiled_whole_and_only_once(toy):
    counter = CompileCounter()
    _gradients(toy, counter, steps=3)
    assert counter.frame_count == 1


def test_the_seed_fixes_dropout_and_differs_from_another(toy):
    def noise(seed):
        begin(
            toy.ToyDistiller(toy.toy_student()),
            make_accelerator("no", cpu=True),
            optimisation=Optimisation(),
            seed=seed,
        )
        return torch.nn.functional.dropout(torch.ones(100), 0.5)

    assert torch.equal(noise(3), noise(3))
    assert not torch.equal(noise(3), noise(4))


def test_steps_round_up_in_each_epoch():
    assert Horizon(batches=5, epochs=3, accumulate=2).steps == 9


def test_settings_that_do_not_fit_are_refused_at_the_start(toy):
    with pytest.raises(ConfigError, match="EMA"):
        begin(
            toy.ToyDistiller(toy.toy_student()),
            make_accelerator("no", cpu=True),
            optimisation=Optimisation(ema=1.5),
            seed=0,
        )


def test_a_distiller_without_a_model_inside_is_a_type_error():
    module = torch.nn.Module()
    module.student = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match="not Linear"):
        student_of(module)
