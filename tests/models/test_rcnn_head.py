import math

import numpy as np
import pytest
import torch
from torch import nn

from distildoc.models.detectors.rcnn.head import RcnnHead, regions_of
from distildoc.models.detectors.rcnn.proposals import ProposalNetwork, certainty, proposal_terms, proposals
from distildoc.models.detectors.rcnn.regions import drawn_rois, rectangle_masks
from distildoc.models.detectors.rcnn.sampling import Regions, matched, shares
from distildoc.models.detectors.rcnn.spec import RcnnSpec, read_spec
from distildoc.schema.errors import InputError

SPEC = RcnnSpec(classes=3, channels=4, hidden=8, mask_depth=1, mask_width=4, anchor=4, rois=512)
NAMES = ["rpn_class", "rpn_box", "class", "box", "mask"]


def some_maps(pages=2):
    """Of a page of 16 x 16 px: 69 anchors, so that every one is drawn and nothing is left to chance."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(pages, 4, side, side, generator=generator) for side in (4, 2, 1, 1, 1)]


def target(*pages, origin=1):
    """Targets from (class, box in shares) pairs a page."""
    most = max(1, *(len(page) for page in pages))
    boxes, classes = torch.zeros(len(pages), most, 4), torch.full((len(pages), most), -1)
    for row, page in enumerate(pages):
        for column, (kind, box) in enumerate(page):
            boxes[row, column], classes[row, column] = torch.tensor(box), kind
    origins = torch.tensor([origin] * len(pages) if isinstance(origin, int) else origin)
    return {"boxes": boxes, "classes": classes, "origin": origins}


def certain(boxes):
    boxes = torch.tensor(boxes).float()
    return Regions(boxes, torch.zeros(len(boxes)).long(), torch.ones(len(boxes)))


ONE = [(1, (0.5, 0.5, 0.5, 0.5))]
TWO = [(0, (0.25, 0.25, 0.3, 0.4)), (2, (0.7, 0.6, 0.5, 0.6))]


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = RcnnHead(SPEC)
    for layer in (head.rpn.objectness, head.rpn.offsets, head.box.classes, head.box.offsets):
        nn.init.normal_(layer.weight, std=0.3)
    return head


def flat(head):
    """All weights and shifts zero."""
    for weight in head.parameters():
        nn.init.zeros_(weight)
    return head


def test_proposal_losses_equal_the_formula(head):
    """NumPy: IoU with every anchor, regions from 0.7 or nearest, background below 0.3, sums over 256."""
    found = head.rpn(some_maps(1))
    truth = np.array([[2.3, 3.1, 9.2, 10.4], [8.1, 8.4, 15.7, 14.9]])
    terms = proposal_terms(found, [certain(truth)], torch.tensor([0]))
    anchor = torch.cat(found.anchors).numpy().astype(float)
    score, by = (torch.cat(part, 1)[0].detach().numpy().astype(float) for part in (found.objectness, found.offsets))
    common = np.clip(
        np.minimum(anchor[:, None, 2:], truth[None, :, 2:]) - np.maximum(anchor[:, None, :2], truth[None, :, :2]),
        0,
        None,
    ).prod(2)
    sizes = [np.prod(b[:, 2:] - b[:, :2], 1) for b in (anchor, truth)]
    iou = common / (sizes[0][:, None] + sizes[1] - common)
    on = (iou.max(1) >= 0.7) | (iou == iou.max(0)).any(1)
    off = (iou.max(1) < 0.3) & ~on
    bce = np.log1p(np.exp(-score))[on].sum() + np.log1p(np.exp(score))[off].sum()
    own = truth[iou.argmax(1)]
    centre = [(b[:, :2] + b[:, 2:]) / 2 for b in (anchor, own)]
    side = [b[:, 2:] - b[:, :2] for b in (anchor, own)]
    wanted = np.concatenate([(centre[1] - centre[0]) / side[0], np.log(side[1] / side[0])], 1)
    assert 2 <= on.sum() < 20 < off.sum()
    rows = torch.tensor([0])
    assert terms["rpn_class"].mean(rows).item() == pytest.approx(bce / 256, rel=1e-4)
    assert terms["rpn_box"].mean(rows).item() == pytest.approx(np.abs(by - wanted)[on].sum() / 256, rel=1e-4)


def test_a_head_that_knows_nothing_has_the_entropy_of_its_choices(head):
    losses = flat(head).train()(some_maps(), target(ONE, TWO))
    assert losses["loss/class"].item() == pytest.approx(math.log(4))
    assert losses["loss/mask"].item() == pytest.approx(math.log(2))


def test_box_loss_is_summed_over_regions_and_divided_by_all_boxes_drawn(head):
    """Region far from all anchors' shapes: only the true box itself stands for it, whose offsets are 0."""
    flat(head)
    nn.init.constant_(head.box.offsets.bias, 0.5)
    outputs = head.train()(some_maps(1), target([(1, (0.5, 0.5, 0.02, 0.02))]))
    count = int((outputs["boxes"][0, :, 2] > 0).sum())
    assert count > 10
    assert outputs["loss/box"].item() == pytest.approx(4 * 0.5 / count)


def test_masks_are_the_cells_whose_centre_lies_in_the_box():
    """A roi of 28 x 28 px; the box covers its left half and reaches beyond it above."""
    mask = rectangle_masks(torch.tensor([[0.0, 0, 28, 28]]), torch.tensor([[-5.0, -9, 14, 7]]))[0]
    expected = torch.zeros(28, 28)
    expected[:7, :14] = 1
    assert torch.equal(mask, expected)


def test_the_same_page_twice_has_the_loss_of_one(head):
    torch.manual_seed(0)
    one = head.eval()(some_maps(1), target(TWO))
    both = head([level.repeat(2, 1, 1, 1) for level in some_maps(1)], target(TWO, TWO))
    for name in NAMES:
        assert both[f"loss/{name}"].item() == pytest.approx(one[f"loss/{name}"].item(), rel=1e-5)


def test_pages_of_unknown_layout_add_nothing(head):
    alone = head.eval()([level[:1] for level in some_maps()], target(TWO))
    found = head(some_maps(), target(TWO, ONE, origin=[1, 0]))
    assert all(found[f"loss/{name}"].item() == pytest.approx(alone[f"loss/{name}"].item(), rel=1e-5) for name in NAMES)
    assert not any(name.startswith("pseudo/") for name in found)


def test_pages_labelled_by_a_teacher_have_losses_of_their_own(head):
    true = head.eval()([level[:1] for level in some_maps()], target(TWO))
    pseudo = head([level[1:] for level in some_maps()], target(ONE))
    both = head(some_maps(), target(TWO, ONE, origin=[1, 2]))
    for name in NAMES:
        assert both[f"loss/{name}"].item() == pytest.approx(true[f"loss/{name}"].item(), rel=1e-5)
        assert both[f"pseudo/{name}"].item() == pytest.approx(pseudo[f"loss/{name}"].item(), rel=1e-5)


@pytest.mark.parametrize("pages", [target(ONE, TWO), target([], []), target(ONE, TWO, origin=0)])
def test_every_weight_has_a_gradient_whatever_the_pages_hold(pages, head):
    outputs = head.train()(some_maps(), pages)
    sum(outputs[f"loss/{name}"] for name in NAMES).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in head.parameters())


def test_pages_without_regions_teach_background_alone(head):
    outputs = head.train()(some_maps(), target([], []))
    assert outputs["loss/rpn_class"] > 0 and outputs["loss/class"] > 0
    assert [outputs[f"loss/{name}"].item() for name in ("rpn_box", "box", "mask")] == [0, 0, 0]


def test_a_batch_of_unknown_pages_has_no_loss(head):
    outputs = head.train()(some_maps(), target(ONE, TWO, origin=0))
    assert [outputs[f"loss/{name}"].item() for name in NAMES] == [0] * 5


def test_a_seed_gives_the_same_draws(head):
    few = RcnnHead(RcnnSpec(classes=3, channels=4, hidden=8, mask_depth=0, anchor=4, rois=8)).train()
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(few(some_maps(), target(ONE, TWO)))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert "loss/mask" not in runs[0]
    assert runs[0]["logits"].shape == (2, 8, 3)


def test_while_training_the_rows_are_the_drawn_proposals(head):
    outputs = head.train()(some_maps(), target(ONE, []))
    assert outputs["logits"].shape == (2, 512, 3) and outputs["boxes"].shape == (2, 512, 4)
    assert outputs["logits"].requires_grad
    empty = outputs["boxes"][..., 2] == 0
    assert 0 < empty[0].sum() < 512
    assert (outputs["logits"][empty] == -20).all()


def test_no_two_regions_of_a_class_overlap_by_more_than_allowed(head):
    with torch.no_grad():
        outputs = head.eval()(some_maps())
    kind, boxes = outputs["logits"].argmax(-1), outputs["boxes"]
    for page in range(2):
        there = outputs["logits"][page].amax(-1) > -19
        assert there.sum() > 5
        first, last = boxes[page, :, :2] - boxes[page, :, 2:] / 2, boxes[page, :, :2] + boxes[page, :, 2:] / 2
        common = (torch.minimum(last[:, None], last) - torch.maximum(first[:, None], first)).clamp(min=0).prod(2)
        areas = (last - first).prod(1)
        overlap = common / (areas[:, None] + areas - common).clamp(min=1e-9)
        pairs = (kind[page][:, None] == kind[page]) & there & there[:, None] & ~torch.eye(len(there), dtype=torch.bool)
        assert overlap[pairs].max() <= 0.5 + 1e-5
        assert first.min() >= -1e-6 and last.max() <= 1 + 1e-6


def test_scores_fall_and_one_class_a_row_has_one(head):
    with torch.no_grad():
        logits = head.eval()(some_maps())["logits"]
    assert ((logits > -20).sum(-1) <= 1).all()
    assert (logits.amax(-1).diff(dim=1) <= 0).all()
    assert logits[logits > -20].sigmoid().min() > SPEC.score


def test_empty_rows_follow_the_contract(head):
    flat(head)
    nn.init.constant_(head.box.classes.bias[3:], 9.0)
    outputs = head.eval()(some_maps())
    assert (outputs["logits"] == -20).all()
    assert outputs["boxes"].unique(dim=1).tolist() == [[[0.5, 0.5, 0.0, 0.0]]] * 2


def test_in_evaluation_targets_add_losses_and_change_nothing_else(head):
    with torch.no_grad():
        plain, given = head.eval()(some_maps()), head(some_maps(), target(ONE, TWO))
    assert all(torch.equal(plain[name], given[name]) for name in plain)
    assert set(given) - set(plain) == {f"loss/{name}" for name in NAMES}


def test_proposals_are_sorted_and_the_rest_is_padding():
    torch.manual_seed(0)
    network = ProposalNetwork(4, smallest=4)
    nn.init.normal_(network.objectness.weight)
    found = network(some_maps())
    boxes, valid = proposals(found, (16, 16), before=20, after=50)
    assert boxes.shape == (2, 20 + 12 + 3 * 3, 4) and boxes.min() >= 0 and boxes.max() <= 16
    assert (valid.int().diff(dim=1) <= 0).all() and 5 < valid.sum() < 2 * 41
    assert (boxes[valid][:, 2:] > boxes[valid][:, :2]).all()


def test_a_description_is_read_back():
    assert read_spec(SPEC.to_json()) == SPEC


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rois": 0}, "`head.rois` must be a number from 1"),
        ({"score": 2.0}, "`head.score` must be a number from 0 to 1"),
        ({"hidden": 1 << 40}, "`head.hidden` must be"),
        ({"roi": 3}, "unknown `head.roi`; closest: rois"),
        ({"classes": True}, "`head.classes`"),
    ],
)
def test_a_damaged_description_is_named(change, words):
    with pytest.raises(InputError, match=words):
        read_spec({**SPEC.to_json(), **change})


def test_a_description_without_classes_is_refused():
    with pytest.raises(InputError, match=r"`head\.classes` is missing"):
        read_spec({"kind": "rcnn"})


SCORED = [(0, (0.4, 0.4, 0.5, 0.5)), (2, (0.42, 0.4, 0.5, 0.5)), (1, (0.85, 0.85, 0.2, 0.25))]


def scored(*scores, page=SCORED):
    return {**target(page), "scores": torch.tensor([scores])}


def test_a_box_on_uncertain_regions_is_of_each_class_as_far_as_they_are_sure():
    """By hand: regions 0 and 1 share a place, 3 and 4 as well, of which the second has another of its class."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [50, 50, 60, 59], [50, 50, 59, 60]])
    regions = Regions(boxes, torch.tensor([0, 1, 0, 2, 2]), torch.tensor([0.5, 0.25, 0.8, 0.1, 0.6]))
    asked = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]])
    at = matched(asked, boxes, low=0.5, high=0.5, best=False)
    found = shares(asked, regions, at, high=0.5, classes=3)
    expected = [[0.5, 0.25, 0, 0.25], [0.8 / 1.4, 0, 0.6 / 1.4, 0], [0, 0, 0, 1]]
    assert found.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


def test_a_box_on_certain_regions_is_of_the_nearest_alone():
    regions = Regions(torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]]), torch.tensor([0, 1]), torch.ones(2))
    at = matched(regions.boxes, regions.boxes, low=0.5, high=0.5, best=False)
    assert shares(regions.boxes, regions, at, high=0.5, classes=2).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_an_uncertain_region_changes_nothing_for_certain_ones_that_it_does_not_touch():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [0, 1, 10, 10]])
    asked = boxes[:2]
    for scores, expected in (
        ((1, 1, 0.3), [[1, 0, 0, 0], [0, 1, 0, 0]]),
        ((1, 1, 0.3, 0.5), [[1 / 1.5, 0, 0.5 / 1.5, 0], [0, 1 / 1.5, 0.5 / 1.5, 0]]),
    ):
        count = len(scores)
        regions = Regions(boxes[:count], torch.tensor([0, 1, 0, 2])[:count], torch.tensor(scores))
        at = matched(asked, regions.boxes, low=0.5, high=0.5, best=False)
        found = shares(asked, regions, at, high=0.5, classes=3)
        assert found.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


def test_an_anchor_on_two_uncertain_regions_holds_one_as_far_as_their_classes_are_sure():
    """Of one class the surest counts, of two their sum."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9.5]])
    for kinds, sure in (((0, 0), 0.5), ((0, 2), 0.8)):
        regions = Regions(boxes, torch.tensor(kinds), torch.tensor([0.5, 0.3]))
        at = matched(boxes[:1], boxes, low=0.3, high=0.7, best=True)
        assert certainty(boxes[:1], regions, at).tolist() == [pytest.approx(sure)]
    nothing = Regions(boxes[:0], torch.zeros(0).long(), torch.zeros(0))
    at = matched(boxes, nothing.boxes, low=0.3, high=0.7, best=True)
    assert certainty(boxes, nothing, at).tolist() == [0, 0]


def test_regions_of_score_1_teach_what_regions_without_scores_teach(head):
    torch.manual_seed(0)
    plain = head.train()(some_maps(1), target(SCORED))
    torch.manual_seed(0)
    certain = head(some_maps(1), scored(1.0, 1.0, 1.0))
    assert all(certain[f"loss/{name}"].item() == pytest.approx(plain[f"loss/{name}"].item()) for name in NAMES)


def test_the_loss_of_uncertain_regions_is_least_where_the_head_is_as_unsure(head):
    """Flat weights say the same of every place, so that the best class logits are the mean of what boxes are given."""
    flat(head).eval()
    targets = scored(0.3, 0.4, 0.2)
    given = drawn_rois(proposals_of(head), regions_of(targets, (16, 16))[0], 0, spec=SPEC).wanted.mean(0)
    assert 0 < given[0] < 0.3 and 0 < given[1] < 0.2
    entropy = -(given * given.log()).sum().item()
    with torch.no_grad():
        head.box.classes.bias.copy_(given.log())
    assert head(some_maps(1), targets)["loss/class"].item() == pytest.approx(entropy, rel=1e-5)


def test_boxes_and_masks_of_uncertain_regions_count_by_their_score(head):
    one = head.eval()(some_maps(1), {**target(ONE), "scores": torch.tensor([[1.0]])})
    half = head(some_maps(1), {**target(ONE), "scores": torch.tensor([[0.5]])})
    for name in ("rpn_box", "box", "mask"):
        assert half[f"loss/{name}"].item() == pytest.approx(one[f"loss/{name}"].item() / 2, rel=1e-5)


def proposals_of(head):
    boxes, valid = proposals(head.rpn(some_maps(1)), (16, 16), before=SPEC.before, after=SPEC.after)
    return boxes[0][valid[0]]
