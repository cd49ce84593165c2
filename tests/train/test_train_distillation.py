"""The real loader, distiller, methods and teachers under the training loop."""

import numpy as np
import pytest
import torch
from PIL import Image

from distildoc.core.clock import constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.methods import fitnet, kd, supervised
from distildoc.models.build import build_model
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess
from distildoc.tasks.classification import classification
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.selection import Selection
from distildoc.train.state import Optimisation, begin
from distildoc.train.stored import read_tensors

LABELS = ("letter", "memo", "form")
SIZE = (48, 32)


def _page(number):
    ink = np.random.default_rng(number).integers(0, 255, SIZE, dtype=np.uint8)
    return Page(f"page-{number}", "memory", 1, lambda longest_px: Image.fromarray(ink), LABELS[number % 3])


def _parts():
    pages = PageSet(tuple(_page(number) for number in range(14)), LABELS, "noise")
    augmentation = Augmentation(views=3)
    loader = Loader(pages, LABELS, Preprocess(*SIZE), augmentation, batch=4, seed=1, drop_last=False)
    teacher = build_model("cnn-micro", labels=LABELS, size=SIZE, channels=1, seed=1)
    student = build_model("vit-micro", labels=LABELS, size=SIZE, channels=1, seed=2)
    torch.manual_seed(3)  # of what the methods learn
    pair = Pair(student, teacher, classification(LABELS), SIZE)
    terms = [
        Term("supervised", supervised.build(pair), constant(0.5)),
        Term("kd", kd.build(pair), constant(0.5)),
        Term("fitnet", fitnet.build(pair), constant(0.1)),
    ]
    state = begin(
        Distiller(student, terms), make_accelerator("no", cpu=True), optimisation=Optimisation(ema=0.9), seed=0
    )
    return state, loader, Live(teacher, taps=["middle"])


class PowerCut(Exception):
    pass


def _train(folder, *, stop_after=None):
    """Two epochs of 4 batches; the power may fail after so many scores."""
    state, loader, teacher = _parts()
    asked = []

    def validate(student):
        asked.append(student)
        if len(asked) == stop_after:
            raise PowerCut
        return float(len(asked))

    fit(
        state,
        loader,
        teacher,
        plan=Plan(2, clip_norm=1.0, selection=Selection(validate, keep="last")),
        checkpoints=Checkpoints(folder, identity="x", every_steps=3),
        journal=Journal(state.accelerator),
    )
    return state, teacher


def test_a_student_learns_from_a_live_teacher_that_stays_as_it_was_and_out_of_the_checkpoint(tmp_path):
    fingerprint = _parts()[2].fingerprint
    state, teacher = _train(tmp_path)
    assert (state.step, teacher.fingerprint) == (8, fingerprint)
    assert Live(teacher._model).fingerprint == fingerprint  # of the weights as they are now
    tensors, _ = read_tensors(tmp_path / "last.safetensors")
    kinds = {name.split(".")[0] for name in tensors if name.startswith("distiller/")}
    assert kinds == {"distiller/student", "distiller/learned"}


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_distillation_with_augmented_pages_equals_one_never_stopped_bit_for_bit(tmp_path, stop_after):
    with pytest.raises(PowerCut):
        _train(tmp_path / "stopped", stop_after=stop_after)
    assert read_tensors(tmp_path / "stopped" / "last.safetensors")[1]["batch"] in (2, 3)  # in the middle of an epoch
    resumed, _ = _train(tmp_path / "stopped")
    straight, _ = _train(tmp_path / "straight")
    for (name, a), b in zip(
        resumed.distiller.state_dict().items(), straight.distiller.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
