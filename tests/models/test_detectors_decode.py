from types import SimpleNamespace

import torch
from transformers import RTDetrImageProcessorPil

from distildoc.models.detectors.decode import decode

DRAW = torch.Generator().manual_seed(0)
LOGITS, BOXES = torch.randn(2, 30, 5, generator=DRAW), torch.rand(2, 30, 4, generator=DRAW)


def test_equals_the_processor_of_transformers():
    classes, boxes, scores = decode(LOGITS, BOXES, limit=30)
    outputs = SimpleNamespace(logits=LOGITS, pred_boxes=BOXES)
    wanted = RTDetrImageProcessorPil().post_process_object_detection(
        outputs, threshold=-1.0, target_sizes=[(80, 60), (50, 70)]
    )
    for page, (height, width) in enumerate([(80, 60), (50, 70)]):
        x, y, w, h = boxes[page].unbind(-1)
        xyxy = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1) * torch.tensor([width, height] * 2)
        assert torch.equal(classes[page], wanted[page]["labels"])
        assert torch.equal(scores[page], wanted[page]["scores"])
        torch.testing.assert_close(xyxy, wanted[page]["boxes"])


def test_the_most_certain_pairs_come_first_and_no_more_than_the_limit():
    classes, boxes, scores = decode(LOGITS, BOXES, limit=7)
    assert classes.shape == scores.shape == (2, 7) and boxes.shape == (2, 7, 4)
    assert (scores.diff(dim=1) <= 0).all()
    torch.testing.assert_close(scores[:, 0], LOGITS.flatten(1).max(1).values.sigmoid())


def test_a_limit_beyond_all_pairs_gives_all_pairs():
    classes, _, scores = decode(LOGITS[:, :2].bfloat16(), BOXES[:, :2], limit=300)
    assert classes.shape == (2, 10) and scores.dtype == torch.float32


def test_no_query_gives_no_region():
    classes, boxes, scores = decode(torch.zeros(1, 0, 5), torch.zeros(1, 0, 4), limit=10)
    assert classes.shape == scores.shape == (1, 0) and boxes.shape == (1, 0, 4)
