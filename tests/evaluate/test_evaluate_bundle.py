"""The torch student and its bundle are scored by the same call, to the same numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from distildoc.core.model import Model, Normalise, Places
from distildoc.evaluate import evaluate
from distildoc.evaluate.torch_predictor import TorchPredictor
from distildoc.export.bundle import write_bundle
from distildoc.predict.onnx_runtime import load
from distildoc.schema.preprocess import Preprocess

LABELS = ("letter", "memo", "form")


@pytest.fixture
def student() -> Model:
    torch.manual_seed(3)
    body = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    head = nn.Linear(8 * 7 * 5, 3)
    with torch.no_grad():
        head.weight.mul_(20)
    places = Places("body", "body.2", ("body.2",))
    return Model(body, head, normalise=Normalise((0.5,), (0.5,)), labels=LABELS, places=places, recipe={})


def test_bundle_scores_like_the_student_it_came_from(student, page, tmp_path):
    preprocess = Preprocess(16, 12, grey=True)
    pages = [page(number * 8, LABELS[number % 3]) for number in range(30)]
    write_bundle(tmp_path / "bundle", student, preprocess=preprocess, temperature=1.7)
    torch_report = evaluate(TorchPredictor(student, preprocess, temperature=1.7, batch=7), pages)
    bundle_report = evaluate(load(tmp_path / "bundle"), pages)
    assert np.allclose(bundle_report.table.probabilities, torch_report.table.probabilities, atol=1e-5)
    assert bundle_report.report.confusion == torch_report.report.confusion
    for name, score in torch_report.report.scores.items():
        assert bundle_report.report.scores[name].value == pytest.approx(score.value, abs=1e-4), name
        assert bundle_report.report.scores[name].low == pytest.approx(score.low, abs=1e-3), name
