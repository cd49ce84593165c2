"""losses.one_to_many by hand."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from distildoc.losses.one_to_many import assigned, grid, one_to_many

Floats = NDArray[np.float64]
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


def test_assignment_equals_a_loop_over_boxes_and_places() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(1, 20, 3, generator=generator)
    boxes = torch.cat([PLACES.centres, 0.2 + 0.6 * torch.rand(20, 2, generator=generator)], -1)[None]
    truth = torch.tensor([[[0.4, 0.4, 0.6, 0.5], [0.5, 0.5, 0.7, 0.7], [0.8, 0.7, 0.3, 0.4]]])  # they overlap
    classes = torch.tensor([[0, 2, 1]])
    chosen, wanted = assigned(scores, boxes, truth, classes, places=PLACES, top=4)
    aligned, overlap = _table(scores[0], boxes[0], truth[0], classes[0])
    best = [set(np.argsort(-aligned[:, m], kind="stable")[:4]) for m in range(3)]
    owner = {
        n: max((m for m in range(3) if n in best[m] and aligned[n, m] > 0), key=lambda m: aligned[n, m], default=None)
        for n in range(20)
    }
    for n, m in owner.items():
        if m is None:
            assert wanted[0, n].max() == 0
            continue
        mine = [k for k, other in owner.items() if other == m]
        score = aligned[n, m] / max(aligned[k, m] for k in mine) * max(0.1, *(overlap[k, m] for k in mine))
        assert chosen[0, n] == m
        assert wanted[0, n, classes[0, m]].item() == pytest.approx(score, rel=1e-4)


def _table(scores: Tensor, boxes: Tensor, truth: Tensor, classes: Tensor) -> tuple[Floats, Floats]:
    """Alignment and IoU of every place with every box, one at a time; alignment 0 outside the box."""
    aligned, overlap = np.zeros((20, 3)), np.zeros((20, 3))
    for n, (x, y, w, h) in enumerate(boxes.tolist()):
        cx, cy = PLACES.centres[n].tolist()
        cell = PLACES.cells[n].tolist()
        for m, (tx, ty, tw, th) in enumerate(truth.tolist()):
            across = max(0.0, min(x + w / 2, tx + tw / 2) - max(x - w / 2, tx - tw / 2))
            down = max(0.0, min(y + h / 2, ty + th / 2) - max(y - h / 2, ty - th / 2))
            overlap[n, m] = across * down / (w * h + tw * th - across * down)
            half = max(tw / 2, 0.51 * cell[0]), max(th / 2, 0.51 * cell[1])
            apart = max(abs(cx - tx) / half[0], abs(cy - ty) / half[1])
            if apart < 1:
                fit = math.exp(-0.7 * abs(math.log2(math.sqrt(tw * th) / (3 * sum(cell) / 2))))
                said = scores[n, classes[m]].item()
                aligned[n, m] = math.sqrt(said) * overlap[n, m] ** 3 + 1e-3 * (1 - apart) * fit
    return aligned, overlap
