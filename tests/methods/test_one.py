"""methods.one against NumPy, and what becomes of its branches."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.taps import Taps
from distildoc.core.view import View
from distildoc.methods.one import GATE, LOGITS, build
from distildoc.models.branches import BranchedHead, BranchedStage
from distildoc.models.load import load_model, save_model
from distildoc.models.text.build import build_text_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller, adapted

PairOf = Callable[..., Pair]
networks = pytest.mark.parametrize("network", ["cnn", "vit"])


def logits(model: Model, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(batch.inputs)["logits"]


def test_equals_the_numpy_lines(pair_of: PairOf, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    z, gate = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((6, 3, 5), (6, 3)))
    method = build(pair_of("cnn", "none"), temperature=2.0, ramp=0.5)
    found = method(View({}, {LOGITS: z, GATE: gate}), View({}), batch, Clock(25, 100, 0.0))
    trust = softmax(gate.numpy(), -1)
    assert trust.sum(1) == pytest.approx(np.ones(6))
    ensemble = np.einsum("bm,bmc->bc", trust, z.numpy())
    known = np.arange(5)  # the sixth page has no label
    cross_entropy = sum(-log_softmax(s, -1)[known, known].mean() for s in (*z.numpy().transpose(1, 0, 2), ensemble))
    log_e = log_softmax(ensemble / 2, -1)
    apart = sum((np.exp(log_e) * (log_e - log_softmax(z.numpy()[:, b] / 2, -1))).sum(-1).mean() for b in range(3))
    assert found["labels"].item() == pytest.approx(cross_entropy, rel=1e-6)
    assert found["ensemble"].item() == pytest.approx(math.exp(-1.25) * 4 * apart, rel=1e-9)  # half way up the ramp


@networks
def test_branches_of_the_network_are_those_run_one_by_one(network: str, pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of(network, "none")
    student = build(pair).adapt(pair.student).eval()
    stage = student.body.get_submodule(pair.student.places.stages[-1].removeprefix("body."))
    assert isinstance(stage, BranchedStage) and isinstance(student.head, BranchedHead)
    torch.manual_seed(0)
    for copy in list(stage.branches)[1:]:
        for weight in copy.parameters():
            nn.init.normal_(weight, std=0.1)
    with Taps(student, [LOGITS, GATE]) as taps, torch.no_grad():
        seen = taps(batch.inputs).features
    for number in range(3):
        method = build(pair, keep=number)
        alone = method.adapt(pair.student)
        alone.load_state_dict(student.state_dict())
        kept = method.finish(alone)  # type: ignore[attr-defined]
        torch.testing.assert_close(logits(kept, batch), seen[LOGITS][:, number], rtol=1e-4, atol=1e-5)


@networks
@pytest.mark.parametrize("deploy", ["branch", "ensemble"])
def test_what_is_deployed_says_what_the_student_said_and_can_be_loaded(
    network: str, deploy: str, pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    pair = pair_of(network, "none")
    term = Term("one", build(pair, deploy=deploy, keep=2), constant(1.0))  # type: ignore[arg-type]
    distiller = Distiller(adapted(pair.student, [term]), [term])
    optimiser = torch.optim.SGD(distiller.parameters(), lr=0.1)
    for _ in range(2):
        distiller(batch, None, Clock(5, 10, 0.0))[0].backward()
        optimiser.step()
        optimiser.zero_grad()
    before = logits(distiller.student, batch)
    finished = distiller.release()
    torch.testing.assert_close(logits(finished, batch), before, rtol=1e-4, atol=1e-5)
    save_model(finished, tmp_path / "student")
    assert torch.equal(logits(load_model(tmp_path / "student"), batch), logits(finished, batch))
    plain = {name: value.shape for name, value in pair.student.state_dict().items()}
    same = {name: value.shape for name, value in finished.state_dict().items()} == plain
    assert same == (deploy == "branch")


def test_the_students_own_network_is_left_as_it_was(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    before = logits(pair.student, batch)
    branched = build(pair).adapt(pair.student)
    assert not any(isinstance(module, BranchedStage) for module in pair.student.modules())
    addresses = [{p.data_ptr() for p in model.parameters()} for model in (pair.student, branched)]
    assert not addresses[0] & addresses[1]
    torch.testing.assert_close(logits(branched, batch), before)  # branch 0 is the student at first


def test_classifiers_set_the_branches_apart(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    head = build(pair).adapt(pair.student).head
    assert isinstance(head, BranchedHead)
    weights = [layer.weight for layer in head.classifiers if isinstance(layer, nn.Linear)]
    assert len(weights) == 3 and not torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])


def test_the_gate_of_a_trained_batch_is_batch_normalised_and_a_single_page_is_not(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    head = build(pair).adapt(pair.student).head
    assert isinstance(head, BranchedHead)
    features = torch.randn(8, 48, generator=torch.Generator().manual_seed(0))
    linear = head.gate.linear(features).detach().double().numpy()
    expected = np.maximum((linear - linear.mean(0)) / np.sqrt(linear.var(0) + 1e-5), 0)
    np.testing.assert_allclose(head.train().gate(features).detach().numpy(), expected, rtol=1e-3, atol=1e-5)
    assert torch.isfinite(head.gate(features[:1])).all()


def test_a_branch_that_is_not_there_is_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="no branch 3 to keep, the 3 are 0 to 2"):
        build(pair_of("cnn", "none"), keep=3)


def test_a_stage_beside_which_the_network_goes_on_with_its_input_is_refused(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    student = build_text_model(
        "text-mean", labels=pair.student.labels, texts=lambda: ["a few words"], width=8, hidden=8, vocabulary=270
    )
    student.places = replace(student.places, stages=("body.embeddings",))  # its mask has the texts of one branch
    with pytest.raises(ConfigError, match=r"'body\.embeddings' cannot be branched in this student, choose"):
        build(replace(pair, student=student)).adapt(student)
