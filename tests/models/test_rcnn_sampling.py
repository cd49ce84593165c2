import torch

from distildoc.models.detectors.rcnn.anchors import anchors
from distildoc.models.detectors.rcnn.sampling import BACKGROUND, BETWEEN, REGION, drawn, matched


def test_anchors_equal_hand_values():
    """First map: stride 4; at cell (0, 1) the square of 32 px, and one twice as wide as high of the same area."""
    first, second = anchors([torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 1, 1)], smallest=32)
    assert first.shape == (2 * 3 * 3, 4) and second.shape == (3, 4)
    assert torch.allclose(first[3 + 1], torch.tensor([4 - 16.0, -16, 4 + 16, 16]))
    half = 32 / 2**0.5
    assert torch.allclose(first[0], torch.tensor([-half, -half / 2, half, half / 2]), atol=1e-4)
    assert torch.allclose(second[1], torch.tensor([-32.0, -32, 32, 32]))


def test_boxes_are_sorted_by_their_overlap_with_the_nearest_region():
    truth = torch.tensor([[0.0, 0, 10, 10], [100, 0, 110, 10]])
    boxes = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2], [100, 0, 110, 9], [50, 50, 60, 60]])
    index, state = matched(boxes, truth, low=0.3, high=0.7, best=False)
    assert state.tolist() == [REGION, BETWEEN, BACKGROUND, REGION, BACKGROUND]
    assert index[:4].tolist() == [0, 0, 0, 1]


def test_a_region_that_nothing_covers_takes_its_nearest_boxes():
    truth = torch.tensor([[0.0, 0, 10, 10], [50, 0, 60, 10]])
    boxes = torch.tensor([[0.0, 0, 10, 9], [50, 0, 60, 2], [50, 8, 60, 10], [50, 0, 60, 1]])
    assert matched(boxes, truth, low=0.3, high=0.7, best=True)[1].tolist() == [REGION, REGION, REGION, BACKGROUND]


def test_a_region_that_touches_no_box_takes_none():
    truth = torch.tensor([[500.0, 500, 510, 510]])
    assert matched(torch.tensor([[0.0, 0, 10, 10]]), truth, low=0.3, high=0.7, best=True)[1].tolist() == [BACKGROUND]


def test_a_page_without_regions_is_all_background():
    index, state = matched(torch.rand(5, 4), torch.zeros(0, 4), low=0.3, high=0.7, best=True)
    assert state.tolist() == [BACKGROUND] * 5 and index.tolist() == [0] * 5


def test_draws_keep_the_share_and_fill_up_with_background():
    state = torch.tensor([REGION] * 50 + [BACKGROUND] * 300 + [BETWEEN] * 9)
    torch.manual_seed(0)
    on, off = drawn(state, count=64, share=0.25)
    assert len(on) == 16 and len(off) == 48
    assert (state[on] == REGION).all() and (state[off] == BACKGROUND).all()
    assert len(set(on.tolist())) == 16
    few, rest = drawn(state[45:], count=64, share=0.25)
    assert len(few) == 5 and len(rest) == 59


def test_draws_depend_on_the_global_seed_alone():
    state = torch.tensor([REGION, BACKGROUND] * 100)
    torch.manual_seed(3)
    first = drawn(state, count=20, share=0.5)
    torch.manual_seed(3)
    again = drawn(state, count=20, share=0.5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
