"""losses.one_to_many by hand."""

import pytest
import torch
from torch import Tensor

from distildoc.losses.one_to_many import assigned, grid, one_to_many

PLACES = grid(((4, 4), (2, 2)), torch.device("cpu"))
WHOLE = torch.tensor([[[0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]])  # one box as large as the page, and padding
CLASSES = torch.tensor([[1, -1]])


def said(logit: float = 0.0) -> tuple[Tensor, Tensor]:
    """The same logit for 3 classes and a box of a quarter of the page around every place."""
    boxes = torch.cat([PLACES.centres, torch.full((20, 2), 0.5)], -1)[None]
    return torch.full((1, 20, 3), logit), boxes


def test_only_the_best_places_inside_a_box_have_a_target_and_only_for_its_class() -> None:
    logits, boxes = said()
    chosen, wanted = assigned(logits.sigmoid(), boxes, WHOLE, CLASSES, places=PLACES, top=3)
    assert int((wanted > 0).sum()) == 3
    assert (wanted[..., [0, 2]] == 0).all()
    assert (chosen[0][wanted[0].amax(-1) > 0] == 0).all()


def test_the_best_place_is_asked_for_its_own_overlap() -> None:
    logits, boxes = said()
    boxes[0, 7] = WHOLE[0, 0]  # one place is right already
    _, wanted = assigned(logits.sigmoid(), boxes, WHOLE, CLASSES, places=PLACES)
    assert wanted[0, 7, 1].item() == pytest.approx(1.0)
    others = wanted[0].amax(-1)[torch.arange(20) != 7]
    # IoU 1/4, alignment (1/4)^3 of the best one's, up to the thousandth that closeness adds
    assert others.max().item() == pytest.approx(0.25**3, abs=2e-3)


def test_a_box_smaller_than_a_cell_still_has_places() -> None:
    logits, boxes = said()
    tiny = torch.tensor([[[0.3, 0.3, 0.01, 0.01]]])
    _, wanted = assigned(logits.sigmoid(), boxes, tiny, torch.tensor([[0]]), places=PLACES)
    assert (wanted[..., 0] > 0).any()


def test_right_places_lose_nothing_but_the_missing_score() -> None:
    logits, _ = said(-20.0)
    boxes = WHOLE[:, :1].expand(1, 20, 4).clone()
    logits[..., 1] = 20.0
    losses = one_to_many(logits, boxes, WHOLE, CLASSES, places=PLACES, top=20)
    assert losses["box"].item() == pytest.approx(0.0, abs=1e-6)


def test_pages_without_boxes_push_all_scores_down() -> None:
    logits, boxes = said()
    logits.requires_grad_()
    losses = one_to_many(logits, boxes, WHOLE, torch.tensor([[-1, -1]]), places=PLACES)
    sum(losses.values()).backward()
    assert losses["box"].item() == 0
    # 60 scores of 1/2: weight 3/4 * 1/4, cross-entropy log 2
    assert losses["class"].item() == pytest.approx(60 * 0.75 * 0.25 * torch.log(torch.tensor(2.0)).item(), rel=1e-5)
    assert logits.grad is not None and (logits.grad > 0).all()


def test_the_gradient_is_finite_for_equal_and_extreme_places() -> None:
    for logit in (0.0, 1e4, -1e4):
        logits, boxes = said(logit)
        leaves = logits.requires_grad_(), torch.zeros_like(boxes).requires_grad_()
        sum(one_to_many(*leaves, WHOLE, CLASSES, places=PLACES).values()).backward()
        assert all(leaf.grad is not None and torch.isfinite(leaf.grad).all() for leaf in leaves)
