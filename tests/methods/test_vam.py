"""methods.vam: the formula, the plain layer as a special case, folding, and what must be refused."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.model import Model, parameter_count
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.kd import build as build_kd
from distildoc.methods.simkd import build as build_simkd
from distildoc.methods.supervised import build as build_supervised
from distildoc.methods.vam import Vam, VirtualAttention, build
from distildoc.models.load import fingerprint, load_model, save_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.live import Live
from distildoc.train.ema import Ema

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def vam(pair: Pair, **settings: int) -> Vam:
    method = build(pair, **settings)
    assert isinstance(method, Vam)
    return method


def logits(model: Model, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(batch.inputs)["logits"]


def test_a_block_of_outputs_is_the_weighted_sum_over_blocks_of_inputs_as_published() -> None:
    torch.manual_seed(0)
    attention = VirtualAttention(2, 3, 0.5)
    weight, picture = torch.randn(4, 6, 3, 3), torch.randn(2, 6, 5, 5)
    share = softmax(attention.affinity.detach().numpy() / 0.5, -1)
    found = functional.conv2d(picture, attention(weight), padding=1)
    for block in range(2):
        rows = slice(2 * block, 2 * block + 2)
        wanted = sum(
            3 * float(share[block, i]) * functional.conv2d(part, weight[rows, 2 * i : 2 * i + 2], padding=1)
            for i, part in enumerate(picture.split(2, 1))
        )
        torch.testing.assert_close(found[:, rows], wanted, rtol=1e-4, atol=1e-5)


def test_a_linear_layer_is_scaled_by_the_kronecker_product() -> None:
    torch.manual_seed(0)
    attention, weight = VirtualAttention(4, 2, 0.25), torch.randn(8, 6)
    share = 2 * softmax(attention.affinity.detach().numpy() / 0.25, -1)
    np.testing.assert_allclose(attention(weight).detach().numpy(), weight * np.kron(share, np.ones((2, 3))), rtol=1e-5)


@pytest.mark.parametrize("blocks", [2, 4, 8])
def test_equal_attention_gives_the_plain_layer(blocks: int) -> None:
    attention = VirtualAttention(blocks, blocks, 0.5)
    nn.init.constant_(attention.affinity, 0.3)
    weight = torch.randn(16, 8, 3, 3)
    assert torch.equal(attention(weight), weight)


def test_the_loss_sums_over_layers_the_mean_entropy_of_their_rows(pair_of: PairOf, batch: Batch) -> None:
    method = vam(pair_of("cnn", "none"))
    method.adapt(pair_of("cnn", "none").student)
    rows = [softmax(one.affinity.detach().numpy() / 0.5, -1) for one in method.attentions]
    wanted = sum(entropy(share, axis=-1).mean() for share in rows)
    assert len(rows) > 3
    assert method(View({}), View({}), batch, CLOCK)["entropy"].item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_the_folded_student_is_a_plain_one_with_the_same_logits(
    network: str, pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    pair = pair_of(network, "none")
    method = vam(pair)
    student = method.adapt(pair.student)
    unfolded = logits(student, batch)
    assert not torch.equal(unfolded, logits(pair.student, batch))
    folded = method.finish(student)
    assert torch.equal(logits(folded, batch), unfolded)
    assert folded.state_dict().keys() == pair.student.state_dict().keys()
    assert parameter_count(folded) == parameter_count(pair.student)
    save_model(folded, tmp_path / "student")
    assert fingerprint(load_model(tmp_path / "student")) == fingerprint(folded)


def test_the_student_given_is_left_as_it_was(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    before = fingerprint(pair.student)
    student = vam(pair).adapt(pair.student)
    assert fingerprint(pair.student) == before
    assert student.head is pair.student.head
    assert not any(parametrize.is_parametrized(module) for module in pair.student.modules())


def test_layers_that_do_not_divide_are_left_alone_and_counted(
    pair_of: PairOf, caplog: pytest.LogCaptureFixture
) -> None:
    pair = pair_of("cnn", "none")  # channels 1 to 16, 32 and 48; the first convolution reads one channel
    convolutions = [module for module in pair.student.body.modules() if isinstance(module, nn.Conv2d)]
    method = vam(pair, outputs=4, inputs=16)
    with caplog.at_level(logging.INFO):
        method.adapt(pair.student)
    assert len(method.attentions) == len(convolutions) - 1
    assert f"in {len(convolutions) - 1} layers, 1 left as they are" in caplog.text


def test_it_adds_less_than_one_per_cent_of_weights(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    method = vam(pair)
    added = parameter_count(method.adapt(pair.student)) / parameter_count(pair.student) - 1
    assert 0 < added < 0.01
    assert added * parameter_count(pair.student) == pytest.approx(16 * len(method.attentions))


def test_no_layer_with_these_blocks_is_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="7 blocks of outputs"):
        build(pair_of("cnn", "none"), outputs=7)


def test_at_weight_zero_it_is_still_there_and_learns_from_the_other_terms(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    method = vam(pair)
    terms = [Term("labels", build_supervised(pair), constant(1.0)), Term("vam", method, constant(0.0))]
    distiller = Distiller(adapted(pair.student, terms), terms)
    total, losses = distiller(batch, None, CLOCK)
    total.backward()
    assert set(losses) == {"labels"}
    assert all(one.affinity.grad is not None and one.affinity.grad.any() for one in method.attentions)


@pytest.mark.parametrize("first", ["vam", "simkd"])
def test_it_goes_together_with_another_head(first: str, pair_of: PairOf, batch: Batch, tmp_path: Path) -> None:
    pair = pair_of("cnn", "cnn")
    methods = {"vam": build(pair), "simkd": build_simkd(pair)}
    order = sorted(methods, key=lambda name: name != first)
    terms = [Term(name, methods[name], constant(1.0)) for name in order]
    distiller = Distiller(adapted(pair.student, terms), terms)
    assert pair.teacher is not None
    teacher = Live(pair.teacher, taps=methods["simkd"].needs.teacher_taps, outputs=False)
    distiller(batch, teacher(batch), CLOCK)[0].backward()
    trained = logits(distiller.student, batch)
    save_model(distiller.release(), tmp_path / "student")
    assert torch.equal(logits(load_model(tmp_path / "student"), batch), trained)


def test_the_mean_of_weights_over_time_holds_the_attention_too(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    method = vam(pair)
    assert pair.teacher is not None
    terms = [Term("kd", build_kd(pair), constant(1.0)), Term("vam", method, constant(0.1))]
    distiller = Distiller(adapted(pair.student, terms), terms)
    ema = Ema(distiller.student, decay=0.9)
    optimiser = torch.optim.AdamW(distiller.parameters(), lr=1e-2)
    for step in range(3):
        distiller(batch, Live(pair.teacher)(batch), CLOCK)[0].backward()
        optimiser.step()
        optimiser.zero_grad()
        ema.update(step)
    assert sum("affinity" in name for name in ema.shadow) == len(method.attentions)
    ema.copy_to_module()
    meant = logits(distiller.student, batch)
    assert torch.equal(logits(distiller.release(), batch), meant)
