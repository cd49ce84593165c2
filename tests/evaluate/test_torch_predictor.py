"""Oracle: the model called by hand on the pixels of one page."""

import numpy as np
import pytest
import torch

from distildoc.core.model import evaluating
from distildoc.evaluate import evaluate
from distildoc.evaluate.torch_predictor import PageLogits, TorchPredictor, labelled_logits
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Predictor
from distildoc.schema.preprocess import Preprocess, to_network_input

PREPROCESS = Preprocess(8, 6, grey=True)


def by_hand(model, page, temperature=1.0):
    pixels = torch.from_numpy(to_network_input(PREPROCESS(page.image())[None]))
    with torch.no_grad(), evaluating(model):
        return torch.softmax(model(pixels)["logits"].double() / temperature, 1)[0].numpy()


def test_is_a_predictor(model):
    assert isinstance(TorchPredictor(model, PREPROCESS), Predictor)


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
def test_equals_the_model_called_page_by_page(model, page, batch):
    pages = [page(number * 20, "letter") for number in range(7)]
    answers = list(TorchPredictor(model, PREPROCESS, batch=batch)(pages))
    assert [answer.page.id for answer in answers] == [p.id for p in pages]
    for answer, given in zip(answers, pages, strict=True):
        assert answer.probabilities.dtype == np.float32
        assert answer.probabilities == pytest.approx(by_hand(model, given), abs=1e-6)
        assert answer.labels == model.labels


def test_temperature_divides_the_logits(model, page):
    (answer,) = TorchPredictor(model, PREPROCESS, temperature=3.0)([page(200)])
    assert answer.probabilities == pytest.approx(by_hand(model, page(200), 3.0), abs=1e-6)


def test_unreadable_pages_come_back_in_their_place(model, page):
    pages = [page(0, broken=True), page(1), page(2, broken=True), page(3), page(4), page(5, broken=True)]
    answers = list(TorchPredictor(model, PREPROCESS, batch=2)(pages))
    assert [isinstance(answer, FailedPage) for answer in answers] == [True, False, True, False, False, True]
    assert [a.id if isinstance(a, FailedPage) else a.page.id for a in answers] == [f"page{n}" for n in range(6)]
    assert answers[0].reason == "page0.png: cannot read the image (cut short)"


def test_every_module_is_back_in_its_own_mode(model, page):
    model.train()
    model.body[1].eval()  # a batch norm frozen apart from the rest
    before = {name: module.training for name, module in model.named_modules()}
    statistics = model.body[1].running_mean.clone()
    list(TorchPredictor(model, PREPROCESS)([page(100), page(200)]))
    assert {name: module.training for name, module in model.named_modules()} == before
    assert torch.equal(model.body[1].running_mean, statistics)


def test_mode_is_restored_while_the_stream_is_half_read(model, page):
    model.train()
    stream = TorchPredictor(model, PREPROCESS, batch=1)([page(1), page(2)])
    next(stream)
    assert model.training


def test_reads_no_further_than_one_batch_ahead(model, page):
    taken = []

    def pages():
        for number in range(50):
            taken.append(number)
            yield page(number)

    next(TorchPredictor(model, PREPROCESS, batch=4)(pages()))
    assert len(taken) == 4


def test_leaves_no_gradients(model, page):
    list(TorchPredictor(model, PREPROCESS)([page(1)]))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_pages_give_no_answers(model):
    assert list(TorchPredictor(model, PREPROCESS)([])) == []


def test_refuses_a_temperature_that_is_not_positive(model):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        TorchPredictor(model, PREPROCESS, temperature=0.0)


def test_evaluate_scores_it_like_any_predictor(model, page):
    pages = [page(number * 9, model.labels[number % 3]) for number in range(20)]
    report = evaluate(TorchPredictor(model, PREPROCESS, batch=8), pages).report
    right = [model.labels[by_hand(model, p).argmax()] == p.label for p in pages]
    assert report.scores["accuracy"].value == pytest.approx(np.mean(right))


def test_labelled_logits_leave_out_unreadable_and_unlabelled_pages(model, page):
    pages = [page(10, "memo"), page(20), page(30, "form", broken=True), page(40, "email"), page(50, "letter")]
    predictor = TorchPredictor(model, PREPROCESS)
    logits, targets = labelled_logits(predictor, pages)
    expected = [answer.logits for answer in predictor.logits([pages[0], pages[4]]) if isinstance(answer, PageLogits)]
    assert targets.tolist() == [1, 0]
    assert logits == pytest.approx(np.stack(expected), abs=1e-6)
    with pytest.raises(InputError, match="no labelled page"):
        labelled_logits(predictor, [page(1)])
