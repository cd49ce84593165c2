import pytest
import torch

from distildoc.losses.boxes import iou, xyxy
from distildoc.models.detectors.build import build_detector

SIDE = 96
INK = {0: (1, 1), 1: (4, SIDE), 2: (8, 8)}  # every how many rows and columns: a picture, lines of text, a table


def drawn_pages(count):
    """Pages with three regions each, one below the other: (pixels, targets)."""
    generator = torch.Generator().manual_seed(0)
    pixels, boxes = torch.ones(count, 3, SIDE, SIDE), torch.zeros(count, 3, 4)
    classes = torch.randint(0, 3, (count, 3), generator=generator)
    for page in range(count):
        for place in range(3):
            width, height = (int(torch.randint(*span, (1,), generator=generator)) for span in ((26, 50), (14, 25)))
            left = int(torch.randint(2, SIDE - width - 2, (1,), generator=generator))
            top = 4 + place * 31
            down, across = INK[int(classes[page, place])]
            region = pixels[page, :, top : top + height, left : left + width]
            region[:, ::down] = 0.2
            region[:, :, ::across] = 0.2
            boxes[page, place] = torch.tensor([left + width / 2, top + height / 2, width, height]) / SIDE
    return pixels, {"boxes": boxes, "classes": classes, "origin": torch.ones(count, dtype=torch.long)}


def found_and_false(outputs, targets):
    """Number of true regions found (class right, IoU above 0.7, score above 0.5), and of other sure regions."""
    scores, kinds = outputs["logits"].sigmoid().max(-1)
    overlap = iou(xyxy(targets["boxes"])[:, :, None], xyxy(outputs["boxes"])[:, None])
    hit = (overlap > 0.7) & (kinds[:, None] == targets["classes"][:, :, None]) & (scores > 0.5)[:, None]
    return int(hit.any(2).sum()), int(((scores > 0.5) & ~hit.any(1)).sum())


@pytest.mark.timeout(600)  # about 8 s of one quiet core
def test_a_small_mask_rcnn_learns_four_pages_by_heart():
    pixels, targets = drawn_pages(4)
    model = build_detector("mask-rcnn-micro", labels=("picture", "text", "table"), size=(SIDE, SIDE), masks=False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    torch.manual_seed(0)
    totals = []
    for _ in range(60):
        outputs = model.train()(pixels, targets)
        loss = sum(value for name, value in outputs.items() if name.startswith("loss/"))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        totals.append(loss.item())
    with torch.no_grad():
        found, false = found_and_false(model.eval()(pixels), targets)
    assert totals[-1] < totals[0] / 3
    assert found >= 11 and false <= 4
