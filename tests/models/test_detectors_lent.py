"""models.detectors.lent: rows of a lent head follow the borrower's classes."""

import pytest
import torch

from distildoc.models.build import build_model
from distildoc.models.detectors.build import build_detector
from distildoc.models.detectors.lent import lent_head
from distildoc.models.detectors.rcnn.head import RcnnHead
from distildoc.schema.errors import ConfigError

LABELS = ("Text", "Title", "Table")
ORDER = [2, 0, 1]


def test_every_branch_of_an_rcnn_says_the_same_of_each_class_under_its_new_number() -> None:
    model = build_detector("mask-rcnn-micro", labels=LABELS, size=(64, 64), width=8, hidden=16)
    lent = lent_head(model, ORDER)
    own, copy = model.head, lent.head
    assert isinstance(own, RcnnHead) and isinstance(copy, RcnnHead)
    assert own.mask is not None and copy.mask is not None
    generator = torch.Generator().manual_seed(0)
    features, cells = torch.randn(4, 8, 7, 7, generator=generator), torch.randn(2, 8, 14, 14, generator=generator)
    (logits, by), (new_logits, new_by) = own.box(features), copy.box(features)
    torch.testing.assert_close(new_logits, logits[:, [*ORDER, len(LABELS)]])  # background stays last
    torch.testing.assert_close(new_by, by[:, ORDER])
    torch.testing.assert_close(copy.mask(cells), own.mask(cells)[:, ORDER])
    assert lent.taps == ("level:0", "level:1", "level:2", "level:3", "level:4")


def test_the_lender_keeps_its_own_head() -> None:
    model = build_detector("mask-rcnn-micro", labels=LABELS, size=(64, 64), width=8, hidden=16)
    before = {name: value.clone() for name, value in model.head.state_dict().items()}
    lent = lent_head(model, ORDER)
    for parameter in lent.head.parameters():
        torch.nn.init.zeros_(parameter)
    assert all(torch.equal(value, before[name]) for name, value in model.head.state_dict().items())


def test_a_classifier_has_no_head_to_lend() -> None:
    model = build_model("cnn-micro", labels=LABELS, size=(32, 32))
    with pytest.raises(ConfigError, match="is Linear, not a detector's"):
        lent_head(model, ORDER)
