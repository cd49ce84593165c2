"""From queries to regions: the best pairs of query and class, as the DETR family's processors pick them.

Scores are sigmoids, so one query may stand for several classes, and nothing is suppressed.
"""

import torch
from torch import Tensor

LIMIT = 300  # regions a page at most, the most certain ones; RT-DETR and D-FINE have 300 queries
LEAST = 1e-6  # a detector with its own suppression fills up with scores of e**-20, which say that nothing is there


def decode(logits: Tensor, boxes: Tensor, *, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits [B, Q, C] and boxes [B, Q, 4] to (classes [B, K] int64, boxes [B, K, 4], scores [B, K] in fp32).

    Most certain first; K is `limit`, or Q * C where that is less. Boxes keep their form and unit.
    """
    classes = logits.shape[2]
    scores, index = torch.topk(logits.float().sigmoid().flatten(1), min(limit, logits.shape[1] * classes))
    rows = (index // classes).unsqueeze(-1).expand(-1, -1, boxes.shape[-1])
    return index % classes, boxes.gather(1, rows), scores
