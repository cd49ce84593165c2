"""methods.encoder_hint against NumPy, with an encoder of quite another kind."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.encoder_hint import EncoderHint, build
from distildoc.models.build import build_model
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def encoder_pair(layout_pair_of: PairOf) -> Pair:
    """A detector as the student, and a ViT of other classes that sees pages at a size of its own."""
    vit = {"width": 24, "depth": 2, "heads": 2, "patch": 8}
    encoder = build_model("vit-micro", labels=("cat", "dog"), size=(32, 48), channels=1, seed=3, **vit)
    return replace(layout_pair_of("d-fine", "none"), teacher=encoder.eval())


def test_equals_a_linear_projection_of_every_cell_in_numpy(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    hint = build(encoder_pair(layout_pair_of))
    assert isinstance(hint, EncoderHint)
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(5, 32, 4, 6, generator=generator)
    tokens = torch.randn(5, 1 + 24, 24, generator=generator)  # CLS and 4 x 6 patches
    weight, bias = (p.detach().double().numpy() for p in hint.projection.parameters())
    mapped = np.einsum("oc,bchw->bohw", weight[:, :, 0, 0], student.numpy()) + bias[:, None, None]
    wanted = tokens[:, 1:].numpy().reshape(5, 4, 6, 24).transpose(0, 3, 1, 2)
    found = hint(View({}, {"late": student}), View({}, {"map": tokens}), layout_batch, CLOCK)["mse"]
    assert found.item() == pytest.approx(np.mean((mapped - wanted) ** 2), rel=1e-5)


def test_normalised_cells_have_mean_zero_and_variance_one(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    hint = build(encoder_pair(layout_pair_of), normalise="cells")
    assert isinstance(hint, EncoderHint)
    for parameter in hint.projection.parameters():
        torch.nn.init.zeros_(parameter)
    tokens = 100 + 30 * torch.randn(5, 25, 24, generator=torch.Generator().manual_seed(0))
    student = View({}, {"late": torch.randn(5, 32, 4, 6)})
    found = hint(student, View({}, {"map": tokens}), layout_batch, CLOCK)["mse"]
    assert found.item() == pytest.approx(1, rel=1e-4)  # the mean square of what is left to predict by zero


def test_only_the_backbone_learns_and_the_encoders_classes_do_not_matter(
    layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    pair = encoder_pair(layout_pair_of)
    assert pair.teacher is not None
    method = build(pair)
    assert not method.needs.teacher_outputs
    before = deepcopy(pair.teacher.state_dict())
    distiller = Distiller(pair.student, [Term("hint", method, constant(1.0))])
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False)
    unknown = {**layout_batch.targets, "origin": torch.zeros(5).long(), "classes": torch.full((5, 3), -1)}
    batch = replace(layout_batch, targets=unknown)
    check_terms(distiller, teacher, sample=batch)
    distiller(batch, teacher(batch), CLOCK)[0].backward()
    learnt = {name for name, p in pair.student.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert learnt and all(name.startswith("body.backbone") for name in learnt)
    assert all(torch.equal(value, before[name]) for name, value in pair.teacher.state_dict().items())
